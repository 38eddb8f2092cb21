"""Many lines at once: what each hashes to, and whether each begins with its number and the hash of the one before.

Line by line in Python this would take several times as long as the hashing itself. So the beginnings of all lines are
laid under each other, as a table with a column for each byte, and compared with the table they have to be, which is
put together column by column. Only the shape of the beginnings is known here; what else a line holds is not looked at.
"""

from __future__ import annotations

from binascii import b2a_base64
from io import BytesIO
from typing import TYPE_CHECKING

from ..chain import LEAF, Tip, opening

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 256 << 10
"""Bytes of a block, about: with all that is made of them they stay in the second cache of a core."""

_ROWS = 1000
"""The most rows of a table: in such a one only the last three digits of the numbers differ."""

_THREE = "".join(f"{number:03d}" for number in range(_ROWS)).encode()
_PREV = len(b'{"prev":"')
_WORD = 4
"""Bytes: base64 of a hash is 11 words, so that a table takes a quarter of the steps if its columns are words."""


class Room:
    """The bytes of one block after the other, in the same memory: to give that back and to get it again, block by
    block, takes as long as to split the lines. ``fill(room, at)`` puts bytes from ``at`` on there and says how many."""

    def __init__(self, fill: Callable[[memoryview, int], int]) -> None:
        self._fill = fill
        self._stream = BytesIO(bytes(SIZE))

    def read(self, at: int, end: int) -> tuple[list[bytes], int]:
        """The next whole lines before ``end``, each with its LF, and their bytes; none if none ends in a block."""
        stream = self._stream
        with stream.getbuffer() as whole, whole[: end - at] as room:
            count = self._fill(room, at)
        stream.truncate(count)
        stream.seek(0)
        lines = stream.readlines()
        rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        return lines, count - len(rest)

    @property
    def data(self) -> bytes:
        """What was read last. Only to look at: whoever keeps it makes the next read take memory of its own."""
        return self._stream.getvalue()


def split_lines(data: bytes) -> list[bytes]:
    """The lines, each with its LF. Ten times as fast as ``split``: it looks for the LF with ``memchr``."""
    return BytesIO(data).readlines()


def hash_lines(lines: list[bytes]) -> list[bytes]:
    """The leaf hash of each line, which ends in LF."""
    leaves, begin = [], LEAF.copy
    for line in lines:
        state = begin()
        state.update(line[:-1])
        leaves.append(state.digest())
    return leaves


def is_chain(lines: list[bytes], leaves: list[bytes], tip: Tip) -> bool:
    """Whether the lines, whose hashes are ``leaves``, follow each other from ``tip`` on."""
    start, leaf = 0, tip.leaf
    while start < len(lines):
        seq = tip.seq + start
        stop = min(len(lines), start + _ROWS - seq % _ROWS)
        rows, before = lines[start:stop], [leaf, *leaves[start : stop - 1]]
        if not (_fits(rows, before, seq) if seq >= _ROWS else _fits_singly(rows, before, seq)):
            return False
        start, leaf = stop, leaves[stop - 1]
    return True


def _fits_singly(lines: list[bytes], before: list[bytes], seq: int) -> bool:
    pairs = zip(lines, before, strict=True)
    return all(line.startswith(opening(number, leaf) + b'"') for number, (line, leaf) in enumerate(pairs, seq))


def _fits(lines: list[bytes], before: list[bytes], seq: int) -> bool:
    """For lines whose numbers differ in the last three digits only. What is compared is filled up to whole words with
    what follows the number in every line of this package; a line that goes on otherwise has to be looked at singly."""
    count = len(lines)
    row = opening(seq, bytes(32)) + b'"timestamp":"'
    digits = row.index(b',"timestamp') - 3
    width = (digits + 5) // _WORD * _WORD + _WORD
    table = bytearray(row[:width] * count)
    words = memoryview(table)[1 : 1 - _WORD].cast("I")
    # base64 of 32 bytes and a zero has the same 43 letters, and A where the padding is
    hashes = memoryview(b2a_base64(b"\0".join(before) + b"\0", newline=False)).cast("I")
    for column in range(11):
        words[(_PREV - 1) // _WORD + column :: width // _WORD] = hashes[column::11]
    table[_PREV + 43 :: width] = b"=" * count
    low = seq % _ROWS
    for column in range(3):
        table[digits + column :: width] = _THREE[3 * low + column : 3 * (low + count) : 3]
    return b"".join([line[:width] for line in lines]) == table
