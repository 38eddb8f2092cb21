"""Every fault of the file is a StoreUnavailable, changes nothing, and ends when the fault ends."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stepup_mw.errors import StoreUnavailable, Unsupported
from stepup_mw.stores.sqlite import SqliteStore
from stepup_mw.stores.sqlite.schema import APPLICATION_ID, VERSION

from ..contract.samples import ACCOUNT, ADDRESS, bare, keep_grant, make_challenge, make_factor, make_grant


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(path, wait_s=0.3)
    asyncio.run(made.put_factor(make_factor(), []))
    asyncio.run(keep_grant(made, make_grant()))
    yield made
    asyncio.run(made.aclose())


def _refused(store: SqliteStore) -> str:
    """A step is refused; the words of the refusal."""
    with pytest.raises(StoreUnavailable) as refusal:
        asyncio.run(store.consume_step("alice", "f1", 5))
    return str(refusal.value)


def _read_refused(store: SqliteStore) -> str:
    with pytest.raises(StoreUnavailable) as refusal:
        asyncio.run(store.grant("g1"))
    return str(refusal.value)


def _look_soon() -> None:
    """Until a read looks at the file again."""
    time.sleep(0.3)


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        store = SqliteStore(tmp_path / "deep" / "folder" / "state.db")
        asyncio.run(store.put_factor(make_factor(), []))
    finally:
        os.umask(old)
    folder = tmp_path / "deep" / "folder"
    assert folder.stat().st_mode & 0o777 == 0o700
    files = {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}
    private = {"state.db", "state.db-wal", "state.db-shm", "state.db-life"}
    assert files == dict.fromkeys(private, 0o600)
    asyncio.run(store.aclose())


def test_an_answer_is_on_stable_storage(store: SqliteStore, path: Path) -> None:
    assert asyncio.run(store.consume_step("alice", "f1", 5))
    writer = store._db._handles.writer
    assert writer is not None
    assert writer.execute("PRAGMA synchronous").fetchone() == (2,)
    assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_what_was_answered_survives_kill_9(path: Path) -> None:
    code = f"""
import asyncio, os, signal
from pathlib import Path
from stepup_mw.stores.sqlite import SqliteStore
from stepup_mw.state import Factor
async def run():
    store = SqliteStore(Path({str(path)!r}))
    await store.put_factor(Factor(user="alice", factor_id="f1", sealed=b"x", created_at=1.0), ["r1"])
    assert await store.consume_step("alice", "f1", 5)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(run())
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    store = SqliteStore(path)
    assert asyncio.run(store.consume_step("alice", "f1", 5)) is False
    assert asyncio.run(store.recovery_left("alice")) == 1
    asyncio.run(store.aclose())


def test_a_lock_held_elsewhere_is_waited_for_so_long_and_no_longer(store: SqliteStore, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    started = time.monotonic()
    assert "locked" in _refused(store)
    assert time.monotonic() - started < 1.5
    assert asyncio.run(bare(store, "g1")) == make_grant(), "a read waits for no writer"
    other.execute("ROLLBACK")
    other.close()
    assert asyncio.run(store.consume_step("alice", "f1", 5)) is True


def test_a_crowd_behind_a_lock_is_refused_together(store: SqliteStore, path: Path) -> None:
    async def crowd() -> list[bool | BaseException]:
        calls = (store.consume_step("alice", "f1", 5) for _ in range(20))
        return await asyncio.gather(*calls, return_exceptions=True)

    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    started = time.monotonic()
    found = asyncio.run(crowd())
    assert time.monotonic() - started < 2
    assert {type(item) for item in found} == {StoreUnavailable}
    other.close()
    assert asyncio.run(store.consume_step("alice", "f1", 5)) is True


def test_a_step_that_has_begun_ends_even_if_its_caller_has_gone(store: SqliteStore) -> None:
    begun = threading.Event()

    def slow(db: sqlite3.Connection) -> None:
        begun.set()
        time.sleep(0.1)
        db.execute("UPDATE factor SET last_step = 5")

    async def leave() -> None:
        task = asyncio.create_task(store._db.write(slow))
        await asyncio.to_thread(begun.wait)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(leave())
    assert asyncio.run(store.consume_step("alice", "f1", 5)) is False


def test_a_step_that_outlives_the_wait_still_gives_its_answer(store: SqliteStore) -> None:
    def slow(db: sqlite3.Connection) -> str:
        time.sleep(0.5)
        return "done"

    async def run() -> str:
        answer = await store._db.write(slow)
        await asyncio.sleep(0)
        return answer

    assert asyncio.run(run()) == "done"


def test_a_step_that_fails_midway_leaves_nothing(store: SqliteStore) -> None:
    def broken(db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM factor")
        db.execute("SELECT * FROM nowhere")

    with pytest.raises(StoreUnavailable, match="nowhere"):
        asyncio.run(store._db.write(broken))
    assert asyncio.run(store.factors("alice")) == (make_factor(),)


def test_a_deleted_file_is_never_made_again(store: SqliteStore, path: Path) -> None:
    hidden = path.with_name("elsewhere.db")
    path.rename(hidden)
    assert "No such file" in _refused(store)
    assert "No such file" in _refused(store)
    _look_soon()
    assert "No such file" in _read_refused(store)
    assert not path.exists()
    hidden.rename(path)
    assert asyncio.run(bare(store, "g1")) == make_grant()
    assert asyncio.run(store.consume_step("alice", "f1", 5)) is True


@pytest.mark.parametrize("warm", [True, False], ids=["connections open", "connections closed"])
def test_a_replaced_file_is_refused_by_writes_and_reads(store: SqliteStore, path: Path, warm: bool) -> None:
    """The copy from before the step was taken would allow it again."""
    asyncio.run(store.aclose())
    path.with_name("copy.db").write_bytes(path.read_bytes())
    assert asyncio.run(store.consume_step("alice", "f1", 5)) is True
    if not warm:
        asyncio.run(store.aclose())
    path.with_name("copy.db").replace(path)
    assert "replaced" in _refused(store)
    _look_soon()
    assert "replaced" in _read_refused(store)


def test_a_process_that_only_reads_notices_too(store: SqliteStore, path: Path) -> None:
    assert asyncio.run(bare(store, "g1")) == make_grant()
    path.rename(path.with_name("elsewhere.db"))
    _look_soon()
    assert "No such file" in _read_refused(store)
    path.with_name("elsewhere.db").rename(path)
    assert asyncio.run(bare(store, "g1")) == make_grant()


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _garble(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.write(b"\xa5" * size)


@pytest.mark.parametrize("damage", [_cut, _garble], ids=["cut", "garbage"])
def test_a_damaged_file_is_refused(store: SqliteStore, path: Path, damage: Callable[[Path], None]) -> None:
    asyncio.run(store.aclose())
    damage(path)
    _refused(store)
    _read_refused(store)
    with pytest.raises(StoreUnavailable):
        asyncio.run(SqliteStore(path).users())


def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"dear diary, " * 1000)
    with pytest.raises(StoreUnavailable, match="not a database"):
        SqliteStore(path)
    assert path.read_bytes() == b"dear diary, " * 1000


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (["CREATE TABLE diary (day TEXT)"], "another program"),
        (["PRAGMA user_version = 3"], "another program"),
        (
            [f"PRAGMA application_id = {APPLICATION_ID}", f"PRAGMA user_version = {VERSION + 1}"],
            f"version {VERSION + 1}",
        ),
    ],
    ids=["other tables", "other version", "newer"],
)
def test_a_database_that_is_not_ours_to_touch_is_refused(path: Path, statements: list[str], words: str) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        db.execute(statement)
    db.close()
    before = path.read_bytes()
    with pytest.raises(Unsupported, match=words):
        SqliteStore(path)
    assert path.read_bytes() == before


def test_a_file_that_becomes_newer_under_a_running_process_is_refused(store: SqliteStore, path: Path) -> None:
    asyncio.run(store.aclose())
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()
    assert f"version {VERSION + 1}" in _refused(store)
    assert f"version {VERSION + 1}" in _read_refused(store)


def test_a_damaged_row_is_refused(store: SqliteStore, path: Path) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    for body in (b"\xff", b"[1,2]", b"{}"):
        db.execute("UPDATE granted SET body = ?", (body,))
        assert str(path) in _read_refused(store)
    db.close()


@pytest.mark.parametrize("text", ["\ud800", "a\udcff"], ids=["high", "low"])
def test_text_that_is_no_unicode_is_refused_and_never_a_bare_error(store: SqliteStore, text: str) -> None:
    with pytest.raises(StoreUnavailable):
        asyncio.run(store.grant(text))
    with pytest.raises(StoreUnavailable):
        asyncio.run(store.failures(text))
    with pytest.raises(StoreUnavailable):
        asyncio.run(store.take_attempt(text, "", now=1.0, account=ACCOUNT, limit=ADDRESS))
    with pytest.raises(StoreUnavailable):
        asyncio.run(keep_grant(store, make_grant("g2", rule=text)))
    with pytest.raises(StoreUnavailable):
        asyncio.run(store.consume_step("alice", "f1", 2**70))
    assert asyncio.run(bare(store, "g1")) == make_grant()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable):
        SqliteStore(tmp_path / "file" / "state.db")
    (tmp_path / "loop.db").symlink_to(tmp_path / "nowhere")
    with pytest.raises(StoreUnavailable):
        SqliteStore(tmp_path / "loop.db")


_AS_NOBODY = """
import asyncio, os, sys
from pathlib import Path
from anyio.to_thread import run_sync
from stepup_mw.errors import StoreUnavailable
from stepup_mw.stores.sqlite import SqliteStore
path = Path(sys.argv[1])
asyncio.run(run_sync(int))  # imports what another user may not be able to read
if os.geteuid() == 0:
    os.setuid(65534)
async def run():
    store = SqliteStore(path)
    print("read", (await store.grant("g1")).user)
    try:
        await store.consume_step("alice", "f1", 5)
    except StoreUnavailable as error:
        print("write", "readonly" in str(error))
asyncio.run(run())
"""


def test_a_read_only_file_is_read_and_every_step_refused(store: SqliteStore, path: Path) -> None:
    for file in path.parent.iterdir():
        file.chmod(0o444)
    for folder in (path.parent, *path.parent.parents):
        if folder.stat().st_uid == os.getuid() and folder.stat().st_mode & 0o077 == 0:
            folder.chmod(0o755)  # what pytest keeps to itself, another user must pass through
    command = [sys.executable, "-c", _AS_NOBODY, str(path)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.stdout.split("\n")[:2] == ["read alice", "write True"], found.stderr


_FULL = """
import asyncio, resource, sys
from pathlib import Path
from stepup_mw.errors import StoreUnavailable
from stepup_mw.state import Factor
from stepup_mw.stores.sqlite import SqliteStore
async def run():
    store = SqliteStore(Path(sys.argv[1]))
    await store.put_factor(Factor(user="alice", factor_id="f1", sealed=b"x", created_at=1.0), [])
    await store.failures("alice")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = Path(sys.argv[1] + "-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 2000, hard))
    taken = 0
    for step in range(50):
        try:
            taken += await store.consume_step("alice", "f1", 7)
        except StoreUnavailable as error:
            print(taken, error)
            break
    print("read", (await store.factors("alice"))[0].last_step)
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    print("again", await store.consume_step("alice", "f1", 7), await store.consume_step("alice", "f1", 7))
    await store.aclose()
asyncio.run(run())
"""


def test_a_full_disk_takes_nothing_and_the_next_step_works_when_there_is_room(path: Path) -> None:
    found = subprocess.run([sys.executable, "-c", _FULL, str(path)], capture_output=True, text=True, check=False)
    lines = found.stdout.split("\n")
    assert lines[0].startswith("0 "), found.stderr + found.stdout
    assert "full" in lines[0] or "I/O" in lines[0]
    assert lines[1:3] == ["read -1", "again True False"]


def test_a_challenge_of_the_same_id_is_refused_and_changes_nothing(store: SqliteStore) -> None:
    asyncio.run(store.open_challenge(make_challenge("c1", user="bob"), keep=1))
    asyncio.run(store.open_challenge(make_challenge("c2"), keep=1))
    with pytest.raises(StoreUnavailable):
        asyncio.run(store.open_challenge(make_challenge("c2", user="bob"), keep=1))
    assert asyncio.run(store.challenge("c1")) == make_challenge("c1", user="bob")
