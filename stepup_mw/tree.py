"""The RFC 6962 hash tree over the leaves of the chain: roots and proofs (RFC 6962 section 2.1, RFC 9162 section 2.1).

``node = SHA-256(0x01 || left || right)``; the root of no leaves is the hash of nothing. A ``CompactRange`` grows leaf
by leaf and keeps only the roots of the perfect subtrees, at most 64 hashes. Nothing here touches a file.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from .errors import ProofError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

EMPTY_ROOT = sha256(b"").digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right), 32 bytes."""
    return sha256(b"\x01" + left + right).digest()


class CompactRange:
    """The first ``size`` leaves: ``hashes`` are the roots of the perfect subtrees, the largest first."""

    __slots__ = ("hashes", "size")

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        self.size = size
        self.hashes = list(hashes)
        if size < 0 or len(self.hashes) != size.bit_count() or any(len(item) != 32 for item in self.hashes):
            raise ProofError(f"{len(self.hashes)} hashes are no range of {size} leaves")

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash of 32 bytes."""
        hashes, bits = self.hashes, self.size
        while bits & 1:
            leaf = sha256(b"\x01" + hashes.pop() + leaf).digest()
            bits >>= 1
        hashes.append(leaf)
        self.size += 1

    def append_subtree(self, level: int, root: bytes) -> None:
        """Add ``2**level`` leaves by the root of their perfect subtree. ProofError unless it begins at a multiple of
        its size."""
        if self.size & (1 << level) - 1:
            raise ProofError(f"a subtree of {1 << level} leaves cannot begin at leaf {self.size}")
        bits = self.size >> level
        while bits & 1:
            root = node_hash(self.hashes.pop(), root)
            bits >>= 1
        self.hashes.append(root)
        self.size += 1 << level

    def subtrees(self) -> list[tuple[int, bytes]]:
        """The perfect subtrees as ``(level, root)``, from left to right."""
        levels = [level for level in range(self.size.bit_length() - 1, -1, -1) if self.size >> level & 1]
        return list(zip(levels, self.hashes, strict=True))

    def root(self) -> bytes:
        """The root of all leaves so far, 32 bytes."""
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root

    def copy(self) -> CompactRange:
        return CompactRange(self.size, self.hashes)


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root of these leaf hashes."""
    whole = CompactRange()
    for leaf in leaves:
        whole.append(leaf)
    return whole.root()


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """PATH(index, leaves) of RFC 6962 section 2.1.1, the leaf's sibling first. ProofError out of bounds."""
    if not 0 <= index < len(leaves):
        raise ProofError(f"no leaf {index} in a tree of {len(leaves)}")
    path = []
    while len(leaves) > 1:
        split = _split(len(leaves))
        if index < split:
            path.append(root_of(leaves[split:]))
            leaves = leaves[:split]
        else:
            path.append(root_of(leaves[:split]))
            leaves, index = leaves[split:], index - split
    return path[::-1]


class InclusionPath:
    """PATH(index, leaves) of RFC 6962 section 2.1.1 in one pass: leaves, or whole subtrees, come in from left to right
    and are kept as the few hashes they add up to."""

    def __init__(self, index: int, size: int) -> None:
        """ProofError unless there is a leaf ``index`` in a tree of ``size``."""
        if not 0 <= index < size:
            raise ProofError(f"no leaf {index} in a tree of {size}")
        self._index = index
        self._size = size
        self._at = 0
        self._whole = CompactRange()
        low, high = 0, size
        siblings: list[tuple[int, CompactRange]] = []  # by their end, the outermost first
        while high - low > 1:
            middle = low + _split(high - low)
            siblings.append((high if index < middle else middle, CompactRange()))
            low, high = (low, middle) if index < middle else (middle, high)
        self._path = [subtree for _, subtree in reversed(siblings)]
        self._pending = sorted([*siblings, (index + 1, CompactRange())], key=lambda item: item[0], reverse=True)

    @property
    def full(self) -> bool:
        return self._at == self._size

    def add(self, leaf: bytes, level: int = 0) -> None:
        """The next leaf, or the root of the next ``2**level``. ProofError if that subtree holds the leaf itself, or
        there is no room for it."""
        while self._pending and self._at >= self._pending[-1][0]:
            self._pending.pop()
        if not self._pending or self._at + (1 << level) > self._pending[-1][0]:
            raise ProofError(f"the leaf {self._index} cannot be reached: it is inside a subtree known by its root")
        self._pending[-1][1].append_subtree(level, leaf)
        self._whole.append_subtree(level, leaf)
        self._at += 1 << level

    def finish(self) -> tuple[list[bytes], bytes]:
        """The path, the leaf's sibling first, and the root. ProofError if leaves are missing."""
        if not self.full:
            raise ProofError(f"only {self._at} of {self._size} leaves came in")
        return [subtree.root() for subtree in self._path], self._whole.root()


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """ProofError unless ``leaf`` is number ``index`` of ``size`` leaves with ``root`` (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size:
        raise ProofError(f"no leaf {index} in a tree of {size}")
    node, last, value = index, size - 1, leaf
    for item in proof:
        if last == 0:
            raise ProofError("the proof is too long")
        if node & 1 or node == last:
            value = node_hash(item, value)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            value = node_hash(value, item)
        node, last = node >> 1, last >> 1
    if last or value != root:
        raise ProofError("the proof does not lead to the root")


def consistency_proof(leaves: Sequence[bytes], old: int) -> list[bytes]:
    """PROOF(old, leaves) of RFC 6962 section 2.1.2: that the first ``old`` leaves were not changed."""
    if not 0 < old <= len(leaves):
        raise ProofError(f"no proof from {old} to {len(leaves)} leaves")
    path: list[bytes] = []
    known = True
    while old < len(leaves):
        split = _split(len(leaves))
        if old <= split:
            path.append(root_of(leaves[split:]))
            leaves = leaves[:split]
        else:
            path.append(root_of(leaves[:split]))
            leaves, old, known = leaves[split:], old - split, False
    return ([] if known else [root_of(leaves)]) + path[::-1]


def verify_consistency(old: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """ProofError unless the tree of ``size`` grew out of the tree of ``old`` leaves (RFC 9162 section 2.1.4.2)."""
    if not 0 < old <= size:
        raise ProofError(f"no tree of {size} leaves grew out of one of {old}")
    if old == size:
        if proof or old_root != root:
            raise ProofError("two roots for one size")
        return
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        raise ProofError("the proof is empty")
    if _climb(old, size, path) != (old_root, root):
        raise ProofError("the proof does not lead from the old root to the new one")


def _climb(old: int, size: int, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    node, last = old - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    before = after = path[0]
    for item in path[1:]:
        if last == 0:
            raise ProofError("the proof is too long")
        if node & 1 or node == last:
            before, after = node_hash(item, before), node_hash(item, after)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            after = node_hash(after, item)
        node, last = node >> 1, last >> 1
    if last:
        raise ProofError("the proof is too short")
    return before, after


def _split(size: int) -> int:
    """The largest power of two below ``size``."""
    return 1 << (size - 1).bit_length() - 1
