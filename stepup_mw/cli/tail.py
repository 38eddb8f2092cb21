"""``tail``: the audit lines as rows, filtered, and followed over rotations."""

# ruff: noqa: PLC0415 (the help of a command must not load the trail)

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..encoding import parse_duration, parse_timestamp
from . import service
from .failure import FOUND
from .names import user_name
from .program import command
from .rows import format_broken, format_row
from .screen import paint, safe, say, terminal_width

if TYPE_CHECKING:
    from ..trail.follow import Line

SHOWN = 20
"""Rows without ``-n`` and ``--since``."""

_OVERLAP = 1000
"""Lines read again where following begins, so that none added meanwhile is missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a line must be. No value of a field: any; several: one of them. ``since`` is Unix seconds."""

    wanted: Mapping[tuple[str, ...], tuple[str, ...]]
    since: float | None = None

    def takes(self, event: Mapping[str, Any]) -> bool:
        """Whether a line is wanted. Where anything is asked for, what is no line is not."""
        for names, values in self.wanted.items():
            found: Any = event
            for name in names:
                found = found.get(name) if isinstance(found, Mapping) else None
            if values and found not in values:
                return False
        return self.since is None or _moment(event) >= self.since

    @property
    def narrow(self) -> bool:
        return self.since is not None or any(self.wanted.values())


def _moment(event: Mapping[str, Any]) -> float:
    try:
        return parse_timestamp(str(event.get("timestamp")))
    except (ValueError, OverflowError):
        return float("-inf")


def parse_since(text: str, now: float) -> float:
    """``10m`` before now, or an RFC 3339 timestamp, to Unix seconds. click.BadParameter."""
    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    try:
        return parse_timestamp(text)
    except ValueError:
        message = "say how long ago (90s, 10m, 2h, 1d) or when (2026-11-23T07:25:00Z)"
        raise click.BadParameter(message, param_hint="--since") from None


@command("tail")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("-f", "--follow", is_flag=True, help="Go on as lines are added, over rotations, until Ctrl-C.")
@click.option("-n", "--lines", type=click.IntRange(0), metavar="N", help=f"The last N rows; {SHOWN} if left out.")
@click.option("--user", type=user_name, multiple=True, metavar="TEXT", help="Only this user's.")
@click.option("--status", multiple=True, help="Only of this status: allowed, rejected, approved …")
@click.option("--phase", multiple=True, help="Only of this phase: trigger, challenge, outcome, access, result …")
@click.option("--route", multiple=True, help="Only of this rule.")
@click.option("--type", "kind", multiple=True, help="Only of this event type: step_up, enrollment, audit …")
@click.option("--since", metavar="WHEN", help="Only since then: 10m (ago), or 2026-11-23T07:25:00Z.")
def tail(
    path: Path | None,
    follow: bool,
    lines: int | None,
    user: tuple[str, ...],
    status: tuple[str, ...],
    phase: tuple[str, ...],
    route: tuple[str, ...],
    kind: tuple[str, ...],
    since: str | None,
    config: Path,
    as_json: bool,
) -> int:
    """Show the audit lines, one readable row each.

    PATH is a trail's live file or its folder; left out, the configuration names it. A filter given several times takes
    any of its values. With --json the lines come as they stand in the trail. Times are UTC. Exit code 1 if no line is
    found.
    """
    target, names = (path, user) if path is not None else _own(config, user)
    chosen = Filter(
        wanted={
            ("user_id",): names,
            ("status",): status,
            ("phase",): phase,
            ("event_type",): kind,
            ("action", "route"): route,
        },
        since=parse_since(since, time.time()) if since is not None else None,
    )
    count = SHOWN if lines is None and since is None else lines
    if follow:
        _follow(target, chosen, count, _show_json if as_json else _show_row)
        return 0
    return _show_last(target, chosen, count, as_json=as_json)


def _own(config: Path, users: tuple[str, ...]) -> tuple[Path, tuple[str, ...]]:
    """The configured trail, and every id under which its lines may show these users."""
    settings = service.read(config, secret=False).settings
    if not users or settings.trail.user_id == "plain":
        return settings.trail.path, users
    from .pseudonyms import ids_of

    settings = service.read(config).settings

    return settings.trail.path, users + tuple(shown for user in users for _, shown in ids_of(user, settings))


def _show_last(path: Path, chosen: Filter, count: int | None, *, as_json: bool) -> int:
    show, shown = _show_json if as_json else _show_row, 0
    for line in _last(path, chosen, count):
        show(line)
        shown += 1
    if not shown and not as_json:
        say("no audit line fits" if chosen.narrow else "no audit lines yet", to_stderr=True)
    return 0 if shown else FOUND


def _last(path: Path, chosen: Filter, count: int | None) -> Iterator[Line]:
    from ..trail.follow import read_lines

    if not chosen.narrow:
        yield from read_lines(path, last=count)
        return
    found = (line for line in read_lines(path, since=chosen.since) if chosen.takes(line.event))
    yield from found if count is None else deque(found, maxlen=count)


def _follow(path: Path, chosen: Filter, count: int | None, show: Callable[[Line], None]) -> None:
    from ..trail.follow import follow

    _await_trail(path)
    seen = -1
    for line in _last(path, chosen, count):
        show(line)
        sys.stdout.flush()
        seen = line.seq if line.seq is not None else seen
    begin = time.time()
    for line in follow(path, last=_OVERLAP):
        is_new = line.seq > seen if line.seq is not None else _moment(line.event) >= begin
        if is_new and (not chosen.narrow or chosen.takes(line.event)):
            show(line)
            sys.stdout.flush()


def _await_trail(path: Path) -> None:
    if path.exists() or path.is_symlink():
        return
    say(paint(f"waiting for {safe(path)}", dim=True), to_stderr=True)
    while not path.exists():
        time.sleep(0.25)


def _show_row(line: Line) -> None:
    width = terminal_width() if sys.stdout.isatty() else None
    say(format_row(line.event, width) if line.event else format_broken(line.raw, width))


def _show_json(line: Line) -> None:
    """The very bytes where they are printable ASCII, as every line of this package is; else the same JSON, escaped."""
    text = line.raw.decode("utf-8", "backslashreplace")
    if line.event and text.isascii() and text.isprintable():
        click.echo(text)
    elif line.event:
        click.echo(json.dumps(dict(line.event), ensure_ascii=True).replace("\x7f", "\\u007f"))
    else:
        say(f"not an audit line: {safe(text, 300)}", to_stderr=True)
