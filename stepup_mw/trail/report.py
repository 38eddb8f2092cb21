"""What a verification found: verdicts that cannot be misread, and where the first broken line is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..encoding import parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VERIFIED: Final = "VERIFIED"
VERIFIED_FROM: Final = "VERIFIED_FROM"
PRUNED_UNRECORDED: Final = "PRUNED_UNRECORDED"
TAMPERED: Final = "TAMPERED"
SHRUNK: Final = "SHRUNK"
FORK: Final = "FORK"
WRONG_KEY: Final = "WRONG_KEY"
TORN_TAIL: Final = "TORN_TAIL"
GAP: Final = "GAP"
NO_INTEGRITY_DATA: Final = "NO_INTEGRITY_DATA"
UNANCHORED_TAIL: Final = "UNANCHORED_TAIL"
EMPTY: Final = "EMPTY"
UNREADABLE: Final = "UNREADABLE"

EXIT_CODES: Mapping[str, int] = {
    VERIFIED: 0,
    VERIFIED_FROM: 0,
    PRUNED_UNRECORDED: 2,
    TAMPERED: 2,
    SHRUNK: 2,
    FORK: 2,
    WRONG_KEY: 2,
    TORN_TAIL: 3,
    GAP: 3,
    NO_INTEGRITY_DATA: 3,
    UNANCHORED_TAIL: 4,
    EMPTY: 5,
    UNREADABLE: 5,
}
"""0 verified, 2 tampered, 3 incomplete, 4 tail not anchored beyond the limit, 5 could not be checked."""

RANK = (
    UNREADABLE,
    TAMPERED,
    SHRUNK,
    FORK,
    WRONG_KEY,
    PRUNED_UNRECORDED,
    TORN_TAIL,
    NO_INTEGRITY_DATA,
    GAP,
    UNANCHORED_TAIL,
    EMPTY,
)
"""The gravest first."""

MEANINGS: Mapping[str, str] = {
    VERIFIED: "every line is in its place",
    VERIFIED_FROM: "every line is in its place, from the first that was checked here",
    PRUNED_UNRECORDED: "the first lines are missing, and no record says that they were removed",
    TAMPERED: "a line was changed, removed, added or moved",
    SHRUNK: "lines or files that once were there are missing",
    FORK: "two different histories were signed",
    WRONG_KEY: "the checkpoints are signed by another key",
    TORN_TAIL: "the end was cut off in the middle, as a crash leaves it; the next start of the service repairs it",
    GAP: "lines that should be there were never written",
    NO_INTEGRITY_DATA: "checkpoints that should be there are not",
    UNANCHORED_TAIL: "too much of the end is under no checkpoint yet",
    EMPTY: "there is no line to check",
    UNREADABLE: "the trail could not be read",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is wrong, and where. ``line`` counts from 1 in ``file``; ``seq`` is the number in the whole trail."""

    verdict: str
    why: str
    file: Path | None = None
    line: int | None = None
    seq: int | None = None

    def __str__(self) -> str:
        place = "" if self.file is None else f"{self.file.name}"
        place += "" if self.line is None else f":{self.line}"
        place += "" if self.seq is None else f" (seq {self.seq})" if place else f"seq {self.seq}"
        return f"{place}: {self.why}" if place else self.why


@dataclass(frozen=True, slots=True, kw_only=True)
class LastCheckpoint:
    """The last checkpoint that fits the lines. ``time``: the timestamp of the last line it covers, RFC 3339."""

    size: int
    root: str
    time: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """``findings`` holds at most a few, the gravest first; ``first_bad`` is the one the verdict rests on.

    ``signed``: the checkpoints were checked with a key. ``unanchored_lines``, ``unanchored_s``: the lines after the
    last checkpoint and the seconds they span; ``max_…``: what is allowed of both. ``lost_lines``: lines the trail says
    could not be written; ``missing_lines``: numbered ones that nothing accounts for. ``events``: how many lines there
    are of each ``audit`` kind. ``root``: of all lines, base64, None if none was needed. ``first_seq``: where checking
    began, and ``beginning`` why there, if it is not line 0. ``parsed``: whether every line was read, not only chained.
    """

    verdict: str
    findings: tuple[Finding, ...] = ()
    lines: int = 0
    bytes: int = 0
    files: int = 0
    signed: bool = False
    checkpoints: int = 0
    checkpoint: LastCheckpoint | None = None
    root: str | None = None
    unanchored_lines: int = 0
    unanchored_s: float = 0.0
    max_unanchored_lines: int | None = None
    max_unanchored_s: int | None = None
    lost_lines: int = 0
    missing_lines: int = 0
    first_seq: int = 0
    beginning: str = ""
    parsed: bool = True
    events: Mapping[str, int]

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.verdict]

    @property
    def first_bad(self) -> Finding | None:
        return self.findings[0] if self.findings else None

    @property
    def window(self) -> str:
        """How much of the end is not anchored, beside what is allowed; "" where nothing is said to be."""
        lines, seconds = self.max_unanchored_lines, self.max_unanchored_s
        limits = ((lines, "lines"), (seconds, "s"))
        allowed = [f"{limit:,} {unit}" for limit, unit in limits if limit is not None]
        found = f"{self.unanchored_lines:,} lines over {self.unanchored_s:,.0f} s"
        return f"{found}; {' and '.join(allowed)} are allowed" if allowed else ""

    @property
    def message(self) -> str:
        """One or two sentences for a person."""
        if self.findings:
            return f"{MEANINGS[self.verdict]}: {self.findings[0]}"
        whole = MEANINGS[VERIFIED]
        if self.first_seq:
            whole = f"every line from {self.first_seq} on is in its place; {self.beginning}"
        if not self.parsed:
            whole += "; no line was read for what it says"
        if not self.checkpoints:
            return f"{whole}, by the chain alone; nothing signed backs it"
        backed = "checked" if self.signed else "not checked, since no key was given"
        if self.checkpoints == 1:
            return f"{whole}; 1 checkpoint fits, its signature {backed}"
        return f"{whole}; {self.checkpoints} checkpoints fit, their signatures {backed}"


def misplaced(seq: int, expected: int) -> str:
    """What it means that line ``seq`` stands where another one was expected."""
    if seq < expected:
        return f"line {seq} stands where line {expected} belongs"
    missing = f"line {expected} of the trail is" if seq == expected + 1 else f"lines {expected} to {seq - 1} are"
    return f"{missing} missing before this"


def seconds_between(start: str | None, end: str | None) -> float:
    """Seconds between two timestamps of lines; 0 where either is none."""
    try:
        return max(0.0, parse_timestamp(end or "") - parse_timestamp(start or ""))
    except (ValueError, OverflowError):
        return 0.0
