"""The life of a store, and how an older copy, another store or an empty one in its place is known.

A store draws the name of its life at first use, and counts in ``spent`` whatever it uses up or takes away: a time
step, a guess, a recovery code, a use of a grant, a grant, an authenticator. What stands outside of it (``witness``)
remembers the name, and how far the count had come. A store that lags behind what is remembered is an older copy; one
of another name is another store, unless it says that the life that is remembered ended in its own.

A loss ends the life: every grant, challenge and recovery code in it is void, no code of this minute or before is taken,
and each account has one guess left until a right code. The next life says when the loss was found, until somebody has
seen to it; and it counts on from where the last one was.

Pure functions of values. Nothing here reads a store or a file.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Literal

from ..records import Loss
from ..totp import time_step

STRIPES = 16
"""Counts that a store keeps side by side, so that many writers at once need not wait for one row."""

LAST_GUESS = 99
"""Failures in a row after a loss: nobody knows how many there were, and the hundredth locks for good at any ceiling
that can be configured (NIST SP 800-63B: at most 100)."""

_AHEAD_STEPS = 3
"""Later than any code that is taken now, by the widest window and drift."""

_REMEMBERED = 16
"""Ended lives that a life names."""

Found = Literal["older", "other", "empty", "evicted"]
"""``evicted``: parts of it are gone, nobody knows which; the life goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """As a store has it. ``before``: the lives that ended in this one, the newest first. ``lost_at``: when the loss
    that began it was found, and ``found`` what stood in the store's place; 0.0 where there is none to be seen to."""

    name: str
    spent: tuple[int, ...]
    before: tuple[str, ...] = ()
    lost_at: float = 0.0
    found: Found | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """As it is remembered outside."""

    name: str
    spent: tuple[int, ...]


def judge(known: Note | None, life: Life | None) -> Found | None:
    """What stands in the place of the store that is remembered; None where it is that store, or nothing had ever
    been used up in it and so there is nothing to lose."""
    if known is None or not any(known.spent):
        return None
    if life is None:
        return "empty"
    if life.name != known.name:
        return None if known.name in life.before else "other"
    return "older" if any(there < here for there, here in zip(life.spent, known.spent, strict=True)) else None


def begin() -> Life:
    """The life of a store that nobody has used."""
    return Life(name=secrets.token_hex(16), spent=(0,) * STRIPES)


def begin_anew(known: Note | None, life: Life | None, found: Found, *, now: float) -> Life:
    """The life after a loss."""
    ended = [each.name for each in (known, life) if each is not None]
    spent = [each.spent for each in (known, life) if each is not None]
    return Life(
        name=secrets.token_hex(16),
        spent=tuple(max(counts) + 1 for counts in zip(*spent, strict=True)) if spent else (1,) * STRIPES,
        before=tuple(dict.fromkeys([*ended, *(life.before if life is not None else ())]))[:_REMEMBERED],
        lost_at=now,
        found=found,
    )


def no_code_before(now: float) -> int:
    """The time step up to which every code counts as taken after a loss."""
    return time_step(now) + _AHEAD_STEPS


def loss_of(life: Life) -> Loss | None:
    return Loss(found_at=life.lost_at, found=life.found) if life.found else None
