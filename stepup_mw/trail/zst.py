"""Sealed segments compressed with Zstandard: how they are written, and read again in bounded memory.

    000007-000000412345.jsonl.zst     one frame after another, each of some megabytes of whole lines, with its size and
                                      a checksum; at the end a table of the frames (the seekable format of Zstandard)

Any Zstandard tool unpacks such a file. Read here are only files like those written here: a frame that says it is larger
than a frame may be, or that shrank more than lines with a hash in each can shrink, is refused before it is unpacked.
"""

from __future__ import annotations

import io
import os
import struct
import sys
from importlib import import_module
from typing import Any, NamedTuple

from ..errors import MissingExtra, TrailUnavailable

SUFFIX = ".zst"
FRAME = 4 << 20
"""Bytes of lines in a frame, about."""

_LARGEST = 2 * FRAME
_MOST = 600
"""How much smaller lines can get at most: each of up to 16 KiB holds a hash, 32 bytes that do not compress."""

_WINDOW_LOG = 23
"""The most memory that a frame may ask for, as a power of two; ours ask for less."""

_SKIPPABLE = 0x184D2A5E
_SEEKABLE = 0x8F92EAB1
_HEAD = struct.Struct("<II")
_ENTRY = struct.Struct("<II")
_FOOT = struct.Struct("<IBI")


class Frame(NamedTuple):
    """``size`` bytes of lines, from byte ``start`` of all lines on, in ``length`` bytes from ``at`` of the file on."""

    at: int
    length: int
    start: int
    size: int


def load_zstd() -> Any:
    """The standard library's module from Python 3.14 on, before that its backport. MissingExtra without it."""
    try:
        return import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    except ImportError:
        raise MissingExtra("a compressed segment of the audit trail", "backports.zstd", "zstd") from None


def pack(source: int, target: int) -> None:
    """Compress all lines of the open file ``source`` into ``target``."""
    zstd, at, entries = load_zstd(), 0, []
    end = os.fstat(source).st_size
    options = {zstd.CompressionParameter.checksum_flag: 1}
    with open(target, "wb", closefd=False) as stream:
        while at < end:
            data = os.pread(source, FRAME, at)
            data = data[: data.rfind(b"\n") + 1] or data
            frame = zstd.compress(data, options=options)
            stream.write(frame)
            entries.append(_ENTRY.pack(len(frame), len(data)))
            at += len(data)
        stream.write(_table(entries))


def _table(entries: list[bytes]) -> bytes:
    foot = _FOOT.pack(len(entries), 0, _SEEKABLE)
    return _HEAD.pack(_SKIPPABLE, len(entries) * _ENTRY.size + len(foot)) + b"".join(entries) + foot


def read_frames(fd: int, base: int, length: int) -> tuple[Frame, ...]:
    """The frames of a compressed file that is ``length`` bytes from byte ``base`` of ``fd``. TrailUnavailable if it is
    none of ours. MissingExtra if it could not be read."""
    load_zstd()
    foot = os.pread(fd, _FOOT.size, base + length - _FOOT.size) if length > _FOOT.size else b""
    count, flags, magic = _FOOT.unpack(foot) if len(foot) == _FOOT.size else (0, 0, 0)
    table = _HEAD.size + count * _ENTRY.size + _FOOT.size
    if magic != _SEEKABLE or flags or table > length:
        raise TrailUnavailable("it does not end in a table of frames")
    data = os.pread(fd, table, base + length - table)
    if data[: _HEAD.size] != _HEAD.pack(_SKIPPABLE, table - _HEAD.size):
        raise TrailUnavailable("its table of frames is damaged")
    frames, at, start = [], base, 0
    for packed, size in _ENTRY.iter_unpack(data[_HEAD.size : -_FOOT.size]):
        if not 0 < size <= min(_LARGEST, _MOST * packed):
            raise TrailUnavailable(f"a frame of {packed} bytes says that it holds {size}")
        frames.append(Frame(at, packed, start, size))
        at, start = at + packed, start + size
    if at != base + length - table:
        raise TrailUnavailable("its frames do not fill it")
    return tuple(frames)


def unpack(fd: int, frame: Frame, limit: int | None = None) -> bytes | None:
    """The lines of a frame, or the first ``limit`` bytes of them; None if they are not what the table says. OSError if
    the file cannot be read."""
    zstd = load_zstd()
    reader = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG})
    data = os.pread(fd, frame.length if limit is None else min(frame.length, 1 << 18), frame.at)
    try:
        lines: bytes = reader.decompress(data, max_length=frame.size + 1 if limit is None else limit)
    except (zstd.ZstdError, EOFError, ValueError):
        return None
    whole = len(lines) == frame.size and reader.eof and not reader.unused_data
    return lines if whole or limit is not None else None


class Unpacked(io.RawIOBase):
    """The lines of all frames as one stream, from byte ``skip`` up to byte ``end``. It ends where a frame is broken."""

    def __init__(self, fd: int, frames: tuple[Frame, ...], skip: int, end: int) -> None:
        self._fd = fd
        self._left = [frame for frame in reversed(frames) if frame.start + frame.size > skip and frame.start < end]
        self._skip = skip
        self._end = end
        self._data = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._data and self._left:
            frame = self._left.pop()
            lines = unpack(self._fd, frame)
            if lines is None:
                self._left = []
                return 0
            self._data = memoryview(lines)[max(0, self._skip - frame.start) : self._end - frame.start]
        count = min(len(buffer), len(self._data))
        buffer[:count], self._data = self._data[:count], self._data[count:]
        return count
