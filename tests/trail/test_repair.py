"""``repair``: what it sees is what a start puts right, and a trail that is evidence is left as it is."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from stepup_mw.trail.repair import diagnose

from .parts import check, mark, record, trail

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def golden(folder: Path) -> Path:
    subject = trail(folder, signed=True)
    for name in "abc":
        subject.append_blocking([record(name)])
    subject.rotate_now()
    subject.append_blocking([record("d")])
    subject.close()
    return folder / "audit" / "stepup.jsonl"


def start(folder: Path) -> None:
    subject = trail(folder, signed=True)
    subject.append_blocking([])
    subject.close()


def listing(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_whole_trail_has_nothing_to_repair(tmp_path: Path) -> None:
    live = golden(tmp_path)
    found = diagnose(live)
    assert (found.damages, found.refused, found.lines) == ((), "", check(tmp_path).lines)


@pytest.mark.parametrize("torn", [b"{", b'{"prev":"AAAA', b"\0" * 300, b"\n", b"x\ny\n"])
def test_torn_bytes_are_told_of_and_then_put_aside(tmp_path: Path, torn: bytes) -> None:
    live = golden(tmp_path)
    whole = live.read_bytes()
    live.write_bytes(whole + torn)
    before = listing(tmp_path)
    found = diagnose(live)
    assert listing(tmp_path) == before
    (damage,) = found.damages
    assert (damage.what, damage.offset, damage.bytes) == ("torn_line", len(whole), len(torn))
    assert damage.sha256 == hashlib.sha256(torn).hexdigest()
    start(tmp_path)
    assert live.read_bytes().startswith(whole)
    assert mark(tmp_path, "recovered")["sha256"] == damage.sha256
    assert (tmp_path / "audit" / "torn" / damage.sha256).read_bytes() == torn
    assert (diagnose(live).damages, check(tmp_path).verdict) == ((), "VERIFIED")


def test_a_torn_note_and_a_rotation_half_done(tmp_path: Path) -> None:
    live = golden(tmp_path)
    notes = live.with_name("checkpoints.note")
    whole = notes.read_bytes()
    notes.write_bytes(whole + whole[:50])
    live.rename(live.with_name(".stepup.next"))
    assert [damage.what for damage in diagnose(live).damages] == ["rotation", "torn_note"]
    start(tmp_path)
    assert (diagnose(live).damages, check(tmp_path).verdict) == ((), "VERIFIED")
    assert notes.read_bytes().startswith(whole)


def _shrink(live: Path) -> None:
    live.write_bytes(b"".join(live.read_bytes().splitlines(keepends=True)[:1]))


def _edit(live: Path) -> None:
    live.write_bytes(live.read_bytes().replace(b'"event_id":"d"', b'"event_id":"x"'))


def _bury(live: Path) -> None:
    lines = live.read_bytes().splitlines(keepends=True)
    live.write_bytes(lines[0] + b"garbage\n" + b"".join(lines[1:]))


def _remove(live: Path) -> None:
    live.unlink()


def _spoil_notes(live: Path) -> None:
    live.with_name("checkpoints.note").write_bytes(b"x\n\n\xe2\x80\x94 y z\n")


@pytest.mark.parametrize("harm", [_shrink, _edit, _bury, _remove, _spoil_notes])
def test_evidence_is_not_repaired(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    live = golden(tmp_path)
    harm(live)
    before = listing(tmp_path / "audit")
    found = diagnose(live)
    assert found.refused
    assert found.damages == ()
    assert listing(tmp_path / "audit") == before


def test_an_edited_line_far_from_the_end_is_for_verify_to_find(tmp_path: Path) -> None:
    live = golden(tmp_path)
    (segment,) = (live.parent / "segments").iterdir()
    segment.write_bytes(segment.read_bytes().replace(b'"event_id":"b"', b'"event_id":"x"'))
    assert diagnose(live).damages == ()
    assert check(tmp_path).verdict == "TAMPERED"
