"""The last lines of a user, from the end: newest first, bounded, over the live file and the newest sealed one."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from stepup_mw.trail.recent import recent_lines


def line(number: int, user: str, pad: int = 0) -> bytes:
    return orjson.dumps({"seq": number, "user_id": user, "pad": "x" * pad})


def write(path: Path, *lines: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(each + b"\n" for each in lines))


def found(live: Path, limit: int = 9, **more: int) -> list[int]:
    return [each["seq"] for each in recent_lines(live, {"alice", "h:alice"}, limit=limit, **more)]


def test_newest_first_and_of_these_users_only(tmp_path: Path) -> None:
    write(tmp_path / "live", *(line(n, user) for n, user in enumerate(("alice", "bob", "h:alice", "alice", "eve"))))
    assert found(tmp_path / "live") == [3, 2, 0]
    assert found(tmp_path / "live", 2) == [3, 2]


@pytest.mark.parametrize("pad", [0, 300, 262_000, 300_000])
def test_whatever_the_length_of_lines(tmp_path: Path, pad: int) -> None:
    write(tmp_path / "live", *(line(n, "alice", pad) for n in range(6)))
    assert found(tmp_path / "live") == [5, 4, 3, 2, 1, 0]


def test_a_young_live_file_is_continued_by_the_newest_sealed_one(tmp_path: Path) -> None:
    write(tmp_path / "segments" / "000000000000-a.jsonl", line(0, "alice"))
    write(tmp_path / "segments" / "000000000001-b.jsonl", line(1, "alice"), line(2, "bob"))
    write(tmp_path / "live", line(3, "alice"))
    assert found(tmp_path / "live") == [3, 1]


def test_no_more_is_read_than_that(tmp_path: Path) -> None:
    write(tmp_path / "live", *(line(n, "alice", 1000) for n in range(100)))
    assert 8 <= len(found(tmp_path / "live", 99, max_bytes=10_000)) <= 10


def test_what_is_no_line_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "live").write_bytes(line(1, "alice") + b"\n\xff\xfe\n[1]\n{\n" + line(2, "alice") + b'\n{"user_id":"al')
    assert found(tmp_path / "live") == [2, 1]
    with pytest.raises(FileNotFoundError):
        found(tmp_path / "nowhere")
