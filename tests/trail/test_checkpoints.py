"""Checkpoints: when they are signed, what they sign, and when nothing is signed."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from pymerkle import InmemoryTree  # type: ignore[import-untyped]  # it ships no types

from stepup_mw.errors import NoteError
from stepup_mw.note import Checkpoint, generate_signing_key, parse_checkpoint, parse_note, parse_vkey, verify_note
from stepup_mw.trail import check_signing_key, read_lines
from stepup_mw.trail.files import Layout
from stepup_mw.trail.locks import FileLock

from ..servers import until
from .parts import ORIGIN, check, entries, mark, marks, record, trail, vkey

if TYPE_CHECKING:
    from pathlib import Path


def notes(folder: Path) -> list[Checkpoint]:
    """Every checkpoint of the file, its signature checked; one note is five lines."""
    lines = (folder / "audit" / "checkpoints.note").read_bytes().splitlines(keepends=True)
    found = [parse_note(b"".join(lines[index : index + 5])) for index in range(0, len(lines), 5)]
    for item in found:
        verify_note(item, parse_vkey(vkey(folder)))
    return [parse_checkpoint(item.text) for item in found]


def wait_for_notes(folder: Path, count: int) -> None:
    for _ in range(200):
        if (folder / "audit" / "checkpoints.note").exists() and len(notes(folder)) >= count:
            return
        time.sleep(0.02)
    raise AssertionError("no checkpoint came")


def test_roots_are_those_of_an_independent_tree(tmp_path: Path) -> None:
    subject = trail(tmp_path, signed=True, rotate_size=2000)
    for number in range(20):
        subject.append_blocking([record(str(number))])
        if number % 3 == 0:
            subject.checkpoint_now()
    subject.close()
    raw = [line.raw for line in read_lines(tmp_path / "audit")]
    made = notes(tmp_path)
    assert len(made) > 5
    for item in made:
        assert item.origin == ORIGIN
        assert item.root == InmemoryTree.init_from_entries(raw[: item.size]).get_root()
    assert made[-1].size == len(raw)


def test_by_lines(tmp_path: Path) -> None:
    subject = trail(tmp_path, signed=True, checkpoint_lines=10)
    for number in range(10):
        subject.append_blocking([record(str(number))])
    wait_for_notes(tmp_path, 1)
    subject.close()
    assert notes(tmp_path)[0].size >= 10
    assert mark(tmp_path, "checkpoint")["size"] == notes(tmp_path)[0].size


def test_by_time_and_not_again_without_new_lines(tmp_path: Path) -> None:
    now = [1_800_000_000.0]
    subject = trail(tmp_path, signed=True, clock=lambda: now[0])
    subject.append_blocking([record("a")])
    now[0] += 61
    wait_for_notes(tmp_path, 1)
    now[0] += 61
    time.sleep(1.2)
    assert len(notes(tmp_path)) == 1
    assert subject.checkpoint_now() is None
    subject.close()


def test_at_rotation_and_at_close(tmp_path: Path) -> None:
    subject = trail(tmp_path, signed=True)
    subject.append_blocking([record("a")])
    subject.rotate_now()
    wait_for_notes(tmp_path, 1)
    subject.close()
    assert notes(tmp_path)[-1].size == len(entries(tmp_path))
    assert marks(tmp_path)[-1] == "stop"


@pytest.mark.parametrize("state", [None, b"", b"[]", b'{"size":1}', b"\xff", b'{"size":3,"hashes":["AA==","AA=="]}'])
def test_a_lost_or_broken_state_is_worked_out_again(tmp_path: Path, state: bytes | None) -> None:
    subject = trail(tmp_path, signed=True)
    subject.append_blocking([record("a")])
    subject.close()
    kept = tmp_path / "audit" / ".stepup.checkpoint"
    if state is None:
        kept.unlink()
    else:
        kept.write_bytes(state)
    subject = trail(tmp_path, signed=True)
    subject.append_blocking([record("b")])
    subject.close()
    assert (check(tmp_path).verdict, check(tmp_path).unanchored_lines) == ("VERIFIED", 0)
    assert len(notes(tmp_path)) == 2


def test_a_note_cut_off_by_a_crash_is_cleared_away(tmp_path: Path) -> None:
    subject = trail(tmp_path, signed=True)
    subject.append_blocking([record("a")])
    subject.close()
    path = tmp_path / "audit" / "checkpoints.note"
    whole = path.read_bytes()
    for size in range(1, len(whole), 11):
        path.write_bytes(whole + whole[:size])
        assert check(tmp_path).verdict == "TORN_TAIL"
    subject = trail(tmp_path, signed=True)
    subject.append_blocking([record("b")])
    subject.close()
    assert [item.size for item in notes(tmp_path)] == [3, 6]
    assert check(tmp_path).verdict == "VERIFIED"


def test_two_histories_are_never_signed(tmp_path: Path) -> None:
    """Lines before the last checkpoint are rewritten, chain and all, under a running service."""
    subject = trail(tmp_path, signed=True)
    for name in "abc":
        subject.append_blocking([record(name)])
    subject.close()
    other = tmp_path / "other"
    forger = trail(other)
    for name in "axc":
        forger.append_blocking([record(name)])
    forger.close()
    (tmp_path / "audit" / "stepup.jsonl").write_bytes((other / "audit" / "stepup.jsonl").read_bytes())
    (tmp_path / "audit" / ".stepup.checkpoint").unlink()
    before = notes(tmp_path)
    subject = trail(tmp_path, signed=True)
    subject.append_blocking([record("d")])
    assert subject.checkpoint_now() is None
    subject.close()
    assert notes(tmp_path) == before
    assert "not those that were signed" in mark(tmp_path, "io_error")["why"]
    assert check(tmp_path).verdict == "TAMPERED"


def test_checkpoints_taken_out_under_a_running_service_are_noticed(tmp_path: Path) -> None:
    subject = trail(tmp_path, signed=True)
    subject.append_blocking([record("a")])
    assert subject.checkpoint_now() is not None
    (tmp_path / "audit" / "checkpoints.note").unlink()
    subject.append_blocking([record("b")])
    assert subject.checkpoint_now() is None
    subject.close()
    assert "lost checkpoints" in mark(tmp_path, "io_error")["why"]
    assert (check(tmp_path).verdict, check(tmp_path).exit_code) == ("NO_INTEGRITY_DATA", 3)


def test_one_process_signs_at_a_time_and_all_agree(tmp_path: Path) -> None:
    writers = [trail(tmp_path, signed=True, checkpoint_lines=3) for _ in range(3)]
    for number in range(30):
        for writer in writers:
            writer.append_blocking([record(str(number))])
    for writer in writers:
        writer.close()
    sizes = [item.size for item in notes(tmp_path)]
    assert sizes == sorted(sizes)
    assert sizes[-1] == len(entries(tmp_path))
    assert check(tmp_path).verdict == "VERIFIED"


def test_who_ends_while_another_process_signs_is_signed_for(tmp_path: Path) -> None:
    """Of many workers that end at once, one signs; the stop lines of the others come after what it has read."""
    subject = trail(tmp_path, signed=True)
    subject.append_blocking([record("a")])
    other = FileLock(Layout(tmp_path / "audit" / "stepup.jsonl").signing_lock)
    other.acquire()
    ending = threading.Thread(target=subject.close)
    ending.start()
    until(lambda: marks(tmp_path)[-1] == "stop", what="the stop line")
    time.sleep(0.1)
    other.close()
    ending.join()
    assert notes(tmp_path)[-1].size == len(entries(tmp_path))


def test_one_that_signs_for_ever_keeps_nobody_from_ending(tmp_path: Path) -> None:
    subject = trail(tmp_path, signed=True)
    subject.append_blocking([record("a")])
    other = FileLock(Layout(tmp_path / "audit" / "stepup.jsonl").signing_lock)
    other.acquire()
    began = time.monotonic()
    subject.close()
    assert time.monotonic() - began < 10
    assert not (tmp_path / "audit" / "checkpoints.note").exists()
    assert marks(tmp_path)[-1] == "stop"


@pytest.mark.parametrize("content", [None, b"", b"no key"])
def test_a_signing_key_that_cannot_be_used_is_said_at_the_start(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "audit.key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(NoteError, match=str(path)):
        check_signing_key(path, "bank")


def test_a_good_signing_key_gives_its_verifier_key(tmp_path: Path) -> None:
    path = tmp_path / "audit.key"
    path.write_bytes(generate_signing_key())
    assert check_signing_key(path, "bank").name == ORIGIN


def test_a_key_that_goes_bad_stops_no_line(tmp_path: Path) -> None:
    subject = trail(tmp_path, signed=True)
    (tmp_path / "audit.key").write_bytes(b"")
    subject.append_blocking([record("a")])
    assert subject.checkpoint_now() is None
    assert subject.checkpoint_now() is None
    subject.append_blocking([record("b")])
    subject.close()
    assert marks(tmp_path) == ["start", "io_error", "stop"]
    assert "audit.key" in mark(tmp_path, "io_error")["why"]
