"""``replay``: whom another policy would have asked, by what the trail says of yesterday."""

# ruff: noqa: PLC0415 (the help of a command must not load pydantic and the trail)

from __future__ import annotations

import base64
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..encoding import format_instant, parse_timestamp
from .failure import FOUND
from .program import command
from .progress import progress
from .screen import clip, fields, paint, safe, say, say_json, table
from .tail import parse_since

if TYPE_CHECKING:
    from ..settings import Settings
    from .replaying import Count, Tally

_SHOWN = 20


@command("replay")
@click.argument("policy", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("trail", type=click.Path(path_type=Path))
@click.option("--since", metavar="WHEN", help="Only since then: 1d (ago), or 2026-11-23T07:25:00Z.")
@click.option("--until", metavar="WHEN", help="Only before then.")
def replay(
    policy: Path,
    trail: Path,
    since: str | None,
    until: str | None,
    config: Path,  # noqa: ARG001 - every command takes it
    as_json: bool,
) -> int:
    """Score a trail under another policy: who would have been asked.

    POLICY is a stepup.toml, TRAIL a trail's live file or its folder; sealed segments are read too. The policy's rules
    are matched on the recorded methods and paths. What only the moment could tell counts as it was found then, with the
    policy's points; what was not measured then is counted both ways. Exit code 1 if no request is found.
    """
    from .acts import read_acts
    from .replaying import Replay

    now = time.time()
    begin, end = (parse_since(text, now) if text is not None else None for text in (since, until))
    settings = _read(policy)
    replayed = Replay(settings, _lists(settings))
    tally = replayed.tally
    with progress("replaying", wanted=not as_json) as advance:
        for act in read_acts(_events(trail, begin, end, tally, advance)):
            replayed.take(act)
    if as_json:
        say_json(_as_json(settings, tally))
    elif tally.total.requests:
        _show(policy, settings, tally)
    else:
        say("no sensitive request stands in the trail", to_stderr=True)
    return 0 if tally.total.requests else FOUND


def _read(policy: Path) -> Settings:
    """The policy. A draft needs no secret: nothing is signed here, and a key of the moment stands in."""
    from ..config import load_config

    key = base64.b64encode(os.urandom(32)).decode("ascii")
    return load_config(policy, {**os.environ, "STEPUP_SECRET_KEY": key}).settings


def _lists(settings: Settings) -> list[Any]:
    from ..data_files import load_list

    found = []
    for spec in settings.risk.signals:
        for path in spec.params.get("files", ()):
            with path.open("rb") as file:
                found.append(load_list(file, path))
    return found


def _events(
    trail: Path, begin: float | None, end: float | None, tally: Tally, advance: Any
) -> Iterator[Mapping[str, Any]]:
    """All lines of the time, and before it what says which signals were measured."""
    from ..trail.follow import read_lines

    total = sum(file.stat().st_size for file in _files(trail)) if advance is not None else 0
    done = 0
    for number, line in enumerate(read_lines(trail)):
        done += len(line.raw) + 1
        if advance is not None and number % 1000 == 0:
            advance(done, total)
        tally.unreadable += not line.event
        if line.event.get("event_type") == "config" or _within(line.event, begin, end):
            yield line.event


def _files(trail: Path) -> Iterable[Path]:
    folder = trail if trail.is_dir() else trail.parent
    return [*folder.glob("*.jsonl"), *folder.glob("segments/*")]


def _within(event: Mapping[str, Any], begin: float | None, end: float | None) -> bool:
    try:
        at = parse_timestamp(str(event.get("timestamp")))
    except (ValueError, OverflowError):
        return False
    return (begin is None or at >= begin) and (end is None or at < end)


def _as_json(settings: Settings, tally: Tally) -> dict[str, Any]:
    return {
        "policy": settings.policy_version,
        "begins": format_instant(tally.begins) if tally.total.requests else None,
        "ends": format_instant(tally.ends) if tally.total.requests else None,
        "total": asdict(tally.total),
        "routes": {name: asdict(count) for name, count in tally.routes.items()},
        "users": {name: asdict(count) for name, count in tally.users.items()},
        "unmeasured": tally.unmeasured,
        "untouched": tally.untouched,
        "refused": tally.refused,
        "in_report_mode": tally.in_report_mode,
        "unreadable": tally.unreadable,
        "as_recorded": _as_recorded(settings),
    }


def _as_recorded(settings: Settings) -> list[str]:
    from .replaying import ANEW

    return [spec.name for spec in settings.risk.signals if spec.name not in ANEW]


def _show(policy: Path, settings: Settings, tally: Tally) -> None:
    total, users = tally.total, sum(1 for name in tally.users if name)
    say(
        f"{paint(safe(policy), bold=True)} on {total.requests:,} sensitive request{'s' if total.requests > 1 else ''} "
        f"of {users:,} user{'s' if users != 1 else ''}{' and of nobody' if '' in tally.users else ''}, "
        f"{format_instant(tally.begins)} to {format_instant(tally.ends)}"
    )
    say()
    _show_counts("route", sorted(tally.routes.items()), tally)
    say()
    changed = sorted(tally.users.items(), key=lambda pair: (-_change(pair[1]), pair[0]))
    _show_counts("user", changed[:_SHOWN], tally)
    if len(changed) > _SHOWN:
        say(f"… and {len(changed) - _SHOWN:,} more users: --json gives all of them")
    say()
    say(fields([("note", note) for note in _notes(settings, tally)]))


def _change(count: Count) -> int:
    return abs(count.asked - count.asked_then) + abs(count.denied - count.denied_then)


def _show_counts(what: str, counts: list[tuple[str, Count]], tally: Tally) -> None:
    bounds = ("either, at most",) if tally.unmeasured else ()
    headers = (what, "requests", "asked then", "asked", "denied then", "denied", *bounds)
    rows = [_row(paint(clip(safe(name or "(nobody)"), 40), bold=True), count, tally) for name, count in counts]
    rows += [_row(paint("all", dim=True), tally.total, tally)] if len(counts) > 1 else []
    say(table(headers, rows, right=frozenset(headers[1:])))


def _row(name: str, count: Count, tally: Tally) -> tuple[str, ...]:
    most = (f"{count.most:,}",) if tally.unmeasured else ()
    asked = _turned(count.asked, count.asked_then)
    denied = _turned(count.denied, count.denied_then)
    return (name, f"{count.requests:,}", f"{count.asked_then:,}", asked, f"{count.denied_then:,}", denied, *most)


def _turned(now: int, then: int) -> str:
    """More in yellow, fewer in green."""
    return paint(f"{now:,}", "yellow" if now > then else "green") if now != then else f"{now:,}"


def _notes(settings: Settings, tally: Tally) -> Iterator[str]:
    yield "who is asked is taken to prove themself at once; the proof lasts as the policy says"
    recorded = _as_recorded(settings)
    if recorded:
        yield f"as they were found then, with this policy's points: {', '.join(recorded)}"
    if tally.unmeasured:
        names = ", ".join(f"{name} ({requests:,} requests)" for name, requests in sorted(tally.unmeasured.items()))
        yield f"not measured then: {names}; they count as not holding, and in the last column as holding"
    yield "requests that no rule matched then left no line: what this policy would find among them is not here"
    if tally.unreadable:
        yield f"lines left out because they are no audit lines: {tally.unreadable:,}; `stepup verify` says more"
    if tally.untouched:
        yield f"{tally.untouched:,} requests meet no rule any more and would pass untouched"
    if tally.in_report_mode:
        yield f'{tally.in_report_mode:,} requests meet rules with mode = "report", which ask nobody'
    if tally.refused:
        yield f"{tally.refused:,} requests would be refused: their path can be read in more than one way"
