"""Whose an id is. On a server that is no Cluster a script finds that out on its way; on a Cluster it is asked first,
and remembered: an id that a user had is never another's while the user's record of it is there.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

from .connections import Connections, Word

T = TypeVar("T")

KEPT = 10_000


class Owners:
    """``ends``: the endings of the user's keys that the scripts want."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._tags: OrderedDict[str, str] = OrderedDict()

    async def run(
        self,
        name: str,
        index: str,
        ends: tuple[str, ...],
        *words: Word,
        rest: tuple[str, ...] = (),
        read: Callable[[Any], T],
        acknowledged: bool = False,
    ) -> tuple[T, str]:
        """The answer, and the owner's tag on a Cluster, else "". ``rest``: more keys, given to no Cluster."""
        if not self._connections.cluster:
            keys = (index, *rest)
            return await self._connections.run(name, keys, "index", *words, read=read, acknowledged=acknowledged), ""
        known = self._tags.get(index)
        if known is not None:
            answer = await self._own(name, known, ends, words, read, acknowledged)
            if answer:
                return answer, known
        tag = await self.find(index)
        if tag is None or tag == known:
            return read(None), ""
        return await self._own(name, tag, ends, words, read, acknowledged), tag

    async def _own(
        self,
        name: str,
        tag: str,
        ends: tuple[str, ...],
        words: tuple[Word, ...],
        read: Callable[[Any], T],
        acknowledged: bool,
    ) -> T:
        keys = [f"{tag}{end}" for end in ends]
        return await self._connections.run(name, keys, "own", *words, read=read, acknowledged=acknowledged)

    async def find(self, index: str) -> str | None:
        tag = await self._connections.call("GET", index, read=_to_tag)
        if tag is not None:
            self._tags[index] = tag
            self._tags.move_to_end(index)
            while len(self._tags) > KEPT:
                self._tags.popitem(last=False)
        return tag

    async def claim(self, index: str, tag: str, end: str, hashed_id: str, *, life_ms: int) -> bool:
        """On a Cluster: write whose an id is. False where another user's record of it is there."""
        other = await self.find(index)
        if other not in {None, tag} and await self._connections.call("HEXISTS", f"{other}{end}", hashed_id, read=bool):
            return False
        await self._connections.call("SET", index, tag, "PX", life_ms, read=bool)
        self._tags.pop(index, None)
        return True


def _to_tag(value: bytes | None) -> str | None:
    return None if value is None else value.decode()
