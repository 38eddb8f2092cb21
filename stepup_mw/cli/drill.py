"""``drill``: put the trail through what trails meet, on this machine, and say what held."""

# ruff: noqa: PLC0415 (the help of a command must not load the trail)

from __future__ import annotations

import hashlib
import os
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import scoreboard, service
from .failure import FOUND, CommandError
from .program import SETTINGS, Group, command
from .progress import progress
from .screen import safe
from .vkeys import find_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..config import Config
    from ..drill.run import Order
    from ..drill.values import Drill, Result, Scenario

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)


@click.group("drill", cls=Group, context_settings=SETTINGS)
def drill() -> None:
    """Put the audit trail through what trails meet, and say what held."""


@command("trail")
@click.option("--only", multiple=True, metavar="NAME", help="Only this scenario or family; several times for more.")
@click.option("--list", "listing", is_flag=True, help="Show the scenarios, and run none.")
@click.option("--quick", is_flag=True, help="A few cases of each kind: seconds, not a minute.")
@click.option("--report", type=_FILE, metavar="FILE", help="Where the report goes; left out, a name with the time.")
@click.option("--scratch", type=_FOLDER, metavar="DIR", help="Where to work; left out, beside the audit folder.")
@click.option("--keep", is_flag=True, help="Leave the scratch folder there, but for copies of your own trail.")
@click.option(
    "--copy", type=click.IntRange(0), default=64, show_default=True, metavar="MB", help="Copy no larger trail."
)
@click.option("--seed", type=click.IntRange(0), metavar="N", help="Choose the same cases as an earlier drill.")
def trail(
    only: tuple[str, ...],
    listing: bool,
    quick: bool,
    report: Path | None,
    scratch: Path | None,
    keep: bool,
    copy: int,
    seed: int | None,
    config: Path,
    as_json: bool,
) -> int:
    """Kill writers, fail system calls, fill disks, stop anchors and forge lines, and say what held.

    All of it is done to trails of the drill's own, with the settings of your configuration, in a scratch folder beside
    the audit folder. Your own trail gets two lines, drill/begun and drill/ended; a copy of it is forged in every way,
    to see that `stepup verify` finds it. The report is for an auditor: its SHA-256 stands in drill/ended.

    Exit codes: 0 everything held; 1 something did not, or nothing could be run; 2 usage or configuration.
    """
    scenarios = _chosen(only)
    if listing:
        scoreboard.show_list(scenarios, as_json=as_json)
        return 0
    loaded = service.read(config)
    order = _order(loaded, config, scenarios, scratch, seed, quick=quick, keep=keep, copy=copy)
    file = report if report is not None else Path(time.strftime("stepup-drill-%Y-%m-%dT%H%M%SZ.md", time.gmtime()))
    if file.exists():
        raise CommandError(f"{file} exists; a report is never written over")
    return _hold(order, str(config), file, as_json=as_json)


drill.add_command(trail)


def _chosen(only: Sequence[str]) -> tuple[Scenario, ...]:
    from ..drill.catalogue import FAMILIES, NAMES, SCENARIOS

    unknown = [name for name in only if name not in (*NAMES, *FAMILIES)]
    if unknown:
        allowed = ", ".join((*FAMILIES, *NAMES))
        raise click.BadParameter(f"there is no {safe(unknown[0], 60)!r}; allowed are {allowed}", param_hint="--only")
    return tuple(item for item in SCENARIOS if not only or item.name in only or item.family in only)


def _order(
    loaded: Config,
    config: Path,
    scenarios: Sequence[Scenario],
    scratch: Path | None,
    seed: int | None,
    *,
    quick: bool,
    keep: bool,
    copy: int,
) -> Order:
    from ..trail.locks import require_locks

    require_locks()
    from ..drill.run import Order

    return Order(
        settings=loaded.settings,
        scenarios=scenarios,
        seed=seed if seed is not None else secrets.randbelow(10**6),
        quick=quick,
        scratch=_beside(loaded.settings.trail.path.parent, scratch),
        keep=keep,
        copy_limit=copy * 1_000_000,
        vkey=find_keys(loaded, config),
    )


def _beside(audit: Path, scratch: Path | None) -> Path:
    """Where the scratch folder is made: on the file system of the trail, and never among the evidence."""
    from ..trail.files import make_folder

    if scratch is None:
        make_folder(audit.parent)
        return audit.parent
    if audit.resolve() in (scratch.resolve(), *scratch.resolve().parents):
        raise CommandError(f"{scratch} lies in the audit folder: a drill stays out of it")
    return scratch


def _hold(order: Order, config: str, file: Path, *, as_json: bool) -> int:
    """The drill itself, between its two lines."""
    from ..drill.run import Record

    record = Record(order)
    record.begun()
    held, digest = None, ""
    try:
        held = _run(order, record.drill_id, config, shown=not as_json)
        digest = _write(file, held)
    finally:
        record.ended(held if digest else None, file, digest)
    scoreboard.show_end(held, file, digest, as_json=as_json)
    return 0 if held.verdict == "held" else FOUND


def _run(order: Order, drill_id: str, config: str, *, shown: bool) -> Drill:
    from ..drill.place import describe_place
    from ..drill.run import open_lab, run_one
    from ..drill.values import Drill

    begun = time.time()
    results: list[Result] = []
    with open_lab(order, drill_id) as lab:
        place = describe_place(lab.folder, order.settings)
        board = scoreboard.Scoreboard(shown=shown)
        board.begin(drill_id, order, place)
        for scenario in order.scenarios:
            board.enter(scenario)
            with progress(f"  {scenario.title}", wanted=shown) as advance:
                results.append(run_one(lab, scenario, advance))
            board.add(results[-1])
        if order.keep:
            board.kept(lab.folder)
    return Drill(
        drill_id=drill_id,
        service=order.settings.service,
        config=config,
        begun=begun,
        ended=time.time(),
        seed=order.seed,
        place=place,
        results=results,
    )


def _write(file: Path, held: Drill) -> str:
    """The report, a new file for its owner; gives its SHA-256."""
    from ..drill.report import render

    data = render(held).encode()
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(data)
    return hashlib.sha256(data).hexdigest()
