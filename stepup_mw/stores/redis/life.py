"""The life of what a server keeps, held against what is remembered of it (see ``stores.lives``).

    {stepup:life}   name, before, lost_at, found, spent, evicted:<run> of each server

Asked on every new connection before it is used, for a server that was put back or took another's place was away
meanwhile; and once a second. On a Cluster, whose nodes are put back one by one, it is asked at the first step, after
every fault and once a second, and stands on one node: what another node alone has lost is not found out by it.

A server that evicts keys says how many, which each is asked once a second. The life goes on then: who lost a record
has lost the secret with it. But who has none may have had one, and what is not remembered may have been known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from ..lives import LAST_GUESS, STRIPES, Found, Life, Note, begin, begin_anew, judge, no_code_before
from ..removals import mark_of
from ..witness import Watch
from .names import Names
from .records import Held, fields_of
from .scripts import script

Ask = Callable[..., Awaitable[Any]]
"""Sends one command and gives its answer."""

_AT_ONCE = 64


class Evicted(NamedTuple):
    """How many keys a server has evicted in one run of it: a server that has started anew counts anew."""

    run: str
    keys: int


class Lives:
    def __init__(self, names: Names, watch: Watch) -> None:
        self._names = names
        self._watch = watch
        self._evicted: tuple[str, tuple[Evicted, ...]] | None = None

    def spent(self, count: int) -> None:
        self._watch.spent(0, count)

    async def look(self, ask: Ask) -> Life | None:
        """The life; None where it is not, or not yet, the one that is remembered."""
        known = self._watch.known()
        life = parse_life(await ask("HGETALL", self._names.life))
        if life is None or judge(known, life) is not None or _has_ended(known, life):
            return None
        self._watch.keep(known, life)
        return life

    async def note_evictions(self, ask: Ask, life: Life, evicted: tuple[Evicted, ...]) -> Life:
        """The life, which may say now that a server has evicted keys. Asks only where something has changed."""
        if not evicted or (life.name, evicted) == self._evicted:
            return life
        words = (repr(self._watch.clock()), *(word for each in evicted for word in each))
        found = await self._run(ask, "note_evictions", [self._names.life], *words)
        self._evicted = (life.name, evicted)
        return (parse_life(await ask("HGETALL", self._names.life)) or life) if found else life

    async def mend(self, ask: Ask) -> None:
        """Begin a life where there is none, and end one that was lost. Several may do so at once; what is done twice
        is done once."""
        known = self._watch.known()
        life = parse_life(await ask("HGETALL", self._names.life))
        found = judge(known, life)
        if found is not None or _has_ended(known, life):
            await self._take_away_again(ask)
        if found is not None:
            life = await self._end(ask, known, life, found)
        elif life is None:
            life = parse_life(await self._run(ask, "begin_life", [self._names.life], begin().name))
        if life is None:
            raise ValueError("the server does not keep what it was given")
        self._watch.keep(known, life)

    async def _end(self, ask: Ask, known: Note | None, life: Life | None, found: Found) -> Life | None:
        now = self._watch.clock()
        new = begin_anew(known, life, found, now=now)
        users = sorted(name.decode() for name in await ask("SMEMBERS", self._names.users))
        for start in range(0, len(users), _AT_ONCE):
            part = users[start : start + _AT_ONCE]
            await asyncio.gather(*(self._void(ask, user, now) for user in part))
            if not _same(parse_life(await ask("HGETALL", self._names.life)), life):
                break  # another process has come to the end before
        before = life.name if life is not None else ""
        words = (new.name, " ".join(new.before), repr(new.lost_at), found, max(new.spent))
        await self._run(ask, "end_life", [self._names.life], before, *words)
        return parse_life(await ask("HGETALL", self._names.life))

    async def _take_away_again(self, ask: Ask) -> None:
        marks = self._watch.removals.read()
        for name in await ask("SMEMBERS", self._names.users) if marks else ():
            user = name.decode()
            for field in await ask("HKEYS", self._names.user(user)):
                kind, _, factor_id = field.decode(errors="replace").partition(":")
                if kind == "factor" and mark_of(user, factor_id) in marks:
                    keys = [self._names.user(user), self._names.grants(user)]
                    await self._run(ask, "remove_factor", keys, factor_id)

    async def _void(self, ask: Ask, user: str, now: float) -> None:
        names = self._names
        keys = [names.user(user), names.grants(user), names.kept(user), *names.challenges(user)]
        await self._run(ask, "void_user", keys, no_code_before(now), LAST_GUESS)

    @staticmethod
    async def _run(ask: Ask, name: str, keys: list[str], *words: str | int) -> Any:
        return await ask("EVAL", script(name).text, len(keys), *keys, *words)


def parse_life(held: Held) -> Life | None:
    """None where there is no life."""
    fields = fields_of(held)
    name = fields.get(b"name")
    if name is None:
        return None
    found = fields.get(b"found", b"").decode()
    return Life(
        name=name.decode(),
        spent=(int(fields[b"spent"]),) * STRIPES,
        before=tuple(fields.get(b"before", b"").decode().split()),
        lost_at=float(fields.get(b"lost_at", 0)) if found else 0.0,
        found=found or None,  # type: ignore[arg-type]  # written from a Found
    )


def _has_ended(known: Note | None, life: Life | None) -> bool:
    """The life that is remembered: another host found that out."""
    return known is not None and life is not None and life.name != known.name


def _same(now: Life | None, before: Life | None) -> bool:
    return (now and now.name) == (before and before.name)
