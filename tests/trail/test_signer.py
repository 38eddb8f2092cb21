"""The signer: what it remembers outside the audit folder, a key that changes, and silence that is sealed."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from stepup_mw.errors import NoteError
from stepup_mw.note import format_vkey, origin_of, parse_signer, parse_vkey
from stepup_mw.trail import verify_trail
from stepup_mw.trail.keys import change_key
from stepup_mw.trail.memory import Memory
from stepup_mw.trail.trusted import signer_memory

from .parts import ORIGIN, SERVICE, check, entries, mark, marks, record, settings, trail, vkey
from .test_checkpoints import notes, wait_for_notes

if TYPE_CHECKING:
    from pathlib import Path


def fill(folder: Path, names: str) -> None:
    subject = trail(folder, signed=True)
    for name in names:
        subject.append_blocking([record(name)])
    subject.close()


def memory_of(folder: Path) -> Path:
    return Memory(folder / "audit.key", ORIGIN).path


def test_the_last_checkpoint_is_kept_beside_the_key(tmp_path: Path) -> None:
    fill(tmp_path, "ab")
    kept = signer_memory(tmp_path / "audit.key", ORIGIN)
    assert kept is not None
    assert kept.checkpoint == notes(tmp_path)[-1]
    assert memory_of(tmp_path).parent == tmp_path
    assert memory_of(tmp_path).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("more", ["", "xyzxyz"])
def test_a_folder_that_was_rolled_back_is_not_signed_for(tmp_path: Path, more: str) -> None:
    """A whole older copy, in itself without a flaw, stands in the place of the folder."""
    fill(tmp_path, "a")
    shutil.copytree(tmp_path / "audit", tmp_path / "backup")
    fill(tmp_path, "bcd")
    signed = notes(tmp_path)[-1]
    shutil.rmtree(tmp_path / "audit")
    (tmp_path / "backup").rename(tmp_path / "audit")
    before = (tmp_path / "audit" / "checkpoints.note").read_bytes()
    assert check(tmp_path).verdict == "VERIFIED"
    held = signer_memory(tmp_path / "audit.key", ORIGIN)
    assert held is not None
    report = verify_trail(tmp_path / "audit", vkey=vkey(tmp_path), held=[held])
    assert (report.verdict, report.exit_code) == ("SHRUNK", 2)
    fill(tmp_path, more)
    subject = trail(tmp_path, signed=True)
    subject.append_blocking([record("new")])
    assert subject.checkpoint_now() is None
    subject.close()
    assert (tmp_path / "audit" / "checkpoints.note").read_bytes() == before
    assert next(entry["detail"]["error"] for entry in entries(tmp_path) if entry.get("phase") == "io_error") == "fork"
    report = verify_trail(tmp_path / "audit", vkey=vkey(tmp_path), held=[held])
    assert (report.verdict, report.exit_code) == ("FORK" if report.lines >= signed.size else "SHRUNK", 2)
    assert verify_trail(tmp_path / "audit", vkey=vkey(tmp_path)).verdict == "FORK"


def test_a_note_that_a_crash_kept_out_of_the_file_is_put_back(tmp_path: Path) -> None:
    fill(tmp_path, "a")
    path = tmp_path / "audit" / "checkpoints.note"
    first = path.read_bytes()
    fill(tmp_path, "b")
    both = path.read_bytes()
    path.write_bytes(first)
    fill(tmp_path, "c")
    assert path.read_bytes().startswith(both)
    assert "io_error" not in marks(tmp_path)
    assert check(tmp_path).verdict == "VERIFIED"


def test_notes_that_are_gone_are_not_signed_over(tmp_path: Path) -> None:
    fill(tmp_path, "a")
    fill(tmp_path, "b")
    (tmp_path / "audit" / "checkpoints.note").unlink()
    fill(tmp_path, "c")
    assert mark(tmp_path, "io_error")["error"] == "checkpoint"
    assert not (tmp_path / "audit" / "checkpoints.note").exists()


@pytest.mark.parametrize("content", [b"", b"{}", b'{"end":0,"note":"x"}', b"\xff"])
def test_a_memory_that_cannot_be_read_stops_signing_and_no_line(tmp_path: Path, content: bytes) -> None:
    fill(tmp_path, "a")
    memory_of(tmp_path).write_bytes(content)
    with pytest.raises(NoteError):
        signer_memory(tmp_path / "audit.key", ORIGIN)
    fill(tmp_path, "b")
    assert len(notes(tmp_path)) == 1
    assert memory_of(tmp_path).name in mark(tmp_path, "io_error")["why"]


def test_a_key_in_a_folder_that_takes_no_file_signs_and_says_so(tmp_path: Path) -> None:
    """As with a secret that is mounted read-only; here the draft's name is taken by a folder."""
    settings(tmp_path, signed=True)
    memory_of(tmp_path).with_name(memory_of(tmp_path).name + ".draft").mkdir()
    subject = trail(tmp_path, signed=True)
    subject.append_blocking([record("a")])
    assert subject.checkpoint_now() is not None
    subject.append_blocking([record("b")])
    assert subject.checkpoint_now() is not None
    subject.close()
    assert mark(tmp_path, "io_error")["error"] == "signer_memory"
    assert check(tmp_path).verdict == "VERIFIED"


def test_a_changed_key_is_named_under_the_old_one_and_used_by_a_running_service(tmp_path: Path) -> None:
    running = trail(tmp_path, signed=True)
    running.append_blocking([record("a")])
    old = vkey(tmp_path)
    published: list[str] = []
    tool = trail(tmp_path, signed=True)
    changed = change_key(
        tmp_path / "audit.key", tool, service=SERVICE, clock=time.time, random=os.urandom, publish=published.append
    )
    tool.close()
    running.append_blocking([record("b")])
    assert running.checkpoint_now() is not None
    running.close()
    new = vkey(tmp_path)
    assert (changed.old, changed.new, published) == (old, new, [new])
    assert format_vkey(parse_signer(changed.aside.read_bytes(), origin_of(SERVICE)).vkey) == old
    told = mark(tmp_path, "key_changed")
    assert (told["old"], told["new"], told["vkey"]) == (old.split("+")[1], new.split("+")[1], new)
    keys = [entry["detail"]["key"] for entry in entries(tmp_path) if entry.get("phase") == "checkpoint"]
    assert keys == sorted(keys, key=[old.split("+")[1], new.split("+")[1]].index)
    both = verify_trail(tmp_path / "audit", vkey=f"{old}\n{new}")
    assert (both.verdict, both.signed, both.unanchored_lines) == ("VERIFIED", True, 0)
    for one in (old, new):
        assert verify_trail(tmp_path / "audit", vkey=one).verdict == "WRONG_KEY"
    assert parse_vkey(new).name == ORIGIN


def wait_until_told(folder: Path) -> None:
    """Until each checkpoint has its line and, for more than a tick of the writers, nothing more is written."""
    before: list[str] = []
    for _ in range(20):
        found = marks(folder)
        if found == before and found.count("checkpoint") == len(notes(folder)):
            return
        before = found
        time.sleep(1.2)
    raise AssertionError(before)


@pytest.mark.slow
def test_silence_is_sealed_by_one_of_the_idle_processes(tmp_path: Path) -> None:
    now = [1_800_000_000.0]
    writers = [trail(tmp_path, signed=True, clock=lambda: now[0], checkpoint_every_s=1) for _ in range(3)]
    for name, writer in enumerate(writers):
        writer.append_blocking([record(str(name))])
    assert "heartbeat" not in marks(tmp_path)
    made = 0
    for turn in range(1, 3):
        made = len(notes(tmp_path)) if (tmp_path / "audit" / "checkpoints.note").exists() else 0
        for _ in range(3):  # a line about a checkpoint that comes just then is a sign of life, too, and puts it off
            now[0] += 10.5
            for _ in range(400):
                if marks(tmp_path).count("heartbeat") >= turn:
                    break
                time.sleep(0.02)
            else:
                continue
            break
        wait_for_notes(tmp_path, made + 1)
        wait_until_told(tmp_path)
        now[0] += 0.1
    assert marks(tmp_path).count("heartbeat") == 2
    beat = next(entry for entry in entries(tmp_path) if entry.get("phase") == "heartbeat")
    assert notes(tmp_path)[-1].size > beat["seq"]
    assert beat["detail"]["silent_s"] >= 10
    for writer in writers:
        writer.close()
    assert check(tmp_path).verdict == "VERIFIED"
