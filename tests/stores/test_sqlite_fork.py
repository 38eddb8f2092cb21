"""A fork, with connections open and a write under way: the parent and the child each go on, on one truth."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from stepup_mw.stores.sqlite import SqliteStore
from stepup_mw.stores.sqlite.database import _Handles

from ..contract.samples import bare, keep_grant, make_factor, make_grant, use

# Python 3.12 warns of every fork beside threads; here that is what is tried.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(tmp_path / "state.db")
    asyncio.run(made.put_factor(make_factor(), []))
    asyncio.run(keep_grant(made, make_grant(uses_left=1)))
    assert asyncio.run(made.grant("g1"))
    yield made
    asyncio.run(made.aclose())


def _fork(body: str, store: SqliteStore) -> int:
    """Run ``body`` in a child, which ends by ``os._exit``; its exit code."""
    child = os.fork()
    if not child:
        code = 99
        try:
            code = _BODIES[body](store)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _use(store: SqliteStore) -> int:
    return int(asyncio.run(use(store))) + 2 * int(asyncio.run(store.consume_step("alice", "f1", 5)))


def _read_and_close(store: SqliteStore) -> int:
    found = asyncio.run(bare(store, "g1"))
    asyncio.run(store.aclose())
    return 0 if found == make_grant(uses_left=1) else 1


_BODIES = {"use": _use, "read and close": _read_and_close}


def test_what_the_child_took_is_taken_in_the_parent(store: SqliteStore) -> None:
    assert _fork("use", store) == 3
    assert asyncio.run(use(store)) is False
    assert asyncio.run(store.consume_step("alice", "f1", 5)) is False
    assert asyncio.run(store.consume_step("alice", "f1", 6)) is True


def test_a_child_that_closes_takes_nothing_from_the_parent(store: SqliteStore, tmp_path: Path) -> None:
    assert _fork("read and close", store) == 0
    assert asyncio.run(store.consume_step("alice", "f1", 5)) is True
    assert (tmp_path / "state.db-wal").exists()
    other = SqliteStore(tmp_path / "state.db")
    assert asyncio.run(other.consume_step("alice", "f1", 5)) is False
    asyncio.run(other.aclose())


def test_no_connection_crosses_a_fork(store: SqliteStore) -> None:
    assert store._db._handles.reader is not None
    child = os.fork()
    if not child:
        handles = store._db._handles
        os._exit(0 if handles.reader is None and handles.writer is None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_fork_waits_for_the_write_under_way(store: SqliteStore) -> None:
    stop = threading.Event()
    taken: list[bool] = []

    def work() -> None:
        step = 10
        while not stop.is_set():
            taken.append(asyncio.run(store.consume_step("alice", "f1", step)))
            step += 1

    worker = threading.Thread(target=work)
    worker.start()
    try:
        codes = [_fork("read and close", store) for _ in range(10)]
    finally:
        stop.set()
        worker.join()
    assert codes == [0] * 10
    assert all(taken)
    assert asyncio.run(store.factors("alice"))[0].last_step == 9 + len(taken)


def test_connections_of_another_process_are_kept_and_left_alone(store: SqliteStore) -> None:
    """As after a fork that ran no hooks: the handles carry the parent's id."""
    theirs = store._db._handles
    asyncio.run(store.consume_step("alice", "f1", 4))
    theirs.pid = -1
    assert asyncio.run(bare(store, "g1")) == make_grant(uses_left=1)
    assert asyncio.run(store.consume_step("alice", "f1", 5)) is True
    assert store._db._handles is not theirs
    assert theirs.reader is not None
    assert theirs.writer is not None
    assert theirs.reader.execute("SELECT 1").fetchone() == (1,)
    assert isinstance(theirs, _Handles)
    theirs.close()


def test_a_closed_store_opens_again(store: SqliteStore, tmp_path: Path) -> None:
    asyncio.run(store.aclose())
    assert not (tmp_path / "state.db-wal").exists()
    assert asyncio.run(store.consume_step("alice", "f1", 5)) is True
    asyncio.run(store.aclose())
    asyncio.run(store.aclose())


def test_eight_processes_make_one_database(tmp_path: Path) -> None:
    code = """
import asyncio, sys
from pathlib import Path
from stepup_mw.state import Factor
from stepup_mw.stores.sqlite import SqliteStore
store = SqliteStore(Path(sys.argv[1]), wait_s=20)
name = sys.argv[2]
asyncio.run(store.put_factor(Factor(user=name, factor_id="f", sealed=b"", created_at=1.0), []))
asyncio.run(store.aclose())
"""
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "new" / "state.db"), f"u{number}"])
        for number in range(8)
    ]
    assert [process.wait() for process in started] == [0] * 8
    store = SqliteStore(tmp_path / "new" / "state.db")
    assert len(asyncio.run(store.users())) == 8
    asyncio.run(store.aclose())
