"""The three steps of a code for a challenge, as steps over connections.

All that is the user's lies in one slot, challenges too, and is one step everywhere. On a Cluster the rest lies apart:
an address is counted before and given back after, a code that was told is looked for before, and the shelves and the
index of a grant are written beside.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ...errors import StoreUnavailable
from ...state import Earned, Given, Grant, Guess, Right, Sighting, Taken, Tried
from ..bodies import format_grant
from ..epochs import draw_epoch
from .challenges import LOGGED, UNLOGGED, Challenges
from .connections import Word
from .grants import EPOCH_MS, GRANTS, SLACK_MS
from .kept import parse_kept
from .names import digest, member
from .records import NO_COUNT, format_number, parse_factors
from .throttle import Throttle, to_attempt

_NO_GRANT = ("", "0", "0", NO_COUNT, 0, 0, "", 0)


class Codes(Challenges, Throttle):
    async def try_challenge(self, guess: Guess) -> Tried:
        user = guess.user
        keys = (self._names.user(user), self._names.challenges(user)[0], self._names.grants(user))
        words = (digest("id", guess.challenge_id), guess.attempts, draw_epoch(), EPOCH_MS)
        return await self._guess(
            "try_challenge",
            keys,
            guess.address,
            words,
            now=guess.now,
            account=guess.account,
            limit=guess.limit,
            read=_to_tried,
            allowed=lambda tried: tried.attempt.allowed,
        )

    async def take_code(self, right: Right) -> Taken:
        names, hashed, tag = self._names, digest("id", right.challenge_id), self._names.tag(right.user)
        keys: tuple[str, ...] = (names.user(right.user), names.challenges(right.user)[0])
        if not self._connections.cluster:
            keys = (*keys, names.hits(right.told), *names.shelves)
        elif await self.hits(right.told, now=right.at, window_s=right.told_s, record=False) > 1:
            return Taken(taken=False)
        at = format_number(right.at)
        words: tuple[Word, ...] = (right.factor_id, right.step, right.drift, at, right.told_s, hashed, tag)
        taken, order = await self._connections.run("take_code", keys, *words, read=_to_numbers, acknowledged=True)
        if order and self._connections.cluster:
            await self._shelve([member(order, tag, hashed), UNLOGGED, at])
        return Taken(taken=bool(taken), settled=bool(order))

    async def reward(self, earned: Earned, *, keep_grants: int, keep_seen: int) -> Given:
        names, grant, user = self._names, earned.grant, earned.user
        hashed, tag, at = digest("id", earned.challenge_id), names.tag(user), format_number(earned.at)
        keys: tuple[str, ...] = (names.user(user), names.grants(user), names.challenges(user)[0], names.kept(user))
        if not self._connections.cluster:
            index = names.grant(digest("id", grant.grant_id)) if grant is not None else names.user(user)
            address = names.address(earned.address) if earned.address else names.user(user)
            keys = (*keys, index, address, *names.shelves)
        elif grant is not None:
            await self._claim_index(grant, tag)
        place = at.encode() + b" " + earned.place if earned.place else b""
        device = digest("device", earned.device) if earned.device else ""
        seen = ((("device", earned.device),) if earned.device else ()) + earned.seen
        words: tuple[Word, ...] = (
            *(hashed, at, tag, keep_seen, place, int(earned.kept), device),
            *(_words_of(grant, keep_grants) if grant is not None else _NO_GRANT),
            names.grant_index,
            *(word for kind, value in seen for word in (kind, digest(kind, value))),
        )
        found = await self._connections.run("reward", keys, *words, read=_to_found, acknowledged=earned.kept)
        if self._connections.cluster:
            if earned.address:
                await self._connections.call("ZPOPMAX", names.address(earned.address), read=list)
            if found.logged is not None:
                order, settled_at = found.logged
                await self._shelve([member(order, tag, hashed), LOGGED, settled_at])
        kept = parse_kept(found.kept, user, earned.challenge_id, earned.at)
        return Given(granted=found.granted, epoch=found.epoch, device=found.device, kept=kept)

    async def _claim_index(self, grant: Grant, tag: str) -> None:
        hashed = digest("id", grant.grant_id)
        if not await self._owners.claim(self._names.grant(hashed), tag, GRANTS, hashed, life_ms=_life_ms(grant)):
            raise StoreUnavailable("there is a grant of this id")


class _Found(NamedTuple):
    granted: bool
    epoch: int
    device: Sighting
    kept: bytes | None
    logged: tuple[int, bytes] | None


def _life_ms(grant: Grant) -> int:
    return int(max(grant.expires_at - grant.proved_at, 0) * 1000) + SLACK_MS


def _words_of(grant: Grant, keep: int) -> tuple[Word, ...]:
    times = format_number(grant.proved_at), format_number(grant.expires_at)
    uses = NO_COUNT if grant.uses_left is None else grant.uses_left
    return (digest("id", grant.grant_id), *times, uses, keep, _life_ms(grant), format_grant(grant), grant.epoch)


def _to_tried(answer: list[Any]) -> Tried:
    guess, number, *rest = answer
    if not number:
        return Tried(to_attempt(guess))
    epoch, held = rest
    return Tried(to_attempt(guess), number, int(epoch), parse_factors(held))


def _to_numbers(answer: list[Any]) -> tuple[int, int]:
    taken, order = answer
    return int(taken), int(order)


def _to_found(answer: list[Any]) -> _Found:
    if answer[0] == -1:
        raise ValueError("there is a grant of this id")
    granted, epoch, known, held, kept, logged = answer
    return _Found(
        granted=bool(granted),
        epoch=int(epoch or 0),
        device=Sighting(known=bool(known), any=bool(held)),
        kept=kept,
        logged=(int(logged[0]), logged[1]) if logged else None,
    )
