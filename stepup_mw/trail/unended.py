"""Challenges that the trail says were issued, and whose outcome it does not say: read from the end, checks nothing.

Bounded in bytes; a segment that is compressed is not looked into.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .recent import backwards, parse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_BYTES = 256 << 20
"""Read at most, over all files."""

_STRAYS = 64


def unended_lines(live: Path, *, since: str, until: str, max_bytes: int = MAX_BYTES) -> list[dict[str, Any]]:
    """The ``challenge/issued`` lines from ``since`` up to ``until`` (as timestamps) that no ``outcome`` follows, oldest
    first. OSError where a file cannot be read."""
    found: dict[str, dict[str, Any]] = {}
    ended: set[str] = set()
    for line in _steps(live, since, max_bytes):
        challenge_id = str((line.get("proof") or {}).get("challenge_id"))
        if line.get("phase") == "outcome":
            ended.add(challenge_id)
        elif line.get("status") == "issued" and challenge_id not in ended and line["timestamp"] <= until:
            found[challenge_id] = line
    return list(reversed(found.values()))


def _steps(live: Path, since: str, left: int) -> Iterator[dict[str, Any]]:
    """Lines about challenges from the end of the trail back to ``since``. The clocks of many writers: a line or two may
    be older than the one before them, so it is left only well past that."""
    for path in (live, *sorted(live.parent.glob("segments/*.jsonl"), reverse=True)):
        past = 0
        for text in backwards(path, left):
            left -= len(text) + 1
            if past > _STRAYS or left <= 0:
                return
            if b'"phase":"challenge"' in text or b'"phase":"outcome"' in text:
                line = parse(text)
                past = past + 1 if str(line.get("timestamp", "")) < since else 0
                if not past:
                    yield line
