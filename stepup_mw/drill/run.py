"""A drill from its first line in the service's trail to its last; its scratch folder, and each scenario run in it.

drill/begun  {"drill":"019ab0…","kind":"trail","scenarios":17,"seed":7}
drill/ended  {"drill":"019ab0…","verdict":"held","cases":2514,"broken":0,"not_run":1,"report":"…","sha256":"…"}
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from .. import events
from ..errors import StepUpError
from ..identifiers import IdentifierSource
from ..trail import Trail
from . import anchors, crash, disk, marking, processes, tampering
from .catalogue import SCENARIOS
from .lab import Lab
from .stage import Stage
from .values import NotPossible, Result, Scenario, Score

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..settings import Settings
    from .values import Drill, Verdict

RUNS: Mapping[str, Callable[[Lab, Score], None]] = {
    "kill-random": crash.kill_random,
    "kill-calls": crash.kill_calls,
    "torn-writes": crash.torn_writes,
    "torn-ends": crash.torn_ends,
    "failing-calls": crash.failing_calls,
    "size-limit": disk.size_limit,
    "full-disk": disk.full_disk,
    "two-processes": processes.two_processes,
    "hands": processes.hands,
    "dead-anchor": anchors.dead_anchor,
    "tamper-lines": tampering.tamper_lines,
    "tamper-chain": tampering.tamper_chain,
    "tamper-cut": tampering.tamper_cut,
    "tamper-notes": tampering.tamper_notes,
    "tamper-rollback": tampering.tamper_rollback,
    "tamper-copy": tampering.tamper_copy,
    "apart": marking.apart,
}
"""What runs each scenario of the catalogue."""

ROUNDS, QUICK_ROUNDS = 10, 2
COPY_LIMIT = 64 << 20
_PREFIX = ".stepup-drill-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is wanted. ``scratch``: where the scratch folder is made; it is removed after the drill unless ``keep``."""

    settings: Settings
    scenarios: Sequence[Scenario] = SCENARIOS
    seed: int
    quick: bool = False
    scratch: Path
    keep: bool = False
    copy_limit: int = COPY_LIMIT
    vkey: str | None = None


class Record:
    """The drill's two lines in the service's own trail. It is open only while one is written."""

    def __init__(self, order: Order) -> None:
        self._settings = order.settings
        self._new_id = IdentifierSource()
        self.drill_id = self._new_id(time.time())
        self._detail = {"drill": self.drill_id, "kind": "trail", "scenarios": len(order.scenarios), "seed": order.seed}

    def begun(self) -> None:
        """TrailUnavailable if it cannot be written: then there is no drill."""
        self._write("begun", self._detail)

    def ended(self, drill: Drill | None, report: Path, sha256: str) -> None:
        """``drill`` is None where it was cut off, and there is no report."""
        detail: dict[str, Any] = {"drill": self.drill_id, "kind": "trail", "verdict": "cut_off"}
        if drill is not None:
            detail |= {"verdict": drill.verdict, "cases": drill.cases, "broken": drill.broken}
            detail |= {"not_run": drill.count("not_run"), "report": report.name, "sha256": sha256}
        self._write("ended", detail)

    def _write(self, phase: str, detail: Mapping[str, Any]) -> None:
        settings, now = self._settings, time.time()
        trail = Trail(settings.trail, service=settings.service, clock=time.time)
        event_id = self._new_id(now)
        line = events.other("drill", phase, now=now, event_id=event_id, service=settings.service, detail=detail)
        try:
            trail.append_blocking([line])
        finally:
            trail.close()


@contextlib.contextmanager
def open_lab(order: Order, drill_id: str) -> Iterator[Lab]:
    """The scratch folder and the processes of a drill, gone after it. What the package logs meanwhile is of the drill's
    own making, and is not shown."""
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{drill_id[:13]}-", dir=order.scratch))
    log = logging.getLogger("stepup_mw")
    was, log.disabled = log.disabled, True
    opened: list[Trail] = []
    try:
        with Stage() as stage:
            yield Lab(
                settings=order.settings,
                folder=folder,
                drill_id=drill_id,
                random=Random(order.seed),  # noqa: S311 - a drill that can be repeated
                stage=stage,
                rounds=QUICK_ROUNDS if order.quick else ROUNDS,
                quick=order.quick,
                copy_limit=order.copy_limit,
                vkey=order.vkey,
                opened=opened,
            )
    finally:
        for trail in opened:
            trail.close()  # one that was cut off at it still writes, and would save what is removed under it
        log.disabled = was
        if not order.keep:
            shutil.rmtree(folder, ignore_errors=True)


def run_one(lab: Lab, scenario: Scenario, advance: Callable[[int, int], None] | None = None) -> Result:
    """Run one scenario. Whatever goes wrong in it is a finding."""
    score, begun = Score(advance), time.monotonic()
    try:
        RUNS[scenario.name](lab, score)
        verdict: Verdict = "broke" if score.broken else "held" if score.tried else "not_run"
    except NotPossible as error:
        verdict, score.said = "not_run", str(error)
    except (StepUpError, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        score.case("the scenario itself", f"{type(error).__name__}: {error}")
        verdict, score.said = "broke", "it could not be run to its end"
    return Result(
        scenario=scenario,
        verdict=verdict,
        tried=score.tried,
        broken=score.broken,
        said=score.said,
        findings=tuple(score.findings),
        seconds=time.monotonic() - begun,
    )
