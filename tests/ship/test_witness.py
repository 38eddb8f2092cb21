"""A witness that checks: growth is cosigned, anything else is refused, and nothing it says is believed unchecked."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from stepup_mw.errors import AnchorError, NoteError
from stepup_mw.note import origin_of, parse_note
from stepup_mw.settings import AnchorSettings
from stepup_mw.ship.evidence import gather
from stepup_mw.ship.witness import ask_size, parse_witness_key, verify_cosignature
from stepup_mw.trail.notes import last_checkpoint

from ..trail.parts import SERVICE
from .cosigner import Cosigner, cosigner
from .http import closed_port, serving, silent_port
from .parts import lane, public_key, with_anchors, write

ORIGIN = origin_of(SERVICE)


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[tuple[Cosigner, AnchorSettings]]:
    write(tmp_path, 2)
    with cosigner(ORIGIN, public_key(tmp_path)) as (made, url):
        yield made, AnchorSettings(kind="witness", url=url, key=made.vkey, timeout_s=5)


def _kept(folder: Path, anchor: AnchorSettings) -> Path:
    return folder / "audit" / "anchors" / anchor.name


def _refusal(folder: Path, anchor: AnchorSettings) -> str:
    found = lane(with_anchors(folder), anchor)
    with pytest.raises(AnchorError) as caught:
        found.run()
    return str(caught.value)


def test_each_newest_checkpoint_is_cosigned_and_kept(witness: tuple[Cosigner, AnchorSettings], tmp_path: Path) -> None:
    made, anchor = witness
    found = lane(with_anchors(tmp_path), anchor)
    for batch in range(3):
        write(tmp_path, 1, each=batch + 1)
        assert found.run() is not None
        known = last_checkpoint(_kept(tmp_path, anchor) / "cosigned.note")
        assert known is not None
        note, checkpoint, _ = known
        assert (checkpoint.size, checkpoint.root) == made.seen
        assert verify_cosignature(note, parse_witness_key(made.vkey))[1] == made.clock
    assert made.requests == [200, 200, 200]


def test_a_new_process_goes_on_where_the_last_one_was(witness: tuple[Cosigner, AnchorSettings], tmp_path: Path) -> None:
    made, anchor = witness
    lane(with_anchors(tmp_path), anchor).run()
    write(tmp_path, 2)
    lane(with_anchors(tmp_path), anchor).run()
    assert made.requests == [200, 200]


@pytest.mark.parametrize("kept", [None, b"", b"{}", b'{"size":3,"hashes":[]}', b'{"size":1,"hashes":["AAAA"]}'])
def test_a_lost_or_broken_range_is_made_again(
    kept: bytes | None, witness: tuple[Cosigner, AnchorSettings], tmp_path: Path
) -> None:
    made, anchor = witness
    lane(with_anchors(tmp_path), anchor).run()
    path = _kept(tmp_path, anchor) / "range.json"
    path.unlink() if kept is None else path.write_bytes(kept)
    write(tmp_path, 1)
    lane(with_anchors(tmp_path), anchor).run()
    assert made.requests == [200, 200]


@pytest.mark.parametrize("forgot", [True, False], ids=["the_witness_forgot", "we_forgot"])
def test_its_own_size_in_a_409_is_where_the_proof_begins(
    forgot: bool, witness: tuple[Cosigner, AnchorSettings], tmp_path: Path
) -> None:
    made, anchor = witness
    lane(with_anchors(tmp_path), anchor).run()
    now = made.seen
    for path in _kept(tmp_path, anchor).iterdir():
        path.unlink()
    write(tmp_path, 1)
    if forgot:
        made.seen = 0, b""
    lane(with_anchors(tmp_path), anchor).run()
    assert made.seen[0] > now[0]
    assert made.requests == [200, 200] if forgot else [200, 409, 200]


def test_a_trail_that_was_set_back_is_refused_and_said(
    witness: tuple[Cosigner, AnchorSettings], tmp_path: Path
) -> None:
    made, anchor = witness
    made.seen = 10_000, bytes(32)
    assert "has seen 10000 lines" in _refusal(tmp_path, anchor)
    assert "this is an old copy" in _refusal(tmp_path, anchor)
    assert not (_kept(tmp_path, anchor) / "cosigned.note").exists()


def test_another_history_is_not_cosigned(witness: tuple[Cosigner, AnchorSettings], tmp_path: Path) -> None:
    made, anchor = witness
    lane(with_anchors(tmp_path), anchor).run()
    made.seen = made.seen[0], bytes(32)
    write(tmp_path, 1)
    assert "answered 422: the consistency proof did not convince it" in _refusal(tmp_path, anchor)


def test_lines_that_are_not_those_signed_are_not_even_sent(
    witness: tuple[Cosigner, AnchorSettings], tmp_path: Path
) -> None:
    made, anchor = witness
    live = tmp_path / "audit" / "stepup.jsonl"
    live.write_bytes(live.read_bytes().replace(b"xxxx", b"xxxy", 1))
    assert "are not those that were signed" in _refusal(tmp_path, anchor)
    live.write_bytes(b"".join(live.read_bytes().splitlines(keepends=True)[:3]))
    assert "line 3 is not in the trail any more" in _refusal(tmp_path, anchor)
    assert made.requests == []


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "could not read the request"),
        (403, "does not know the key"),
        (404, "does not know this log"),
        (500, "it said no more"),
        (409, "answered 409 without a size"),
    ],
)
def test_a_refusal_is_put_into_words(status: int, said: str, tmp_path: Path) -> None:
    write(tmp_path, 1)
    key = Cosigner(ORIGIN, public_key(tmp_path)).vkey
    with serving(lambda _path, _body: (status, "text/plain", b"no\n")) as url:
        assert said in _refusal(tmp_path, AnchorSettings(kind="witness", url=url, key=key, timeout_s=5))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\n",
        b"no signature\n",
        "\u2014 witness.example/w1 AAAA\n".encode(),
        f"\u2014 witness.example/w1 {b64encode(bytes(76)).decode()}\n".encode(),
        b"\xff\xfe\n",
        b"x" * 20_000,
    ],
)
def test_an_answer_that_is_no_cosignature_is_not_kept(
    answer: bytes, witness: tuple[Cosigner, AnchorSettings], tmp_path: Path
) -> None:
    made, anchor = witness
    made.lie = answer
    assert anchor.url in _refusal(tmp_path, anchor)
    assert not (_kept(tmp_path, anchor) / "cosigned.note").exists()


def test_a_cosignature_by_another_key_is_not_believed(witness: tuple[Cosigner, AnchorSettings], tmp_path: Path) -> None:
    made, anchor = witness
    made.key = Ed25519PrivateKey.generate()
    assert "not cosigned by" in _refusal(tmp_path, anchor)


def test_no_bit_of_a_cosignature_can_be_changed(witness: tuple[Cosigner, AnchorSettings], tmp_path: Path) -> None:
    made, anchor = witness
    lane(with_anchors(tmp_path), anchor).run()
    whole = (_kept(tmp_path, anchor) / "cosigned.note").read_bytes()
    key = parse_witness_key(made.vkey)
    assert verify_cosignature(parse_note(whole), key)
    line = whole.rindex("\u2014 ".encode())
    for place in [*range(20), *range(line, len(whole) - 1)]:
        changed = bytearray(whole)
        changed[place] ^= 1
        with pytest.raises(NoteError):
            verify_cosignature(parse_note(bytes(changed)), key)


def test_a_closed_port_and_a_silent_one_end_in_time(tmp_path: Path) -> None:
    write(tmp_path, 1)
    key = Cosigner(ORIGIN, public_key(tmp_path)).vkey
    assert "refused" in _refusal(tmp_path, AnchorSettings(kind="witness", url=closed_port(), key=key))
    begun = time.monotonic()
    with silent_port() as url:
        anchor = AnchorSettings(kind="witness", url=url, key=key, timeout_s=0.3)
        assert "no answer within 0.3 s" in _refusal(tmp_path, anchor)
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("text", ["", "w", "w+00+AA==", "w x+00000000+AA==", "+".join(["w", "00000000", "!"])])
def test_what_is_no_key_of_a_witness(text: str) -> None:
    with pytest.raises(NoteError, match="not the verifier key of a witness"):
        parse_witness_key(text)


def test_its_word_is_evidence_and_it_can_be_asked(witness: tuple[Cosigner, AnchorSettings], tmp_path: Path) -> None:
    made, anchor = witness
    found = with_anchors(tmp_path, anchor)
    (before,) = gather(found, SERVICE, (), online=False)
    assert (before.checkpoint, before.problem) == (None, "")
    lane(found, anchor).run()
    (after,) = gather(found, SERVICE, (), online=False)
    assert after.checkpoint is not None
    assert (after.checkpoint.size, after.at, after.how) == (made.seen[0], made.clock, "cosigned")
    signed = last_checkpoint(tmp_path / "audit" / "checkpoints.note")
    assert signed is not None
    assert ask_size(anchor, signed[0]) == made.seen[0]
    made.seen = 12_345, bytes(32)
    assert gather(found, SERVICE, (), online=True)[0].seen == 12_345


def test_evidence_that_was_touched_is_a_problem(witness: tuple[Cosigner, AnchorSettings], tmp_path: Path) -> None:
    _, anchor = witness
    found = with_anchors(tmp_path, anchor)
    lane(found, anchor).run()
    path = _kept(tmp_path, anchor) / "cosigned.note"
    path.write_bytes(path.read_bytes().replace(ORIGIN.encode(), b"other", 1))
    assert "does not fit the checkpoint" in gather(found, SERVICE, (), online=False)[0].problem
