"""Every store of the package keeps every promise of the kit that other stores are checked with."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from stepup_mw.state import Store
from stepup_mw.testing import Promise, store_promises

from .samples import STORES


@pytest.mark.parametrize("promise", store_promises(), ids=str)
@pytest.mark.parametrize("kind", STORES)
def test_a_store_keeps_its_promise(kind: str, promise: Promise, tmp_path: Path) -> None:
    numbers = count()

    def factory() -> Store:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        return STORES[kind](folder)

    promise.check(factory)
