"""What is remembered of authenticators that were taken away: the latest, no more, and refused where it cannot be."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from stepup_mw.errors import StoreUnavailable
from stepup_mw.stores.removals import KEPT, Removals, mark_of
from stepup_mw.stores.sqlite import SqliteStore
from stepup_mw.testing.records import make_factor


def test_the_latest_are_kept_and_the_file_stays_small(tmp_path: Path) -> None:
    removals = Removals(tmp_path / "audit" / ".stepup.store")
    assert removals.read() == frozenset()
    removals.add(mark_of("alice", str(number)) for number in range(2 * KEPT))
    removals.add([mark_of("alice", "last")])
    kept = removals.read()
    assert len(kept) == KEPT
    assert mark_of("alice", "last") in kept
    assert mark_of("alice", "0") not in kept
    file = tmp_path / "audit" / ".stepup.removed"
    assert file.stat().st_size == KEPT * 33
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_mark_is_of_one_user_and_one_authenticator_and_shows_neither() -> None:
    marks = {mark_of(user, factor) for user in ("alice", "bob", "zoë\ud800") for factor in ("f1", "f2")}
    assert len(marks) == 6
    assert all(len(mark) == 32 and int(mark, 16) for mark in marks)


def test_what_cannot_be_remembered_is_a_refusal(tmp_path: Path) -> None:
    (tmp_path / "audit" / ".stepup.removed").mkdir(parents=True)

    async def scene() -> None:
        store = SqliteStore(tmp_path / "state.db", witness=tmp_path / "audit" / ".stepup.store")
        await store.put_factor(make_factor(), [])
        with pytest.raises(StoreUnavailable, match="cannot be remembered"):
            await store.remove_factors("alice")
        assert await store.factors("alice") == (), "it is taken away all the same"
        await store.aclose()

    asyncio.run(scene())
