"""What the trail's tests are built from: settings, records with an id, and what the files hold."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import subprocess
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepup_mw import events
from stepup_mw.note import format_vkey, generate_signing_key, parse_signer
from stepup_mw.settings import TrailSettings
from stepup_mw.trail import Report, Trail, read_lines, verify_trail

if TYPE_CHECKING:
    from collections.abc import Callable

SERVICE = "bank"
ORIGIN = "bank/stepup-audit"


def settings(folder: Path, *, signed: bool = False, **changes: Any) -> TrailSettings:
    """A trail under ``folder/audit``; with ``signed`` a new signing key beside it."""
    if signed:
        key = folder / "audit.key"
        if not key.exists():
            key.write_bytes(generate_signing_key())
        changes["signing_key_file"] = key
    return TrailSettings(path=folder / "audit" / "stepup.jsonl", **changes)


def trail(folder: Path, *, clock: Callable[[], float] = time.time, signed: bool = False, **changes: Any) -> Trail:
    return Trail(settings(folder, signed=signed, **changes), service=SERVICE, clock=clock)


def vkey(folder: Path) -> str:
    return format_vkey(parse_signer((folder / "audit.key").read_bytes(), ORIGIN).vkey)


def record(event_id: str, **extra: Any) -> bytes:
    timestamp = "2026-11-23T07:25:00.000000Z"
    return events.encode({"timestamp": timestamp, "event_type": "step_up", "event_id": event_id, **extra})


def entries(folder: Path) -> list[dict[str, Any]]:
    """Every line of the trail, parsed."""
    return [json.loads(line.raw) for line in read_lines(folder / "audit")]


def ids(folder: Path) -> list[str]:
    """The event ids of the lines that are not the trail's own, nor its alerts of a full disk, in order."""
    return [entry["event_id"] for entry in entries(folder) if entry["event_type"] not in ("audit", "alert")]


def marks(folder: Path) -> list[str]:
    """The phases of the trail's own lines, in order."""
    return [entry["phase"] for entry in entries(folder) if entry["event_type"] == "audit"]


def mark(folder: Path, phase: str) -> dict[str, Any]:
    """The ``detail`` of the one mark of that phase."""
    (found,) = [
        entry["detail"] for entry in entries(folder) if entry["event_type"] == "audit" and entry["phase"] == phase
    ]
    assert isinstance(found, dict)
    return found


def check(folder: Path, **options: Any) -> Report:
    """Verify, with the key if there is one; the second verifier has to agree."""
    if (folder / "audit.key").exists():
        options.setdefault("vkey", vkey(folder))
    report = verify_trail(folder / "audit", **options)
    if set(options) <= {"vkey"}:
        expect_agreement(folder / "audit", report, options.get("vkey"))
    return report


def agreed(path: Path, key: str | None = None, *, exactly: bool = True) -> Report:
    """Verify by path, with a verifier key; the second verifier has to agree. Not ``exactly``: on whether all is well,
    where the bytes are any, and what is to be called wrong first with them nowhere laid down."""
    report = verify_trail(path, vkey=key)
    if exactly:
        expect_agreement(path, report, key)
    else:
        assert (second_opinion(path, key) == 0) == (report.exit_code == 0), report
    return report


def expect_agreement(path: Path, report: Report, vkey: str | None) -> None:
    """The independent verifier of ``examples/`` ends with the same exit code as ours."""
    assert second_opinion(path, vkey) == report.exit_code, report


def second_opinion(path: Path, vkey: str | None) -> int:
    try:
        with contextlib.ExitStack() as stack:
            _SECOND.verify(path, vkey.splitlines() if vkey else [], stack)
    except _SECOND.Bad as bad:
        return int(bad.args[0])
    except OSError:
        return 5
    except Exception:  # noqa: BLE001 - as its main part does
        return 2
    return 0


def _load_second() -> Any:
    place = Path(__file__).parents[2] / "examples" / "verify_independently.py"
    spec = importlib.util.spec_from_file_location("verify_independently", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_SECOND = _load_second()


def expect_whole(folder: Path, acknowledged: list[str]) -> None:
    """The trail verifies, and each acknowledged line stands in it exactly once."""
    report = check(folder)
    assert report.verdict == "VERIFIED", report.message
    counts = Counter(ids(folder))
    assert {name: counts[name] for name in acknowledged} == dict.fromkeys(acknowledged, 1)


def python(code: str, *arguments: object, prefix: tuple[str, ...] = (), killed: bool = False) -> str:
    """What a Python process of its own prints; ``killed``: it may not live to its end."""
    command = [*prefix, sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    done = subprocess.run(command, check=not killed, capture_output=True, text=True, timeout=30)
    assert not killed or done.returncode in (0, -9, 137), done.stderr
    return done.stdout
