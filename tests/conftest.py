"""One profile for every property test: the same examples in every run, no clock on the machine's mood. And what a run
inherits from where it is started is not handed on to the programs under test."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("ci", max_examples=80, deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile("ci")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell does to a run in the background of a script
    signal.signal(signal.SIGINT, signal.default_int_handler)

SLOW = (
    "contract/test_lockstep.py",
    "contract/test_processes.py",
    "contract/test_promises.py",
    "contract/test_races.py",
    "demo/test_story.py",
    "examples/test_django_admin.py",
    "http/test_workers.py",
    "invariants/test_every_store.py",
    "policy/test_routers.py",
    "ship/",
    "stores/test_crowds.py",
    "stores/test_hosts.py",
    "stores/test_losses.py",
    "stores/test_postgres_",
    "stores/test_redis_",
    "stores/test_services.py",
    "stores/test_tls.py",
    "stores/test_unreachable.py",
    "trail/test_faults.py",
    "trail/test_processes.py",
)
"""Many real servers, many processes, or a fault at each system call: marked ``slow``, left out of the everyday run and
run by the gate after it (``-m slow``)."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.relative_to(here).as_posix().startswith(SLOW):
            item.add_marker(pytest.mark.slow)
