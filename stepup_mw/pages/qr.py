"""A QR code as inline SVG: one path, no style and no script in it, so that the page's policy lets it stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..errors import MissingExtra

QUIET_ZONE = 4
"""Light modules around (ISO/IEC 18004 asks for four)."""


def qr_svg(text: str) -> str:
    """The code of ``text``, dark on white in any colour scheme. MissingExtra without segno."""
    try:
        import segno  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtra("a QR code", "segno", "qr") from None
    matrix = [list(row) for row in segno.make(text, error="m", micro=False).matrix_iter(border=QUIET_ZONE)]
    path = "".join(f"M{x} {y}h{width}v1h-{width}z" for y, row in enumerate(matrix) for x, width in _runs(row))
    size = len(matrix)
    return (
        f'<svg class="qr" viewBox="0 0 {size} {size}" aria-hidden="true" '
        f'shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{size}v{size}h-{size}z"/><path d="{path}"/></svg>'
    )


def _runs(row: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Where dark modules begin in a row, and how many there are."""
    start = None
    for x, dark in enumerate([*row, 0]):
        if dark and start is None:
            start = x
        elif not dark and start is not None:
            yield start, x - start
            start = None
