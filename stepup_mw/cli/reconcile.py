"""``audit reconcile``: does every sensitive request that the web server logged have its line?"""

# ruff: noqa: PLC0415 (the help of a command must not load the trail)

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..encoding import format_instant
from . import service
from .failure import FOUND
from .program import command
from .progress import progress
from .screen import clip, paint, safe, say, say_json, table

if TYPE_CHECKING:
    from ..trail.reconcile import Missing, Tally

_SHOWN = 50


@command("reconcile")
@click.argument("access_log", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--window", default=60.0, show_default=True, metavar="SECONDS", help="How long a request may take.")
@click.option("--root", default="", metavar="PATH", help="Where the app is mounted, as rules leave it out: /bank.")
@click.option("--trail", "path", type=click.Path(path_type=Path), help="Another trail, not the configured one.")
def reconcile(access_log: Path, window: float, root: str, path: Path | None, config: Path, as_json: bool) -> int:
    """List the sensitive requests of a web server's access log that have no line in the trail.

    ACCESS_LOG is in the combined format, or JSON, one object a line (nginx, Caddy, Traefik). What is sensitive is said
    by the policy; a line answers for one request of its method, path, time and, where the trail knows it, status. Exit
    code 1 if a request has no line, or if not one line of the access log could be read.
    """
    from ..policy import Policy
    from ..trail.follow import read_lines
    from ..trail.reconcile import Tally
    from ..trail.reconcile import reconcile as join

    settings = service.read(config).settings
    policy = Policy(settings.rules, settings.challenge.prefix)
    tally = Tally()
    begins = _begins(access_log)
    since = begins - 2 * window if begins is not None else None
    events: Iterator[Mapping[str, Any]] = (line.event for line in read_lines(path or settings.trail.path, since=since))
    size = access_log.stat().st_size
    with progress("joining", wanted=not as_json) as advance, access_log.open("rb") as stream:
        missing = list(join(_told(stream, size, advance), events, policy, tally, window_s=window, root=root))
    if as_json:
        say_json(_as_json(missing, tally))
    else:
        _show(missing, tally)
    return FOUND if missing or tally.unread == tally.lines else 0


def _begins(path: Path) -> float | None:
    """The time of the first request that can be read."""
    from ..trail.access_log import parse_access

    with path.open("rb") as stream:
        for number, raw in enumerate(stream):
            access = parse_access(raw, number)
            if access is not None:
                return access.time
    return None


def _told(stream: Any, size: int, advance: Callable[[int, int], None] | None) -> Iterator[bytes]:
    done = 0
    for number, raw in enumerate(stream):
        done += len(raw)
        if advance is not None and number % 1000 == 0:
            advance(done, size)
        yield raw


def _as_json(missing: list[Missing], tally: Tally) -> dict[str, Any]:
    return {
        "lines": tally.lines,
        "unread": tally.unread,
        "sensitive": tally.sensitive,
        "answered": tally.answered,
        "missing": [
            {
                "log_line": item.access.number,
                "time": format_instant(item.access.time),
                "method": item.access.method,
                "target": item.access.target,
                "status": item.access.status,
                "route": item.rule,
                "line_of_status": item.near,
            }
            for item in missing
        ],
    }


def _show(missing: list[Missing], tally: Tally) -> None:
    requests = "request" if tally.sensitive == 1 else "requests"
    of = f"{tally.sensitive:,} sensitive {requests} among {tally.lines:,}"
    if not tally.lines:
        say(f"{paint('✗', 'red', bold=True)} the access log is empty: nothing was compared")
    elif tally.unread == tally.lines:
        say(f"{paint('✗', 'red', bold=True)} not one line of the access log could be read: combined format, or JSON")
    elif not missing:
        say(f"{paint('✓', 'green', bold=True)} none without a line, of {of}")
    else:
        say(f"{paint(f'✗ {len(missing):,} without a line', 'red', bold=True)}, of {of}")
        say()
        rows = [_row(item) for item in missing[:_SHOWN]]
        say(
            table(
                ("log line", "time", "method", "target", "status", "route", "note"), rows, right=frozenset({"log line"})
            )
        )
        if len(missing) > _SHOWN:
            say(f"… and {len(missing) - _SHOWN:,} more: --json gives all of them")
    if tally.unread and tally.unread < tally.lines:
        say(
            f"{tally.unread:,} line{'' if tally.unread == 1 else 's'} of the access log could not be read",
            to_stderr=True,
        )


def _row(item: Missing) -> tuple[str, ...]:
    access = item.access
    note = f"a line says {item.near}" if item.near is not None else ""
    return (
        str(access.number),
        format_instant(access.time),
        clip(safe(access.method, 32), 10),
        clip(safe(access.target, 1024), 60),
        str(access.status),
        safe(item.rule) if item.rule else "(several readings)",
        note,
    )
