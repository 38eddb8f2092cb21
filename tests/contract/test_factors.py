from __future__ import annotations

import asyncio

from stepup_mw.state import Store, UserSummary

from .samples import ACCOUNT, ADDRESS, make_challenge, make_factor, make_grant


def test_a_factor_comes_back_as_it_was_put(store: Store) -> None:
    async def scene() -> None:
        assert await store.factors("alice") == ()
        assert await store.put_factor(make_factor(), ["r1", "r2", "r2"]) is False
        assert await store.factors("alice") == (make_factor(),)
        assert await store.factors("bob") == ()
        assert await store.recovery_left("alice") == 2
        assert await store.recovery_left("bob") == 0

    asyncio.run(scene())


def test_a_new_factor_takes_the_place_of_all_and_voids_what_the_old_one_earned(store: Store) -> None:
    async def scene() -> None:
        for user in ("alice", "bob"):
            await store.put_factor(make_factor(user), ["r1"])
            await store.put_grant(make_grant(f"g-{user}", user=user), keep=9)
            for _ in range(5):
                await store.take_attempt(user, "", now=1000.0, account=ACCOUNT, limit=ADDRESS)
        await store.remember("alice", "device", "d1", now=1.0, keep=9)
        await store.open_challenge(make_challenge(), keep=9)

        assert await store.put_factor(make_factor(factor_id="f2", last_step=7), ["r8", "r9"]) is True

        assert await store.factors("alice") == (make_factor(factor_id="f2", last_step=7),)
        assert await store.consume_recovery("alice", "r1") is False
        assert await store.recovery_left("alice") == 2
        assert await store.grant("g-alice") is None
        assert await store.failures("alice") == (0, 0.0)
        assert (await store.sighting("alice", "device", "d1")).known
        assert await store.challenge("c1") == make_challenge()
        assert await store.grant("g-bob") == make_grant("g-bob", user="bob")
        assert await store.failures("bob") == (5, 1030.0)
        assert await store.recovery_left("bob") == 1

    asyncio.run(scene())


def test_removing_takes_all_but_the_count_of_failures(store: Store) -> None:
    async def scene() -> None:
        await store.put_factor(make_factor(), ["r1"])
        await store.put_factor(make_factor("bob"), ["r1"])
        await store.put_grant(make_grant(), keep=9)
        await store.remember("alice", "network", "n1", now=1.0, keep=9)
        await store.remember("bob", "network", "n1", now=1.0, keep=9)
        await store.take_attempt("alice", "", now=1000.0, account=ACCOUNT, limit=ADDRESS)

        assert await store.remove_factors("alice") == 1
        assert await store.remove_factors("alice") == 0

        assert await store.factors("alice") == ()
        assert await store.recovery_left("alice") == 0
        assert await store.grant("g1") is None
        assert not (await store.sighting("alice", "network", "n1")).any
        assert await store.failures("alice") == (1, 0.0)
        assert (await store.sighting("bob", "network", "n1")).known
        assert len(await store.factors("bob")) == 1

    asyncio.run(scene())


def test_users_are_listed_by_name_with_what_they_have(store: Store) -> None:
    async def scene() -> None:
        for user in ("zoë", "alice", "Bob", "日本"):
            await store.put_factor(make_factor(user, created_at=5.5), ["r1", "r2"])
        await store.consume_recovery("alice", "r1")
        for _ in range(5):
            await store.take_attempt("alice", "", now=1000.0, account=ACCOUNT, limit=ADDRESS)
        await store.take_attempt("nobody", "", now=1000.0, account=ACCOUNT, limit=ADDRESS)

        found = await store.users()

        assert [summary.user for summary in found] == ["Bob", "alice", "zoë", "日本"]
        assert found[1] == UserSummary(
            user="alice", factors=1, recovery_codes=1, created_at=5.5, failures=5, locked_until=1030.0
        )
        assert found[2].failures == 0
        assert found[2].locked_until == 0.0

    asyncio.run(scene())


def test_a_step_is_taken_once_and_none_before_it_ever_again(store: Store) -> None:
    async def scene() -> None:
        await store.put_factor(make_factor(), [])
        taken = [await store.consume_step("alice", "f1", step) for step in (0, 0, 5, 5, 4, 6)]
        assert taken == [True, False, True, False, False, True]
        assert (await store.factors("alice"))[0].last_step == 6
        assert await store.consume_step("alice", "f2", 9) is False
        assert await store.consume_step("bob", "f1", 9) is False

    asyncio.run(scene())


def test_putting_the_same_factor_again_gives_no_step_back(store: Store) -> None:
    async def scene() -> None:
        await store.put_factor(make_factor(), [])
        assert await store.consume_step("alice", "f1", 50)
        await store.put_factor(make_factor(), [])
        assert await store.consume_step("alice", "f1", 50) is False
        assert await store.consume_step("alice", "f1", 51) is True

    asyncio.run(scene())


def test_a_recovery_code_is_taken_once_and_by_its_owner(store: Store) -> None:
    async def scene() -> None:
        await store.put_factor(make_factor(), ["r1", "r2"])
        await store.put_factor(make_factor("bob"), ["r3"])
        assert await store.consume_recovery("alice", "r3") is False
        assert await store.consume_recovery("alice", "r1") is True
        assert await store.consume_recovery("alice", "r1") is False
        assert await store.recovery_left("alice") == 1
        assert await store.recovery_left("bob") == 1

    asyncio.run(scene())
