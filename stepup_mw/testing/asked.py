"""Promises about challenges."""

from __future__ import annotations

from ..state import Challenge, ChallengeState, FactorKind, Store
from ..stores.bounds import SETTLED_KEPT_S
from .promises import promise, refused, same
from .records import STRANGE, make_challenge, make_factor, try_challenge

_ENDS: tuple[ChallengeState, ...] = ("approved", "denied", "expired", "abandoned", "locked", "error")


@promise
async def challenges_come_back(store: Store) -> None:
    """A challenge comes back as it was opened, and none takes the place of another of its id."""
    challenge = make_challenge(user=STRANGE, session="", binding="d", facts=b"\0\n\xff", return_to=b"")
    same(await store.challenge("c1"), None)
    same(await store.open_challenge(challenge, keep=3), ())
    same(await store.challenge("c1"), challenge)
    await refused(store.open_challenge(make_challenge(user="mallory"), keep=3), "a second one of this id")
    same(await store.challenge("c1"), challenge)


@promise
async def the_oldest_beyond_the_cap_are_abandoned(store: Store) -> None:
    """A user has at most ``keep`` open challenges; the oldest beyond are settled as abandoned and given back."""
    opened = [make_challenge(f"c{number}", created_at=1000.5 + number) for number in range(5)]
    for challenge in (opened[1], opened[0], opened[2]):
        same(await store.open_challenge(challenge, keep=3), ())
    same(await store.open_challenge(make_challenge("other", user="bob"), keep=1), ())
    await store.settle_challenge("c2", "approved", now=1003.0)
    same(await store.open_challenge(opened[3], keep=3), ())
    evicted = await store.open_challenge(opened[4], keep=2) or ()
    same(evicted, tuple(each._replace(state="abandoned", settled_at=1004.5) for each in opened[:2]))
    same(await store.challenge("c0"), evicted[0])
    same(await store.challenge("c3"), opened[3])


@promise
async def the_new_one_stays(store: Store) -> None:
    """The challenge that is opened is never the one that goes, also when the clock went back."""
    await store.open_challenge(make_challenge("later", created_at=2000.0), keep=1)
    evicted = await store.open_challenge(make_challenge("clock back", created_at=1000.0), keep=1) or ()
    same([challenge.challenge_id for challenge in evicted], ["later"])


@promise
async def only_who_can_prove_is_asked(store: Store) -> None:
    """With ``kinds`` a challenge is opened where its user has an authenticator of one of them, which has a secret, and
    nothing is changed where they have none."""

    async def asked(name: str, *kinds: FactorKind, keep: int = 9) -> tuple[Challenge, ...] | None:
        return await store.open_challenge(make_challenge(name, created_at=1001.5), keep=keep, kinds=kinds)

    await store.open_challenge(make_challenge("before"), keep=9)
    await store.add_factor(make_factor("bob"))
    await store.add_factor(make_factor(factor_id="row", sealed=b""))
    same(await asked("c1", "totp", "passkey", keep=1), None, "who has no authenticator with a secret")
    same(await store.challenge("before"), make_challenge("before"), "one of before")
    await store.add_factor(make_factor(factor_id="passkey:\n"))
    same([await asked("c1", "totp"), await asked("c1")], [None, None], "who has a passkey alone")
    same((await store.challenge("c1"), await asked("c1", "totp", "passkey")), (None, ()))
    evicted = await asked("c2", "passkey", keep=1) or ()
    same([(each.challenge_id, each.state) for each in evicted], [("before", "abandoned"), ("c1", "abandoned")])
    await store.add_factor(make_factor(factor_id="f1"))
    await store.remove_factor("alice", "passkey:\n")
    same([await asked("c3", "passkey"), await asked("c3", "totp")], [None, ()], "who has a code alone")
    same(await store.open_challenge(make_challenge("c4", user="carol"), keep=9), (), "of whoever, without kinds")


@promise
async def the_latest_is_for_exactly_these(store: Store) -> None:
    """latest_challenge is the newest open, unexpired one of exactly this user, session, rule and binding."""

    async def latest(*asked: str, now: float = 1001.0) -> str | None:
        user, session, rule, binding = asked or ("alice", "s1", "transfer", "")
        found = await store.latest_challenge(user, session, rule, binding, now=now)
        return found.challenge_id if found else None

    same(await latest(), None)
    for name, created_at in (("c1", 1000.0), ("c3", 1002.0), ("c2", 1002.0), ("c0", 999.0)):
        await store.open_challenge(make_challenge(name, created_at=created_at), keep=9)
    await store.open_challenge(make_challenge("bound", binding="d", created_at=1005.0), keep=9)
    same(await latest(), "c2")
    same(await latest("alice", "s1", "transfer", "d"), "bound")
    for asked in (
        ("bob", "s1", "transfer", ""),
        ("alice", "s2", "transfer", ""),
        ("alice", "s1", "other", ""),
        ("alice", "s1", "transfer", "e"),
        ("alice", "s1t", "ransfer", ""),
    ):
        same(await latest(*asked), None, str(asked))
    await store.settle_challenge("c2", "denied", now=1003.0)
    same([await latest(now=now) for now in (1003.0, 1300.49, 1300.5)], ["c3", "c3", None])


@promise
async def it_ends_once(store: Store) -> None:
    """A challenge has one end, ever."""
    for state in _ENDS:
        await store.open_challenge(make_challenge(state), keep=99)
        same(await store.settle_challenge(state, "open", now=1000.5), False)
        same(await store.settle_challenge(state, state, now=1001.5), True)
        same(await store.settle_challenge(state, "approved", now=1002.5), False)
        same(await store.challenge(state), make_challenge(state, state=state, settled_at=1001.5))
        await store.mark_logged(state)
        same(await store.challenge(state), make_challenge(state, state=state, settled_at=1001.5, logged=True))
    same(await store.settle_challenge("nobody", "denied", now=1001.5), False)
    await store.mark_logged("nobody")


@promise
async def an_open_one_has_no_outcome(store: Store) -> None:
    """mark_logged does nothing to an open challenge."""
    await store.open_challenge(make_challenge(), keep=9)
    await store.mark_logged("c1")
    same(await store.challenge("c1"), make_challenge())


async def _due(store: Store, now: float, *, grace_s: float = 10.0, limit: int = 100) -> tuple[Challenge, ...]:
    return await store.due_challenges(now=now, grace_s=grace_s, limit=limit)


@promise
async def what_ran_out_is_given_once(store: Store) -> None:
    """due_challenges settles what ran out, expired if anyone tried, else abandoned, and gives it once."""
    await store.open_challenge(make_challenge("tried"), keep=9)
    await store.open_challenge(make_challenge("left", expires_at=1299.0), keep=9)
    await store.open_challenge(make_challenge("still", expires_at=1301.0), keep=9)
    await try_challenge(store, "tried")
    same(await _due(store, 1298.9), ())
    wanted = (
        make_challenge("left", expires_at=1299.0, state="abandoned", settled_at=1300.5),
        make_challenge("tried", attempts=1, state="expired", settled_at=1300.5),
    )
    same(await _due(store, 1300.5), wanted)
    same(await store.challenge("tried"), wanted[1])
    same(await _due(store, 1300.5, grace_s=0.0), ())
    same(await store.settle_challenge("left", "approved", now=1300.6), False)


@promise
async def a_lost_outcome_is_given_again(store: Store) -> None:
    """A settled challenge whose line was never written is given again after the grace, until it is logged."""
    for name in ("settled", "logged"):
        await store.open_challenge(make_challenge(name), keep=9)
        await store.settle_challenge(name, "denied", now=1100.0)
    await store.mark_logged("logged")
    lost = make_challenge("settled", state="denied", settled_at=1100.0)
    for now, wanted in ((1110.0, ()), (1110.5, (lost,)), (1120.5, ()), (1121.0, (lost,))):
        same(await _due(store, now), wanted, f"at {now}")
    await store.mark_logged("settled")
    same(await _due(store, 1200.0), ())


@promise
async def no_more_is_given_than_asked_for(store: Store) -> None:
    """due_challenges gives no more than ``limit``: what ran out first, then what was lost, oldest first."""
    for number in range(3):
        await store.open_challenge(make_challenge(f"over{number}", expires_at=1100.0 + number), keep=9)
        await store.open_challenge(make_challenge(f"lost{number}"), keep=9)
        await store.settle_challenge(f"lost{number}", "error", now=1001.0 + number)
    found = [[each.challenge_id for each in await _due(store, 1200.0, limit=2)] for _ in range(4)]
    same(found, [["over0", "over1"], ["over2", "lost0"], ["lost1", "lost2"], []])


@promise
async def a_logged_one_is_dropped_long_after(store: Store) -> None:
    """A logged challenge is dropped long after; one that is not logged is not."""
    for name in ("logged", "unlogged"):
        await store.open_challenge(make_challenge(name), keep=9)
        await store.settle_challenge(name, "approved", now=1100.0)
    await store.mark_logged("logged")
    await _due(store, 1100.0 + SETTLED_KEPT_S - 0.5)
    same((await store.challenge("logged")) is not None, True, "before its time")
    await _due(store, 1100.0 + SETTLED_KEPT_S)
    same(await store.challenge("logged"), None, "after its time")
    await _due(store, 1100.0 + 1000 * SETTLED_KEPT_S)
    same((await store.challenge("unlogged")) is not None, True, "the one that is not logged")
