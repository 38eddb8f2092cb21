"""The machines of ``test_machine`` and ``test_void`` over real servers: invariants 9 to 20, 32, 33, 35 and 36 of every
store, with faults, cut connections, copies put back and flushes between."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from ..servers import SERVERS
from .test_machine import Service
from .test_void import Grants

KINDS = ("memory", "sqlite", *SERVERS, "postgres")
FEW = settings(
    max_examples=10,
    stateful_step_count=30,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("machine", [Service, Grants], ids=["service", "grants"])
def test_every_server_keeps_the_invariants(machine: type[Service] | type[Grants], kind: str) -> None:
    run_state_machine_as_test(type("Side", (machine,), {"kinds": (kind,)}), settings=FEW)
