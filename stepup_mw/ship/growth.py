"""How a tree of ``old`` leaves grew into one of ``size``: the consistency proof (RFC 6962 section 2.1.2) in one pass.

Needs the compact range at ``old`` and the leaves after it, not those before: the cost is that of the new lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ProofError
from ..tree import CompactRange

if TYPE_CHECKING:
    from collections.abc import Iterable


def prove_growth(old: CompactRange, size: int, leaves: Iterable[bytes]) -> tuple[list[bytes], CompactRange]:
    """The proof from ``old`` to ``size`` leaves, and the range at ``size``. ``leaves``: the hashes of the leaves from
    ``old.size`` on. ProofError if there are too few. From nothing, the proof is empty."""
    whole, plan = old.copy(), _plan(old.size, size)
    fresh = {span: CompactRange() for span in plan if span[0] >= old.size}
    waiting = sorted(fresh, reverse=True)
    for index, leaf in zip(range(old.size, size), leaves, strict=False):
        whole.append(leaf)
        while waiting and index >= waiting[-1][1]:
            waiting.pop()
        if waiting and index >= waiting[-1][0]:
            fresh[waiting[-1]].append(leaf)
    if whole.size != size:
        raise ProofError(f"only {whole.size} of {size} leaves are there")
    peaks = _peaks(old)
    return [fresh[span].root() if span in fresh else peaks[span] for span in plan], whole


def _plan(old: int, size: int) -> list[tuple[int, int]]:
    """Which subtrees, by their first leaf and the one after their last, make the proof, in its order."""
    low, high, known = 0, size, True
    spans: list[tuple[int, int]] = []
    if not old:
        return spans
    while low + old < high:
        split = 1 << (high - low - 1).bit_length() - 1
        if old <= split:
            spans.append((low + split, high))
            high = low + split
        else:
            spans.append((low, low + split))
            low, old, known = low + split, old - split, False
    return ([] if known else [(low, high)]) + spans[::-1]


def _peaks(range_: CompactRange) -> dict[tuple[int, int], bytes]:
    """The perfect subtrees that a range is made of, by the leaves they cover."""
    peaks, low = {}, 0
    for bit, value in zip(_bits(range_.size), range_.hashes, strict=True):
        peaks[low, low + bit] = value
        low += bit
    return peaks


def _bits(size: int) -> list[int]:
    """The powers of two that add up to ``size``, the largest first."""
    return [1 << place for place in reversed(range(size.bit_length())) if size >> place & 1]
