"""Sealed segments compressed with Zstandard: the same lines for everybody, and nothing that can blow up."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from stepup_mw.errors import TrailUnavailable
from stepup_mw.note import parse_vkey
from stepup_mw.proofs import verify_proof
from stepup_mw.trail import follow, read_lines, verify_trail
from stepup_mw.trail.files import Layout
from stepup_mw.trail.packing import pack_segments
from stepup_mw.trail.packs import export_pack
from stepup_mw.trail.prove import make_proof
from stepup_mw.trail.sources import packed_source, segment
from stepup_mw.trail.zst import FRAME, load_zstd, pack, read_frames, unpack

from .parts import agreed, check, expect_agreement, expect_whole, ids, marks, record, second_opinion, trail, vkey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ZSTD = load_zstd()


@pytest.fixture(scope="module")
def golden() -> Iterator[Path]:
    """Four segments, of which the second and the fourth are plain, and a live file; signed in each."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        subject = trail(folder, signed=True)
        for number in range(20):
            subject.append_blocking([record(str(number), note="x" * 90)])
            if number % 4 == 3 and number < 16:
                subject.checkpoint_now()
                subject.rotate_now()
        subject.close()
        plain = [item.path for item in Layout(folder / "audit" / "stepup.jsonl").sealed()]
        for path in plain[::2]:
            compress(path)
        yield folder


@pytest.fixture
def copy(golden: Path, tmp_path: Path) -> Path:
    shutil.copytree(golden, tmp_path / "copy")
    return tmp_path / "copy"


def compress(path: Path) -> Path:
    packed = path.with_name(path.name + ".zst")
    with path.open("rb") as source, packed.open("wb") as target:
        pack(source.fileno(), target.fileno())
    path.unlink()
    return packed


def segments(folder: Path) -> list[str]:
    return [item.path.name for item in Layout(folder / "audit" / "stepup.jsonl").sealed()]


def test_what_is_sealed_is_compressed_beside_the_writing(tmp_path: Path) -> None:
    subject = trail(tmp_path, signed=True, compress="zstd", rotate_size=4000)
    for number in range(60):
        subject.append_blocking([record(str(number))])
    subject.close()
    subject = trail(tmp_path, signed=True, compress="zstd", rotate_size=4000)  # what the end left, a start does
    subject.append_blocking([record("60")])
    for _ in range(3):
        subject.rotate_now()
        subject.append_blocking([record("x")])
    subject.close()
    while pack_segments(Layout(tmp_path / "audit" / "stepup.jsonl")):
        pass
    assert len(segments(tmp_path)) > 3
    assert all(name.endswith(".jsonl.zst") for name in segments(tmp_path))
    assert "io_error" not in marks(tmp_path)
    assert not (tmp_path / "audit" / "segments" / ".packing").exists()
    expect_whole(tmp_path, [str(number) for number in range(61)])


def test_a_mix_is_read_like_plain_files(golden: Path) -> None:
    assert [name.endswith(".zst") for name in segments(golden)] == [True, False, True, False]
    assert ids(golden) == [str(number) for number in range(20)]
    lines = list(read_lines(golden / "audit"))
    assert list(read_lines(golden / "audit", last=15)) == lines[-15:]
    shown = follow(golden / "audit", last=len(lines), stop=lambda: True)
    assert [line.raw for line in shown] == [line.raw for line in lines]


@pytest.mark.parametrize("options", [{}, {"parse": False}, {"processes": 2}], ids=str)
def test_a_mix_verifies(golden: Path, options: dict[str, int], tmp_path: Path) -> None:
    report = check(golden, **options)
    assert (report.verdict, report.files, report.unanchored_lines) == ("VERIFIED", 5, 0)
    plain = sum(segment(item.path).size for item in Layout(golden / "audit" / "stepup.jsonl").sealed())
    assert report.bytes == plain + (golden / "audit" / "stepup.jsonl").stat().st_size
    assert check(golden, save=tmp_path / "held").verdict == "VERIFIED"
    assert check(golden, since=tmp_path / "held").lines == 0


def test_going_on_from_the_middle_of_a_frame(golden: Path, tmp_path: Path) -> None:
    note = (golden / "audit" / "checkpoints.note").read_bytes().splitlines(keepends=True)[:5]
    (tmp_path / "held.note").write_bytes(b"".join(note))
    whole = golden / "audit" / "stepup.jsonl"
    source = segment(Layout(whole).sealed()[2].path)
    with source.open() as stream:
        first = len(stream.readline())
    with source.after(first).open() as stream, source.open() as both:
        both.readline()
        assert stream.read() == both.read()
    assert check(golden, since=tmp_path / "held.note").verdict == "VERIFIED"


def test_every_line_is_proven(golden: Path) -> None:
    key = parse_vkey(vkey(golden))
    for line in read_lines(golden / "audit"):
        assert line.seq is not None
        assert verify_proof(make_proof(golden / "audit", line.seq, keys=[key]), [key]).line == line.raw


def test_a_pack_holds_the_segments_as_they_are(golden: Path, tmp_path: Path) -> None:
    packed = export_pack(golden / "audit", tmp_path / "x.tar")
    report = verify_trail(packed.path, vkey=vkey(golden))
    assert (report.verdict, packed.lines, report.lines) == ("VERIFIED", report.lines, packed.lines)
    expect_agreement(packed.path, report, vkey(golden))
    data = bytearray(packed.path.read_bytes())
    data[data.index(b"\x28\xb5\x2f\xfd") + 40] ^= 1
    packed.path.write_bytes(bytes(data))
    report = verify_trail(packed.path, vkey=vkey(golden))
    assert report.exit_code == 2
    expect_agreement(packed.path, report, vkey(golden))


def test_the_signer_hashes_on_through_a_compressed_segment(copy: Path) -> None:
    (copy / "audit" / ".stepup.checkpoint").unlink()
    subject = trail(copy, signed=True)
    subject.append_blocking([record("more")])
    assert subject.checkpoint_now() is not None
    subject.close()
    expect_whole(copy, ["more"])


def test_a_live_file_that_is_missing_is_begun_after_a_compressed_segment(copy: Path) -> None:
    for path in (copy / "audit" / "stepup.jsonl", copy / "audit" / "checkpoints.note"):
        path.unlink()
    compress(sorted((copy / "audit" / "segments").iterdir())[3])
    subject = trail(copy)
    subject.append_blocking([record("after")])
    subject.close()
    report = agreed(copy / "audit")
    assert (report.verdict, len(report.findings)) == ("NO_INTEGRITY_DATA", 1)  # the checkpoints were taken, too


def test_a_writer_that_slept_while_its_file_was_sealed_and_compressed_goes_on(tmp_path: Path) -> None:
    first, second = trail(tmp_path), trail(tmp_path)
    first.append_blocking([record("a")])
    second.append_blocking([record("b")])
    sealed = first.rotate_now()
    assert sealed is not None
    compress(sealed)
    second.append_blocking([record("c")])
    first.close()
    second.close()
    expect_whole(tmp_path, ["a", "b", "c"])
    assert "file_replaced" not in marks(tmp_path)


def test_a_follower_that_slept_misses_nothing(tmp_path: Path) -> None:
    subject = trail(tmp_path)
    subject.append_blocking([record("a")])
    shown = follow(tmp_path / "audit", poll_s=0)
    seen = [next(shown).event["event_id"] for _ in range(2)]
    for name in "bcd":
        subject.append_blocking([record(name)])
        sealed = subject.rotate_now()
        assert sealed is not None
        compress(sealed)
    subject.append_blocking([record("e")])
    while "e" not in seen:
        seen.append(next(shown).event["event_id"])
    subject.close()
    assert [name for name in seen if len(name) == 1] == list("abcde")


def test_a_crash_between_the_two_files_is_put_right(copy: Path) -> None:
    """The compressed one has its name, and the plain one is still there, as it is or half written over by nobody."""
    packed = copy / "audit" / "segments" / segments(copy)[0]
    plain = packed.with_suffix("")
    with segment(packed).open() as stream:
        plain.write_bytes(stream.read())
    assert segments(copy)[0] == plain.name
    assert check(copy).verdict == "VERIFIED"
    assert pack_segments(Layout(copy / "audit" / "stepup.jsonl")) == 3
    assert not plain.exists()
    assert check(copy).verdict == "VERIFIED"


def test_a_hold_keeps_every_file_as_it_is(copy: Path) -> None:
    (copy / "audit" / "HOLD").touch()
    before = segments(copy)
    assert pack_segments(Layout(copy / "audit" / "stepup.jsonl")) == 0
    assert segments(copy) == before


def test_what_does_not_come_out_as_it_went_in_stays_and_keeps_nothing_else_back(copy: Path) -> None:
    odd = copy / "audit" / "segments" / segments(copy)[1]
    odd.write_bytes(bytes(1 << 20))  # zeros shrink more than lines can
    with pytest.raises(TrailUnavailable, match="stays as it is"):
        pack_segments(Layout(copy / "audit" / "stepup.jsonl"))
    assert [name.endswith(".zst") for name in segments(copy)] == [True, False, True, True]
    assert odd.read_bytes() == bytes(1 << 20)


def test_one_process_at_a_time(copy: Path) -> None:
    from stepup_mw.trail.locks import FileLock  # noqa: PLC0415 - the other process

    layout = Layout(copy / "audit" / "stepup.jsonl")
    other = FileLock(layout.packing_lock)
    other.acquire()
    assert pack_segments(layout) is None
    other.release()
    assert pack_segments(layout) == 2


def test_any_zstandard_tool_unpacks_it(golden: Path) -> None:
    path = golden / "audit" / "segments" / segments(golden)[0]
    with ZSTD.open(path) as stream, segment(path).open() as ours:
        assert stream.read() == ours.read()


def test_large_segments_have_many_frames(tmp_path: Path) -> None:
    lines = [b'{"prev":"%b"}\n' % os.urandom(16).hex().encode() * 20 for _ in range(3 * FRAME // 860)]
    (tmp_path / "plain").write_bytes(b"".join(lines))
    with (tmp_path / "plain").open("rb") as source, (tmp_path / "packed.zst").open("w+b") as target:
        pack(source.fileno(), target.fileno())
        frames = read_frames(target.fileno(), 0, os.fstat(target.fileno()).st_size)
        assert len(frames) > 2
        assert all((unpack(target.fileno(), frame) or b"").endswith(b"}\n") for frame in frames)
    assert segment(tmp_path / "packed.zst").size == (tmp_path / "plain").stat().st_size


def table(*entries: tuple[int, int]) -> bytes:
    data = b"".join(packed.to_bytes(4, "little") + size.to_bytes(4, "little") for packed, size in entries)
    foot = len(entries).to_bytes(4, "little") + b"\0" + (0x8F92EAB1).to_bytes(4, "little")
    return (0x184D2A5E).to_bytes(4, "little") + (len(data) + len(foot)).to_bytes(4, "little") + data + foot


def bomb() -> bytes:
    frame = ZSTD.compress(bytes(8 << 20))
    return bytes(frame) + table((len(frame), 8 << 20))


def liar() -> bytes:
    """It says that it holds little, and holds much."""
    frame = ZSTD.compress(bytes(64 << 20))
    return bytes(frame) + table((len(frame), 1000))


def hungry() -> bytes:
    """A frame that asks for a window of 128 MiB."""
    options = {ZSTD.CompressionParameter.window_log: 27, ZSTD.CompressionParameter.content_size_flag: 0}
    packer = ZSTD.ZstdCompressor(options=options)
    frame = packer.compress(b"abc" * 99) + packer.flush()
    return bytes(frame) + table((len(frame), 297))


HOSTILE: dict[str, Callable[[], bytes]] = {
    "bomb": bomb,
    "liar": liar,
    "hungry": hungry,
    "too large": lambda: ZSTD.compress(os.urandom(9 << 20)) + table((9437580, 9 << 20)),
    "empty": lambda: b"",
    "no table": lambda: bytes(ZSTD.compress(b"{}\n")),
    "no frames": table,
    "table too long": lambda: table((5, 3))[:-9] + b"\xff\xff\xff\x0f\0" + (0x8F92EAB1).to_bytes(4, "little"),
    "gap": lambda: b"xx" + table((1, 3)),
    "not zstd": lambda: b"hello" + table((5, 5)),
    "plain lines": lambda: b'{"prev":"' * 9,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_are_found_and_blow_up_nothing(copy: Path, name: str) -> None:
    path = copy / "audit" / "segments" / segments(copy)[2]
    path.write_bytes(HOSTILE[name]())
    code = """
import json, resource, sys
sys.path[:0] = sys.argv[2].split(":")
from stepup_mw.trail import verify_trail, read_lines
import stepup_mw.trail.verify, stepup_mw.trail.zst
stepup_mw.trail.zst.load_zstd()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
report = verify_trail(sys.argv[1])
list(read_lines(sys.argv[1]))
print(json.dumps([report.exit_code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, report.message]))
"""
    path_list = ":".join(item for item in (str(Path.cwd()), *sys.path) if item)
    done = subprocess.run(
        [sys.executable, "-c", code, str(copy / "audit"), path_list], check=True, capture_output=True, text=True
    )
    code_, grown, message = json.loads(done.stdout)
    assert code_ == 2, message
    assert grown < 48 * 1024, f"{grown} kB"
    assert agreed(copy / "audit", vkey(copy)).exit_code == 2


@pytest.mark.parametrize("number", [0, 2])
def test_every_flipped_bit_is_found(copy: Path, number: int) -> None:
    path = copy / "audit" / "segments" / segments(copy)[number]
    whole, lines = path.read_bytes(), ZSTD.open(path).read()
    for index in range(0, len(whole) * 8, 41):
        data = bytearray(whole)
        data[index // 8] ^= 1 << index % 8
        path.write_bytes(bytes(data))
        report = verify_trail(copy / "audit", vkey=vkey(copy))
        theirs = second_opinion(copy / "audit", vkey(copy))
        assert report.exit_code in (0, 2), index
        assert theirs in (0, report.exit_code), index
        if theirs == 0:  # a bit that means nothing to what comes out, be it one of the table that only we read
            assert ZSTD.open(path).read() == lines
        if report.exit_code == 0:
            with segment(path).open() as stream:
                assert stream.read() == lines
    path.write_bytes(whole)


@hypothesis_settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=300), tail=st.sampled_from([b"", table((3, 3)), table((0, 0)), table((300, 5))]))
def test_any_bytes_are_frames_or_none(data: bytes, tail: bytes) -> None:
    with TemporaryDirectory() as name:
        path = Path(name) / "x.zst"
        path.write_bytes(data + tail)
        with path.open("rb") as stream:
            source = packed_source(path, stream.fileno(), 0, len(data + tail))
        with source.open() as lines:
            assert len(lines.read()) <= source.size
        with path.open("rb") as stream:
            if source.broken:
                with pytest.raises(TrailUnavailable):
                    read_frames(stream.fileno(), 0, len(data + tail))
