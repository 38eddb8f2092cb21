"""The audit trail: one chained file for all processes of a host, its checkpoints, its verifier and its readers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .follow import Line, follow, read_lines

if TYPE_CHECKING:
    from .checkpoints import Signed
    from .cursors import Cursor, Place
    from .notes import check_signing_key
    from .report import Finding, Report
    from .trail import Trail
    from .verify import verify_trail

__all__ = [
    "Cursor",
    "Finding",
    "Line",
    "Place",
    "Report",
    "Signed",
    "Trail",
    "check_signing_key",
    "follow",
    "read_lines",
    "verify_trail",
]

_LATER = {
    "Cursor": "cursors",
    "Finding": "report",
    "Place": "cursors",
    "Report": "report",
    "Signed": "checkpoints",
    "Trail": "trail",
    "check_signing_key": "notes",
    "verify_trail": "verify",
}


def __getattr__(name: str) -> Any:
    """Loaded at first use: a process that only checks pieces loads no writer."""
    if name in _LATER:
        return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
