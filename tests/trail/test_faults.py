"""A disk that is full or fails, and a live file that somebody touches, each noticed before the next acknowledgement."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stepup_mw.errors import TrailUnavailable

from .parts import check, entries, expect_whole, ids, mark, marks, python, record, trail

if TYPE_CHECKING:
    from collections.abc import Callable

PATH = ":".join(item for item in (str(Path.cwd()), *sys.path) if item)
BEGIN = """
import resource, signal, sys, os, time
from pathlib import Path
sys.path[:0] = sys.argv[2].split(":")
from tests.trail.parts import record, trail
from stepup_mw.errors import TrailUnavailable
folder = Path(sys.argv[1])
def attempt(name):
    try:
        subject.append_blocking([record(name)])
    except TrailUnavailable as error:
        print("refused", name, error, flush=True)
    else:
        print("written", name, flush=True)
"""


def test_a_full_disk_refuses_and_recovers_without_a_restart(tmp_path: Path) -> None:
    said = python(
        BEGIN
        + """
subject = trail(folder)
attempt("a")
live = folder / "audit" / "stepup.jsonl"
resource.setrlimit(resource.RLIMIT_FSIZE, (live.stat().st_size + 100, resource.RLIM_INFINITY))
attempt("b")
subject.post([record("c")])
attempt("d")
assert live.read_bytes().endswith(b"\\n")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
attempt("e")
subject.close()
""",
        tmp_path,
        PATH,
    ).splitlines()
    assert [line.split()[:2] for line in said] == [
        ["written", "a"],
        ["refused", "b"],
        ["refused", "d"],
        ["written", "e"],
    ]
    assert "No space left" in said[1] or "too large" in said[1]
    assert ids(tmp_path) == ["a", "e"]
    gap = mark(tmp_path, "gap")
    assert (gap["lost"], gap["refused"]) == (1, 2)
    assert check(tmp_path).verdict == "GAP"


SYNC_FAILS = """
subject = trail(folder)
for name in "abcdef":
    attempt(name)
subject.close()
"""


def _traced(folder: Path, inject: str, code: str = SYNC_FAILS) -> list[list[str]]:
    trace = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={inject}")
    return [line.split()[:2] for line in python(BEGIN + code, folder, PATH, prefix=trace).splitlines()]


def test_a_sync_that_fails_is_never_taken_back(tmp_path: Path) -> None:
    assert _traced(tmp_path, "fdatasync:error=EIO:when=3") == [["written", name] for name in "abcdef"]
    assert ids(tmp_path) == list("abccdef")
    again = [entry for entry in entries(tmp_path) if entry["event_id"] == "c"]
    assert [entry.get("again") for entry in again] == [None, True]
    assert mark(tmp_path, "io_error")["error"] == "EIO"
    assert len(list((tmp_path / "audit" / "segments").iterdir())) == 1
    assert check(tmp_path).verdict == "VERIFIED"


@pytest.mark.parametrize(("durability", "waits"), [("commit", True), ("write", False)])
def test_only_commit_waits_for_the_sync(tmp_path: Path, durability: str, waits: bool) -> None:
    code = """
subject = trail(folder, durability=sys.argv[3])
begun = time.monotonic()
attempt("a")
print(time.monotonic() - begun >= 0.4)
"""
    trace = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=fdatasync:delay_enter=400000")
    said = python(BEGIN + code, tmp_path, PATH, durability, prefix=trace).splitlines()
    assert said == ["written a", str(waits)]


def test_a_disk_that_stores_nothing_acknowledges_nothing(tmp_path: Path) -> None:
    said = _traced(tmp_path, "fdatasync,fsync:error=EIO:when=3+")
    refused = [name for what, name in said if what == "refused"]
    assert refused == list("abcdef")[-len(refused) :]
    assert len(refused) >= 3
    assert check(tmp_path).verdict in ("VERIFIED", "GAP")


def _tracer(audit: Path, inject: str) -> tuple[str, ...]:
    """strace, injecting on the trail's own files and folders only."""
    names = ["", "/stepup.jsonl", "/.stepup.next", "/.stepup.lock", "/segments", "/checkpoints.note", "/.stepup.draft"]
    only = [option for name in names for option in ("-P", f"{audit}{name}")]
    return ("strace", "-f", "-qq", "-o", "/dev/null", *only, "-e", f"inject={inject}")


BUSY = """
subject = trail(folder, rotate_size=600, signed=True, checkpoint_lines=2)
for number in range(8):
    attempt(str(number))
subject.close()
"""


@pytest.mark.parametrize("call", ["write", "ftruncate", "rename", "flock", "openat", "fsync", "unlink"])
@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
def test_whatever_call_fails_no_acknowledged_line_is_lost(tmp_path: Path, call: str, error: str) -> None:
    """The call fails on the files of the trail only, every other time, while the trail rotates at every line."""
    audit = tmp_path / "audit"
    trail(tmp_path, signed=True).close()
    audit.mkdir(mode=0o700)
    trace = _tracer(audit, f"{call}:error={error}:when=3+4")
    said = python(BEGIN + BUSY, tmp_path, PATH, prefix=trace).splitlines()
    assert len(said) == 8
    expect_recovered(tmp_path, said)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_rotation_that_fails_is_as_if_it_had_not_been_tried(tmp_path: Path, number: int) -> None:
    """Either rename of it fails: what was refused stands nowhere, and what was not has its place and its number. The
    way back does not fail: it comes next in the same thread, and strace counts the calls of each thread by itself."""
    audit = tmp_path / "audit"
    trail(tmp_path, signed=True).close()
    audit.mkdir(mode=0o700)
    trace = _tracer(audit, f"rename:error=ENOSPC:when={number}+4")
    said = [line.split()[:2] for line in python(BEGIN + BUSY, tmp_path, PATH, prefix=trace).splitlines()]
    assert {what for what, _ in said} == {"written", "refused"}
    report = check(tmp_path)
    assert report.verdict == ("GAP" if report.lost_lines else "VERIFIED"), report.message  # a word about a checkpoint
    assert report.missing_lines == 0, report.message
    assert ids(tmp_path) == [name for what, name in said if what == "written"]
    assert "file_replaced" not in marks(tmp_path)


@pytest.mark.parametrize("number", [1, 3, 6])
@pytest.mark.parametrize("call", ["write", "rename", "fdatasync", "fsync", "openat", "flock", "close"])
def test_killed_at_any_call_no_acknowledged_line_is_lost(tmp_path: Path, call: str, number: int) -> None:
    """The process dies as it makes that call for the n-th time on the files of the trail."""
    audit = tmp_path / "audit"
    trail(tmp_path, signed=True).close()
    audit.mkdir(mode=0o700)
    trace = _tracer(audit, f"{call}:signal=KILL:when={number}")
    expect_recovered(tmp_path, python(BEGIN + BUSY, tmp_path, PATH, prefix=trace, killed=True).splitlines())


def expect_recovered(folder: Path, said: list[str]) -> None:
    """A new process goes on, every line reported written is there once, and the trail verifies."""
    subject = trail(folder, signed=True)
    subject.append_blocking([record("after")])
    subject.close()
    written = [line.split()[1] for line in said if line.startswith("written")]
    report = check(folder)
    assert report.verdict in ("VERIFIED", "GAP"), report.message  # lines nobody waits for may be lost, and say so
    assert report.missing_lines == 0, report.message
    firsts = [entry["event_id"] for entry in entries(folder) if "again" not in entry]
    assert [firsts.count(name) for name in [*written, "after"]] == [1] * (len(written) + 1)


def _delete(live: Path) -> None:
    live.unlink()


def _rename(live: Path) -> None:
    live.rename(live.with_name("elsewhere"))


def _replace(live: Path) -> None:
    live.unlink()
    live.write_bytes(b"something else\n")


def _copy_back(live: Path) -> None:
    data = live.read_bytes()
    live.unlink()
    live.write_bytes(data)


def _link(live: Path) -> None:
    live.rename(live.with_name("elsewhere"))
    live.symlink_to("elsewhere")


def _folder(live: Path) -> None:
    live.unlink()
    live.mkdir()


def _fifo(live: Path) -> None:
    live.unlink()
    os.mkfifo(live)


@pytest.mark.parametrize(
    ("touch", "what"),
    [
        (_delete, "deleted"),
        (_rename, "deleted"),
        (_replace, "replaced"),
        (_copy_back, "replaced"),
        (_link, "replaced"),
        (_folder, "replaced"),
        (_fifo, "replaced"),
    ],
)
def test_a_live_file_that_is_taken_away_is_put_on_record_and_its_lines_are_saved(
    tmp_path: Path, touch: Callable[[Path], None], what: str
) -> None:
    live = tmp_path / "audit" / "stepup.jsonl"
    first, second = trail(tmp_path), trail(tmp_path)
    first.append_blocking([record("a")])
    second.append_blocking([record("b")])
    first.append_blocking([record("c")])
    touch(live)
    second.append_blocking([record("d")])
    first.append_blocking([record("e")])
    first.close()
    second.close()
    assert live.is_file()
    assert not live.is_symlink()
    expect_whole(tmp_path, list("abcde"))
    assert mark(tmp_path, "file_replaced")["what"] == what


def _truncate(live: Path) -> None:
    os.truncate(live, live.stat().st_size - 200)


def _empty(live: Path) -> None:
    os.truncate(live, 0)


def _overwrite(live: Path) -> None:
    data = live.read_bytes()
    live.write_bytes(data.replace(b'"event_id":"b"', b'"event_id":"x"') + b"{}\n" * 400)


@pytest.mark.parametrize(
    ("touch", "what", "seq"),
    [(_truncate, "truncated", 3), (_empty, "truncated", 4), (_overwrite, "rewritten", 2)],
)
def test_a_live_file_that_is_changed_is_put_on_record_and_verify_says_so(
    tmp_path: Path, touch: Callable[[Path], None], what: str, seq: int
) -> None:
    live = tmp_path / "audit" / "stepup.jsonl"
    subject = trail(tmp_path)
    for name in "abc":
        subject.append_blocking([record(name)])
    touch(live)
    if what == "rewritten":
        data = live.read_bytes()
        live.write_bytes(data[:-1200] + data[-1200:].replace(b"{}", b"[]"))
    subject.append_blocking([record("d")])
    subject.close()
    head = json.loads(live.read_bytes().splitlines()[0])
    if what == "truncated":
        assert (head["phase"], head["detail"]["what"], head["detail"]["last_seq"], head["seq"]) == (
            "file_replaced",
            what,
            3,
            4,
        )
    assert "d" in ids(tmp_path)
    report = check(tmp_path)
    assert report.first_bad is not None
    assert (report.verdict, report.exit_code, report.first_bad.seq) == ("TAMPERED", 2, seq)


def test_a_file_made_unwritable_is_put_on_record(tmp_path: Path) -> None:
    subject = trail(tmp_path)
    subject.append_blocking([record("a")])
    (tmp_path / "audit" / "stepup.jsonl").chmod(0o400)
    subject.append_blocking([record("b")])
    subject.close()
    assert mark(tmp_path, "file_replaced")["what"] == "unwritable"
    expect_whole(tmp_path, ["a", "b"])


def test_a_file_made_unwritable_is_noticed_by_a_writer_that_is_behind(tmp_path: Path) -> None:
    first, second = trail(tmp_path, signed=True), trail(tmp_path, signed=True)
    first.append_blocking([record("a")])
    second.append_blocking([record("b")])
    (tmp_path / "audit" / "stepup.jsonl").chmod(0o400)
    first.append_blocking([record("c")])
    second.append_blocking([record("d")])
    first.close()
    second.close()
    assert (mark(tmp_path, "file_replaced")["what"], mark(tmp_path, "file_replaced")["last_seq"]) == ("unwritable", 3)
    expect_whole(tmp_path, list("abcd"))


def test_a_symlinked_live_file_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "audit").mkdir()
    (tmp_path / "target").touch()
    (tmp_path / "audit" / "stepup.jsonl").symlink_to(tmp_path / "target")
    subject = trail(tmp_path)
    with pytest.raises(TrailUnavailable, match="symbolic link"):
        subject.append_blocking([record("a")])
    subject.close()
    assert (tmp_path / "target").read_bytes() == b""
    assert check(tmp_path).exit_code == 5


def test_a_lock_file_that_is_replaced_does_not_split_the_trail(tmp_path: Path) -> None:
    first, second = trail(tmp_path), trail(tmp_path)
    first.append_blocking([record("a")])
    (tmp_path / "audit" / ".stepup.lock").unlink()
    second.append_blocking([record("b")])
    first.append_blocking([record("c")])
    first.close()
    second.close()
    expect_whole(tmp_path, ["a", "b", "c"])


def test_a_folder_that_is_gone_comes_back(tmp_path: Path) -> None:
    subject = trail(tmp_path)
    subject.append_blocking([record("a")])
    shutil.rmtree(tmp_path / "audit")
    with pytest.raises(TrailUnavailable, match="cannot be written"):
        subject.append_blocking([record("b")])
    (tmp_path / "audit").mkdir()
    subject.append_blocking([record("c")])
    subject.close()
    expect_whole(tmp_path, ["a", "c"])
    assert marks(tmp_path).count("gap") == 1
