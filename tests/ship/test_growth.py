from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw.errors import ProofError
from stepup_mw.ship.growth import prove_growth
from stepup_mw.tree import CompactRange, consistency_proof, root_of, verify_consistency

LEAVES = [sha256(bytes([number])).digest() for number in range(130)]


def _range(size: int) -> CompactRange:
    whole = CompactRange()
    for leaf in LEAVES[:size]:
        whole.append(leaf)
    return whole


@given(st.integers(1, 130), st.integers(0, 129))
def test_it_is_the_proof_of_the_whole_tree(old: int, more: int) -> None:
    size = min(130, old + more)
    proof, grown = prove_growth(_range(old), size, LEAVES[old:])
    assert proof == consistency_proof(LEAVES[:size], old)
    assert (grown.size, grown.root()) == (size, root_of(LEAVES[:size]))
    verify_consistency(old, root_of(LEAVES[:old]), size, grown.root(), proof)


def test_every_small_pair() -> None:
    for size in range(1, 40):
        for old in range(1, size + 1):
            assert prove_growth(_range(old), size, LEAVES[old:])[0] == consistency_proof(LEAVES[:size], old), (
                old,
                size,
            )


def test_from_nothing_the_proof_is_empty() -> None:
    proof, grown = prove_growth(CompactRange(), 7, LEAVES)
    assert (proof, grown.root()) == ([], root_of(LEAVES[:7]))


def test_the_range_it_starts_from_is_left_as_it_is() -> None:
    before = _range(5)
    prove_growth(before, 9, LEAVES[5:])
    assert (before.size, before.root()) == (5, root_of(LEAVES[:5]))


@pytest.mark.parametrize("leaves", [[], LEAVES[5:8]])
def test_too_few_leaves_are_an_error(leaves: list[bytes]) -> None:
    with pytest.raises(ProofError, match="leaves are there"):
        prove_growth(_range(5), 9, leaves)
