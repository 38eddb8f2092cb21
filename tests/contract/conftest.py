from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from stepup_mw.state import Store

from .samples import STORES

ONCE = ("memory", "sqlite", "postgres", "valkey-8")
"""One server of each family here; the kit (test_promises) runs on every one."""


@pytest.fixture(params=ONCE)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made = STORES[request.param](tmp_path)
    yield made
    asyncio.run(made.aclose())
