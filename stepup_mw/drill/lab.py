"""The scratch folder of a drill, the trails in it, and the question asked after everything that is done to one.

.stepup-drill-019ab0…/kill-random/audit/stepup.jsonl     a trail as the service's settings make it, but small
.stepup-drill-019ab0…/kill-random/drill.key              signs its checkpoints, and nothing else ever
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import NoteError, StepUpError
from ..note import format_vkey, generate_signing_key, origin_of, parse_signer
from ..trail import Trail, read_lines, verify_trail
from .actor import make_record
from .acts import Act, Scene

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from random import Random

    from ..settings import Settings, TrailSettings
    from ..trail import Report
    from .acts import Played
    from .stage import Stage

T = TypeVar("T")

_SOME = 12
"""Cases of a kind that a quick drill tries."""

SIZE = 16 * 1024
"""Bytes at which a drill's live file is sealed: small, so that it happens all the time."""


def service_of(service: str) -> str:
    """The name that stands in every line of a drill. No service can have it: a colon is not allowed there."""
    return f"drill:{service}"


@dataclass(frozen=True, slots=True)
class Ground:
    """One trail of a drill's own in ``folder``. ``opened``: the lab's."""

    folder: Path
    trail: TrailSettings
    service: str
    drill_id: str
    opened: list[Trail]

    @property
    def audit(self) -> Path:
        return self.trail.path.parent

    @property
    def live(self) -> Path:
        return self.trail.path

    @property
    def vkey(self) -> str | None:
        """The verifier key of this trail, None where it is not signed."""
        key = self.trail.signing_key_file
        return format_vkey(parse_signer(key.read_bytes(), origin_of(self.service)).vkey) if key is not None else None

    def record(self, event_id: str, size: int = 700) -> bytes:
        return make_record(self.drill_id, self.service, event_id, size)

    def open(self, **changes: Any) -> Trail:
        trail = Trail(replace(self.trail, **changes), service=self.service, clock=time.time)
        self.opened.append(trail)
        return trail

    def fill(self, lines: int, *, rotate_after: Iterable[int] = (), checkpoint: bool = True) -> None:
        """A trail to work on: so many lines, closed in good order."""
        trail, turns = self.open(rotate_size=None), frozenset(rotate_after)
        try:
            for number in range(lines):
                trail.append_blocking([self.record(f"{self.folder.name}-{number}", 500)])
                if number in turns:
                    trail.rotate_now()
            if checkpoint:
                trail.checkpoint_now()
        finally:
            trail.close()

    def verify(self, path: Path | None = None, **options: Any) -> Report:
        return verify_trail(path or self.audit, vkey=self.vkey, **options)

    def scene(self, *acts: Act, kill_after_s: float | None = None) -> Scene:
        return Scene(
            trail=self.trail, service=self.service, drill_id=self.drill_id, acts=acts, kill_after_s=kill_after_s
        )


@dataclass(frozen=True, slots=True)
class Lab:
    """What every scenario works with. ``vkey``: what the service's own trail is verified with. ``opened``: each trail
    that this process wrote, for whoever ends the drill."""

    settings: Settings
    folder: Path
    drill_id: str
    random: Random
    stage: Stage
    rounds: int
    quick: bool
    copy_limit: int
    vkey: str | None = None
    opened: list[Trail] = field(default_factory=list)

    @property
    def signed(self) -> bool:
        return self.settings.trail.signing_key_file is not None

    @property
    def durable(self) -> bool:
        """Whether an acknowledged line has left the process: not so with ``durability = "async"``."""
        return self.settings.trail.durability != "async"

    def sample(self, cases: Sequence[T]) -> Sequence[T]:
        """All of them; for a quick drill, some."""
        if not self.quick or len(cases) <= _SOME:
            return cases
        return [cases[index] for index in sorted(self.random.sample(range(len(cases)), _SOME))]

    def ground(self, name: str, **changes: Any) -> Ground:
        """A new trail under ``name``, as the configuration makes it, but small and without the service's anchors."""
        folder = self.folder / name
        folder.mkdir(mode=0o700)
        key = None
        if self.signed:
            key = folder / "drill.key"
            key.touch(mode=0o600)
            key.write_bytes(generate_signing_key())
        small = {"rotate_size": SIZE, "rotate_every_s": None, "checkpoint_lines": 50, "checkpoint_every_s": 1}
        own: dict[str, Any] = {"path": folder / "audit" / self.settings.trail.path.name, "signing_key_file": key}
        apart = {"anchors": (), "max_unanchored_lines": None, "max_unanchored_s": None}
        trail = replace(self.settings.trail, **(small | own | apart | changes))
        return Ground(folder, trail, service_of(self.settings.service), self.drill_id, self.opened)


def aftermath(ground: Ground, played: Iterable[Played], *, durable: bool = True, told: bool = False) -> str:
    """Start anew, as the service would, and look: "" if the trail goes on, verifies, and holds every acknowledged line
    exactly once; else what is wrong. ``told``: lines that nobody waited for may be missing, if the trail says so."""
    acts = tuple(played)
    hung = [act for act in acts if act.ended == "hung"]
    if hung:
        return "a writer hangs"
    last = f"after-{ground.folder.name}-{time.monotonic_ns()}"
    trail = ground.open()
    try:
        trail.append_blocking([ground.record(last)])
    except StepUpError as error:
        return f"the next start cannot go on: {error}"
    finally:
        trail.close()
    return found_in(ground, [*(name for act in acts for name in act.acknowledged if durable), last], told=told)


def found_in(ground: Ground, acknowledged: Iterable[str], path: Path | None = None, *, told: bool = False) -> str:
    """The second half of ``aftermath``: of the trail as it is, or of a copy at ``path``."""
    try:
        report = ground.verify(path)
    except NoteError as error:
        return str(error)
    if report.exit_code != 0 and not (told and report.verdict == "GAP" and not report.missing_lines):
        return f"{report.verdict}: {report.message}"
    return _missing_from(path or ground.audit, acknowledged)


def _missing_from(path: Path, acknowledged: Iterable[str]) -> str:
    events = (line.event for line in read_lines(path))
    counts = Counter(str(event.get("event_id")) for event in events if "again" not in event)
    wrong = [name for name in acknowledged if counts[name] != 1]
    if not wrong:
        return ""
    more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return f"acknowledged, and not there exactly once: {wrong[0]} ({counts[wrong[0]]} times){more}"


def marks_of(path: Path, phase: str) -> list[dict[str, Any]]:
    """The details of the trail's own lines of one kind."""
    found = [line.event for line in read_lines(path)]
    return [dict(item["detail"]) for item in found if item.get("event_type") == "audit" and item.get("phase") == phase]
