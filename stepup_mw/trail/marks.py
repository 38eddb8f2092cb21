"""The lines a trail writes about itself (``audit``: start, stop, rotated, recovered …), and who wrote a line.

One object for each process and each life of its writer, since the process id stands in every line.
"""

from __future__ import annotations

import os
import socket
from binascii import b2a_base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from .. import events
from ..encoding import format_timestamp, format_uuid7, safe_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..note import Checkpoint

IN_FLIGHT_S = 60.0
"""How old the first record of a writer may be and still count for the time of its start."""

_AGAIN = b',"again":true'

ROOM = 512
"""Bytes of a line that are kept for ``prev``, ``seq`` and ``writer``."""


class Marks:
    """Makes the trail's own records, and closes every line with its writer.

    ``writer.n`` numbers the records that one writer (``writer.life``) was given, from 1, before they are written: a
    number that is in no line is a record that never got there. A line that the trail writes about itself takes no
    number, and carries that of the last record written, ``n``, as ``writer.after``.
    """

    def __init__(
        self,
        service: str,
        clock: Callable[[], float],
        random: Callable[[int], bytes],
        since: float = float("inf"),
    ) -> None:
        """``since``: when the first record was made, Unix seconds. It is older than this writer, and the line that
        says that the writer starts, which stands before it, is not to be younger."""
        self._service = service
        self._random = random
        self._since = since
        self.clock = clock
        self.n = 0
        self.writer = {
            "host": safe_text(socket.gethostname(), 64),
            "pid": os.getpid(),
            "boot": _boot(random),
            "life": random(6).hex(),
        }
        self._tail = b"," + events.encode({"writer": self.writer})[1:-2]
        self._numbered = self._tail + b',"n":'

    def record(self, phase: str, detail: Mapping[str, Any], event_type: str = "audit") -> bytes:
        """One ``audit`` record, not yet in the chain."""
        now = self.clock()
        if phase == "start" and 0 < now - self._since < IN_FLIGHT_S:
            now = self._since
        event_id = format_uuid7(now, self._random(10))
        return events.other(event_type, phase, now=now, event_id=event_id, service=self._service, detail=detail)

    def close(self, records: Iterable[bytes], first: int) -> list[bytes]:
        """Each record from behind its opening brace to its end, with its writer and its number, ``first`` and on."""
        numbered = self._numbered
        return [b"%b%b%d}}" % (record[1:-1], numbered, n) for n, record in enumerate(records, first)]

    def mark(self, phase: str, detail: Mapping[str, Any], after: int | None = None, event_type: str = "audit") -> bytes:
        """One ``audit`` record of the trail's own, closed."""
        return b'%b%b,"after":%d}}' % (
            self.record(phase, detail, event_type)[1:-1],
            self._tail,
            self.n if after is None else after,
        )

    def start(self, durability: str) -> bytes:
        return self.mark("start", {**self.writer, "durability": durability})

    def stop(self, n: int) -> bytes:
        """``n``: the number of the last record that was handed in."""
        return self.mark("stop", {"pid": self.writer["pid"]}, n)

    def checkpoint(self, made: Checkpoint, key_id: str) -> bytes:
        """For people who read the file; the signed note stands in ``checkpoints.note``."""
        root = b2a_base64(made.root, newline=False).decode()
        return self.record("checkpoint", {"size": made.size, "root": root, "key": key_id})

    def compress(self, why: str) -> bytes:
        """A segment could not be compressed."""
        return self.record("io_error", {"error": "compress", "why": why[:300]})

    def pressure(self, stage: str, before: str) -> bytes:
        """The disk has come to another stage; an alert where lines are dropped or refused."""
        alert = stage in ("critical", "full")
        detail = {"stage": stage, "before": before}
        return self.mark("disk_pressure", detail, event_type="alert" if alert else "audit")

    def gap(self, lost: int, refused: int, why: str, since: float) -> bytes:
        """``lost`` lines happened and were never written; ``refused`` lines were not written and nothing happened."""
        return self.mark("gap", {"lost": lost, "refused": refused, "why": why, "since": format_timestamp(since)})


def said_again(body: bytes) -> bytes:
    """A closed record that says that it stands a second time, after a sync that failed; once, however often that was:
    no line may say anything twice."""
    at = body.rindex(b',"writer":{')
    if body.endswith(_AGAIN, 0, at):
        return body
    return b"%b%b%b" % (body[:at], _AGAIN, body[at:])


def is_mark(line: bytes, phase: str) -> bool:
    """Whether a line is an ``audit`` line of that phase, by its bytes as ``events.other`` spells them."""
    return b'"event_type":"audit","phase":"%b",' % phase.encode() in line[:256]


def event_of(line: bytes) -> Mapping[str, Any]:
    """The line as an object; empty if it is none. For what is only shown or counted, not for what is checked."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _boot(random: Callable[[int], bytes]) -> str:
    """The id of this boot of the machine, or, where there is none to be had, of this writer."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()[:36]
    except (OSError, UnicodeDecodeError):
        return random(16).hex()
