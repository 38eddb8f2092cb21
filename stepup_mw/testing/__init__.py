"""For whoever writes a store: every promise of ``stepup_mw.state.Store``, as checks that any test runner can run.

    from stepup_mw.testing import check_store, store_promises

    def test_my_store() -> None:
        check_store(lambda: MyStore(a_fresh_place()))

or, one test a promise:

    @pytest.mark.parametrize("promise", store_promises(), ids=str)
    def test_my_store(promise: Promise) -> None:
        promise.check(lambda: MyStore(a_fresh_place()))

``factory`` gives a new, empty store each time it is called; it may be async. A broken promise is a StoreFault that
names it. Loads no test framework.

A store that finds out that it was put back from a copy, or emptied, is held to that by ``check_losses(make_place)``:
see ``losses``. A store may do without, and must say so: ``loss`` is None then, ``accept_loss`` and ``missed`` False.
"""

from __future__ import annotations

import asyncio

from . import (  # noqa: F401 - each module adds its promises
    asked,
    granted,
    guesses,
    kept,
    people,
    races,
    rewarded,
    shown,
    spaced,
    tried,
)
from .losses import LossPromise, MakePlace, Place, check_losses, loss_promises
from .promises import Factory, Promise, StoreFault, store_promises

__all__ = [
    "Factory",
    "LossPromise",
    "MakePlace",
    "Place",
    "Promise",
    "StoreFault",
    "check_losses",
    "check_store",
    "check_store_async",
    "loss_promises",
    "store_promises",
]


def check_store(factory: Factory) -> None:
    """Check every promise, one after the other. StoreFault: the first that is broken."""
    asyncio.run(check_store_async(factory))


async def check_store_async(factory: Factory) -> None:
    """As check_store, inside a running event loop."""
    for promise in store_promises():
        await promise.check_async(factory)
