"""The search tree of an MMDB file: which record is an address's, told without reading the record.

The reader builds all of a record anew for each address, every name in every language. People share few records: cities
and networks are far fewer than addresses. So records are read once, and found again by where the tree leads.
"""

from __future__ import annotations

import mmap
import socket
from functools import lru_cache
from struct import Struct
from typing import BinaryIO

_CACHED = 8192
_word_at = Struct(">I").unpack_from


class SearchTree:
    """Maps the file, which must not change while this lives. ValueError for one that is too short for its tree."""

    def __init__(self, file: BinaryIO, *, nodes: int, record_bits: int, ip_version: int) -> None:
        self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._nodes = nodes
        self._node_bytes = record_bits // 4
        if record_bits not in _RIGHT or nodes * self._node_bytes + 4 > len(self._data):
            raise ValueError("the search tree is not whole")
        self._right = _RIGHT[record_bits]
        self._root4 = 0 if ip_version == 4 else self._walk(0, 0, 96)
        self._wide = lru_cache(maxsize=_CACHED)(self._walk)
        self._near = lru_cache(maxsize=_CACHED)(self._walk_near)

    def leaf(self, ip: str) -> int:
        """A number that is the same for all addresses of one record, of an IPv4 or IPv6 address in any spelling."""
        if ":" in ip:
            address = int.from_bytes(socket.inet_pton(socket.AF_INET6, ip))
            return self._walk(self._near(0, address >> 80, 32), address & ((1 << 80) - 1), 80)
        address = int.from_bytes(socket.inet_pton(socket.AF_INET, ip))
        return self._walk(self._near(self._root4, address >> 8, 16), address & 0xFF, 8)

    def _walk_near(self, root: int, path: int, wide: int) -> int:
        """The node of a /24 or /48, from that of its /16 or /32 (``wide`` bits)."""
        rest = wide // 2
        return self._walk(self._wide(root, path >> rest, wide), path & ((1 << rest) - 1), rest)

    def _walk(self, node: int, path: int, bits: int) -> int:
        """From a node along the bits of a path, the highest first, to the last or to where the tree ends."""
        data, nodes, size = self._data, self._nodes, self._node_bytes
        half, shift, mask = self._right
        bit = 1 << bits
        while node < nodes and bit > 1:
            bit >>= 1
            if path & bit:
                node = _word_at(data, node * size + half)[0] >> shift & mask
            else:
                word = _word_at(data, node * size)[0]
                node = word >> 8 | (word & 0xF0) << 20 if size == 7 else word >> shift
        return node


_RIGHT = {24: (3, 8, 0xFFFFFF), 28: (3, 0, 0xFFFFFFF), 32: (4, 0, 0xFFFFFFFF)}
"""Where in a node the right record's four bytes begin, by how much they are shifted, and which bits are its own. The
left record of 28 bits has its highest four in the middle byte."""
