"""Exports: what is in a pack, that it verifies without its folder, and that a changed one does not."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from stepup_mw.encoding import format_timestamp
from stepup_mw.errors import TrailUnavailable
from stepup_mw.trail import verify_trail
from stepup_mw.trail.packs import export_pack

from .parts import agreed, expect_agreement, record, trail, vkey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stepup_mw.trail import Report

BEGIN = 1_795_000_000.0
HOUR = 3600.0


@pytest.fixture(scope="module")
def golden() -> Iterator[Path]:
    """A segment an hour, three of them, and a live file, each with a checkpoint in it."""
    with TemporaryDirectory() as name:
        now = [BEGIN]
        subject = trail(Path(name), signed=True, clock=lambda: now[0])
        for hour in range(4):
            for number in range(5):
                stamped = record(f"{hour}-{number}").replace(
                    b"2026-11-23T07:25:00.000000Z", format_timestamp(now[0]).encode()
                )
                subject.append_blocking([stamped])
            subject.checkpoint_now()
            if hour < 3:
                now[0] += HOUR
                subject.rotate_now()
        subject.close()
        yield Path(name)


def verify(golden: Path, pack: Path) -> Report:
    report = verify_trail(pack, vkey=vkey(golden))
    expect_agreement(pack, report, vkey(golden))
    return report


def test_a_whole_export_is_the_trail(golden: Path, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    packed = export_pack(golden / "audit", tmp_path / "x.tar", progress=lambda done, total: calls.append((done, total)))
    report, here = verify(golden, tmp_path / "x.tar"), verify_trail(golden / "audit", vkey=vkey(golden))
    assert (report.verdict, report.root, report.lines) == ("VERIFIED", here.root, here.lines)
    assert (packed.lines, packed.files, packed.checkpoints) == (here.lines, 4, here.checkpoints)
    assert calls[-1][0] == calls[-1][1]
    with tarfile.open(tmp_path / "x.tar") as pack:
        names = pack.getnames()
        manifest = json.load(pack.extractfile("manifest.json") or pytest.fail("no manifest"))
        readme = (pack.extractfile("README.txt") or pytest.fail("no README")).read().decode()
    assert names[-3:] == ["checkpoints.note", "manifest.json", "README.txt"]
    assert packed.keys == ("bank/stepup-audit+" + vkey(golden).split("+")[1],)
    assert packed.keys[0] in readme
    assert vkey(golden) not in readme
    assert [item["name"] for item in manifest["files"]] == names[:4]


@pytest.mark.parametrize(
    ("since", "until", "files"), [(0, None, 4), (1.5, None, 3), (None, 0.5, 1), (1.5, 1.6, 1), (3.5, None, 1)]
)
def test_files_of_a_time_verify_from_their_first_line(
    golden: Path, tmp_path: Path, since: float | None, until: float | None, files: int
) -> None:
    begin = BEGIN + since * HOUR if since is not None else None
    end = BEGIN + until * HOUR if until is not None else None
    packed = export_pack(golden / "audit", tmp_path / "x.tar", since=begin, until=end)
    assert packed.files == files
    report = verify(golden, tmp_path / "x.tar")
    assert (report.exit_code, report.first_seq, report.lines) == (0, packed.first_seq, packed.lines)
    assert report.verdict == ("VERIFIED_FROM" if packed.first_seq else "VERIFIED")
    assert report.checkpoints > 0


def test_a_time_without_lines_gives_no_file(golden: Path, tmp_path: Path) -> None:
    with pytest.raises(TrailUnavailable, match="no line"):
        export_pack(golden / "audit", tmp_path / "x.tar", until=BEGIN - 1)
    assert list(tmp_path.iterdir()) == []


def test_an_export_is_never_written_over(golden: Path, tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(b"kept")
    with pytest.raises(FileExistsError):
        export_pack(golden / "audit", tmp_path / "x.tar")
    assert (tmp_path / "x.tar").read_bytes() == b"kept"


def test_an_unfinished_line_is_left_out(tmp_path: Path) -> None:
    subject = trail(tmp_path, signed=True)
    subject.append_blocking([record("a")])
    subject.close()
    with (tmp_path / "audit" / "stepup.jsonl").open("ab") as stream:
        stream.write(b'{"prev":"')
    assert export_pack(tmp_path / "audit", tmp_path / "x.tar").lines == 3
    assert agreed(tmp_path / "x.tar", vkey(tmp_path)).verdict == "VERIFIED"


def test_a_changed_pack_is_found(golden: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    export_pack(golden / "audit", path, since=BEGIN + 1.5 * HOUR)
    whole = path.read_bytes()
    for old, new in (
        (b'"event_id":"2-1"', b'"event_id":"2-9"'),
        (b'"seq":7,', b'"seq":8,'),
        (b'"frontier": [\n', b'"frontier":  [\n'),
    ):
        path.write_bytes(whole.replace(old, new))
        assert (agreed(path, vkey(golden)).exit_code == 0) == (old[:5] == b'"fron')
    at = whole.index(b'"frontier"') + 25
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    assert agreed(path, vkey(golden)).exit_code in (2, 3)


def _repack(pack: Path, out: Path, *more: tuple[str, bytes], without: str = "") -> None:
    """The same with further members behind the others, or without one."""
    with tarfile.open(pack) as old, tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as new:
        for item in old:
            if item.name != without:
                new.addfile(item, old.extractfile(item))
        for name, data in more:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))


@pytest.mark.parametrize("name", ["live.jsonl", "segments/more.jsonl", "../live.jsonl"])
def test_a_pack_that_two_readers_take_for_two_things_is_none(name: str, golden: Path, tmp_path: Path) -> None:
    """Of two members of one name some take the first and some the last."""
    export_pack(golden / "audit", tmp_path / "x.tar")
    with tarfile.open(tmp_path / "x.tar") as pack:
        line = (pack.extractfile("live.jsonl") or pytest.fail("no lines")).read()
    _repack(tmp_path / "x.tar", tmp_path / "y.tar", (name, line))
    report = agreed(tmp_path / "y.tar", vkey(golden), exactly=name == "live.jsonl")
    assert (report.verdict, report.exit_code) == ("UNREADABLE", 5)
    assert name in report.message


def test_a_pack_without_its_checkpoints_is_not_complete(golden: Path, tmp_path: Path) -> None:
    export_pack(golden / "audit", tmp_path / "x.tar")
    _repack(tmp_path / "x.tar", tmp_path / "y.tar", without="checkpoints.note")
    assert agreed(tmp_path / "y.tar", vkey(golden)).verdict == "NO_INTEGRITY_DATA"


@hypothesis_settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_bytes_in_place_of_a_pack_end_in_a_report(golden: Path, data: st.DataObject) -> None:
    with TemporaryDirectory() as name:
        path = Path(name) / "x.tar"
        export_pack(golden / "audit", path)
        whole = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(whole[: data.draw(st.integers(1, len(whole)))])
        report = agreed(path, vkey(golden), exactly=False)
        assert report.exit_code in (0, 2, 3, 5)
        assert report.message
