"""An older copy of the database put in its place: nothing that was used up or voided since comes to life again."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from stepup_mw.errors import StoreUnavailable
from stepup_mw.state import Grant
from stepup_mw.stores.sqlite import SqliteStore
from stepup_mw.totp import time_step

from ..contract.samples import bare, keep_grant, make_factor, make_grant, use

STEP = time_step(time.time())
LATER = STEP + 1000
"""A step that is still to come however long the run takes."""
GRANT: Grant = make_grant(uses_left=1)
Ending = Callable[[SqliteStore], Awaitable[object]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "state.db"


async def _fill(path: Path) -> None:
    store = SqliteStore(path)
    await store.put_factor(make_factor(), ["r1"])
    await keep_grant(store, GRANT)
    await store.aclose()


def _copy(path: Path, to: Path) -> None:
    shutil.copyfile(path, to)


def _in_place(copy: Path, path: Path) -> None:
    _drop_logs(path)
    shutil.copyfile(copy, path)


def _moved_in(copy: Path, path: Path) -> None:
    _drop_logs(path)
    shutil.copyfile(copy, copy.with_suffix(".new"))
    copy.with_suffix(".new").rename(path)


def _drop_logs(path: Path) -> None:
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


@pytest.mark.parametrize("put_back", [_in_place, _moved_in], ids=["in place", "moved in"])
@pytest.mark.parametrize(
    "end",
    [
        lambda store: store.revoke_grants("alice"),
        lambda store: store.revoke_grants("alice", "g1"),
        lambda store: store.raise_epoch("alice"),
        use,
        lambda store: store.put_factor(make_factor(factor_id="f2"), []),
        lambda store: store.add_factor(make_factor(factor_id="f2")),
        lambda store: store.remove_factor("alice", "f1"),
        lambda store: store.remove_factors("alice"),
        lambda store: store.consume_step("alice", "f1", STEP),
    ],
    ids=["revoke all", "revoke one", "epoch", "use", "put", "add", "remove", "remove all", "step"],
)
def test_what_was_ended_since_stays_ended(
    path: Path, tmp_path: Path, end: Ending, put_back: Callable[[Path, Path], None]
) -> None:
    async def scene() -> None:
        await _fill(path)
        _copy(path, tmp_path / "copy")
        store = SqliteStore(path)
        assert await end(store)
        await store.aclose()
        put_back(tmp_path / "copy", path)

        store = SqliteStore(path)
        assert await store.grant("g1") is None
        assert await use(store) is False
        assert await store.grants("alice", now=1001.0) == ()
        assert await store.consume_step("alice", "f1", STEP) is False
        assert await store.consume_step("alice", "f1", LATER) is True
        kept = await keep_grant(store, make_grant("g2"))
        await store.aclose()

        again = SqliteStore(path)
        assert await again.grant("g2") == kept, "only once"
        await again.aclose()

    asyncio.run(scene())


def test_a_copy_from_elsewhere_brings_no_grants(path: Path, tmp_path: Path) -> None:
    async def scene() -> None:
        await _fill(path)
        _copy(path, tmp_path / "elsewhere.db")
        store = SqliteStore(tmp_path / "elsewhere.db")
        assert await store.grant("g1") is None
        assert len(await store.factors("alice")) == 1
        assert await store.consume_recovery("alice", "r1") is False
        loss = await store.loss()
        assert loss is not None
        assert loss.found == "other"
        await store.aclose()

    asyncio.run(scene())


def test_a_restart_voids_nothing_also_beside_a_working_process(path: Path) -> None:
    async def scene() -> None:
        await _fill(path)
        first = SqliteStore(path)
        for step in range(5):
            assert await first.consume_step("alice", "f1", LATER + step)
            second = SqliteStore(path)
            assert await bare(second, "g1") == GRANT
            await second.aclose()
        await first.aclose()

    asyncio.run(scene())


@pytest.mark.parametrize("text", ["", "nonsense", "-"], ids=["empty", "nonsense", "sign"])
def test_a_damaged_note_counts_for_none(path: Path, text: str) -> None:
    asyncio.run(_fill(path))
    Path(f"{path}-life").write_text(text)
    store = SqliteStore(path)
    assert asyncio.run(store.grant("g1")) is None
    asyncio.run(store.aclose())


def test_a_note_that_cannot_be_written_refuses_and_allows_nothing(path: Path) -> None:
    asyncio.run(_fill(path))
    store = SqliteStore(path)
    note = Path(f"{path}-life")
    assert note.stat().st_mode & 0o777 == 0o600
    note.unlink()
    note.mkdir()
    with pytest.raises(StoreUnavailable):
        asyncio.run(use(store))
    note.rmdir()
    assert asyncio.run(use(store)) is False, "the one use is gone"
    assert asyncio.run(store.revoke_grants("alice")) == 1
    assert asyncio.run(store.loss()) is None
    asyncio.run(store.aclose())
