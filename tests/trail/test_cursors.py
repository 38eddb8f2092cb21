"""What a process that ships checkpoints and segments relies on: to be told of each, and to find what it missed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stepup_mw.note import parse_note, parse_vkey, verify_note
from stepup_mw.trail import Cursor, Place, Signed, Trail
from stepup_mw.trail.cursors import anchored_size
from stepup_mw.trail.files import Layout

from .parts import SERVICE, record, settings, vkey

if TYPE_CHECKING:
    from pathlib import Path


def test_each_checkpoint_is_handed_over_once_it_is_in_the_file(tmp_path: Path) -> None:
    heard: list[tuple[Signed, bytes]] = []
    notes = tmp_path / "audit" / "checkpoints.note"
    subject = Trail(
        settings(tmp_path, signed=True),
        service=SERVICE,
        clock=lambda: 1_800_000_000.0,
        on_checkpoint=lambda signed: heard.append((signed, notes.read_bytes())),
    )
    for name in "ab":
        subject.append_blocking([record(name)])
        subject.checkpoint_now()
    subject.close()
    assert len(heard) == 3
    for signed, there in heard:
        assert there.endswith(signed.note)
        verify_note(parse_note(signed.note), parse_vkey(vkey(tmp_path)))
    assert b"".join(signed.note for signed, _ in heard) == notes.read_bytes()


def fill(folder: Path) -> Path:
    subject = Trail(settings(folder, signed=True), service=SERVICE, clock=lambda: 1_800_000_000.0)
    for name in "abc":
        subject.append_blocking([record(name)])
        subject.rotate_now()
        subject.checkpoint_now()
    subject.close()
    return folder / "audit" / "stepup.jsonl"


def test_a_cursor_finds_what_has_not_arrived_and_only_moves_forward(tmp_path: Path) -> None:
    live = fill(tmp_path)
    cursor = Cursor(live, "worm")
    assert cursor.read() == Place()
    assert [sealed.index for sealed in cursor.segments()] == [1, 2, 3]
    sizes = [checkpoint.size for checkpoint, _ in cursor.notes()]
    assert len(sizes) >= 3
    whole = b"".join(data for _, data in cursor.notes())
    assert whole == (tmp_path / "audit" / "checkpoints.note").read_bytes()
    assert cursor.advance(segment=2, size=sizes[0]) == Place(segment=2, size=sizes[0])
    assert cursor.advance(segment=1) == Place(segment=2, size=sizes[0])
    again = Cursor(live, "worm")
    assert [sealed.index for sealed in again.segments()] == [3]
    assert [checkpoint.size for checkpoint, _ in again.notes()] == sizes[1:]


@pytest.mark.parametrize("kept", [b"", b"[]", b"{}", b'{"size":"9","segment":2}', b"\xff"])
def test_a_broken_cursor_begins_again(tmp_path: Path, kept: bytes) -> None:
    live = fill(tmp_path)
    cursor = Cursor(live, "worm")
    cursor.advance(segment=2)
    (tmp_path / "audit" / "cursors" / "worm").write_bytes(kept)
    assert cursor.read() == Place()
    assert cursor.advance(segment=1) == Place(segment=1)


def test_anchored_is_what_every_place_has(tmp_path: Path) -> None:
    live = fill(tmp_path)
    assert anchored_size(Layout(live)) is None
    Cursor(live, "worm").advance(size=9)
    assert anchored_size(Layout(live)) == 9
    Cursor(live, "stamps").advance(size=4)
    assert anchored_size(Layout(live)) == 4


@pytest.mark.parametrize("name", ["", "../x", ".hidden", "a/b", "a" * 65])
def test_a_name_that_makes_no_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no name for a cursor"):
        Cursor(tmp_path / "stepup.jsonl", name)
