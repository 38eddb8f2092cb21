"""The trail as a stranger reads it: bytes, SHA-256 and JSON, none of the package's own code."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


class Reader:
    """Reads the live file again and again: what was there stays there, byte for byte (invariant 25), each new line is
    linked to the one before, and each has the form a line must have (invariant 31)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = b""
        self._prev = bytes(32)
        self._lines: list[dict[str, Any]] = []

    def read(self) -> list[dict[str, Any]]:
        """Every line so far."""
        data = self.path.read_bytes() if self.path.exists() else b""
        assert data.startswith(self.data), "lines that were written stay as they are"
        assert not data or data.endswith(b"\n")
        for raw in data[len(self.data) :].split(b"\n")[:-1]:
            line = _parse(raw)
            assert line["seq"] == len(self._lines)
            assert base64.b64decode(line["prev"], validate=True) == self._prev
            self._prev = hashlib.sha256(b"\0" + raw).digest()
            self._lines.append(line)
        self.data = data
        return list(self._lines)


def _parse(raw: bytes) -> dict[str, Any]:
    assert len(raw) < 16 * 1024
    text = raw.decode("utf-8")
    assert not _FORBIDDEN.search(text)

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(items)) == len(items)
        return dict(items)

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    line = json.loads(text, object_pairs_hook=pairs, parse_constant=refuse)
    _check_numbers(line)
    json.dumps(line, ensure_ascii=False).encode("utf-8")
    assert isinstance(line, dict)
    return line


def _check_numbers(value: Any) -> None:
    if isinstance(value, dict):
        for item in value.values():
            _check_numbers(item)
    elif isinstance(value, list):
        for item in value:
            _check_numbers(item)
    elif isinstance(value, int | float):
        assert abs(value) < 2**53


def is_step(line: Mapping[str, Any], phase: str, *statuses: str) -> bool:
    """Whether a line is a ``step_up`` line of this phase, and of one of these statuses if any are named."""
    same = line["event_type"] == "step_up" and line["phase"] == phase
    return same and (not statuses or line["status"] in statuses)


def challenge_id(line: Mapping[str, Any]) -> str | None:
    found: str | None = (line.get("proof") or {}).get("challenge_id")
    return found


def outcomes(lines: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The outcome lines of each issued challenge; one that was written again counts once, by its ``event_id``."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for line in lines:
        key = challenge_id(line)
        if key is None:
            continue
        if is_step(line, "challenge", "issued"):
            assert key not in found, "a challenge is issued once"
            found[key] = {}
        elif is_step(line, "outcome"):
            found.setdefault(key, {})[str(line["event_id"])] = line
    return {key: list(lines.values()) for key, lines in found.items()}
