"""Appending from loops and threads: order, durability, cancelling, closing, modes of the files."""

from __future__ import annotations

import asyncio
import fcntl
import json
import signal
import stat
import threading
from typing import TYPE_CHECKING, Literal

import pytest

from stepup_mw import events
from stepup_mw.errors import TrailUnavailable

from .parts import check, entries, expect_whole, ids, mark, marks, record, trail

if TYPE_CHECKING:
    from pathlib import Path


def test_nothing_is_opened_before_the_first_use(tmp_path: Path) -> None:
    trail(tmp_path).close()
    assert list(tmp_path.iterdir()) == []


def test_a_line_stands_in_the_file_when_append_returns(tmp_path: Path) -> None:
    subject = trail(tmp_path)
    asyncio.run(subject.append([record("a"), record("b")]))
    lines = (tmp_path / "audit" / "stepup.jsonl").read_bytes().split(b"\n")
    assert lines.pop() == b""
    start, first, second = map(json.loads, lines)
    assert (start["event_type"], start["phase"], start["seq"], start["prev"]) == ("audit", "start", 0, "A" * 43 + "=")
    assert (first["event_id"], first["seq"], second["event_id"], second["seq"]) == ("a", 1, "b", 2)
    assert list(first)[:2] == ["prev", "seq"]
    assert list(first)[-1] == "writer"
    assert set(first["writer"]) == {"host", "pid", "boot", "life", "n"}
    subject.close()


def test_a_close_that_is_interrupted_is_waited_for_by_the_next(tmp_path: Path) -> None:
    subject, main = trail(tmp_path), threading.main_thread().ident or 0
    subject.append_blocking([record("a")])
    with (tmp_path / "audit" / ".stepup.lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        threading.Timer(0.2, signal.pthread_kill, (main, signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            subject.close()
        threading.Timer(0.2, fcntl.flock, (held, fcntl.LOCK_UN)).start()
        subject.close()
    assert marks(tmp_path) == ["start", "stop"]


def test_close_writes_a_stop_line_and_can_be_repeated(tmp_path: Path) -> None:
    subject = trail(tmp_path)
    subject.append_blocking([record("a")])
    subject.close()
    subject.close()
    assert marks(tmp_path) == ["start", "stop"]
    subject.append_blocking([record("b")])
    subject.close()
    assert marks(tmp_path) == ["start", "stop", "start", "stop"]
    expect_whole(tmp_path, ["a", "b"])


def test_the_start_of_a_writer_is_not_younger_than_the_record_that_began_it(tmp_path: Path) -> None:
    ticks = iter(range(1_795_000_000, 1_796_000_000))
    subject = trail(tmp_path, clock=lambda: float(next(ticks)))
    made = "2026-11-18T11:06:30.000000Z"  # ten seconds before the clock's first tick
    subject.append_blocking([events.encode({"timestamp": made, "event_type": "step_up", "event_id": "a"})])
    subject.append_blocking([record("of another day")])
    subject.close()
    stamped = [line["timestamp"] for line in entries(tmp_path)]
    assert stamped[:2] == [made, made]
    assert marks(tmp_path)[0] == "start"


def test_only_the_owner_can_read(tmp_path: Path) -> None:
    subject = trail(tmp_path, signed=True)
    subject.append_blocking([record("a")])
    subject.rotate_now()
    subject.close()
    for path in (tmp_path / "audit", *(tmp_path / "audit").rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.parametrize("durability", ["commit", "write", "async"])
def test_every_durability_ends_in_the_file(tmp_path: Path, durability: Literal["commit", "write", "async"]) -> None:
    subject = trail(tmp_path, durability=durability)

    async def work() -> None:
        await subject.append([record("a")])
        await subject.append([record("b")], wait=False)

    asyncio.run(work())
    subject.append_blocking([record("c")])
    subject.post([record("d")])
    subject.close()
    expect_whole(tmp_path, ["a", "b", "c", "d"])
    assert mark(tmp_path, "start")["durability"] == durability


def test_many_loops_and_threads_share_one_order(tmp_path: Path) -> None:
    subject = trail(tmp_path, rotate_size=30_000)
    names = [[f"{thread}-{number}" for number in range(40)] for thread in range(6)]

    async def gather(mine: list[str]) -> None:
        await asyncio.gather(*(subject.append([record(name), record(name + "+")]) for name in mine))

    def blocking(mine: list[str]) -> None:
        for name in mine:
            subject.append_blocking([record(name), record(name + "+")])

    threads = [threading.Thread(target=asyncio.run, args=(gather(mine),)) for mine in names[:3]]
    threads += [threading.Thread(target=blocking, args=(mine,)) for mine in names[3:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    subject.close()
    flat = [name for mine in names for name in mine]
    expect_whole(tmp_path, flat + [name + "+" for name in flat])
    order = ids(tmp_path)
    assert all(order[order.index(name) + 1] == name + "+" for name in flat)


def test_cancelling_a_waiter_harms_nobody(tmp_path: Path) -> None:
    subject = trail(tmp_path)

    async def work() -> None:
        tasks = [asyncio.create_task(subject.append([record(str(number))])) for number in range(20)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results[1::2]] == [type(None)] * 10

    asyncio.run(work())
    subject.close()
    expect_whole(tmp_path, [str(number) for number in range(20)])


@pytest.mark.parametrize("bad", [b"", b"{}", b"[1,2]", b'{"a":\n1}', b'{"a":"%b"}' % (b"x" * 16_000)])
def test_what_is_no_record_is_refused_before_it_is_queued(tmp_path: Path, bad: bytes) -> None:
    subject = trail(tmp_path)
    with pytest.raises(TrailUnavailable, match="not one JSON object"):
        subject.append_blocking([record("a"), bad])
    subject.post([bad])
    subject.append_blocking([record("b")])
    subject.close()
    assert ids(tmp_path) == ["b"]
    assert mark(tmp_path, "gap")["lost"] == 1
    assert (check(tmp_path).verdict, check(tmp_path).exit_code, check(tmp_path).lost_lines) == ("GAP", 3, 1)


def test_too_many_waiting_lines_are_refused(tmp_path: Path) -> None:
    subject = trail(tmp_path)
    many = [record("x")] * 10_001
    with pytest.raises(TrailUnavailable, match="waiting"):
        subject.append_blocking(many)
    subject.post(many)
    subject.append_blocking([record("a")])
    subject.close()
    assert ids(tmp_path) == ["a"]
    assert mark(tmp_path, "gap")["lost"] == 10_001


def test_an_abandoned_event_loop_does_not_stop_the_writer(tmp_path: Path) -> None:
    subject = trail(tmp_path)
    loop = asyncio.new_event_loop()
    task = loop.create_task(subject.append([record("a")]))
    loop.call_soon(loop.stop)
    loop.run_forever()
    task.cancel()
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    loop.close()
    subject.append_blocking([record("b")])
    subject.close()
    expect_whole(tmp_path, ["a", "b"])
    assert [entry["seq"] for entry in entries(tmp_path)] == [0, 1, 2, 3]
