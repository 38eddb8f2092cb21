"""The command ``stepup``: one file a command group, loaded when it is called. Errors become exit codes here only."""

from __future__ import annotations

from .program import program

__all__ = ["main", "program"]


def main() -> None:
    """What the scripts ``stepup`` and ``stepup-mw`` and ``python -m stepup_mw`` call. Always ends in SystemExit."""
    program()
