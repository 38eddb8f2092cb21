"""Keys that change: what was signed, sealed or digested before, what is void after, and the secrets at rest."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from pathlib import Path

import pytest

from stepup_mw.errors import BadToken, SealError
from stepup_mw.keyring import Keyring, KeySet, make_digest_key, name_key, sealed_under
from stepup_mw.rotation import reseal, survey_sealed
from stepup_mw.stores.memory import MemoryStore
from stepup_mw.stores.sqlite import SqliteStore
from tests.contract.samples import make_factor

FIRST, SECOND, THIRD = (os.urandom(32) for _ in range(3))
DIGEST = make_digest_key(FIRST)
BEFORE = Keyring([FIRST], os.urandom)
DURING = Keyring([FIRST, SECOND], os.urandom, digest_key=DIGEST)
AFTER = Keyring([SECOND], os.urandom, digest_key=DIGEST)
LATER = Keyring([SECOND, THIRD], os.urandom, digest_key=DIGEST)
BARE = Keyring([SECOND], os.urandom)


@pytest.mark.parametrize("keys", [DURING, AFTER, LATER], ids=["during", "after", "the next one"])
def test_every_digest_outlives_a_rotation(keys: Keyring) -> None:
    for purpose in ("session", "device", "recovery", "user", "address"):
        assert keys.digest(purpose, "text") == BEFORE.digest(purpose, "text")
    assert BARE.digest("session", "text") != BEFORE.digest("session", "text")


def test_a_withdrawn_key_opens_nothing_and_its_tokens_are_nothing() -> None:
    for purpose in ("grant", "grant_cookie", "device"):
        token = BEFORE.sign(purpose, "id")
        assert DURING.unsign(purpose, token) == "id"
        with pytest.raises(BadToken):
            AFTER.unsign(purpose, token)
        assert AFTER.unsign(purpose, DURING.sign(purpose, "id")) == "id"
    sealed = BEFORE.seal("totp", b"secret", "alice")
    assert DURING.unseal("totp", sealed, "alice") == b"secret"
    with pytest.raises(SealError):
        AFTER.unseal("totp", sealed, "alice")


def test_which_key_made_a_token() -> None:
    old, new = BEFORE.sign("device", "id"), DURING.sign("device", "id")
    assert (DURING.is_newest("device", old), DURING.is_newest("device", new)) == (False, True)
    assert not DURING.is_newest("grant", new)


def test_a_running_process_takes_a_new_key_when_it_meets_it_and_drops_a_withdrawn_one_when_told() -> None:
    now = [KeySet(secret_keys=(FIRST,))]
    running = Keyring([FIRST], os.urandom, reread=lambda: now[0])
    old = running.sign("grant", "old")
    assert running.unsign("grant", old) == "old"
    assert running.refresh() is False

    now[0] = KeySet(secret_keys=(FIRST, SECOND), digest_key=DIGEST)
    assert running.unsign("grant", DURING.sign("grant", "new")) == "new"
    assert running.key_ids == (name_key(FIRST), name_key(SECOND))
    now[0] = KeySet(secret_keys=(FIRST, SECOND, THIRD), digest_key=DIGEST)
    assert running.unseal("totp", LATER.seal("totp", b"secret", "alice"), "alice") == b"secret"
    with pytest.raises(BadToken):
        running.unsign("grant", Keyring([os.urandom(32)], os.urandom).sign("grant", "forged"))
    assert running.digest("session", "s") == BEFORE.digest("session", "s")

    now[0] = KeySet(secret_keys=(THIRD,), digest_key=DIGEST)
    assert running.refresh() is True
    with pytest.raises(BadToken):
        running.unsign("grant", old)


async def _three(store: MemoryStore | SqliteStore) -> None:
    for user, keys in (("alice", BEFORE), ("bob", DURING), ("zoë", Keyring([THIRD], os.urandom))):
        sealed = keys.seal("totp", f"secret of {user}".encode(), user)
        await store.put_factor(make_factor(user, sealed=sealed), [])
    await store.add_factor(make_factor("alice", "row", sealed=b"", created_at=2000.0))


def test_every_secret_is_sealed_under_the_newest_and_none_is_lost() -> None:
    store = MemoryStore()

    async def scene() -> None:
        await _three(store)
        await store.consume_step("alice", "f1", 7, drift=1)
        before = await survey_sealed(store, DURING)
        assert before.by_key == {name_key(FIRST): 1, name_key(SECOND): 1}
        assert [(factor.user, name) for factor, name in before.lost] == [("zoë", name_key(THIRD))]
        assert before.pending(name_key(SECOND)) == 1
        epoch = await store.epoch("alice")

        assert await reseal(store, DURING) == 1
        assert await reseal(store, DURING) == 0

        after = await survey_sealed(store, AFTER)
        assert after.by_key == {name_key(SECOND): 2}
        assert len(after.lost) == 1
        alice, row = await store.factors("alice")
        assert AFTER.unseal("totp", alice.sealed, "alice") == b"secret of alice"
        assert (alice.last_step, alice.drift, row.sealed) == (7, 1, b"")
        assert await store.epoch("alice") == epoch, "nobody is signed out"

    asyncio.run(scene())


class Meanwhile(MemoryStore):
    """A store in which somebody replaces a secret at the very moment it is sealed anew."""

    async def replace_sealed(self, user: str, factor_id: str, sealed: bytes, *, expected: bytes) -> bool:
        (held,) = await self.factors(user)
        await self.put_factor(held._replace(sealed=DURING.seal("totp", b"new secret", user)), [])
        return await super().replace_sealed(user, factor_id, sealed, expected=expected)


def test_a_secret_that_is_replaced_meanwhile_stays_the_new_one() -> None:
    store = Meanwhile()

    async def scene() -> None:
        await store.put_factor(make_factor(sealed=BEFORE.seal("totp", b"old secret", "alice")), [])
        assert await reseal(store, DURING) == 0
        (held,) = await store.factors("alice")
        assert DURING.unseal("totp", held.sealed, "alice") == b"new secret"

    asyncio.run(scene())


def test_a_row_moved_to_another_user_does_not_open() -> None:
    sealed = BEFORE.seal("totp", b"secret", "alice")
    with pytest.raises(SealError):
        BEFORE.unseal("totp", sealed, "mallory")
    store = MemoryStore()

    async def scene() -> None:
        await store.put_factor(make_factor("mallory", sealed=sealed), [])
        found = await survey_sealed(store, DURING)
        assert [factor.user for factor, _ in found.lost] == ["mallory"]
        assert await reseal(store, DURING) == 0
        assert (await store.factors("mallory"))[0].sealed == sealed

    asyncio.run(scene())


def test_the_bytes_of_a_database_hold_no_secret_and_open_with_no_other_key(tmp_path: Path) -> None:
    secret = b"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    store = SqliteStore(tmp_path / "state.db")

    async def scene() -> None:
        await store.put_factor(make_factor(sealed=BEFORE.seal("totp", secret, "alice")), [])
        await store.aclose()

    asyncio.run(scene())
    whole = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert secret not in whole
    with contextlib.closing(sqlite3.connect(tmp_path / "state.db")) as database:
        (sealed,) = database.execute("SELECT sealed FROM factor").fetchone()
    assert sealed_under(sealed) == name_key(FIRST)
    with pytest.raises(SealError):
        Keyring([THIRD], os.urandom).unseal("totp", sealed, "alice")
