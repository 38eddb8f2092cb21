"""Reading lines for people: what is there, and what comes."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

import pytest

from stepup_mw.errors import TrailUnavailable
from stepup_mw.trail import Line, follow, read_lines

from .parts import record, trail

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stepup_mw.trail import Trail


def _ids(lines: list[Line]) -> list[str]:
    return [str(line.event["event_id"]) for line in lines if line.event.get("event_type") == "step_up"]


def test_lines_come_from_all_segments_in_order(tmp_path: Path) -> None:
    subject = trail(tmp_path, rotate_size=2000)
    names = [str(number) for number in range(30)]
    for name in names:
        subject.append_blocking([record(name)])
    subject.close()
    found = list(read_lines(tmp_path / "audit" / "stepup.jsonl"))
    assert _ids(found) == names
    assert [line.seq for line in found] == list(range(len(found)))
    for count in (0, 1, 5, 20, 1000):
        assert list(read_lines(tmp_path / "audit", last=count)) == (found[-count:] if count else [])


def test_since_leaves_out_what_is_older(tmp_path: Path) -> None:
    now = [1_800_000_000.0]
    subject = trail(tmp_path, clock=lambda: now[0])
    for _ in range(5):
        now[0] += 100
        subject.append_blocking([record("x")])
        subject.rotate_now()
    subject.close()
    phases = [line.event.get("phase") for line in read_lines(tmp_path / "audit", since=1_800_000_400.0)]
    assert phases == ["rotated", "rotated", "stop"]
    assert list(read_lines(tmp_path / "audit", since=1_900_000_000.0)) == []


def test_broken_lines_come_as_they_are_and_an_unfinished_one_does_not(tmp_path: Path) -> None:
    path = tmp_path / "stepup.jsonl"
    path.write_bytes(b"no line\n\xff\n" + b"x" * 40_000 + b"\n{}\nunfinished")
    found = list(read_lines(path))
    assert [line.raw[:9] for line in found][:2] == [b"no line", b"\xff"]
    assert found[-1].raw == b"{}"
    assert all(line.seq is None and not line.event for line in found)


def test_there_has_to_be_a_trail(tmp_path: Path) -> None:
    with pytest.raises(TrailUnavailable):
        list(read_lines(tmp_path / "none.jsonl"))
    with pytest.raises(TrailUnavailable):
        next(follow(tmp_path / "none.jsonl"))


def _nothing(subject: Trail, live: Path) -> None:
    pass


def _rotation(subject: Trail, live: Path) -> None:
    subject.rotate_now()


def _rotations(subject: Trail, live: Path) -> None:
    for name in "xyz":
        subject.rotate_now()
        subject.append_blocking([record(name)])


def _deletion(subject: Trail, live: Path) -> None:
    live.unlink()


def _truncation(subject: Trail, live: Path) -> None:
    data = live.read_bytes()
    live.write_bytes(data[: data.index(b'"event_id":"c"')])


@pytest.mark.parametrize("happening", [_nothing, _rotation, _rotations, _deletion, _truncation])
def test_following_goes_on_and_says_nothing_twice(tmp_path: Path, happening: Callable[[Trail, Path], None]) -> None:
    live = tmp_path / "audit" / "stepup.jsonl"
    subject = trail(tmp_path)
    for name in "abc":
        subject.append_blocking([record(name)])
    found: queue.Queue[Line] = queue.Queue()
    done = threading.Event()

    def read() -> None:
        for line in follow(live, last=2, poll_s=0.01, stop=done.is_set):
            found.put(line)

    thread = threading.Thread(target=read)
    thread.start()
    collected = [found.get(timeout=5), found.get(timeout=5)]
    subject.append_blocking([record("d")])
    while "d" not in _ids(collected):
        collected.append(found.get(timeout=5))
    happening(subject, live)
    subject.append_blocking([record("e")])
    with live.open("ab") as stream:
        stream.write(b'{"prev":"half')
    while "e" not in _ids(collected):
        collected.append(found.get(timeout=5))
    done.set()
    thread.join()
    subject.close()
    assert _ids(collected) == ["b", "c", "d", *("xyz" if happening is _rotations else ""), "e"]


def test_following_shows_another_trail_in_the_same_place_from_its_start(tmp_path: Path) -> None:
    live = tmp_path / "audit" / "stepup.jsonl"
    for name in "ab":
        subject = trail(tmp_path)
        subject.append_blocking([record(name)])
        subject.close()
    stops = iter([False, True])
    found: list[Line] = []

    def stop() -> bool:
        if next(stops):
            return True
        live.unlink()
        other = trail(tmp_path)
        other.append_blocking([record("z")])
        other.close()
        return False

    for line in follow(live, last=1, poll_s=0, stop=stop):
        found.append(line)  # noqa: PERF402 - the generator acts between its lines
    assert [line.event["phase"] for line in found if "phase" in line.event] == ["stop", "start", "stop"]
    assert _ids(found) == ["z"]
