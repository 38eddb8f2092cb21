"""Promises about grants and epochs."""

from __future__ import annotations

from ..state import Store
from .promises import promise, refused, same
from .records import STRANGE, keep_grant, make_grant, put_grant, use


async def _held(store: Store, user: str = "alice", now: float = 1001.0) -> list[str]:
    return [grant.grant_id for grant in await store.grants(user, now=now)]


@promise
async def grants_come_back(store: Store) -> None:
    """A grant comes back as it was put, and none takes the place of another of its id."""
    same(await store.grant("g1"), None)
    kept = [
        await keep_grant(store, make_grant()),
        await keep_grant(store, make_grant("g2", user=STRANGE, session="", browser="", scope="request", uses_left=1)),
    ]
    for grant in kept:
        same(await store.grant(grant.grant_id), grant)
    stranger = make_grant(user="mallory", epoch=await store.epoch("mallory"))
    await refused(put_grant(store, stranger), "a second one of this id")
    same(await store.grant("g1"), kept[0])


@promise
async def uses_run_out(store: Store) -> None:
    """A grant with uses is used so often and no more; one without a count is never used up or counted."""
    twice = await keep_grant(store, make_grant("twice", uses_left=2))
    endless = await keep_grant(store, make_grant("open"))
    same([await use(store, "twice") for _ in range(3)], [True, True, False])
    same(await store.grant("twice"), twice._replace(uses_left=0))
    same([await use(store, name) for name in ("open", "nothing")], [False, False])
    same(await store.grant("open"), endless)


@promise
async def a_user_holds_the_newest(store: Store) -> None:
    """A user holds at most ``keep`` grants, the newest and the new one, and is shown them newest first."""
    for name, proved_at in (("g2", 1002.0), ("g1", 1001.0), ("g3", 1002.0)):
        await keep_grant(store, make_grant(name, proved_at=proved_at), keep=3)
    await keep_grant(store, make_grant("bob", user="bob"), keep=1)
    same(await _held(store), ["g3", "g2", "g1"])
    await keep_grant(store, make_grant("g4", proved_at=1003.0), keep=3)
    same(await _held(store), ["g4", "g3", "g2"])
    await keep_grant(store, make_grant("clock back", proved_at=900.0), keep=2)
    same(await _held(store), ["g4", "clock back"])
    same(await store.grant("g2"), None)
    same(await _held(store, "bob"), ["bob"])


@promise
async def expired_grants_are_not_held(store: Store) -> None:
    """An expired grant is not held, and goes with the user's next."""
    await keep_grant(store, make_grant("short", expires_at=1100.0))
    same([await _held(store, now=now) for now in (1099.9, 1100.0)], [["short"], []])
    await keep_grant(store, make_grant("next", proved_at=1099.5))
    await keep_grant(store, make_grant("last", proved_at=1100.0))
    same(await store.grant("short"), None)
    same(await _held(store, now=1100.0), ["last", "next"])


@promise
async def revoking_takes_one_or_all(store: Store) -> None:
    """revoke_grants drops one grant of its user, or all and ends the epoch; never another's."""
    for name in ("g1", "g2", "g3"):
        await keep_grant(store, make_grant(name, uses_left=1))
    await keep_grant(store, make_grant("bob", user="bob"))
    epoch = await store.epoch("alice")
    same([await store.revoke_grants("alice", name) for name in ("bob", "g2", "g2")], [0, 1, 0])
    same((await store.grant("g2"), await use(store, "g2")), (None, False))
    same(await store.epoch("alice"), epoch, "the epoch after one")
    same([await store.revoke_grants("alice") for _ in range(2)], [2, 0])
    same((await _held(store), await _held(store, "bob")), ([], ["bob"]))
    again = await keep_grant(store, make_grant("g2", session="s2"))
    same(await store.grant("g2"), again, "a grant of an id that was revoked")


@promise
async def an_epoch_stays_until_it_is_ended(store: Store) -> None:
    """A user's epoch is one number until something ends it; no two are alike."""
    first = await store.epoch("alice")
    same((await store.epoch("alice"), 1 <= first < 2**53), (first, True))
    same(await store.epoch("bob") == first, False, "another's epoch is the same")
    raised = await store.raise_epoch("alice")
    same((raised == first, await store.epoch("alice")), (False, raised))


@promise
async def a_grant_of_an_ended_epoch_is_dead(store: Store) -> None:
    """raise_epoch voids every grant of its user, and a grant of an ended epoch that comes late is not kept."""
    grant = await keep_grant(store, make_grant(uses_left=1))
    other = await keep_grant(store, make_grant("bob", user="bob"))
    await store.raise_epoch("alice")
    same((await store.grant("g1"), await use(store, "g1"), await _held(store)), (None, False, []))
    same(await put_grant(store, grant._replace(grant_id="late")), False, "a late grant")
    same(await put_grant(store, make_grant("none", epoch=0)), False, "a grant of no epoch")
    same(await store.grant("late"), None)
    same(await store.grant("bob"), other, "another's grant")
