"""The code that the person can use now, and the one line on the terminal that always shows it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..cli.screen import paint, width_of
from ..totp import PERIOD_S, format_code, time_step

_BAR = 15
_CLEAR = "\r\033[2K"


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """``left_s``: seconds until the code changes. ``used``: it has been taken already, the next one will work."""

    digits: str
    left_s: int
    used: bool


def code_at(secret: str, now: float, last_step: int) -> Code:
    """The code that an authenticator shows at Unix second ``now``; ``last_step`` is the last time step taken."""
    step = time_step(now)
    return Code(digits=format_code(secret, step), left_s=PERIOD_S - int(now) % PERIOD_S, used=step <= last_step)


def show_code(code: Code) -> str:
    """``code 482 913  ━━━━━━━─────── 17 s``, on one line."""
    digits = f"{code.digits[:3]} {code.digits[3:]}"
    full = round(_BAR * code.left_s / PERIOD_S)
    color = "yellow" if code.left_s <= 5 else "green"
    bar = paint("━" * full, "black" if code.used else color) + paint("─" * (_BAR - full), dim=True)
    if code.used:
        return f"  {paint(digits, dim=True)}  {bar} {paint(f'used, the next in {code.left_s} s', dim=True)}"
    return f"  {paint('Code', dim=True)} {paint(digits, color, bold=True)}  {bar} {code.left_s:2d} s"


def fit(parts: Sequence[str], width: int) -> str:
    """As many of the parts, the first ones, as stand on one line of ``width`` columns: a line that wraps could not be
    written over."""
    line = ""
    for part in parts:
        longer = f"{line}   {part}" if line else part
        if width_of(longer) >= width and line:
            break
        line = longer
    return line


class LiveLine:
    """A line that stays the last one on a terminal, while others scroll past above it."""

    def __init__(self, write: Callable[[str], object], flush: Callable[[], object]) -> None:
        self._write = write
        self._flush = flush
        self._shown = ""

    def show(self, text: str) -> None:
        """Put a text in the place of what the line says now."""
        if text != self._shown:
            self._write(_CLEAR + text)
            self._flush()
            self._shown = text

    def clear(self) -> None:
        """Make room for a line that scrolls."""
        if self._shown:
            self._write(_CLEAR)
            self._flush()
            self._shown = ""


def live_line() -> LiveLine | None:
    """A live line on standard output, or None where that is no terminal."""
    return LiveLine(sys.stdout.write, sys.stdout.flush) if sys.stdout.isatty() else None
