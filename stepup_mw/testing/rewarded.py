"""Promises about what follows a right code, in one step."""

from __future__ import annotations

from ..settings import AddressThrottle
from ..state import ChallengeState, Earned, Given, Kept, Place, Sighting, SightingKind, Store
from .promises import promise, refused, same
from .races import Crowd, race
from .records import attempt, keep_grant, make_challenge, make_earned, make_grant


def make_kept(kept_id: str = "c1") -> Kept:
    return Kept(kept_id=kept_id, user="alice", sealed=b"\0s", expires_at=1100.0)


async def _reward(store: Store, earned: Earned, *, keep: int = 9) -> Given:
    return await store.reward(earned, keep_grants=9, keep_seen=keep)


async def _logged(store: Store, name: str) -> tuple[ChallengeState, bool] | None:
    found = await store.challenge(name)
    return (found.state, found.logged) if found is not None else None


@promise
async def a_right_code_is_rewarded(store: Store) -> None:
    """reward keeps the grant, clears the failures, remembers whence it came, says the outcome is logged, and gives the
    request that waited, in one step."""
    for name in ("c1", "c2"):
        await store.open_challenge(make_challenge(name), keep=9)
    waiting = [make_kept(name) for name in ("c1", "c2")]
    for each in waiting:
        await store.keep_request(each, now=1000.0, limit=9)
    limit = AddressThrottle(failures=5, window_s=60)
    for _ in range(5):
        await attempt(store, address="ip", now=1000.0, limit=limit)
    await store.settle_challenge("c1", "approved", now=1001.0)
    grant = make_grant(epoch=await store.epoch("alice"))
    seen: tuple[tuple[SightingKind, str], ...] = (("network", "n1"), ("country", "k1"))
    whole: tuple[tuple[SightingKind, str], ...] = (("device", "d1"), *seen)
    earned = make_earned(address="ip", grant=grant, device="d1", seen=seen, place=b"\0there", kept=True)
    given = await _reward(store, earned)
    same(given[:3], (True, grant.epoch, Sighting(known=False, any=False)))
    same(given.kept, waiting[0])
    same(await store.grant("g1"), grant)
    same(await store.failures("alice"), (0, 0.0))
    same((await attempt(store, "bob", "ip", now=1001.0, limit=limit)).allowed, True, "given back to the address")
    same((await attempt(store, "bob", "ip", now=1001.0, limit=limit)).allowed, False, "once")
    for kind, value in whole:
        same((await store.sighting("alice", kind, value)).known, True, kind)
    same(await store.place("alice"), Place(sealed=b"\0there", at=1001.0))
    same((await _logged(store, "c1"), await _logged(store, "c2")), (("approved", True), ("open", False)))
    same((await store.kept_request("alice", "c2", now=1001.0)) is not None, True, "another request")


@promise
async def a_reward_without_anything_gives_nothing(store: Store) -> None:
    """What is not in it is left as it is: the request, the place, an open challenge, one of another user's."""
    await store.open_challenge(make_challenge(), keep=9)
    await store.open_challenge(make_challenge("b1", user="bob"), keep=9)
    await store.settle_challenge("b1", "approved", now=1001.0)
    await store.keep_request(make_kept(), now=1000.0, limit=9)
    await store.put_place("alice", b"there", now=5.0)
    for name in ("c1", "b1", "nobody"):
        given = await _reward(store, make_earned(challenge_id=name))
        same(given, (False, 0, Sighting(known=False, any=False), None), name)
    same((await _logged(store, "c1"), await _logged(store, "b1")), (("open", False), ("approved", False)))
    same((await store.kept_request("alice", "c1", now=1001.0)) is not None, True, "the request")
    same(await store.place("alice"), Place(sealed=b"there", at=5.0))
    late = await _reward(store, make_earned(at=1100.0, kept=True))
    same(late.kept, None, "a request past its end")


@promise
async def a_grant_that_comes_late_is_not_kept(store: Store) -> None:
    """A grant of an epoch that has ended is not kept, and the rest is done; it says which epoch is the user's now."""
    await attempt(store, now=1000.0)
    old = make_grant(epoch=await store.epoch("alice"))
    new = await store.raise_epoch("alice")
    given = await _reward(store, make_earned(grant=old, device="d1"))
    same(given[:2], (False, new))
    same((await store.grant("g1"), await store.failures("alice")), (None, (0, 0.0)))
    same(
        (await _reward(store, make_earned(device="d1"))).device,
        Sighting(known=True, any=True),
    )
    same(
        (await store.reward(make_earned(device="d2"), keep_grants=9, keep_seen=1)).device,
        Sighting(known=False, any=True),
    )
    same((await store.sighting("alice", "device", "d1")).known, False, "beyond those that are kept")


@promise
async def a_grant_of_an_id_that_is_there_changes_nothing(store: Store) -> None:
    """Where there is a grant of this id, nothing of what follows a code is done."""
    held = await keep_grant(store, make_grant(uses_left=2))
    await attempt(store, now=1000.0)
    earned = make_earned(grant=held._replace(uses_left=9), device="d1")
    await refused(_reward(store, earned), "a second one of this id")
    same((await store.grant("g1"), (await store.failures("alice"))[0]), (held, 1))
    same((await store.sighting("alice", "device", "d1")).known, False)
    await refused(_reward(store, make_earned(grant=held)), "the same once more")


@race
async def one_is_given_the_request(store: Store, crowd: Crowd) -> None:
    """Of 64 rewards for one challenge, one is given the request that waited."""
    await store.keep_request(make_kept(), now=1000.0, limit=9)
    found = await crowd(lambda: _reward(store, make_earned(kept=True)))
    same(sum(given.kept is not None for given in found), 1, "who was given it")
