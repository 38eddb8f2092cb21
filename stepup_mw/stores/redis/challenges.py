"""Challenges, as steps over connections.

The record decides everything, in one step in the slot of its user. The shelves only say where the housekeeping has
to look; one that is behind is put right by the next look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from typing import Any

from ...errors import StoreUnavailable
from ...passkeys import PREFIX
from ...state import Challenge, ChallengeState, FactorKind
from ..bodies import format_challenge
from ..bounds import SETTLED_KEPT_S
from .connections import Connections, Word
from .names import Names, digest, member, parse_member
from .owners import Owners
from .records import format_match, format_number, parse_challenge, parse_factors

KEPT_MS = 30 * 86_400 * 1000
"""A challenge whose outcome nobody ever logs is kept so long: a service may be down for a while."""

LOGGED_KEPT = 32
"""So many ended ones of a user still answer that they have ended; a crowd of them does not grow the store."""

OPEN, UNLOGGED, LOGGED = 1, 2, 3
_HEADS, _BODIES = ":challenges", ":bodies"


class Challenges:
    _connections: Connections
    _names: Names
    _owners: Owners

    async def challenge(self, challenge_id: str) -> Challenge | None:
        hashed = digest("id", challenge_id)
        index = self._names.challenge(hashed)
        found, _ = await self._owners.run("challenge", index, (_HEADS, _BODIES), hashed, read=_to_challenge)
        return found

    async def latest_challenge(
        self, user: str, session: str, rule: str, binding: str, *, now: float
    ) -> Challenge | None:
        words = (format_match(session, rule, binding), format_number(now))
        keys = self._names.challenges(user)
        return await self._connections.run("latest_challenge", keys, *words, read=_to_challenge)

    async def open_challenge(
        self, challenge: Challenge, *, keep: int, kinds: Collection[FactorKind] | None = None
    ) -> tuple[Challenge, ...] | None:
        hashed, tag = digest("id", challenge.challenge_id), self._names.tag(challenge.user)
        keys: tuple[str, ...] = (*self._names.challenges(challenge.user), self._names.user(challenge.user))
        order = 0
        body = format_challenge(challenge)
        if self._connections.cluster:
            if kinds is not None and not await self._can_prove(challenge.user, kinds):
                return None  # or it would be announced for nothing
            order = await self._announce(challenge, tag, hashed)
        else:
            keys = (*keys, self._names.challenge(hashed), *self._names.shelves, self._names.counter)
        opened = await self._connections.run(
            "open_challenge",
            keys,
            hashed,
            format_number(challenge.created_at),
            format_number(challenge.expires_at),
            challenge.attempts,
            format_number(challenge.settled_at),
            format_match(challenge.session, challenge.rule, challenge.binding),
            body,
            keep,
            tag,
            order,
            KEPT_MS,
            LOGGED_KEPT,
            SETTLED_KEPT_S,
            self._names.challenge_index,
            PREFIX,
            "*" if kinds is None else " ".join(sorted(kinds)),
            read=_to_opened,
        )
        if opened is None:
            return None
        settled, dropped = opened
        if self._connections.cluster:
            await self._tidy(tag, settled, dropped, challenge.created_at)
        return tuple(evicted for _, _, evicted in settled)

    async def _can_prove(self, user: str, kinds: Collection[FactorKind]) -> bool:
        factors = await self._connections.call("HGETALL", self._names.user(user), read=parse_factors)
        return any(factor.proves(kinds) for factor in factors)

    async def _announce(self, challenge: Challenge, tag: str, hashed: str) -> int:
        index = self._names.challenge(hashed)
        if not await self._owners.claim(index, tag, _HEADS, hashed, life_ms=KEPT_MS):
            raise StoreUnavailable("there is a challenge of this id")
        keys = (*self._names.shelves, self._names.counter)
        return await self._connections.run("announce", keys, tag, hashed, format_number(challenge.expires_at), read=int)

    async def _tidy(
        self,
        tag: str,
        settled: list[tuple[int, str, Challenge]],
        dropped: list[tuple[int, str]],
        now: float,
    ) -> None:
        moves: list[Word] = []
        for order, hashed, _ in settled:
            moves += (member(order, tag, hashed), UNLOGGED, format_number(now))
        for order, hashed in dropped:
            moves += (member(order, tag, hashed), 0, 0)
            await self._connections.call("DEL", self._names.challenge(hashed), read=int)
        await self._shelve(moves)

    async def _shelve(self, moves: list[Word]) -> None:
        if moves:
            await self._connections.run("shelve", self._names.shelves, *moves, read=int)

    async def settle_challenge(self, challenge_id: str, state: ChallengeState, *, now: float) -> bool:
        if state == "open":
            return False
        hashed = digest("id", challenge_id)
        order, tag = await self._owners.run(
            "settle_challenge",
            self._names.challenge(hashed),
            (_HEADS,),
            hashed,
            state,
            format_number(now),
            rest=self._names.shelves,
            read=_to_number,
            acknowledged=True,
        )
        if order and tag:
            await self._shelve([member(order, tag, hashed), UNLOGGED, format_number(now)])
        return order is not None

    async def mark_logged(self, challenge_id: str) -> None:
        hashed = digest("id", challenge_id)
        found, tag = await self._owners.run(
            "mark_logged",
            self._names.challenge(hashed),
            (_HEADS,),
            hashed,
            rest=self._names.shelves,
            read=_to_pair,
        )
        if found and tag:
            order, settled_at = found
            await self._shelve([member(order, tag, hashed), LOGGED, settled_at])

    async def due_challenges(self, *, now: float, grace_s: float, limit: int) -> tuple[Challenge, ...]:
        words = (format_number(now), format_number(now - grace_s), format_number(now - SETTLED_KEPT_S))
        over, lost, logged = await self._connections.run(
            "due", self._names.shelves, *words, limit, read=list, acknowledged=True
        )
        seen = [(text, False) for text in over] + [(text, True) for text in (*lost, *logged)]
        looks = await asyncio.gather(*(self._claim(text, words, again=again) for text, again in seen))
        await self._shelve([word for moves, _ in looks for word in moves])
        return tuple(challenge for _, challenge in looks if challenge is not None)

    async def _claim(
        self, text: bytes, words: tuple[str, str, str], *, again: bool
    ) -> tuple[tuple[Word, ...], Challenge | None]:
        """Where the housekeeping has to look next, and the challenge if it was given to this caller.

        A record that is not there is lost, or (on a Cluster) about to be written by one who is slow: it is forgotten
        when it is not there ``again``.
        """
        tag, hashed = parse_member(text)
        keys = (f"{tag}{_HEADS}", f"{tag}{_BODIES}")
        done, head, body = await self._connections.run("claim", keys, hashed, *words, read=list)
        if done == b"gone" and self._connections.cluster and not again:
            return (), None
        if done == b"dropped":
            await self._connections.call("DEL", self._names.challenge(hashed), read=int)
        if done in {b"gone", b"dropped"} or (done == b"taken" and not body):
            return (text, 0, 0), None
        shelf, score = _place(head)
        return (text, shelf, score), parse_challenge(head, body) if done == b"taken" else None


def _place(head: bytes) -> tuple[int, bytes]:
    """The shelf of a record, and its score there."""
    _, _, expires, _, state, settled, logged, claimed, _ = head.split(b" ")
    if state == b"open":
        return OPEN, expires
    return (LOGGED, settled) if logged == b"1" else (UNLOGGED, claimed)


def _to_challenge(answer: list[bytes] | None) -> Challenge | None:
    return parse_challenge(*answer) if answer else None


def _to_number(answer: Any) -> int | None:
    return int(answer) or None if answer else None


def _to_pair(answer: list[bytes] | None) -> tuple[int, bytes] | None:
    return (int(answer[0]), answer[1]) if answer else None


def _to_opened(answer: Any) -> tuple[list[tuple[int, str, Challenge]], list[tuple[int, str]]] | None:
    if answer is None:
        return None
    if answer == 0:
        raise ValueError("there is a challenge of this id")
    settled, dropped = answer
    return list(_settled(settled)), [(int(order), hashed.decode()) for order, hashed in dropped]


def _settled(found: Iterable[list[bytes]]) -> Iterable[tuple[int, str, Challenge]]:
    for hashed, head, *body in found:
        if body and body[0]:
            yield int(head.split(b" ", 1)[0]), hashed.decode(), parse_challenge(head, body[0])
