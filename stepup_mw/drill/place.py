"""Where a drill runs, as far as an auditor asks: machine, versions, file system, and the settings of the trail."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..settings import Settings

_MOUNTS = Path("/proc/self/mounts")


def describe_place(folder: Path, settings: Settings) -> list[tuple[str, str]]:
    """``folder``: the scratch folder."""
    return [
        ("host", platform.node()),
        ("system", f"{platform.system()} {platform.release()}, {os.cpu_count()} cores"),
        ("versions", f"stepup-mw {version('stepup-mw')}, Python {platform.python_version()}"),
        ("file system", _file_system(folder, settings.trail.path)),
        ("policy", settings.policy_version),
        ("trail", _trail(settings)),
    ]


def _file_system(folder: Path, live: Path) -> str:
    beside = next(parent for parent in live.parents if parent.exists())
    same = folder.stat().st_dev == beside.stat().st_dev
    kind = _kind_at(folder) or "of a kind that the system does not tell"
    return f"{kind}, the trail's own" if same else f"{kind}, NOT the trail's own"


def _kind_at(folder: Path) -> str:
    """``ext4``, of the mount that the folder is under; "" where the system has no list of them."""
    try:
        rows = [line.split(" ") for line in _MOUNTS.read_text("utf-8", "replace").splitlines()]
    except OSError:
        return ""
    whole = folder.resolve()
    over = [(row[1], row[2]) for row in rows if len(row) > 2 and whole.is_relative_to(row[1])]
    return max(over, key=lambda item: len(item[0]), default=("", ""))[1]


def _trail(settings: Settings) -> str:
    trail = settings.trail
    signed = "signed checkpoints" if trail.signing_key_file is not None else "no signing key"
    anchors = ", ".join(anchor.kind for anchor in trail.anchors) or "no anchor"
    return f'durability "{trail.durability}", on_failure "{trail.on_failure}", {signed}, {anchors}'
