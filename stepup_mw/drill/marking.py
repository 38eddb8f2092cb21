"""A drill and the evidence: neither may pass for the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import NoteError
from ..trail import read_lines, verify_trail
from ..trail.files import Layout
from . import attacks
from .copying import Folder, read_copy
from .lab import service_of
from .values import NotPossible

if TYPE_CHECKING:
    from .lab import Ground, Lab
    from .values import Score


def apart(lab: Lab, score: Score) -> None:
    ground = lab.ground("apart")
    ground.fill(12, rotate_after=(5,))
    score.expect(3)
    score.case("every line says that it is of a drill", _unmarked(ground))
    if lab.vkey is None:
        score.said = "every line is marked; without audit.signing_key_file no key tells the trails apart"
        return
    score.case("a drill's trail under the service's key", _as_evidence(lab, ground))
    score.case("a drill's line in a copy of the service's trail", _mixed(lab, ground))
    score.said = "every line is marked, and none verifies under the service's key"


def _unmarked(ground: Ground) -> str:
    lines = [line.event for line in read_lines(ground.audit)]
    bare = [line for line in lines if line.get("service") != ground.service]
    own = [line for line in lines if line.get("event_type") not in ("drill", "audit")]
    return f"{len(bare) + len(own)} lines do not say so" if bare or own or not lines else ""


def _as_evidence(lab: Lab, ground: Ground) -> str:
    try:
        report = verify_trail(ground.audit, vkey=lab.vkey)
    except NoteError as error:
        return str(error)
    return "" if report.exit_code != 0 else f"verify says {report.verdict} under the service's key"


def _mixed(lab: Lab, ground: Ground) -> str:
    """A line of the drill, chained on to the end of the service's own trail: at best it is one that nothing proves."""
    try:
        copy = read_copy(lab.settings.trail.path, lab.copy_limit)
    except NotPossible:
        return ""
    line = ground.live.read_bytes().split(b"\n")[-2]
    folder = Folder(lab.folder / "apart" / "mixed")
    try:
        folder.write(attacks.insert(copy, line).copy)
        report = verify_trail(folder.path / Layout(lab.settings.trail.path).live.name, vkey=lab.vkey)
        proven = report.checkpoint.size if report.checkpoint is not None else 0
        marked = service_of(lab.settings.service).encode() in line
        return "" if marked and (report.exit_code != 0 or report.lines + report.first_seq > proven) else "it passes"
    finally:
        folder.remove()
