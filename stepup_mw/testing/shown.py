"""Promises about all that a request shows at once, and about the one use that it may take."""

from __future__ import annotations

from typing import Any

from ..state import Carried, Shown, Store
from .promises import promise, same
from .records import STRANGE, keep_grant, make_grant, make_terms, use


@promise
async def what_is_shown_is_looked_up_at_once(store: Store) -> None:
    """shown gives what sighting and grant give, each grant in its place, whosever it is, and takes nothing."""
    await store.remember("alice", "device", STRANGE, now=1.0, keep=9)
    await store.remember("alice", "network", "n1", now=1.0, keep=9)
    one = await keep_grant(store, make_grant(uses_left=1))
    two = await keep_grant(store, make_grant("g2", user=STRANGE, session="", binding=""))
    for device, known in ((STRANGE, True), ("d2", False), ("n1", False), ("", False)):
        same(await store.shown("alice", device, []), Shown(known, ()), f"device {device!r}")
    same(await store.shown("alice", STRANGE, ["g2", "none", "g1", "g1"]), Shown(True, (two, None, one, one)))
    same(await store.shown("bob", STRANGE, ["g1"]), Shown(False, (one,)), "who is another")
    await store.raise_epoch("alice")
    same(await store.shown("alice", STRANGE, ["g1", "g2"]), Shown(True, (None, two)), "after the epoch")


@promise
async def a_use_is_taken_on_all_its_terms(store: Store) -> None:
    """use_grant takes no use of a grant that differs from its terms in anything, and then the one that is there."""
    kept = await keep_grant(store, make_grant(uses_left=1))
    texts = ("user", "session", "service", "rule", "rule_version", "binding")
    wrong: list[dict[str, Any]] = [{name: text} for name in texts for text in ("", "x", STRANGE)]
    wrong += [{"scope": "request"}, {"methods": ()}, {"methods": ("passkey", "tot")}]
    wrong += [{"browser": ""}, {"browser": "b2"}, {"browser": '"b1"'}]
    for changes in wrong:
        same(await use(store, **changes), False, str(changes))
    same(await store.grant("g1"), kept, "after what does not fit")
    same([await use(store) for _ in range(2)], [True, False])


@promise
async def a_use_is_taken_in_its_time(store: Store) -> None:
    """A proof is good from the leeway before it until its age is reached, and no longer than its grant."""
    kept = await keep_grant(store, make_grant(proved_at=1000.0, expires_at=1300.0, uses_left=9))
    for now, age, good in (
        (994.9, 60.0, False),
        (995.0, 60.0, True),
        (1059.9, 60.0, True),
        (1060.0, 60.0, False),
        (1299.9, 900.0, True),
        (1300.0, 900.0, False),
    ):
        same(await use(store, now=now, max_age_s=age), good, f"at {now}")
    same(await store.grant("g1"), kept._replace(uses_left=6))


@promise
async def a_use_is_of_the_browser(store: Store) -> None:
    """A grant is used in its browser, in any one where it is of none, and in any by a portable token."""
    await keep_grant(store, make_grant("own", uses_left=9))
    await keep_grant(store, make_grant("any", browser="", uses_left=9))
    same([await use(store, name, browser="b2") for name in ("own", "any")], [False, True])
    same(await use(store, "own", browser="b2", portable=True), True)


@promise
async def one_use_is_taken_of_all_that_is_carried(store: Store) -> None:
    """Of several grants that fit the first one is used, the others are left; what is there after it is given."""
    await store.remember("alice", "device", "d1", now=1.0, keep=9)
    names = ("other", "endless", "spent", "first", "second")
    changed: dict[str, dict[str, Any]] = {"other": {"rule": "wire"}, "endless": {"uses_left": None}}
    kept = {
        name: await keep_grant(store, make_grant(name, **{"uses_left": 1, **changed.get(name, {})})) for name in names
    }
    await use(store, "spent")
    carried = [Carried("nothing", portable=True), *(Carried(name, portable=False) for name in names)]
    used = {name: kept[name]._replace(uses_left=0) for name in ("spent", "first")}
    after = (None, *({**kept, **used}[name] for name in names))
    same(await store.use_grant("alice", "d1", carried, make_terms()), Shown(True, after, used["first"]))
    same((await store.shown("alice", "d1", [each.grant_id for each in carried])).grants, after, "what is there")
    second = await store.use_grant("alice", "d2", carried, make_terms())
    same((second.known, second.taken), (False, kept["second"]._replace(uses_left=0)))
    same((await store.use_grant("alice", "", carried, make_terms())).taken, None, "a third one")
    same(await store.use_grant("alice", "", [], make_terms()), Shown(False, ()), "without any")


@promise
async def a_use_holds_for_every_text(store: Store) -> None:
    """Whatever the texts of a grant are, it is used where they are the same."""
    names = ("user", "session", "browser", "service", "rule", "rule_version", "binding")
    texts: dict[str, Any] = dict.fromkeys(names, STRANGE)
    kept = await keep_grant(store, make_grant(**texts, scope="request", method=STRANGE, uses_left=1))
    same(await use(store, **texts, scope="request", methods=("totp", STRANGE[:-1])), False)
    same(await use(store, **texts, scope="request", methods=("totp", STRANGE)), True)
    same(await store.grant("g1"), kept._replace(uses_left=0))


@promise
async def another_user_uses_nothing(store: Store) -> None:
    """A grant is never used by who is not its user, whatever terms come with it."""
    kept = await keep_grant(store, make_grant(uses_left=1))
    await store.epoch("bob")
    found = await store.use_grant("bob", "", [Carried("g1", portable=True)], make_terms(user="bob"))
    same(found, Shown(False, (kept,)))
