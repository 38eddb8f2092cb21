"""Verification: every change of a golden trail is found, and any bytes end in a report."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from stepup_mw.chain import Tip, extend, parse_opening
from stepup_mw.note import Checkpoint, format_checkpoint, format_note, format_vkey, generate_signing_key, parse_signer
from stepup_mw.trail import Report, verify_trail
from stepup_mw.trail.report import Finding

from .parts import ORIGIN, agreed, check, record, trail, vkey

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def golden() -> Iterator[Path]:
    """A signed trail of two segments and a live file, with a checkpoint in each."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        subject = trail(folder, signed=True)
        for number in range(12):
            subject.append_blocking([record(str(number), user_id="alice", note="umlaut ä")])
            if number in (3, 7):
                subject.rotate_now()
        subject.checkpoint_now()
        subject.close()
        yield folder


@pytest.fixture
def copy(golden: Path, tmp_path: Path) -> Path:
    shutil.copytree(golden, tmp_path / "copy")
    return tmp_path / "copy"


def files(folder: Path) -> list[Path]:
    return [*sorted((folder / "audit" / "segments").iterdir()), folder / "audit" / "stepup.jsonl"]


def lines_of(folder: Path) -> list[tuple[Path, int]]:
    """Each line of the trail: its file and its index in it."""
    return [(path, index) for path in files(folder) for index in range(len(path.read_bytes().splitlines()))]


def change(path: Path, index: int, *new: bytes) -> None:
    lines = path.read_bytes().split(b"\n")
    lines[index : index + 1] = new
    path.write_bytes(b"\n".join(lines))


def seq_of(path: Path, index: int) -> int:
    place = parse_opening(path.read_bytes().split(b"\n")[index])
    assert place is not None
    return place.seq


def test_the_golden_trail_is_verified(golden: Path) -> None:
    report = check(golden)
    assert (report.verdict, report.exit_code, report.findings) == ("VERIFIED", 0, ())
    assert (report.lines, report.files, report.signed) == (len(lines_of(golden)), 3, True)
    assert report.checkpoints >= 3
    assert report.checkpoint is not None
    assert (report.checkpoint.size, report.checkpoint.root) == (report.lines, report.root)
    assert report.unanchored_lines == 0
    assert verify_trail(golden / "audit" / "stepup.jsonl", vkey=vkey(golden)) == report


def test_the_key_may_come_from_a_file(golden: Path, tmp_path: Path) -> None:
    path = tmp_path / "stepup-audit.vkey"
    path.write_text(f"# the trail of the bank\n{vkey(golden)}\n")
    assert verify_trail(golden / "audit", vkey=str(path)).signed


def test_each_edited_line_is_named(copy: Path) -> None:
    for path, index in lines_of(copy):
        whole, seq = path.read_bytes(), seq_of(path, index)
        line = whole.split(b"\n")[index]
        change(path, index, line.replace(b'"service":"bank"', b'"service":"bunk"').replace(b"alice", b"mallo"))
        for report in (check(copy), agreed(copy / "audit")):
            assert (report.verdict, report.exit_code) == ("TAMPERED", 2)
            assert report.first_bad is not None
            assert report.first_bad.seq == seq
        path.write_bytes(whole)


@pytest.mark.parametrize("how", ["delete", "double", "swap", "blank", "insert", "prev"])
def test_each_line_deleted_doubled_swapped_or_more_is_found(copy: Path, how: str) -> None:
    for path, index in lines_of(copy):
        whole = path.read_bytes()
        lines = whole.split(b"\n")
        if how == "swap" and not lines[index + 1]:
            continue
        new = {
            "delete": [],
            "double": [lines[index], lines[index]],
            "swap": [lines[index + 1], lines[index]],
            "blank": [lines[index], b""],
            "insert": [lines[index], lines[index].replace(b'"seq":', b'"seq":9')],
            "prev": [lines[index].replace(lines[index][10:20], b"A" * 10)],
        }[how]
        if new == [lines[index]]:
            continue
        lines[index : index + (2 if how == "swap" else 1)] = new
        path.write_bytes(b"\n".join(lines))
        report = check(copy)
        assert report.exit_code in (2, 3), (how, path, index)
        assert report.first_bad is not None
        path.write_bytes(whole)


def test_the_lines_on_either_side_of_a_rotation_swapped_are_found(copy: Path) -> None:
    for one, two in itertools.pairwise(files(copy)):
        whole = one.read_bytes(), two.read_bytes()
        last, first = whole[0].splitlines()[-1], whole[1].splitlines()[0]
        change(one, len(whole[0].splitlines()) - 1, first)
        change(two, 0, last)
        assert check(copy).exit_code == 2, (one, two)
        one.write_bytes(whole[0])
        two.write_bytes(whole[1])


def test_a_trail_chained_again_without_the_key_is_found(golden: Path, copy: Path) -> None:
    """Every line from a changed one on gets a new prev: the chain is whole, the tree is not the signed one."""
    paths = files(golden)
    for changed in range(len(lines_of(golden))):
        tip = Tip()
        for path in paths:
            data = b""
            for line in path.read_bytes().splitlines():
                body = b"{" + line[line.index(b',"timestamp"') + 1 :]
                if tip.seq == changed:
                    body = body.replace(b'"service":"bank"', b'"service":"bunk"').replace(b"alice", b"mallo")
                made, tip = extend([body], tip, b"}")
                data += made
            (copy / "audit" / path.relative_to(golden / "audit")).write_bytes(data)
        assert (check(copy).verdict, check(copy).exit_code) == ("TAMPERED", 2)
        bare = copy / "audit" / "checkpoints.note"
        kept = bare.read_bytes()
        bare.unlink()
        assert (check(copy).verdict, check(copy).exit_code) == ("NO_INTEGRITY_DATA", 3)
        bare.write_bytes(kept)


SPARSE = pytest.param(0, 7, id="all over")
EVERY = pytest.param(-1, 1, id="each at the end", marks=[pytest.mark.slow, pytest.mark.timeout(300)])
"""Where it begins: at the first byte, or with the last line or note. And the step."""


@pytest.mark.slow
@pytest.mark.parametrize(("begin", "step"), [SPARSE, EVERY])
def test_the_live_file_cut_at_each_byte_is_found(copy: Path, begin: int, step: int) -> None:
    live, key = copy / "audit" / "stepup.jsonl", vkey(copy)
    whole = live.read_bytes()
    start = whole.rstrip(b"\n").rindex(b"\n") if begin else 0
    for size in range(start, len(whole), step):
        live.write_bytes(whole[:size])
        signed = agreed(copy / "audit", key)
        assert (signed.verdict, signed.exit_code) == ("SHRUNK", 2)
        assert agreed(copy / "audit").verdict == "SHRUNK"


@pytest.mark.slow
@pytest.mark.parametrize(("begin", "step"), [SPARSE, EVERY])
def test_every_flipped_bit_of_the_checkpoints_is_found(copy: Path, begin: int, step: int) -> None:
    path = copy / "audit" / "checkpoints.note"
    whole = path.read_bytes()
    key = vkey(copy)
    start = whole.rindex(ORIGIN.encode() + b"\n") if begin else 0
    for index in range(start * 8, len(whole) * 8, step):
        data = bytearray(whole)
        data[index // 8] ^= 1 << index % 8
        path.write_bytes(bytes(data))
        report = agreed(copy / "audit", key)
        assert report.exit_code in (2, 3), (index, report)


def test_flipped_bits_of_all_lines_are_found(copy: Path) -> None:
    key = vkey(copy)
    live = copy / "audit" / "stepup.jsonl"
    whole = live.read_bytes()
    for index in range(0, len(whole) * 8, 31):
        data = bytearray(whole)
        data[index // 8] ^= 1 << index % 8
        live.write_bytes(bytes(data))
        second = index % 4 == 0
        report = agreed(copy / "audit", key) if second else verify_trail(copy / "audit", vkey=key)
        assert report.exit_code == 2, index


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_file_that_was_removed_is_found(copy: Path, number: int) -> None:
    files(copy)[number].unlink()
    report = check(copy)
    assert report.exit_code == 2, report
    assert report.verdict == ["PRUNED_UNRECORDED", "TAMPERED", "SHRUNK"][number]


def signed(folder: Path, size: int, root: bytes, *, key: bytes | None = None, origin: str = ORIGIN) -> bytes:
    signer = parse_signer(key or (folder / "audit.key").read_bytes(), ORIGIN)
    text = format_checkpoint(Checkpoint(origin=origin, size=size, root=root))
    return format_note(text, [signer.sign(text)])


def _with_note(folder: Path, note: bytes) -> Report:
    with (folder / "audit" / "checkpoints.note").open("ab") as stream:
        stream.write(note)
    return check(folder)


def test_two_roots_for_one_size_are_a_fork(copy: Path) -> None:
    report = _with_note(copy, signed(copy, len(lines_of(copy)), bytes(32)))
    assert (report.verdict, report.exit_code) == ("FORK", 2)


def test_a_checkpoint_of_fewer_lines_after_one_of_more_is_a_fork(copy: Path) -> None:
    assert _with_note(copy, signed(copy, 2, bytes(32))).verdict == "FORK"


def test_a_checkpoint_of_lines_that_are_not_there_means_they_were_removed(copy: Path) -> None:
    report = _with_note(copy, signed(copy, len(lines_of(copy)) + 1, bytes(32)))
    assert (report.verdict, report.exit_code) == ("SHRUNK", 2)


@pytest.mark.parametrize("origin", [ORIGIN, "other/stepup-audit"])
def test_a_checkpoint_of_another_key_or_origin_does_not_count(copy: Path, origin: str) -> None:
    key = generate_signing_key() if origin == ORIGIN else None
    report = _with_note(copy, signed(copy, len(lines_of(copy)) + 1, bytes(32), key=key, origin=origin))
    assert (report.verdict, report.exit_code) == ("WRONG_KEY", 2)


def test_the_key_of_another_log_is_said_to_be_wrong(golden: Path) -> None:
    other = format_vkey(parse_signer(generate_signing_key(), ORIGIN).vkey)
    assert check(golden, vkey=other).verdict == "WRONG_KEY"


def test_a_lost_checkpoint_is_incomplete(copy: Path) -> None:
    (copy / "audit" / "checkpoints.note").write_bytes(b"")
    assert (check(copy).verdict, check(copy).exit_code) == ("NO_INTEGRITY_DATA", 3)


def test_the_chain_alone_is_verified_but_said_to_be_alone(tmp_path: Path) -> None:
    subject = trail(tmp_path)
    subject.append_blocking([record("a")])
    subject.close()
    report = agreed(tmp_path / "audit")
    assert (report.verdict, report.exit_code, report.signed, report.checkpoints) == ("VERIFIED", 0, False, 0)
    assert "nothing signed backs it" in report.message
    assert report.unanchored_lines == 3
    key = format_vkey(parse_signer(generate_signing_key(), ORIGIN).vkey)
    assert agreed(tmp_path / "audit", key).exit_code == 3


def test_a_tail_beyond_the_limit_is_its_own_verdict(tmp_path: Path) -> None:
    now = itertools.count(1_800_000_000, 10)
    subject = trail(tmp_path, clock=lambda: float(next(now)))
    subject.append_blocking([record("a")])
    subject.close()
    report = verify_trail(tmp_path / "audit", max_unanchored_lines=2)
    assert (report.verdict, report.exit_code) == ("UNANCHORED_TAIL", 4)
    assert verify_trail(tmp_path / "audit", max_unanchored_lines=3).exit_code == 0
    assert report.unanchored_s > 10
    assert report.window.endswith("s; 2 lines are allowed")
    both = verify_trail(tmp_path / "audit", max_unanchored_lines=9, max_unanchored_s=3600)
    assert both.window.endswith("s; 9 lines and 3,600 s are allowed")
    assert verify_trail(tmp_path / "audit").window == ""
    assert verify_trail(tmp_path / "audit", max_unanchored_s=5).exit_code == 4


@pytest.mark.parametrize("what", ["missing", "symlink", "folder of none", "folder of two", "empty", "bad key", "nul"])
def test_what_cannot_be_checked_is_exit_5(tmp_path: Path, what: str) -> None:
    path, key = tmp_path / "stepup.jsonl", None
    match what:
        case "symlink":
            (tmp_path / "target").write_bytes(b"x\n")
            path.symlink_to(tmp_path / "target")
        case "folder of none":
            path = tmp_path
        case "folder of two":
            (tmp_path / "a.jsonl").touch()
            (tmp_path / "b.jsonl").touch()
            path = tmp_path
        case "empty":
            path.touch()
        case "bad key":
            path.write_bytes(b"x\n")
            key = "no key"
        case "nul":
            path = tmp_path / "a\0b"
    report = verify_trail(path, vkey=key)
    assert report.exit_code == 5
    assert report.verdict == ("EMPTY" if what == "empty" else "UNREADABLE")
    assert report.message


LINES = st.lists(st.binary(max_size=60) | st.sampled_from([b"{}", b"\0" * 20_000, b'{"prev":"', b"\xff"]), max_size=6)


@hypothesis_settings(max_examples=60, deadline=None)
@given(before=st.integers(0, 3), lines=LINES, notes=st.binary(max_size=200), ended=st.booleans())
def test_any_bytes_end_in_a_report(before: int, lines: list[bytes], notes: bytes, ended: bool) -> None:
    good, _ = extend([record(str(number)) for number in range(before)], Tip(), b"}")
    with TemporaryDirectory() as name:
        folder = Path(name)
        content = good + b"\n".join(lines) + b"\n" * ended
        (folder / "stepup.jsonl").write_bytes(content)
        (folder / "checkpoints.note").write_bytes(notes)
        listing = sorted(folder.iterdir())
        report = agreed(folder, exactly=False)
        assert report.exit_code in (0, 2, 3, 5)
        assert report.exit_code != 0 or (report.lines == before > 0 and not notes and content == good)
        assert (folder / "stepup.jsonl").read_bytes() == content
        assert sorted(folder.iterdir()) == listing
        json.dumps(report.message)


@pytest.mark.parametrize("name", ["stepup.jsonl", "checkpoints.note", "segment"])
@pytest.mark.parametrize("what", ["folder", "pipe", "symlink"])
def test_what_is_no_file_in_place_of_one_is_never_read(name: str, what: str, copy: Path) -> None:
    path = files(copy)[0] if name == "segment" else copy / "audit" / name
    aside = path.rename(copy / "aside")
    match what:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case _:
            path.symlink_to(aside)
    assert check(copy).exit_code == 5


def test_a_finding_without_a_file_names_its_line() -> None:
    assert str(Finding(verdict="FORK", why="two", seq=7)) == "seq 7: two"
    assert str(Finding(verdict="FORK", why="two", seq=7, file=Path("a/b"))) == "b (seq 7): two"


def test_a_trail_that_is_written_meanwhile_is_verified(tmp_path: Path) -> None:
    subject = trail(tmp_path, signed=True, rotate_size=3000, checkpoint_lines=7)
    subject.append_blocking([record("first")])
    subject.checkpoint_now()
    done = threading.Event()

    def work() -> None:
        for number in itertools.count():
            if done.is_set():
                return
            subject.append_blocking([record(str(number))])

    thread = threading.Thread(target=work)
    thread.start()
    verdicts = [verify_trail(tmp_path / "audit", vkey=vkey(tmp_path)) for _ in range(25)]
    done.set()
    thread.join()
    subject.close()
    assert {report.verdict for report in verdicts} == {"VERIFIED"}, [r.message for r in verdicts if r.findings]
    assert verdicts[-1].lines > verdicts[0].lines


def test_progress_ends_at_the_total(golden: Path) -> None:
    calls: list[tuple[int, int]] = []
    check(golden, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1][0] == calls[-1][1] == sum(path.stat().st_size for path in files(golden))
