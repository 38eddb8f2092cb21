"""The last lines of some users, read from the end of the live file and, where that is young, of the newest sealed one.

For people who look at what happened to their account; bounded in bytes, checks nothing, and never writes. A segment
that is compressed is not looked into.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

MAX_BYTES = 4 << 20
"""Read at most, over both files."""

_BLOCK = 256 << 10


def recent_lines(live: Path, users: Collection[str], *, limit: int, max_bytes: int = MAX_BYTES) -> list[dict[str, Any]]:
    """At most ``limit`` lines that name one of ``users``, newest first. OSError where the live file cannot be read."""
    found: list[dict[str, Any]] = []
    for path in newest_files(live):
        for line in backwards(path, max_bytes):
            record = parse(line)
            if record.get("user_id") in users:
                found.append(record)
                if len(found) == limit:
                    return found
        max_bytes -= min(max_bytes, path.stat().st_size)
    return found


def newest_files(live: Path) -> Iterator[Path]:
    """The live file, and the newest sealed one that is not compressed."""
    yield live
    sealed = max(live.parent.glob("segments/*.jsonl"), key=lambda path: path.name, default=None)
    if sealed is not None:
        yield sealed


def backwards(path: Path, left: int) -> Iterator[bytes]:
    """The whole lines from the end, at most ``left`` bytes of them."""
    with path.open("rb") as file:
        at, begun = file.seek(0, 2), b""
        while at > 0 and left > 0:
            size = min(_BLOCK, at, left)
            at, left = at - size, left - size
            file.seek(at)
            begun, *lines = (file.read(size) + begun).split(b"\n")
            yield from reversed(lines)
        if at == 0:
            yield begun


def parse(line: bytes) -> dict[str, Any]:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return record if isinstance(record, dict) else {}
