"""Promises about factors, recovery codes and what signals remember."""

from __future__ import annotations

from ..state import Place, Sighting, Store, UserSummary
from .promises import promise, same
from .records import STRANGE, attempt, keep_grant, make_challenge, make_factor, make_grant


@promise
async def nothing_was_lost(store: Store) -> None:
    """A new store has lost nothing, nor has one that is used: nobody is missed, and there is nothing to accept."""
    for _ in range(2):
        same((await store.loss(), await store.missed("alice"), await store.accept_loss()), (None, False, False))
        await store.put_factor(make_factor("bob"), ["r1"])
        await store.consume_step("bob", "f1", 5)
        await keep_grant(store, make_grant(user="bob"))
    same(((await store.grant("g1")) is not None, await store.recovery_left("bob")), (True, 1), "what it kept")


@promise
async def factors_come_back(store: Store) -> None:
    """A factor comes back as it was put, whatever is in its name."""
    factor = make_factor(STRANGE, STRANGE, label=STRANGE, drift=-1, last_step=7)
    same(await store.factors(STRANGE), ())
    same(await store.put_factor(factor, ["r1", "r2", "r2"]), False, "was there one before")
    same(await store.factors(STRANGE), (factor,))
    same(await store.factors("bob"), ())
    same((await store.recovery_left(STRANGE), await store.recovery_left("bob")), (2, 0))


@promise
async def a_new_factor_replaces_all(store: Store) -> None:
    """put_factor replaces factors, recovery codes, grants, failures and lock of its user, and of nobody else."""
    for user in ("alice", "bob"):
        await store.put_factor(make_factor(user), ["r1"])
        await keep_grant(store, make_grant(f"g-{user}", user=user))
        for _ in range(5):
            await attempt(store, user, now=1000.0)
    await store.remember("alice", "device", "d1", now=1.0, keep=9)
    epoch = await store.epoch("alice")
    same(await store.put_factor(make_factor(factor_id="f2", last_step=7), ["r8", "r9"]), True)
    same(await store.factors("alice"), (make_factor(factor_id="f2", last_step=7),))
    same(await store.consume_recovery("alice", "r1"), False, "an old recovery code")
    same(await store.recovery_left("alice"), 2)
    same(await store.grant("g-alice"), None, "an old grant")
    same(await store.epoch("alice") == epoch, False, "the epoch is the same")
    same(await store.failures("alice"), (0, 0.0))
    same((await store.sighting("alice", "device", "d1")).known, True, "a sighting")
    same((await store.grant("g-bob")) is not None, True, "another's grant")
    same(await store.failures("bob"), (5, 1030.0), "another's failures")


@promise
async def several_factors_stand_beside_each_other(store: Store) -> None:
    """add_factor and remove_factor change one factor, end the epoch, and leave the rest."""
    await store.put_factor(make_factor(), ["r1"])
    await keep_grant(store, make_grant())
    same(await store.add_factor(make_factor(factor_id="f0", created_at=999.0), keep=2), True)
    same(await store.grant("g1"), None, "a grant from before")
    await keep_grant(store, make_grant("g2"))
    same(await store.add_factor(make_factor(factor_id="f9"), keep=2), False, "beyond the cap")
    same(await store.add_factor(make_factor(factor_id="f1"), keep=9), False, "of an id that is there")
    same((await store.grant("g2")) is not None, True, "a grant after nothing was changed")
    same([factor.factor_id for factor in await store.factors("alice")], ["f0", "f1"], "oldest first")
    same(await store.remove_factor("alice", "f9"), False)
    same((await store.grant("g2")) is not None, True, "a grant after nothing was removed")
    same(await store.remove_factor("alice", "f1"), True)
    same(await store.grant("g2"), None, "a grant from before the removal")
    same([factor.factor_id for factor in await store.factors("alice")], ["f0"])
    same(await store.recovery_left("alice"), 1, "recovery codes")
    same(await store.remove_factor("alice", "f0"), True)
    same((await store.factors("alice"), await store.recovery_left("alice")), ((), 1))


@promise
async def removing_leaves_the_count_of_failures(store: Store) -> None:
    """remove_factors takes factors, recovery codes, grants and sightings; failures and lock stay."""
    for user in ("alice", "bob"):
        await store.put_factor(make_factor(user), ["r1"])
        await store.remember(user, "network", "n1", now=1.0, keep=9)
    await keep_grant(store, make_grant())
    await attempt(store, now=1000.0)
    same([await store.remove_factors("alice") for _ in range(2)], [1, 0])
    same((await store.factors("alice"), await store.recovery_left("alice")), ((), 0))
    same(await store.grant("g1"), None)
    same(await store.sighting("alice", "network", "n1"), Sighting(known=False, any=False))
    same(await store.failures("alice"), (1, 0.0))
    same((await store.sighting("bob", "network", "n1")).known, True, "another's sighting")


@promise
async def users_are_listed_by_name(store: Store) -> None:
    """users gives every user with a factor, by name, with what they have."""
    for user in ("zoë", "alice", "Bob", "日本"):
        await store.put_factor(make_factor(user, created_at=5.5), ["r1", "r2"])
    await store.put_factor(make_factor("gone"), [])
    await store.remove_factors("gone")
    await store.consume_recovery("alice", "r1")
    for _ in range(5):
        await attempt(store, now=1000.0)
    await attempt(store, "nobody", now=1000.0)
    found = await store.users()
    same([summary.user for summary in found], ["Bob", "alice", "zoë", "日本"])
    wanted = UserSummary(user="alice", factors=1, recovery_codes=1, created_at=5.5, failures=5, locked_until=1030.0)
    same(found[1], wanted)
    same((found[2].failures, found[2].locked_until), (0, 0.0))


@promise
async def a_step_is_taken_once(store: Store) -> None:
    """A time step of a factor is taken once, and none before it ever again; the drift goes with it."""
    await store.put_factor(make_factor(), [])
    found = [await store.consume_step("alice", "f1", step, drift=step) for step in (0, 0, 5, 5, 4, 6)]
    same(found, [True, False, True, False, False, True])
    same(await store.factors("alice"), (make_factor(last_step=6, drift=6),))
    same(await store.consume_step("alice", "f2", 9), False, "a factor that is not there")
    same(await store.consume_step("bob", "f1", 9), False, "a user who is not there")


@promise
async def no_step_is_given_back(store: Store) -> None:
    """Putting the same factor again gives no step back."""
    await store.put_factor(make_factor(), [])
    await store.consume_step("alice", "f1", 50)
    await store.put_factor(make_factor(), [])
    same([await store.consume_step("alice", "f1", step) for step in (50, 51)], [False, True])


@promise
async def a_secret_is_sealed_anew(store: Store) -> None:
    """replace_sealed changes the secret that is expected there and nothing else."""
    await store.put_factor(make_factor(sealed=b"old\n1"), ["r1"])
    await store.consume_step("alice", "f1", 5, drift=1)
    await keep_grant(store, make_grant())
    same(await store.replace_sealed("alice", "f1", b"new", expected=b"other"), False)
    same(await store.replace_sealed("alice", "f2", b"new", expected=b"old\n1"), False)
    same(await store.replace_sealed("alice", "f1", b"n\new", expected=b"old\n1"), True)
    same(await store.factors("alice"), (make_factor(sealed=b"n\new", last_step=5, drift=1),))
    same((await store.grant("g1")) is not None, True, "a grant")


@promise
async def a_recovery_code_is_taken_once(store: Store) -> None:
    """A recovery code is taken once and by its owner; put_recovery replaces them all."""
    await store.put_factor(make_factor(), ["r1", "r2"])
    await store.put_factor(make_factor("bob"), ["r3"])
    found = [await store.consume_recovery("alice", code) for code in ("r3", "r1", "r1")]
    same(found, [False, True, False])
    same((await store.recovery_left("alice"), await store.recovery_left("bob")), (1, 1))
    await store.put_recovery("alice", ["n1", "n2", "n3"])
    same((await store.recovery_left("alice"), await store.consume_recovery("alice", "r2")), (3, False))
    await store.put_recovery("alice", [])
    same((await store.recovery_left("alice"), len(await store.factors("alice"))), (0, 1))


@promise
async def sightings_are_of_a_user_and_kind(store: Store) -> None:
    """A value is known to the user and kind it was remembered for."""
    same(await store.sighting("alice", "device", "d1"), Sighting(known=False, any=False))
    await store.remember("alice", "device", "d1", now=1.0, keep=3)
    same(await store.sighting("alice", "device", "d1"), Sighting(known=True, any=True))
    same(await store.sighting("alice", "device", "d2"), Sighting(known=False, any=True))
    same(await store.sighting("alice", "network", "d1"), Sighting(known=False, any=False))
    same(await store.sighting("bob", "device", "d1"), Sighting(known=False, any=False))


@promise
async def a_sighting_can_be_forgotten(store: Store) -> None:
    """One value of one user and kind counts as never seen; nothing else does."""
    for user, value in (("alice", "d1"), ("alice", "d2"), ("bob", "d1")):
        await store.remember(user, "device", value, now=1.0, keep=3)
    await store.remember("alice", "network", "d1", now=1.0, keep=3)
    same([await store.forget_sighting("alice", "device", "d1") for _ in range(2)], [True, False])
    same(await store.sighting("alice", "device", "d1"), Sighting(known=False, any=True))
    same((await store.sighting("alice", "device", "d2")).known, True)
    same((await store.sighting("bob", "device", "d1")).known, True)
    same((await store.sighting("alice", "network", "d1")).known, True)


@promise
async def sightings_are_bounded(store: Store) -> None:
    """At most ``keep`` values a user and kind; the ones seen longest ago go first, never the new one."""

    async def known() -> str:
        return "".join([name for name in "abcdef" if (await store.sighting("alice", "device", name)).known])

    for order, name in enumerate("abc"):
        await store.remember("alice", "device", name, now=float(order), keep=3)
        await store.remember("alice", "network", name, now=float(order), keep=3)
    for moment, name, keep, left in (
        (5.0, "a", 3, "abc"),
        (6.0, "d", 3, "acd"),
        (0.0, "e", 3, "ade"),
        (6.0, "f", 1, "f"),
    ):
        await store.remember("alice", "device", name, now=moment, keep=keep)
        same(await known(), left, f"after {name}")
    same((await store.sighting("alice", "network", "b")).known, True, "another kind")


@promise
async def the_last_place_of_a_user_is_kept(store: Store) -> None:
    """A user has one place, the one put last, whatever its bytes; remove_factors takes it."""
    same(await store.place("alice"), None)
    await store.put_place("alice", b"there", now=9.25)
    await store.put_place("alice", bytes(range(256)), now=5.5)
    await store.put_place("bob", b"elsewhere", now=1.0)
    same(await store.place("alice"), Place(sealed=bytes(range(256)), at=5.5))
    await store.put_factor(make_factor(), [])
    same(await store.place("alice"), Place(sealed=bytes(range(256)), at=5.5), "after a factor was put")
    same((await store.sighting("alice", "country", "x")).any, False, "a place is no sighting")
    await store.remove_factors("alice")
    same((await store.place("alice"), await store.place("bob")), (None, Place(sealed=b"elsewhere", at=1.0)))


@promise
async def removing_leaves_no_challenge_behind_or_ahead(store: Store) -> None:
    """Changing factors touches no challenge."""
    await store.open_challenge(make_challenge(), keep=9)
    await store.put_factor(make_factor(), [])
    await store.remove_factors("alice")
    same(await store.challenge("c1"), make_challenge())
