"""Checking in pieces: the same verdicts whatever the pieces and the number of processes, in little memory."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from stepup_mw.chain import Tip, extend, parse_line
from stepup_mw.note import parse_checkpoint, parse_note
from stepup_mw.trail import pieces, reading, verify_trail
from stepup_mw.trail.notes import read_notes

from .parts import agreed, python, record, trail, vkey
from .test_faults import PATH

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stepup_mw.trail import Report


@pytest.fixture(scope="module")
def large() -> Iterator[Path]:
    """Some thousand lines in several files, with checkpoints, large enough for more than one process."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        subject = trail(folder, signed=True, rotate_size=6 << 20, checkpoint_lines=700)
        for number in range(40):
            subject.append_blocking([record(f"{number}-{i}", note="x" * (i % 97 * 20)) for i in range(1000)])
        subject.close()
        yield folder


def check(folder: Path, processes: int = 1, **options: object) -> Report:
    return verify_trail(folder / "audit", vkey=vkey(folder), processes=processes, **options)  # type: ignore[arg-type]


def test_one_process_and_two_say_the_same(large: Path) -> None:
    alone, together = check(large), check(large, processes=2)
    assert alone == together
    assert (alone.verdict, alone.missing_lines, alone.files > 4) == ("VERIFIED", 0, True)
    assert alone.bytes > reading.PARALLEL_FROM
    chain = check(large, parse=False)
    assert (chain.verdict, chain.root, chain.parsed) == ("VERIFIED", alone.root, False)
    assert chain.checkpoints == alone.checkpoints > 5


@pytest.mark.parametrize("processes", [1, 2])
def test_a_change_anywhere_is_named(large: Path, tmp_path: Path, processes: int) -> None:
    """Also at the seams: the first and the last line of a piece."""
    shutil.copytree(large, tmp_path / "copy")
    path = sorted((tmp_path / "copy" / "audit" / "segments").iterdir())[2]
    whole = path.read_bytes()
    seam = whole.index(b"\n", pieces.SIZE) + 1
    before = whole.rindex(b"\n", 0, seam - 1) + 1
    for at in (0, before, seam, len(whole) // 2, whole.rindex(b"\n", 0, -1) + 1):
        start = whole.rindex(b"\n", 0, at + 1) + 1 if at else 0
        end = whole.index(b"\n", start)
        line = whole[start:end].replace(b'"event_id":"', b'"event_id":"x', 1)
        path.write_bytes(whole[:start] + line + whole[end:])
        report = check(tmp_path / "copy", processes)
        assert report.verdict == "TAMPERED"
        assert report.first_bad is not None
        assert report.first_bad.seq == parse_line(whole[start:end])["seq"]
        if report.first_bad.line is None:  # the last line under a checkpoint, which no line after it had to name
            assert "signs another root" in report.first_bad.why
            continue
        assert report.first_bad.line == whole[:start].count(b"\n") + 1
        assert report.first_bad.file == path
    path.write_bytes(whole)


def test_a_held_checkpoint_inside_a_piece_is_checked_and_gone_on_from(large: Path, tmp_path: Path) -> None:
    notes = large / "audit" / "checkpoints.note"
    with notes.open("rb") as stream:
        found = [item.data for item in read_notes(stream, notes.stat().st_size)]
    held = tmp_path / "held.note"
    held.write_bytes(found[5])
    size = parse_checkpoint(parse_note(found[5]).text).size
    assert check(large, since=held).verdict == "VERIFIED"  # a note alone: nothing to go on from
    saved = tmp_path / "saved.json"
    assert check(large, save=saved).verdict == "VERIFIED"
    report = check(large, since=saved)
    assert (report.verdict, report.lines, report.first_seq) == ("VERIFIED_FROM", 0, check(large).lines)
    assert size < report.first_seq


@pytest.mark.parametrize("content", [b"", b"{}", b"x", b'{"origin":"o","size":3,"leaf":"","frontier":[]}'])
def test_what_is_no_checkpoint_cannot_be_gone_on_from(large: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "held").write_bytes(content)
    report = check(large, since=tmp_path / "held")
    assert (report.verdict, report.exit_code) == ("UNREADABLE", 5)


def test_a_save_that_another_history_follows_is_a_fork(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, names in ((first, "ab"), (second, "xyz")):
        subject = trail(folder)
        for name in names:
            subject.append_blocking([record(name)])
        subject.close()
    saved = tmp_path / "saved"
    assert verify_trail(first / "audit", save=saved).verdict == "VERIFIED"
    report = verify_trail(second / "audit", since=saved)
    assert (report.exit_code, report.verdict) == (2, "TAMPERED")
    assert verify_trail(first / "audit", since=saved).verdict == "VERIFIED_FROM"


def test_numbers_that_grow_a_digit_are_followed(tmp_path: Path) -> None:
    data, _ = extend([record(str(number)) for number in range(1205)], Tip(), b"}")
    path = tmp_path / "stepup.jsonl"
    path.write_bytes(data)
    assert agreed(path).lines == 1205
    for old, new in ((b'"seq":999,', b'"seq":998,'), (b'"seq":1000,', b'"seq":0100,')):
        path.write_bytes(data.replace(old, new))
        assert agreed(path).verdict == "TAMPERED"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'=","seq":4', b'A","seq":4'),
        (b'{"prev":"', b'{"prev" :'),
        (b'"event_id":"3"', b'"event_id":"3","event_id":"3"'),
        (b'"event_id":"3"', b'"event_id":NaN'),
        (b'"event_id":"3"', b'"event_id":"\xff"'),
        (b'"event_id":"3"', b'"event_id":"\xe2\x80\xa8"'),
        (b'"event_id":"3"', b'"event_id":"\\ud800"'),
        (b'"event_id":"3"', b'"event_id":9007199254740993'),
        (b'"event_id":"3"', b'"event_id":1e999'),
        (b'"event_id":"3"', b'"event_id":{"a":1,"a":1}'),
        (b'"event_id":"3"', b'"event_id":\t"3"'),
    ],
    ids=[
        "padding",
        "spacing",
        "a name twice",
        "NaN",
        "bytes",
        "separator",
        "surrogate",
        "integer",
        "infinity",
        "a name twice deeper",
        "tab",
    ],
)
def test_an_odd_line_is_found_where_all_else_was_chained_to_it(tmp_path: Path, old: bytes, new: bytes) -> None:
    """The chain is made anew over the odd line, so that nothing but its own shape is wrong with it."""
    records = [record(str(number)) for number in range(8)]
    lines, tip = [], Tip()
    for number, item in enumerate(records):
        data, after = extend([item], tip, b"}")
        if number == 3:
            line = data[:-1].replace(
                old.replace(b"4", b"3") if b"seq" in old else old, new.replace(b"4", b"3") if b"seq" in new else new
            )
            from stepup_mw.chain import leaf_hash  # noqa: PLC0415 - the forger's tool

            data, after = line + b"\n", Tip(after.seq, leaf_hash(line))
        lines.append(data)
        tip = after
    (tmp_path / "stepup.jsonl").write_bytes(b"".join(lines))
    report = agreed(tmp_path / "stepup.jsonl")
    assert report.verdict == "TAMPERED"
    assert report.first_bad is not None
    assert report.first_bad.line == 4


def test_padding_in_the_middle_of_a_hash_is_found(tmp_path: Path) -> None:
    """An equals sign where an A belongs, in the last line, so that no line after it has another hash to name."""
    for count in range(3, 200):
        data, _ = extend([record(str(number)) for number in range(count)], Tip(), b"}")
        start = data.rindex(b"\n", 0, -1) + 1
        at = data.find(b"A", start + 9, start + 52)
        if at > 0:
            break
    path = tmp_path / "stepup.jsonl"
    path.write_bytes(data)
    assert agreed(path).verdict == "VERIFIED"
    path.write_bytes(data[:at] + b"=" + data[at + 1 :])
    assert agreed(path).exit_code in (2, 3)


def test_a_held_checkpoint_of_another_history_is_a_fork(tmp_path: Path) -> None:
    """Signed by the same key, over as many lines, and nothing in the folder itself is wrong."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        if name == "two":
            shutil.copy(tmp_path / "one" / "audit.key", tmp_path / "two" / "audit.key")
        subject = trail(tmp_path / name, signed=True)
        subject.append_blocking([record(name)])
        subject.close()
    held = tmp_path / "one" / "audit" / "checkpoints.note"
    assert check(tmp_path / "one", since=held).verdict == "VERIFIED_FROM"
    assert check(tmp_path / "two").verdict == "VERIFIED"
    report = check(tmp_path / "two", since=held)
    assert (report.verdict, report.exit_code) == ("FORK", 2)
    (tmp_path / "two" / "audit" / "stepup.jsonl").write_bytes(b"")
    assert check(tmp_path / "two", since=held).exit_code == 2


FLAT = """
import resource, sys
sys.path[:0] = sys.argv[2].split(":")
from pathlib import Path
from stepup_mw.chain import Tip, extend
from stepup_mw.trail import verify_trail
from tests.trail.parts import record
path = Path(sys.argv[1]) / "stepup.jsonl"
tip = Tip()
sizes = []
for goal in (1 << 20, 96 << 20):
    with path.open("ab") as stream:
        while stream.tell() < goal:
            data, tip = extend([record(str(i), note="x" * 600) for i in range(1000)], tip, b"}")
            stream.write(data)
    for _ in range(2):
        assert verify_trail(path).verdict == "VERIFIED"
    sizes.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print(*sizes)
"""


def test_memory_is_flat(tmp_path: Path) -> None:
    small, large = map(int, python(FLAT, tmp_path, PATH).split())
    assert large - small < 12 * 1024
