"""Promises about a store that is put back from a copy, or emptied. They are for a store that remembers outside of
itself how far it had come, as SQLite, Redis and PostgreSQL do by the witness that ``open_store`` hands them.

A store may do without: its ``loss`` is None then, its ``accept_loss`` and ``missed`` are False, and it is not held to
this. But it must say so to those who use it: with an old copy of it, used codes and ended grants may be good once more,
and where it is emptied, ``challenge.enroll = "self"`` lets anybody who is signed in give themselves an authenticator.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from ..state import Kept, Store
from ..totp import time_step
from .promises import StoreFault, same
from .records import attempt, keep_grant, make_earned, make_factor, make_grant, make_right, try_challenge, use


class Place(Protocol):
    """Where one store keeps its state, in the hands of an operator. Nothing but ``open`` is called while a store of it
    is open. ``now``: about what the clock of its stores says, Unix seconds."""

    now: float

    def open(self) -> Store | Awaitable[Store]:
        """The store that is kept there."""
        ...

    def copy(self) -> None:
        """Take a copy of all it keeps, but for what it remembers outside."""
        ...

    def put_back(self) -> None:
        """Put the copy in the place of what is there."""
        ...

    def empty(self) -> None:
        """Take away all it keeps, but for what it remembers outside."""
        ...


MakePlace = Callable[[], Place]
"""Gives a new place, where nothing was ever kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LossPromise:
    """As ``Promise``, of a place."""

    name: str
    words: str
    run: Callable[[Place], Awaitable[None]]

    def __str__(self) -> str:
        return self.name

    def check(self, make: MakePlace) -> None:
        """StoreFault if what is kept at a place of ``make`` does not keep this promise."""
        asyncio.run(self.check_async(make))

    async def check_async(self, make: MakePlace) -> None:
        """As check, inside a running event loop."""
        try:
            await self.run(make())
        except StoreFault as fault:
            raise StoreFault(f"{self.words} {fault.detail}", self.name) from fault
        except Exception as error:
            raise StoreFault(f"{self.words} It raised {type(error).__name__}: {error}", self.name) from error


async def _open(place: Place) -> Store:
    made = place.open()
    return await made if inspect.isawaitable(made) else made


async def _fill(place: Place) -> None:
    store, now = await _open(place), place.now
    await store.put_factor(make_factor(), ["r1", "r2"])
    await store.add_factor(make_factor(factor_id="f2"))
    await keep_grant(store, make_grant(uses_left=1, proved_at=now, expires_at=now + 300))
    await store.keep_request(Kept(kept_id="k1", user="alice", sealed=b"s", expires_at=now + 300), now=now, limit=9)
    await store.aclose()


async def _reward(store: Store, now: float) -> None:
    await store.reward(make_earned(challenge_id="k1", at=now, kept=True), keep_grants=9, keep_seen=9)


USES: dict[str, Callable[[Store, float], Awaitable[object]]] = {
    "a_recovery_code": lambda store, _: store.consume_recovery("alice", "r1"),
    "new_recovery_codes": lambda store, _: store.put_recovery("alice", ["r3"]),
    "a_step": lambda store, now: store.consume_step("alice", "f1", time_step(now)),
    "a_code": lambda store, now: store.take_code(make_right(time_step(now), at=now)),
    "a_try": lambda store, now: try_challenge(store, now=now),
    "a_reward": _reward,
    "a_guess": lambda store, now: attempt(store, now=now),
    "a_use_of_a_grant": lambda store, now: use(store, now=now),
    "one_grant": lambda store, _: store.revoke_grants("alice", "g1"),
    "all_grants": lambda store, _: store.revoke_grants("alice"),
    "a_kept_request": lambda store, now: store.take_request("alice", "k1", now=now),
    "an_epoch": lambda store, _: store.raise_epoch("alice"),
    "a_replaced_factor": lambda store, _: store.put_factor(make_factor(factor_id="f3"), []),
    "a_removed_factor": lambda store, _: store.remove_factor("alice", "f2"),
    "all_factors": lambda store, _: store.remove_factors("alice"),
}
"""Each uses something up, or takes something away."""
LEFT = {"a_replaced_factor": [], "all_factors": [], "a_removed_factor": ["f1"]}


async def _void(store: Store, now: float) -> None:
    """Nothing of before is good once more."""
    same((await store.grant("g1"), await use(store, now=now)), (None, False), "a grant of before")
    same(await store.take_request("alice", "k1", now=now), None, "a kept request")
    same([await store.consume_recovery("alice", code) for code in ("r1", "r2", "r3")], [False] * 3, "recovery codes")
    same(await store.consume_step("alice", "f1", time_step(now) + 1), False, "a code of this minute")
    same((await store.take_code(make_right(time_step(now) + 1, at=now))).taken, False, "a code of this minute")
    guesses = [await attempt(store, now=now) for _ in range(2)]
    same(guesses[1].allowed, False, "a second guess")


def _stays_used_up(name: str) -> LossPromise:
    async def run(place: Place) -> None:
        await _fill(place)
        place.copy()
        store = await _open(place)
        await USES[name](store, place.now)
        await store.aclose()
        place.put_back()
        store = await _open(place)
        await _void(store, place.now)
        left = [factor.factor_id for factor in await store.factors("alice")]
        same(left, LEFT.get(name, ["f1", "f2"]), "authenticators")
        loss = await store.loss()
        same(loss is not None, True, "the loss is known")
        given = await keep_grant(store, make_grant("g2", proved_at=place.now, expires_at=place.now + 300))
        await store.aclose()
        again = await _open(place)
        same((await again.grant("g2"), await again.loss()), (given, loss), "a loss is one loss")
        await again.aclose()

    words = "What was used up since a copy was taken stays used up when the copy is put back, and nothing else is good."
    return LossPromise(name=f"{name}_stays_used_up", words=words, run=run)


async def _restart(place: Place) -> None:
    """A store that is closed and opened again has lost nothing."""
    await _fill(place)
    store = await _open(place)
    await store.consume_step("alice", "f1", time_step(place.now))
    await store.aclose()
    store = await _open(place)
    same((await store.loss(), await store.missed("bob"), await store.accept_loss()), (None, False, False))
    same(
        (await store.grant("g1") is not None, await store.consume_recovery("alice", "r1")), (True, True), "what it kept"
    )
    await store.aclose()


async def _emptied(place: Place) -> None:
    """Who had an authenticator in a store that was emptied is missed, until an operator accepts the loss."""
    await _fill(place)
    store = await _open(place)
    await store.consume_step("alice", "f1", time_step(place.now))
    await store.aclose()
    place.empty()
    store = await _open(place)
    same((await store.missed("alice"), await store.factors("alice")), (True, ()))
    same(await store.loss() is not None, True, "the loss is known")
    same((await store.accept_loss(), await store.accept_loss()), (True, False))
    same((await store.missed("alice"), await store.loss()), (False, None), "after it was accepted")
    await store.aclose()


_PROMISES = (
    *(_stays_used_up(name) for name in USES),
    *(
        LossPromise(name=check.__name__[1:], words=" ".join((check.__doc__ or "").split()), run=check)
        for check in (_restart, _emptied)
    ),
)


def loss_promises() -> tuple[LossPromise, ...]:
    """Every promise of a store that remembers outside of itself."""
    return _PROMISES


def check_losses(make: MakePlace) -> None:
    """Check every one of them. StoreFault: the first that is broken."""
    for promise in loss_promises():
        promise.check(make)
