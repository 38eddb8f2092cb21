"""A QR code for a terminal: two modules a character, dark on light whatever the colours of the terminal are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from ..errors import MissingExtra

QUIET_ZONE = 2
"""Light modules around; readers need some (ISO/IEC 18004 asks for four, screens do well with two)."""

_HALVES = {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}
_WHITE_ON_BLACK = "\033[97;40m"
_RESET = "\033[0m"


def render_qr(text: str, *, color: bool = True) -> str:
    """Lines of half blocks. The light is drawn, the dark is the ground; with ``color`` they are white and black,
    without, the terminal must be dark. MissingExtra without segno."""
    try:
        import segno  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtra("a QR code", "segno", "qr") from None
    matrix = [list(row) for row in segno.make(text, error="l", micro=False).matrix_iter(border=QUIET_ZONE)]
    lines = [_line(upper, lower) for upper, lower in zip_longest(matrix[::2], matrix[1::2])]
    return "\n".join(f"{_WHITE_ON_BLACK}{line}{_RESET}" if color else line for line in lines)


def _line(upper: Sequence[int], lower: Sequence[int] | None) -> str:
    """One row of characters; the last row of an odd number of modules has nothing below, which counts as dark."""
    below = lower or [1] * len(upper)
    return "".join(_HALVES[1 if top else 0, 1 if bottom else 0] for top, bottom in zip(upper, below, strict=True))
