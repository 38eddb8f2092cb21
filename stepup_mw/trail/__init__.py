"""The audit trail: one chained file for all processes of a host, its checkpoints, its verifier and its readers."""

from .checkpoints import Signed
from .cursors import Cursor, Place
from .follow import Line, follow, read_lines
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
