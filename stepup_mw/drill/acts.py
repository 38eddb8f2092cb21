"""What a writing process does on the stage, and what is done to it: plain values, which go through a pipe.

Act("a", [Step("append", 3), Step("rotate"), Step("close")], fault=Fault("write", 5, "torn"))
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ..settings import TrailSettings

Verb = Literal[
    "append", "rotate", "checkpoint", "close", "limit", "unlimit", "mount", "fill", "free", "until_refused", "copy_out"
]
How = Literal["kill", "torn", "EIO", "ENOSPC"]

CALLS = ("open", "write", "fsync", "fdatasync", "rename", "replace", "unlink", "ftruncate", "flock")
"""The calls by which a trail changes anything, or learns that it did not."""


@dataclass(frozen=True, slots=True)
class Step:
    """``append``: ``count`` lines from each of so many ``threads``, 0 for as long as it lives. ``limit``: room for so
    many bytes more. ``mount``: a file system of so many bytes over the trail's folder. ``until_refused``: at most so
    many lines."""

    verb: Verb
    count: int = 0
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens at the ``at``-th time that the process makes this call: it is killed before it (``kill``), or after
    a part of a write (``torn``); or the call is refused."""

    call: str
    at: int
    how: How

    def __str__(self) -> str:
        what = {"kill": "killed at", "torn": "killed within"}.get(self.how, f"{self.how} at")
        return f"{what} {self.call} {self.at}"


@dataclass(frozen=True, slots=True)
class Act:
    """One process. ``name`` begins the ids of its lines, each of about ``line_bytes``."""

    name: str
    steps: tuple[Step, ...]
    fault: Fault | None = None
    line_bytes: int = 700


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Acts at the same time, on one trail. ``kill_after_s``: then all of them are killed."""

    trail: TrailSettings
    service: str
    drill_id: str
    acts: tuple[Act, ...]
    kill_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What was seen of one act: the ids acknowledged and refused, in order; how it ``ended`` (``done``, ``killed``, or
    what it said); and how often it made each call."""

    acknowledged: tuple[str, ...]
    refused: tuple[str, ...]
    ended: str
    calls: Mapping[str, int] = field(default_factory=dict)


LIFE = (Step("append", 2), Step("rotate"), Step("append", 1), Step("checkpoint"), Step("append", 1), Step("close"))
"""A short life with one of everything: what every system call of is failed in turn."""


_ONLY: Mapping[How, frozenset[str]] = {
    "torn": frozenset({"write"}),
    "ENOSPC": frozenset({"open", "write", "fsync", "fdatasync", "rename", "replace"}),
}
"""The calls that can go wrong in this way; a way that is not here fits every call."""


def faults_of(calls: Mapping[str, int], hows: Sequence[How]) -> Iterator[Fault]:
    """Each call that a life made, going wrong in each of these ways."""
    for call in CALLS:
        for at in range(1, calls.get(call, 0) + 1):
            for how in hows:
                if call in _ONLY.get(how, CALLS):
                    yield Fault(call, at, how)
