"""What is remembered of a store outside of it goes forward only, and is made anew where it is gone."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from stepup_mw.stores.lives import STRIPES, Note
from stepup_mw.stores.witness import DAMAGED, Witness, format_note, parse_note

ONE, OTHER = "1" * 32, "f" * 32


def _note(count: int, name: str = ONE) -> Note:
    return Note(name=name, spent=(count,) * STRIPES)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "note"


def test_a_note_is_read_as_it_was_written() -> None:
    counts = random.Random(1).sample(range(10**15), STRIPES)
    note = Note(name=OTHER, spent=tuple(counts))
    assert parse_note(format_note(note)) == note
    text = format_note(_note(17))
    assert text.splitlines()[:2] == [b"1" * 32, b"00000000000000000017"]
    assert len(text.splitlines()) == 1 + STRIPES


def test_it_goes_forward_and_never_back(path: Path) -> None:
    witness = Witness(path)
    for count, known in ((5, 5), (3, 5), (9, 9), (10, 10), (9, 10), (100, 100), (99, 100)):
        witness.reach(format_note(_note(count)))
        assert witness.read() == _note(known)
    assert path.stat().st_mode & 0o777 == 0o600


def test_another_life_takes_its_place_with_fewer_too(path: Path) -> None:
    witness = Witness(path)
    witness.reach(format_note(_note(50)))
    witness.reach(format_note(_note(2, OTHER)))
    assert witness.read() == _note(2, OTHER)


@pytest.mark.parametrize("text", [b"", b"nonsense", b"x" * 5000], ids=["empty", "short", "long"])
def test_what_is_damaged_is_written_whole(path: Path, text: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(text)
    witness = Witness(path)
    assert witness.read() == DAMAGED
    witness.reach(format_note(_note(2)))
    assert witness.read() == _note(2)


def test_a_file_that_was_taken_away_or_replaced_is_written_where_it_stands_now(path: Path) -> None:
    witness = Witness(path)
    witness.reach(format_note(_note(2)))
    path.unlink()
    witness.reach(format_note(_note(3)))
    assert witness.read() == _note(3)
    (path.parent / "older").write_bytes(format_note(_note(1)))
    (path.parent / "older").rename(path)
    witness.reach(format_note(_note(4)))
    assert witness.read() == _note(4)


def test_a_link_in_its_place_is_not_followed(path: Path) -> None:
    path.parent.mkdir()
    (path.parent / "elsewhere").write_text("mine")
    path.symlink_to(path.parent / "elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        Witness(path).reach(format_note(_note(1)))
    assert (path.parent / "elsewhere").read_text() == "mine"
