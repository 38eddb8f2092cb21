"""Promises about the run of spaced codes by which the owner of a locked account unlocks it."""

from __future__ import annotations

from ..state import Store
from .promises import promise, same
from .records import attempt


async def _right(store: Store, step: int, *, now: float | None = None) -> int:
    await store.spaced_attempt("alice", step)
    moment = 30.0 * step if now is None else now
    return await store.spaced_success("alice", step, now=moment, needed=3, within_s=300)


@promise
async def a_slot_has_one_look(store: Store) -> None:
    """spaced_attempt is true once a time step, for later ones only, and only where failures are counted."""
    same(await store.spaced_attempt("alice", 1), False, "an account without failures")
    await attempt(store, now=1.0)
    same([await store.spaced_attempt("alice", slot) for slot in (5, 5, 4, 6)], [True, False, False, True])


@promise
async def right_codes_in_a_row_count(store: Store) -> None:
    """Right codes of later and later steps count, ``needed`` is given once, and ends the run."""
    await attempt(store, now=1.0)
    same([await _right(store, step) for step in (1, 2, 3, 4)], [1, 2, 3, 1])
    same(await store.spaced_success("alice", 9, now=120.0, needed=3, within_s=300), 0, "no attempt is open")


@promise
async def a_run_ends(store: Store) -> None:
    """A wrong code, an attempt nobody answered for, a take_attempt, or too long a time end the run."""
    await attempt(store, now=1.0)
    await _right(store, 1)
    await store.spaced_attempt("alice", 2)
    same(await store.spaced_success("alice", -1, now=60.0, needed=3, within_s=300), 0, "a wrong code")
    same(await _right(store, 3), 1, "after a wrong code")
    await store.spaced_attempt("alice", 4)
    same(await _right(store, 5), 1, "after one that nobody answered for")
    await attempt(store, now=160.0)
    same(await _right(store, 6), 1, "after an attempt")
    same(await _right(store, 7, now=180.0 + 300), 1, "too late")
    same(await store.unlock("alice"), True)
    same(await store.spaced_attempt("alice", 99), False, "after an unlock")
