from __future__ import annotations

import asyncio

from stepup_mw.state import Store, UserSummary

from .samples import ACCOUNT, ADDRESS, bare, keep_grant, make_challenge, make_factor, make_grant


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
            await keep_grant(store, make_grant(f"g-{user}", user=user))
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
        assert await bare(store, "g-bob") == make_grant("g-bob", user="bob")
        assert await store.failures("bob") == (5, 1030.0)
        assert await store.recovery_left("bob") == 1

    asyncio.run(scene())


def test_removing_takes_all_but_the_count_of_failures(store: Store) -> None:
    async def scene() -> None:
        await store.put_factor(make_factor(), ["r1"])
        await store.put_factor(make_factor("bob"), ["r1"])
        await keep_grant(store, make_grant())
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


def test_factors_are_added_and_removed_one_by_one_and_all_else_stays(store: Store) -> None:
    second = make_factor(factor_id="f2", created_at=2000.5, label="blue \U0001f4f1", last_step=3, drift=-2)
    first = make_factor(factor_id="f0", created_at=999.0)

    async def scene() -> None:
        assert await store.add_factor(make_factor(), keep=3) is True
        await store.put_recovery("alice", ["r1"])
        await store.take_attempt("alice", "", now=1000.0, account=ACCOUNT, limit=ADDRESS)
        await store.remember("alice", "device", "d1", now=1.0, keep=9)
        assert await store.add_factor(second, keep=3) is True
        assert await store.add_factor(first, keep=3) is True
        assert await store.factors("alice") == (first, make_factor(), second)
        assert await store.add_factor(make_factor(factor_id="f9"), keep=3) is False
        assert await store.add_factor(make_factor(factor_id="f2"), keep=9) is False, "its steps would be given back"
        assert await store.factors("bob") == ()

        assert await store.remove_factor("bob", "f1") is False
        assert await store.remove_factor("alice", "f1") is True
        assert await store.remove_factor("alice", "f1") is False
        assert await store.factors("alice") == (first, second)
        assert await store.remove_factor("alice", "f0")
        assert await store.remove_factor("alice", "f2")
        assert await store.factors("alice") == ()
        assert await store.users() == ()
        assert await store.recovery_left("alice") == 1
        assert await store.failures("alice") == (1, 0.0)
        assert (await store.sighting("alice", "device", "d1")).known

    asyncio.run(scene())


def test_recovery_codes_are_replaced_whole(store: Store) -> None:
    async def scene() -> None:
        await store.put_factor(make_factor(), ["r1", "r2"])
        await store.put_recovery("bob", ["r1"])
        await store.put_recovery("alice", ["r3", "r4", "r4", "r5"])
        assert await store.recovery_left("alice") == 3
        assert await store.consume_recovery("alice", "r1") is False
        assert await store.factors("alice") == (make_factor(),)
        await store.put_recovery("alice", [])
        assert await store.recovery_left("alice") == 0
        assert await store.recovery_left("bob") == 1

    asyncio.run(scene())


def test_a_secret_is_sealed_anew_only_where_it_is_as_it_was_read(store: Store) -> None:
    async def scene() -> None:
        await store.put_factor(make_factor(), [])
        await store.add_factor(make_factor(factor_id="f2", created_at=2000.0))
        await store.consume_step("alice", "f1", 5, drift=1)
        old = make_factor().sealed
        assert await store.replace_sealed("alice", "f1", b"new", expected=b"other") is False
        assert await store.replace_sealed("alice", "f9", b"new", expected=old) is False
        assert await store.replace_sealed("bob", "f1", b"new", expected=old) is False
        assert await store.replace_sealed("alice", "f1", b"new", expected=old) is True
        assert await store.replace_sealed("alice", "f1", b"newer", expected=old) is False
        assert await store.factors("alice") == (
            make_factor(sealed=b"new", last_step=5, drift=1),
            make_factor(factor_id="f2", created_at=2000.0),
        )

    asyncio.run(scene())


def test_drift_is_kept_with_a_step_that_is_taken_and_no_other(store: Store) -> None:
    async def scene() -> None:
        await store.put_factor(make_factor(), [])
        await store.consume_step("alice", "f1", 5, drift=-2)
        await store.consume_step("alice", "f1", 5, drift=1)
        assert [(f.last_step, f.drift) for f in await store.factors("alice")] == [(5, -2)]
        await store.consume_step("alice", "f1", 6)
        assert [(f.last_step, f.drift) for f in await store.factors("alice")] == [(6, 0)]

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
