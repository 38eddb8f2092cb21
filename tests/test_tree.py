"""The RFC 6962 tree, against an independent implementation (pymerkle) and its own proofs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree  # type: ignore[import-untyped]  # it ships no types

from stepup_mw import tree
from stepup_mw.chain import leaf_hash
from stepup_mw.errors import ProofError

ENTRIES = [b"line %d" % number for number in range(70)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]


@pytest.mark.parametrize("size", range(1, 71))
def test_roots_agree_with_pymerkle(size: int) -> None:
    oracle = InmemoryTree.init_from_entries(ENTRIES[:size])
    assert tree.root_of(LEAVES[:size]) == oracle.get_root()


def test_the_empty_root_is_the_hash_of_nothing() -> None:
    assert tree.CompactRange().root().hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(st.integers(0, 69), st.integers(1, 70))
def test_inclusion_is_proven_for_each_leaf_and_for_no_other(index: int, size: int) -> None:
    index %= size
    leaves = LEAVES[:size]
    proof, root = tree.inclusion_proof(leaves, index), tree.root_of(leaves)
    tree.verify_inclusion(leaves[index], index, size, proof, root)
    for leaf, place, path in [
        (leaf_hash(b"other"), index, proof),
        (leaves[index], index + 1, proof),
        (leaves[index], index, [*proof, bytes(32)]),
    ]:
        with pytest.raises(ProofError):
            tree.verify_inclusion(leaf, place, size, path, root)


@given(st.integers(1, 70), st.integers(1, 70))
def test_consistency_is_proven_for_what_grew_and_for_nothing_else(old: int, size: int) -> None:
    old, size = min(old, size), max(old, size)
    proof = tree.consistency_proof(LEAVES[:size], old)
    before, after = tree.root_of(LEAVES[:old]), tree.root_of(LEAVES[:size])
    tree.verify_consistency(old, before, size, after, proof)
    for first, last, path in [(bytes(32), after, proof), (before, bytes(32), proof), (before, after, [*proof, after])]:
        with pytest.raises(ProofError):
            tree.verify_consistency(old, first, size, last, path)


@pytest.mark.parametrize(
    ("size", "hashes"), [(-1, []), (1, []), (3, [bytes(32)]), (1, [b"short"])], ids=["negative", "none", "few", "short"]
)
def test_what_is_no_range_is_refused(size: int, hashes: list[bytes]) -> None:
    with pytest.raises(ProofError):
        tree.CompactRange(size, hashes)


def test_a_range_goes_on_from_where_it_was_kept() -> None:
    kept = tree.CompactRange()
    for leaf in LEAVES[:37]:
        kept.append(leaf)
    resumed = tree.CompactRange(kept.size, kept.hashes)
    for leaf in LEAVES[37:]:
        resumed.append(leaf)
    assert resumed.root() == tree.root_of(LEAVES)
    assert kept.copy().root() == tree.root_of(LEAVES[:37])


@pytest.mark.parametrize(("index", "old"), [(70, 0), (-1, 71)])
def test_out_of_bounds_is_an_error(index: int, old: int) -> None:
    with pytest.raises(ProofError):
        tree.inclusion_proof(LEAVES, index)
    with pytest.raises(ProofError):
        tree.consistency_proof(LEAVES, old)
