"""Proofs of single lines: made from a trail, checked alone, and refused for anything else."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pymerkle import InmemoryTree, verify_inclusion  # type: ignore[import-untyped]  # it ships no types
from pymerkle.proof import InvalidProof  # type: ignore[import-untyped]

from stepup_mw.chain import leaf_hash
from stepup_mw.errors import LineError, NoteError, ProofError
from stepup_mw.note import (
    format_checkpoint,
    format_note,
    generate_signing_key,
    parse_checkpoint,
    parse_note,
    parse_signer,
    parse_vkey,
)
from stepup_mw.proofs import ForeignKey, Proof, format_proof, parse_proof, verify_proof
from stepup_mw.trail import read_lines
from stepup_mw.trail.prove import make_proof
from stepup_mw.tree import CompactRange, InclusionPath, inclusion_proof, root_of

from .parts import ORIGIN, record, trail, vkey

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def golden() -> Iterator[Path]:
    with TemporaryDirectory() as name:
        folder = Path(name)
        subject = trail(folder, signed=True)
        for number in range(11):
            subject.append_blocking([record(str(number))])
            if number in (2, 6):
                subject.checkpoint_now()
                subject.rotate_now()
        subject.close()
        yield folder


def prove(folder: Path, seq: int) -> Proof:
    return make_proof(folder / "audit", seq, keys=[parse_vkey(vkey(folder))])


def test_every_line_is_proven_alone_and_an_independent_tree_agrees(golden: Path) -> None:
    raw = [line.raw for line in read_lines(golden / "audit")]
    for seq, line in enumerate(raw):
        proof = parse_proof(format_proof(prove(golden, seq)))
        proven = verify_proof(proof, [parse_vkey(vkey(golden))])
        assert (proven.index, proven.line) == (seq, line)
        checkpoint = parse_checkpoint(parse_note(proof.note).text)
        assert checkpoint.size > seq
        assert list(proof.hashes) == inclusion_proof([leaf_hash(item) for item in raw[: checkpoint.size]], seq)
        tree = InmemoryTree.init_from_entries(raw[: checkpoint.size])
        verify_inclusion(leaf_hash(line), checkpoint.root, tree.prove_inclusion(seq + 1, checkpoint.size))
    other = InmemoryTree.init_from_entries(raw[:4])
    with pytest.raises(InvalidProof):
        verify_inclusion(leaf_hash(raw[0]), checkpoint.root, other.prove_inclusion(1, 4))


def test_the_format_is_the_published_one(golden: Path) -> None:
    head, _, note = format_proof(prove(golden, 3)).partition(b"\n\n")
    lines = head.decode().split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    assert lines[1].startswith("extra ")
    assert lines[2] == "index 3"
    assert {len(line) for line in lines[3:]} == {44}
    assert note.startswith(f"{ORIGIN}\n".encode())
    bare = prove(golden, 3)
    bare = Proof(index=bare.index, hashes=bare.hashes, note=bare.note)
    assert format_proof(bare).split(b"\n")[1] == b"index 3"
    line = prove(golden, 3).line
    assert verify_proof(parse_proof(format_proof(bare)), [parse_vkey(vkey(golden))], line).line == line
    with pytest.raises(ProofError, match="does not hold the line"):
        verify_proof(bare, [parse_vkey(vkey(golden))])


def test_any_other_line_index_or_key_is_refused(golden: Path) -> None:
    proof, keys = prove(golden, 5), [parse_vkey(vkey(golden))]
    other = prove(golden, 6)
    assert proof.line is not None
    for changed in (
        Proof(index=6, hashes=proof.hashes, note=proof.note, line=proof.line),
        Proof(index=5, hashes=proof.hashes[1:], note=proof.note, line=proof.line),
        Proof(index=5, hashes=(*proof.hashes, bytes(32)), note=proof.note, line=proof.line),
        Proof(index=5, hashes=other.hashes, note=proof.note, line=other.line),
        Proof(index=5, hashes=proof.hashes, note=proof.note, line=proof.line.replace(b"event_type", b"event_typo")),
    ):
        with pytest.raises(ProofError):
            verify_proof(changed, keys)
    signer = parse_signer((golden / "audit.key").read_bytes(), ORIGIN)
    text = format_checkpoint(replace(parse_checkpoint(parse_note(proof.note).text), origin="other/stepup-audit"))
    with pytest.raises(ForeignKey):
        verify_proof(replace(proof, note=format_note(text, [signer.sign(text)])), keys)
    foreign = parse_signer(generate_signing_key(), ORIGIN).vkey
    for none in ([], [foreign]):
        with pytest.raises(ForeignKey):
            verify_proof(proof, none)


def test_every_flipped_bit_of_a_proof_is_refused(golden: Path) -> None:
    whole, keys = format_proof(prove(golden, 7)), [parse_vkey(vkey(golden))]
    for index in range(0, len(whole) * 8, 5):
        data = bytearray(whole)
        data[index // 8] ^= 1 << index % 8
        with pytest.raises((ProofError, NoteError, LineError)):
            verify_proof(parse_proof(bytes(data)), keys)


@hypothesis_settings(max_examples=300)
@given(data=st.binary(max_size=300) | st.binary(max_size=80).map(lambda b: b"c2sp.org/tlog-proof@v1\n" + b))
def test_any_bytes_are_a_proof_or_an_error(data: bytes) -> None:
    with contextlib.suppress(ProofError):
        assert format_proof(parse_proof(data)) == data


@pytest.mark.parametrize("seq", [14, 10**9])
def test_a_line_under_no_checkpoint_cannot_be_proven(golden: Path, seq: int) -> None:
    with pytest.raises(ProofError, match="no checkpoint"):
        prove(golden, seq + 20)


def test_lines_that_were_changed_prove_nothing(golden: Path, tmp_path: Path) -> None:
    subject = trail(tmp_path, signed=True)
    for name in "abc":
        subject.append_blocking([record(name)])
    subject.close()
    live = tmp_path / "audit" / "stepup.jsonl"
    live.write_bytes(live.read_bytes().replace(b'"event_id":"b"', b'"event_id":"x"'))
    with pytest.raises(ProofError, match="not those that were signed"):
        prove(tmp_path, 1)


LEAVES = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=70)


@given(leaves=LEAVES, data=st.data())
def test_one_pass_gives_the_path_of_the_definition(leaves: list[bytes], data: st.DataObject) -> None:
    """Also where the first leaves come in as the subtrees that stand for them."""
    index = data.draw(st.integers(0, len(leaves) - 1))
    known = data.draw(st.integers(0, index))
    front = CompactRange()
    for leaf in leaves[:known]:
        front.append(leaf)
    path = InclusionPath(index, len(leaves))
    for level, root in front.subtrees():
        path.add(root, level)
    for leaf in leaves[known:]:
        path.add(leaf)
    hashes, root = path.finish()
    assert (hashes, root) == (inclusion_proof(leaves, index), root_of(leaves))


def test_a_path_inside_a_subtree_that_is_only_a_root_is_refused() -> None:
    path = InclusionPath(2, 8)
    with pytest.raises(ProofError, match="cannot be reached"):
        path.add(bytes(32), 2)
    with pytest.raises(ProofError, match="only 0 of 8"):
        path.finish()
    with pytest.raises(ProofError, match="no leaf"):
        InclusionPath(8, 8)


@given(leaves=LEAVES, data=st.data())
def test_subtrees_add_up(leaves: list[bytes], data: st.DataObject) -> None:
    from stepup_mw.trail.pieces import subtrees  # noqa: PLC0415 - beside the definition it is compared with

    cut = data.draw(st.integers(0, len(leaves)))
    whole = CompactRange()
    for leaf in leaves[:cut]:
        whole.append(leaf)
    for level, root in subtrees(cut, leaves[cut:]):
        whole.append_subtree(level, root)
    assert (whole.size, whole.root()) == (len(leaves), root_of(leaves))
