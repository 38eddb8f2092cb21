"""A streaming answer of Django that outlives its proof: events end whole, anything else is cut, one piece goes out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from stepup_mw.django.streams import watch
from stepup_mw.doors.inside import Inside
from stepup_mw.errors import StreamOver
from stepup_mw.messages import Lease, Pass


class Over:
    """A lease that is over after some questions."""

    def __init__(self, good: int) -> None:
        self.good = good

    async def left_s(self) -> float:
        self.good -= 1
        return 1e-9 if self.good >= 0 else 0.0


class Streaming:
    def __init__(self, pieces: Any, kind: str, *, is_async: bool) -> None:
        self.streaming_content = pieces
        self.headers = {"Content-Type": kind}
        self.status_code = 200
        self.is_async = is_async


def pieces() -> Iterator[bytes]:
    yield from (b"1", b"2", b"3", b"4")


async def pieces_async() -> AsyncIterator[bytes]:
    for piece in pieces():
        yield piece


async def collect(stream: Any, got: list[bytes]) -> None:
    async for piece in stream:
        got.append(piece)  # noqa: PERF401 - what came before it broke off counts


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize(
    ("kind", "good", "got", "cut"),
    [
        ("text/event-stream; charset=utf-8", 2, [b"1", b"2"], False),
        ("text/event-stream", 0, [], False),
        ("text/csv", 1, [b"1", b"2"], True),
        ("text/csv", 0, [b"1"], True),
        ("text/csv", 9, [b"1", b"2", b"3", b"4"], False),
    ],
    ids=["events", "events-at-once", "file", "file-at-once", "in-time"],
)
def test_what_goes_out(is_async: bool, kind: str, good: int, got: list[bytes], cut: bool) -> None:
    ends: list[tuple[int | None, str]] = []
    passed = Pass(finish=lambda status, how, _: ends.append((status, how)), lease=Over(good))
    running: Any = None
    inside = Inside(running, {}, lambda _: running, passed)
    response = Streaming(pieces_async() if is_async else pieces(), kind, is_async=is_async)

    def ask(lease: Lease) -> float:
        return asyncio.run(lease.left_s())

    watch(response, inside, ask)
    found: list[bytes] = []
    try:
        if is_async:
            asyncio.run(collect(response.streaming_content, found))
        else:
            for piece in response.streaming_content:
                found.append(piece)  # noqa: PERF402 - what came before it broke off counts
    except StreamOver:
        assert cut
    else:
        assert not cut
    assert found == got
    assert ends == [(200, "completed" if good == 9 else "aborted")]
