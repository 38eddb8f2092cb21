"""What a start finds after a crash, and what it refuses to repair."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from stepup_mw.chain import Tip, extend
from stepup_mw.errors import TrailUnavailable
from stepup_mw.trail import verify_trail

from .parts import check, expect_whole, ids, mark, marks, record, trail, vkey

if TYPE_CHECKING:
    from stepup_mw.trail import Trail


def golden(folder: Path, count: int = 3, *, signed: bool = False) -> bytes:
    """A closed trail of ``count`` lines; gives the live file's bytes."""
    subject = trail(folder, signed=signed)
    for number in range(count):
        subject.append_blocking([record(str(number))])
    subject.close()
    return (folder / "audit" / "stepup.jsonl").read_bytes()


@pytest.mark.parametrize("step", [17, pytest.param(1, marks=[pytest.mark.slow, pytest.mark.timeout(300)])])
def test_cut_at_every_byte_of_the_last_line_it_goes_on(tmp_path: Path, step: int) -> None:
    whole = golden(tmp_path / "golden")
    last = whole[:-1].rindex(b"\n") + 1
    for size in range(last + 1, len(whole), step):
        folder = tmp_path / str(size)
        (folder / "audit").mkdir(parents=True)
        (folder / "audit" / "stepup.jsonl").write_bytes(whole[:size])
        report = check(folder)
        assert (report.verdict, report.exit_code) == ("TORN_TAIL", 3)
        subject = trail(folder)
        subject.append_blocking([record("next")])
        subject.close()
        expect_whole(folder, ["0", "1", "2", "next"])
        torn = whole[last:size]
        recovered = mark(folder, "recovered")
        assert (recovered["bytes"], recovered["sha256"]) == (len(torn), hashlib.sha256(torn).hexdigest())
        assert (folder / "audit" / "torn" / recovered["sha256"]).read_bytes() == torn
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\0" * 5000,
        b"\0" * 100 + b"\n",
        b"\n",
        b'{"prev":"',
        b"\xff\xfe\n\n\0",
        b"x" * 40_000,
        b"{}\n",
        b"\0" * 5_000_000,
    ],
    ids=["zeros", "zero line", "empty line", "begun", "bytes", "long", "empty object", "beyond the window"],
)
def test_garbage_after_the_last_line_is_quarantined(tmp_path: Path, garbage: bytes) -> None:
    whole = golden(tmp_path)
    (tmp_path / "audit" / "stepup.jsonl").write_bytes(whole + garbage)
    assert check(tmp_path).verdict == "TORN_TAIL"
    subject = trail(tmp_path)
    subject.append_blocking([record("next")])
    subject.close()
    expect_whole(tmp_path, ["0", "1", "2", "next"])
    assert mark(tmp_path, "recovered")["bytes"] == len(garbage)


def test_a_file_that_is_all_torn_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / "stepup.jsonl").write_bytes(b'{"prev":"AAAA')
    subject = trail(tmp_path)
    subject.append_blocking([record("a")])
    subject.close()
    expect_whole(tmp_path, ["a"])
    assert marks(tmp_path)[:2] == ["recovered", "start"]


def test_a_torn_tail_left_by_a_killed_neighbour_is_repaired_at_the_next_write(tmp_path: Path) -> None:
    subject = trail(tmp_path)
    subject.append_blocking([record("a")])
    with (tmp_path / "audit" / "stepup.jsonl").open("ab") as stream:
        stream.write(b'{"prev":"half a li')
    subject.append_blocking([record("b")])
    subject.close()
    expect_whole(tmp_path, ["a", "b"])
    assert mark(tmp_path, "recovered")["bytes"] == 18


def expect_refusal(folder: Path, why: str) -> None:
    before = (folder / "audit" / "stepup.jsonl").read_bytes()
    subject = trail(folder, signed=(folder / "audit.key").exists())
    with pytest.raises(TrailUnavailable, match=why):
        subject.append_blocking([record("never")])
    subject.close()
    assert (folder / "audit" / "stepup.jsonl").read_bytes() == before


def test_a_good_line_after_broken_ones_is_not_repaired(tmp_path: Path) -> None:
    lines = golden(tmp_path).split(b"\n")
    lines[2] = b"\0" * len(lines[2])
    (tmp_path / "audit" / "stepup.jsonl").write_bytes(b"\n".join(lines))
    expect_refusal(tmp_path, "a good line after broken ones")
    assert check(tmp_path).verdict == "TAMPERED"


def test_a_changed_line_is_not_repaired(tmp_path: Path) -> None:
    whole = golden(tmp_path)
    (tmp_path / "audit" / "stepup.jsonl").write_bytes(whole.replace(b'"event_id":"1"', b'"event_id":"7"'))
    expect_refusal(tmp_path, "does not follow the one before")


@pytest.mark.parametrize("left", [0, 1, 3])
def test_fewer_lines_than_were_signed_for_are_not_continued(tmp_path: Path, left: int) -> None:
    lines = golden(tmp_path, signed=True).splitlines(keepends=True)
    (tmp_path / "audit" / "stepup.jsonl").write_bytes(b"".join(lines[:left]))
    expect_refusal(tmp_path, f"has {left} lines, but 5 are signed for")
    assert (check(tmp_path).verdict, check(tmp_path).exit_code) == (("SHRUNK", 2))


def test_a_live_file_that_is_gone_with_signed_lines_is_not_begun_again(tmp_path: Path) -> None:
    golden(tmp_path, signed=True)
    (tmp_path / "audit" / "stepup.jsonl").unlink()
    subject = trail(tmp_path, signed=True)
    with pytest.raises(TrailUnavailable, match="lines were removed"):
        subject.append_blocking([record("never")])
    subject.close()
    assert not (tmp_path / "audit" / "stepup.jsonl").exists()


@pytest.mark.parametrize("stage", ["drafted", "sealed"])
def test_a_rotation_that_was_cut_off_is_finished_or_dropped(tmp_path: Path, stage: str) -> None:
    subject = trail(tmp_path)
    subject.append_blocking([record("a")])
    sealed = subject.rotate_now()
    assert sealed is not None
    subject.close()
    audit = tmp_path / "audit"
    if stage == "drafted":
        (audit / "stepup.jsonl").rename(audit / ".stepup.next")
        sealed.rename(audit / "stepup.jsonl")
        expect_whole(tmp_path, ["a"])
    else:
        (audit / "stepup.jsonl").rename(audit / ".stepup.next")
        assert check(tmp_path).verdict == "TORN_TAIL"
    again = trail(tmp_path)
    again.append_blocking([record("b")])
    again.close()
    expect_whole(tmp_path, ["a", "b"])
    assert not (audit / ".stepup.next").exists()
    assert marks(tmp_path).count("rotated") == (1 if stage == "sealed" else 0)


class Life(RuleBasedStateMachine):
    """Any order of appends, rotations, orderly stops, kills that leave torn bytes, and starts."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(mkdtemp())
        self.trail: Trail = trail(self.folder, signed=True, checkpoint_lines=5, rotate_size=8000)
        self.acknowledged: list[str] = []

    @rule(count=st.integers(1, 4))
    def append(self, count: int) -> None:
        names = [f"n{len(self.acknowledged) + number}" for number in range(count)]
        self.trail.append_blocking([record(name) for name in names])
        self.acknowledged += names

    @rule()
    def rotate(self) -> None:
        self.trail.rotate_now()

    @rule()
    def checkpoint(self) -> None:
        self.trail.checkpoint_now()

    @rule()
    def restart(self) -> None:
        self.trail.close()

    @precondition(lambda self: self.acknowledged)
    @rule(cut=st.integers(1, 500), other=st.booleans())
    def torn_write(self, cut: int, other: bool) -> None:
        """A neighbour is killed in the middle of a write; this process goes on, or a new one starts."""
        if not other:
            self.trail.close()
        live = self.folder / "audit" / "stepup.jsonl"
        torn, _ = extend([record("torn" * 200)], Tip(), b"}")
        with live.open("ab") as stream:
            stream.write(torn[:cut])

    @invariant()
    def nothing_is_lost(self) -> None:
        if self.acknowledged:
            assert [name for name in ids(self.folder) if name.startswith("n")] == self.acknowledged
            report = verify_trail(self.folder / "audit", vkey=vkey(self.folder))  # signed meanwhile by a thread
            assert report.verdict in ("VERIFIED", "TORN_TAIL", "NO_INTEGRITY_DATA"), report.message
            assert report.verdict != "NO_INTEGRITY_DATA" or report.checkpoints == 0

    def teardown(self) -> None:
        self.trail.append_blocking([record("end")])
        self.trail.close()
        expect_whole(self.folder, [*self.acknowledged, "end"])
        shutil.rmtree(self.folder)


TestLife = Life.TestCase
TestLife.settings = hypothesis_settings(max_examples=60, stateful_step_count=12, deadline=None)
