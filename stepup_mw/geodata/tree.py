"""The search tree of an MMDB file: which record is an address's, told without reading the record.

The reader builds all of a record anew for each address, every name in every language. People share few records: cities
and networks are far fewer than addresses. So records are read once, and found again by where the tree leads.
"""

from __future__ import annotations

import mmap
import socket
from struct import Struct
from typing import BinaryIO

_CACHED = 8192
_word_at = Struct(">I").unpack_from


class _Family:
    """IPv4 or IPv6: where its addresses begin in the tree, and the nodes that lead to many of them. ``bits``: those to
    the networks of providers (a /16, a /32), from there to those of a subscriber or an office (a /24, a /48), and from
    there to the address."""

    __slots__ = ("bits", "near", "root", "wide")

    def __init__(self, root: int, bits: tuple[int, int, int]) -> None:
        self.root = root
        self.bits = bits
        self.wide: dict[int, int] = {}
        self.near: dict[int, int] = {}


class SearchTree:
    """Maps the file, which must not change while this lives. ValueError for one that is too short for its tree."""

    def __init__(self, file: BinaryIO, *, nodes: int, record_bits: int, ip_version: int) -> None:
        self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._nodes = nodes
        self._node_bytes = record_bits // 4
        if record_bits not in _RIGHT or nodes * self._node_bytes + 4 > len(self._data):
            raise ValueError("the search tree is not whole")
        self._right = _RIGHT[record_bits]
        self._four = _Family(0 if ip_version == 4 else self._walk(0, 0, 96), (16, 8, 8))
        self._six = _Family(0, (32, 16, 80))

    def leaf(self, ip: str) -> int:
        """A number that is the same for all addresses of one record, of an IPv4 or IPv6 address in any spelling."""
        if ":" in ip:
            family, packed = self._six, socket.inet_pton(socket.AF_INET6, ip)
        else:
            family, packed = self._four, socket.inet_pton(socket.AF_INET, ip)
        address, rest = int.from_bytes(packed), family.bits[2]
        node = family.near.get(address >> rest)
        if node is None:
            node = self._to_near(family, address >> rest)
        return node if node >= self._nodes else self._walk(node, address, rest)

    def _to_near(self, family: _Family, path: int) -> int:
        """To the node of a /24 or /48, by that of its /16 or /32."""
        first, then, _ = family.bits
        node = family.wide.get(path >> then)
        if node is None:
            node = _keep(family.wide, path >> then, self._walk(family.root, path >> then, first))
        return _keep(family.near, path, self._walk(node, path, then))

    def _walk(self, node: int, path: int, bits: int) -> int:
        """From a node along the lowest ``bits`` of a path, the highest of them first, to where the tree ends."""
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


def _keep(nodes: dict[int, int], path: int, node: int) -> int:
    if len(nodes) >= _CACHED:
        nodes.clear()
    nodes[path] = node
    return node


_RIGHT = {24: (3, 8, 0xFFFFFF), 28: (3, 0, 0xFFFFFFF), 32: (4, 0, 0xFFFFFFFF)}
"""Where in a node the right record's four bytes begin, by how much they are shifted, and which bits are its own. The
left record of 28 bits has its highest four in the middle byte."""
