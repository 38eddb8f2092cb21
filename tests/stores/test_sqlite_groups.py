"""Steps that wait together are one transaction and one sync, and each stands or falls alone as if they were many."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from stepup_mw.errors import StoreUnavailable
from stepup_mw.stores.sqlite import SqliteStore
from stepup_mw.stores.sqlite.groups import MOST
from stepup_mw.stores.sqlite.transaction import HOLD_S

from ..contract.samples import ACCOUNT, ADDRESS, bare, keep_grant, make_challenge, make_factor, make_grant, use

Call = Callable[[], Awaitable[object]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(path, wait_s=2.0)
    asyncio.run(made.put_factor(make_factor(), []))
    asyncio.run(keep_grant(made, make_grant(uses_left=5)))
    yield made
    asyncio.run(made.aclose())


async def _together(
    store: SqliteStore, *calls: Call, meanwhile: Callable[[Sequence[asyncio.Future[object]]], object] = len
) -> list[object]:
    """What each gives or raises; all of them wait for one step. ``meanwhile`` is given them while they do."""
    begun, end = threading.Event(), threading.Event()

    def hold(_: sqlite3.Connection) -> None:
        begun.set()
        end.wait(10)

    first = asyncio.create_task(store._db.write(hold))
    await asyncio.to_thread(begun.wait)
    tasks = [asyncio.ensure_future(call()) for call in calls]
    await asyncio.sleep(0)
    meanwhile(tasks)
    await asyncio.sleep(0)
    end.set()
    await first
    return list(await asyncio.gather(*tasks, return_exceptions=True))


def _said(store: SqliteStore) -> list[str]:
    """The statements of its writer from now on."""
    said: list[str] = []
    writer = store._db._handles.writer
    assert writer is not None
    writer.set_trace_callback(said.append)
    return said


def _is_refused(found: object) -> bool:
    return isinstance(found, StoreUnavailable)


def test_those_who_wait_together_are_one_commit_and_one_alone_has_no_savepoint(store: SqliteStore) -> None:
    said = _said(store)
    asyncio.run(_together(store, *(lambda: store.unlock("alice") for _ in range(MOST))))
    assert (said.count("COMMIT"), said.count("SAVEPOINT step"), said.count("RELEASE step")) == (2, MOST, MOST)
    said.clear()
    asyncio.run(store.unlock("alice"))
    assert (said.count("COMMIT"), said.count("SAVEPOINT step")) == (1, 0)


def test_each_finds_what_those_before_it_left(store: SqliteStore) -> None:
    calls: list[Call] = [lambda: use(store)] * 7
    calls += [lambda: store.consume_step("alice", "f1", 9)] * 3
    calls += [
        lambda: store.take_attempt("alice", "", now=1000.0, account=ACCOUNT, limit=ADDRESS),
        lambda: store.revoke_grants("alice"),
        lambda: use(store),
    ]
    *uses, _, revoked, late = asyncio.run(_together(store, *calls))
    assert uses == [True] * 5 + [False] * 2 + [True, False, False]
    assert (revoked, late) == (1, False)
    assert asyncio.run(store.failures("alice"))[0] == 1


def test_an_answer_is_given_after_the_commit_that_holds_it(store: SqliteStore) -> None:
    """Another connection finds what was answered, at once."""

    async def put(number: int) -> int:
        await store.put_factor(make_factor(f"u{number}"), [])
        return len(await store.factors(f"u{number}"))

    assert asyncio.run(_together(store, *(partial(put, number) for number in range(20)))) == [1] * 20


def _not_there(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM factor")
    db.execute("SELECT * FROM nowhere")


def _lost(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM granted")
    raise LookupError("of the step's own")


def test_a_step_that_fails_is_taken_back_alone(store: SqliteStore) -> None:
    said = _said(store)
    found = asyncio.run(
        _together(
            store,
            lambda: store.consume_step("alice", "f1", 5),
            lambda: store._db.write(_not_there),
            lambda: use(store),
            lambda: store.open_challenge(make_challenge("c1"), keep=1),
            lambda: store.open_challenge(make_challenge("c1", user="bob"), keep=1),
            lambda: store._db.write(_lost),
            lambda: store.unlock("\ud800"),
            lambda: store.consume_step("alice", "f1", 6),
        )
    )
    assert list(map(_is_refused, found)) == [False, True, False, False, True, False, True, False]
    assert isinstance(found[5], LookupError)
    assert "nowhere" in str(found[1])
    assert (found[0], found[2], found[7]) == (True, True, True)
    assert said.count("COMMIT") == 2
    assert asyncio.run(store.factors("alice")) == (make_factor()._replace(last_step=6),)
    assert asyncio.run(bare(store, "g1")) == make_grant(uses_left=4)
    assert asyncio.run(store.challenge("c1")) == make_challenge("c1")


def test_what_ends_the_transaction_is_met_by_each_alone(store: SqliteStore) -> None:
    """As a full disk or a failing one ends it: SQLite takes all of it back."""
    ran: list[str] = []

    def ends(db: sqlite3.Connection) -> None:
        ran.append("ends")
        db.execute("DELETE FROM factor")
        db.execute("INSERT OR ROLLBACK INTO granted SELECT * FROM granted")

    found = asyncio.run(
        _together(
            store,
            lambda: store.consume_step("alice", "f1", 5),
            lambda: store._db.write(ends),
            lambda: use(store),
        )
    )
    assert (found[0], _is_refused(found[1]), found[2]) == (True, True, True)
    assert ran == ["ends", "ends"]
    assert asyncio.run(store.factors("alice")) == (make_factor()._replace(last_step=5),)
    assert asyncio.run(bare(store, "g1")) == make_grant(uses_left=4)


def test_a_connection_that_met_a_fault_is_not_used_for_the_others(store: SqliteStore) -> None:
    used: list[sqlite3.Connection] = []

    def interrupted(db: sqlite3.Connection) -> None:
        used.append(db)
        once = iter([1])
        db.set_progress_handler(lambda: next(once, 0), 1)
        db.execute("SELECT count(*) FROM factor").fetchone()

    refused, _ = asyncio.run(
        _together(store, lambda: store._db.write(interrupted), lambda: store._db.write(used.append))
    )
    assert _is_refused(refused)
    assert "interrupted" in str(refused)
    assert used[-1] is not used[0]


def test_who_has_waited_long_enough_is_not_run_once_more(path: Path) -> None:
    store, ran = SqliteStore(path, wait_s=0.3), list[object]()

    def ends(db: sqlite3.Connection) -> None:
        ran.append("ends")
        time.sleep(0.4)
        db.execute("ROLLBACK")
        raise sqlite3.OperationalError("ended")

    async def scene() -> list[object]:
        return await _together(store, lambda: store._db.write(ran.append), lambda: store._db.write(ends))

    assert all(map(_is_refused, asyncio.run(scene())))
    assert len(ran) == 2
    assert asyncio.run(store.unlock("alice")) is False
    asyncio.run(store.aclose())


def test_a_file_that_is_replaced_meanwhile_refuses_them_all(store: SqliteStore, path: Path) -> None:
    away = path.with_name("away.db")

    def replace(_: sqlite3.Connection) -> None:
        if path.exists():
            path.rename(away)

    calls: list[Call] = [lambda: use(store), lambda: store._db.write(replace)]
    calls += [lambda: store.consume_step("alice", "f1", 5)]
    found = asyncio.run(_together(store, *calls))
    assert all(map(_is_refused, found)), found
    away.rename(path)
    assert asyncio.run(bare(store, "g1")) == make_grant(uses_left=5)
    assert asyncio.run(store.consume_step("alice", "f1", 5)) is True


def test_a_life_that_cannot_be_noted_refuses_them_all(store: SqliteStore, path: Path) -> None:
    beside = path.with_name("state.db-life")
    note = beside.read_bytes()

    def hide(_: object) -> None:
        beside.unlink()
        beside.mkdir()

    calls: list[Call] = [lambda: use(store), lambda: store.consume_step("alice", "f1", 5)]
    assert all(map(_is_refused, asyncio.run(_together(store, *calls, meanwhile=hide))))
    assert asyncio.run(bare(store, "g1")) == make_grant(uses_left=4), "taken once, given to nobody"
    beside.rmdir()
    beside.write_bytes(note)
    assert asyncio.run(store.consume_step("alice", "f1", 5)) is False


def test_who_goes_while_it_waits_is_left_out_and_who_goes_once_it_has_begun_is_not(store: SqliteStore) -> None:
    ran: list[int] = []
    asked: list[asyncio.Future[object]] = []

    def step(db: sqlite3.Connection, number: int) -> None:
        ran.append(number)
        if number == 3:
            asked[3].get_loop().call_soon_threadsafe(asked[3].cancel)
            time.sleep(0.1)
        db.execute("INSERT INTO epoch VALUES (?, 1)", (f"u{number}",))

    def leave(tasks: Sequence[asyncio.Future[object]]) -> None:
        asked.extend(tasks)
        for task in tasks[::2]:
            task.cancel()

    calls: list[Call] = [partial(store._db.write, step, number) for number in range(10)]
    found = asyncio.run(_together(store, *calls, meanwhile=leave))
    gone = [isinstance(each, asyncio.CancelledError) for each in found]
    assert gone == [True, False, True, True, True, False, True, False, True, False]
    assert ran == [1, 3, 5, 7, 9]
    assert [asyncio.run(store.epoch(f"u{number}")) for number in ran] == [1] * 5


def test_a_group_that_has_held_the_lock_for_long_takes_no_other(store: SqliteStore) -> None:
    said = _said(store)
    calls: list[Call] = [lambda: store._db.write(lambda _: time.sleep(HOLD_S))] * 4
    asyncio.run(_together(store, *calls))
    assert said.count("COMMIT") == 3


_FULL = """
import asyncio, resource, sys, threading
from pathlib import Path
from stepup_mw.errors import StoreUnavailable
from stepup_mw.state import Factor, Kept
from stepup_mw.stores.sqlite import SqliteStore
room, large = int(sys.argv[2]), int(sys.argv[3])
begun, end = threading.Event(), threading.Event()
def hold(db):
    begun.set()
    end.wait(10)
async def run():
    store = SqliteStore(Path(sys.argv[1]))
    for number in range(12):
        await store.put_factor(Factor(user=f"u{number}", factor_id="f1", sealed=b"x", created_at=1.0), [])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    first = asyncio.create_task(store._db.write(hold))
    await asyncio.to_thread(begun.wait)
    calls = [store.consume_step(f"u{number}", "f1", 7) for number in range(12)]
    kept = Kept(kept_id="k", user="u1", sealed=b"x" * large, expires_at=9e9)
    calls.insert(6, store.keep_request(kept, now=1.0, limit=4))
    tasks = [asyncio.create_task(call) for call in calls]
    await asyncio.sleep(0)
    size = Path(sys.argv[1] + "-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, hard))
    end.set()
    await first
    found = await asyncio.gather(*tasks, return_exceptions=True)
    print(*("refused" if isinstance(each, StoreUnavailable) else each for each in found))
    print(*[(await store.factors(f"u{number}"))[0].last_step for number in range(12)])
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    print(*[await store.consume_step(f"u{number}", "f1", 7) for number in range(12)])
    await store.aclose()
asyncio.run(run())
"""


@pytest.mark.parametrize(
    ("room", "small"), [(2_000, False), (200_000, True)], ids=["for none of them", "for all but one"]
)
def test_a_full_disk_takes_nothing_of_those_it_has_no_room_for(path: Path, room: int, small: bool) -> None:
    command = [sys.executable, "-c", _FULL, str(path), str(room), str(400_000)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    answers, steps, again = (line.split() for line in done.stdout.splitlines())
    given = "True" if small else "refused"
    assert answers == [given] * 6 + ["refused"] + [given] * 6, done.stderr
    assert steps == ["7" if small else "-1"] * 12
    assert again == [str(not small)] * 12


def test_forks_beside_groups_leave_both_sides_whole(store: SqliteStore) -> None:
    stop, taken = threading.Event(), []

    async def one(lane: int) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            await store.put_factor(make_factor(f"lane{lane}", factor_id=f"f{number}"), [])
            taken.append(await store.consume_step(f"lane{lane}", f"f{number}", number))

    async def all_lanes() -> None:
        await asyncio.gather(*map(one, range(12)))

    worker = threading.Thread(target=lambda: asyncio.run(all_lanes()))
    worker.start()
    codes = []
    try:
        for number in range(6):
            child = os.fork()
            if not child:
                os._exit(0 if asyncio.run(store.consume_step("alice", "f1", 10 + number)) else 1)
            codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    finally:
        stop.set()
        worker.join()
    assert codes == [0] * 6
    assert all(taken)
    assert len(taken) > 12
    assert asyncio.run(store.consume_step("alice", "f1", 15)) is False
