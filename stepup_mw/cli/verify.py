"""``verify``: is every line of the trail in its place? The verdict, what was checked, and the first bad line."""

# ruff: noqa: PLC0415 (the help of a command must not load the trail)

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import NoteError
from . import service
from .failure import CANNOT_VERIFY, CommandError
from .program import command
from .screen import fields, paint, safe, say, say_json

if TYPE_CHECKING:
    from ..config import Config
    from ..settings import Settings
    from ..trail.report import Finding, Report

VKEY_FILE = "stepup-audit.vkey"

COLORS = {0: "green", 3: "yellow", 4: "yellow"}


@command("verify")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--key", metavar="VKEY_OR_FILE", help="The verifier key, or a file with one a line.")
def verify(path: Path | None, key: str | None, config: Path, as_json: bool) -> int:
    """Check the audit trail: VERIFIED, or what is wrong and where.

    PATH is a trail's live file or its folder; left out, the configuration names it. The key comes from --key, else from
    the configuration where there is one, never from the audit folder. With PATH and --key no configuration is needed.

    Exit codes: 0 verified; 2 tampered; 3 incomplete (a torn end, a gap, no checkpoints); 4 too much of the end is under
    no checkpoint yet; 5 could not be checked.
    """
    from ..trail.verify import verify_trail

    settings, found = _settings(path, key, config)
    target = path if path is not None else _configured(settings)
    vkey = key if key is not None else found
    _refuse_key_inside(target, key)
    limits: dict[str, int | None] = {}
    if settings is not None:
        trail = settings.trail
        limits = {"max_unanchored_lines": trail.max_unanchored_lines, "max_unanchored_s": trail.max_unanchored_s}
    begun = time.monotonic()
    with _progress(wanted=not as_json) as progress:
        report = verify_trail(target, vkey=vkey, progress=progress, **limits)
    if as_json:
        say_json(_as_json(target, report, keyed=vkey is not None))
    else:
        _show(target, report, keyed=vkey is not None, took_s=time.monotonic() - begun)
    return report.exit_code


def _settings(path: Path | None, key: str | None, config: Path) -> tuple[Settings | None, str | None]:
    """The settings and the keys of the configuration; nothing where PATH needs none and there is none."""
    if path is not None and (key is not None or not config.exists()):
        return None, None
    loaded = service.read(config)
    return loaded.settings, None if key is not None else find_keys(loaded, config)


def _configured(settings: Settings | None) -> Path:
    if settings is None:
        raise CommandError("no PATH, and no configuration to name one", CANNOT_VERIFY)
    return settings.trail.path


def find_keys(config: Config, path: Path) -> str | None:
    """The verifier keys, one a line: those in ``stepup-audit.vkey`` beside the configuration, where older ones are,
    and that of the signing key. None where neither is there. NoteError for a key file that holds none."""
    from ..note import format_vkey, origin_of, parse_signer

    lines = _kept_keys(path.parent / VKEY_FILE, config.settings.trail.path.parent)
    pem = _signing_key(config.settings.trail.signing_key_file, needed=not lines)
    if pem is not None:
        lines.append(format_vkey(parse_signer(pem, origin_of(config.settings.service)).vkey))
    return "\n".join(dict.fromkeys(lines)) or None


def _kept_keys(file: Path, audit_folder: Path) -> list[str]:
    if not file.is_file() or file.parent.resolve() == audit_folder.resolve():
        return []
    lines = [line.strip() for line in file.read_text("utf-8", "replace").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _signing_key(file: Path | None, *, needed: bool) -> bytes | None:
    """The private key in PEM; an auditor need not be able to read it where the verifier key is at hand."""
    try:
        return file.read_bytes() if file is not None else None
    except OSError as error:
        if needed:
            raise NoteError(f"{file}: {error.strerror}; --key gives the verifier key") from None
        return None


def _refuse_key_inside(target: Path, key: str | None) -> None:
    """Whoever changes lines can change what lies beside them."""
    if key is None or "\n" in key or not Path(key).is_file():
        return
    folder = (target if target.is_dir() else target.parent).resolve()
    if folder in Path(key).resolve().parents:
        message = f"{safe(key)} lies in the audit folder: whoever changed the lines could have changed the key"
        raise CommandError(message, CANNOT_VERIFY)


@contextmanager
def _progress(*, wanted: bool) -> Iterator[Callable[[int, int], None] | None]:
    """A bar by bytes on a terminal's stderr; nothing where it is piped."""
    if not wanted or not sys.stderr.isatty():
        yield None
        return
    bar: Any = click.progressbar(length=0, label="verifying", file=sys.stderr, show_pos=False)

    def advance(done: int, total: int) -> None:
        bar.length = total
        bar.update(done - bar.pos)

    try:
        yield advance
    finally:
        if bar.pos:
            sys.stderr.write("\r\033[K\033[?25h")
            sys.stderr.flush()


def _as_json(path: Path, report: Report, *, keyed: bool) -> dict[str, Any]:
    checkpoint = report.checkpoint
    return {
        "verdict": report.verdict,
        "verified": report.exit_code == 0,
        "exit_code": report.exit_code,
        "message": report.message,
        "path": str(path),
        "lines": report.lines,
        "bytes": report.bytes,
        "files": report.files,
        "key": keyed,
        "signed": report.signed,
        "checkpoints": report.checkpoints,
        "checkpoint": {"size": checkpoint.size, "root": checkpoint.root, "time": checkpoint.time}
        if checkpoint
        else None,
        "root": report.root,
        "unanchored": {"lines": report.unanchored_lines, "seconds": report.unanchored_s},
        "lost_lines": report.lost_lines,
        "first_bad": _finding_json(report.first_bad) if report.first_bad else None,
        "findings": [_finding_json(finding) for finding in report.findings],
        "events": dict(report.events),
    }


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {
        "verdict": finding.verdict,
        "why": finding.why,
        "file": str(finding.file) if finding.file else None,
        "line": finding.line,
        "seq": finding.seq,
    }


def _show(path: Path, report: Report, *, keyed: bool, took_s: float) -> None:
    color = COLORS.get(report.exit_code, "red")
    sign = "✓" if report.exit_code == 0 else "✗"
    say(f"{paint(f'{sign} {report.verdict}', color, bold=True)}  {safe(report.message)}")
    say()
    lines = [("trail", safe(path))]
    if report.lines:
        size = f"{report.bytes / 1e6:.1f} MB" if report.bytes >= 100_000 else f"{report.bytes} bytes"
        lines.append(
            ("checked", f"{_count(report.lines, 'line')}, {_count(report.files, 'file')}, {size}, {took_s:.1f} s")
        )
        lines.append(("checkpoints", _checkpoint_text(report, keyed=keyed)))
    lines += [(finding.verdict.lower().replace("_", " "), _finding_text(finding)) for finding in report.findings]
    watched = {name: count for name, count in report.events.items() if name not in ("start", "stop", "checkpoint")}
    if watched:
        lines.append(("on record", ", ".join(f"{count} {safe(name, 32)}" for name, count in sorted(watched.items()))))
    say(fields(lines))


def _checkpoint_text(report: Report, *, keyed: bool) -> str:
    if report.checkpoint is None:
        return "none" if keyed else "none, and no key given: only the chain itself was checked"
    signed = "signatures checked" if report.signed else "signatures not checked: no key given (--key)"
    until = f", until {safe(report.checkpoint.time)}" if report.checkpoint.time else ""
    covers = f"the last covers {_count(report.checkpoint.size, 'line')}{until}"
    after = f"\n{_count(report.unanchored_lines, 'line')} after it, over {report.unanchored_s:.0f} s"
    return f"{report.checkpoints}, {signed}\n{covers}{after if report.unanchored_lines else ''}"


def _finding_text(finding: Finding) -> str:
    place = safe(finding.file) if finding.file else ""
    place += f":{finding.line}" if finding.line is not None else ""
    place += f" (seq {finding.seq})" if finding.seq is not None else ""
    return f"{paint(place, bold=True)}\n{safe(finding.why)}" if place else safe(finding.why)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
