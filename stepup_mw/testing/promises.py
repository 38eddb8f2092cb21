"""A promise: its name, its words, and how it is checked."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ..errors import StepUpError, StoreUnavailable
from ..state import Store

Factory = Callable[[], Store | Awaitable[Store]]
"""Gives a new, empty store."""

Check = Callable[[Store], Awaitable[None]]

_promises: list[Promise] = []


class StoreFault(StepUpError, AssertionError):
    """A store does not keep a promise. ``promise`` is its name, ``detail`` what was found."""

    code = "store_fault"

    def __init__(self, detail: str, promise: str = "") -> None:
        self.promise = promise
        self.detail = detail
        super().__init__(f"{promise}: {detail}" if promise else detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """``name``: an identifier that stays; ``words``: the promise as a sentence."""

    name: str
    words: str
    run: Check

    def __str__(self) -> str:
        return self.name

    def check(self, factory: Factory) -> None:
        """StoreFault if a store that ``factory`` makes does not keep this promise."""
        asyncio.run(self.check_async(factory))

    async def check_async(self, factory: Factory) -> None:
        """As check, inside a running event loop."""
        made = factory()
        store: Store = await made if inspect.isawaitable(made) else made
        try:
            await self.run(store)
        except StoreFault as fault:
            raise StoreFault(f"{self.words} {fault.detail}", self.name) from fault
        except Exception as error:  # whatever a store raises where it should answer breaks the promise
            raise StoreFault(f"{self.words} It raised {type(error).__name__}: {error}", self.name) from error
        finally:
            await store.aclose()


def promise(check: Check) -> Check:
    """Make a promise of a function: its name, and its docstring as the words."""
    _promises.append(Promise(name=check.__name__, words=" ".join((check.__doc__ or "").split()), run=check))
    return check


def store_promises() -> tuple[Promise, ...]:
    """Every promise of a store."""
    return tuple(_promises)


def same(found: object, wanted: object, what: str = "") -> None:
    """StoreFault if two values differ."""
    if found != wanted:
        raise StoreFault(f"{what and f'{what}: '}found {found!r}, wanted {wanted!r}")


async def refused(call: Awaitable[object], what: str) -> None:
    """StoreFault unless the call is a StoreUnavailable."""
    try:
        found = await call
    except StoreUnavailable:
        return
    raise StoreFault(f"{what}: found {found!r}, wanted StoreUnavailable")
