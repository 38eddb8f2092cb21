"""Invariants 9, 10 and 12: a grant opens for its user, session and service while nothing has ended it, and never again.

A machine earns grants and ends them in every way there is: by the owner, the app and the operator, by a new or a
removed factor, by a withdrawn key, a lost store, an older copy of it. Between, it restarts, and steps the clock.
Every token that was ever given is tried again and again; the model says which may open.
"""

from __future__ import annotations

import base64
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stepup_mw import enrollment
from stepup_mw.config import load_config
from stepup_mw.revocation import revoke_grants
from stepup_mw.state import Factor, Store

from .backups import backup_of
from .world import KEY, Stage, StoreKind, World, who

USERS = ("alice", "bob")
MAX_AGE_S = 300

any_user = st.sampled_from(USERS)


class Keyed(World):
    """A world whose secret keys can change at a restart."""

    keys = KEY

    def _make(self, store: Store | None) -> Stage:
        config = load_config(self.mapping(), {"STEPUP_SECRET_KEY": self.keys})
        stage = Stage(config, self.clock, store)
        stage.faulty_store.attempts = self.attempts
        return stage


class Grants(RuleBasedStateMachine):
    """``alive``: tokens that may open, with the time of their proof. ``given``: every token ever, by user."""

    kinds: tuple[StoreKind, ...] = ("memory", "sqlite")

    @initialize(door=st.sampled_from(["asgi", "wsgi"]), data=st.data())
    def begin(self, door: Any, data: st.DataObject) -> None:
        store = data.draw(st.sampled_from(self.kinds))
        self.folder = Path(tempfile.mkdtemp(prefix="stepup-void-"))
        changes = {"throttle": {"account": {"failures": 50, "ceiling": 100}}, "challenge": {"enroll": "self"}}
        self.world = Keyed(folder=self.folder, door=door, store=store, changes=changes, durability="write")
        self.backup = None if store == "memory" else backup_of(store, self.folder)
        self.copied = self.lost = False
        self.spent: set[str] = set()
        self.given: dict[str, list[str]] = {user: [] for user in USERS}
        self.alive: dict[str, float] = {}
        for user in USERS:
            self.world.enroll(user)

    @property
    def store(self) -> Any:
        return self.world.stage.faulty_store.inner

    def _all_end(self, user: str) -> None:
        for token in self.given[user]:
            self.alive.pop(token, None)

    def _run(self, call: Any) -> Any:
        return self.world.runner.run(call)

    # What may happen

    @rule(user=any_user, path=st.sampled_from(["/transfer", "/payroll"]))
    def prove(self, user: str, path: str) -> None:
        if user not in self.world.secrets:
            return
        self.world.clock.now += 31
        challenge = self.world.post(user, path)
        if challenge.kind != "challenge-required":
            return
        answer = self.world.verify(user, challenge, self.world.code(user))
        if answer.status == 200:
            token = answer.json["grant"]
            self.given[user].append(token)
            self.alive[token] = self.world.clock.now

    @rule(by=st.sampled_from([1.0, 40.0, 299.0, -1.0, -20.0]))
    def time_goes(self, by: float) -> None:
        self.world.clock.now += by

    @rule()
    def restart(self) -> None:
        self.world.restart()

    @rule(user=any_user, by=st.sampled_from(["app", "operator"]))
    def is_revoked(self, user: str, by: Any) -> None:
        self._run(revoke_grants(self.world.stage.gate.services, user, by=by))
        self._all_end(user)

    @rule(user=any_user)
    def gives_all_up(self, user: str) -> None:
        assert self.world.ask("DELETE", "/_stepup/grants", who(user)).status == 200
        self._all_end(user)

    @rule(user=any_user, data=st.data())
    def gives_one_up(self, user: str, data: st.DataObject) -> None:
        if self.given[user]:
            token = data.draw(st.sampled_from(self.given[user]))
            self.world.ask("DELETE", f"/_stepup/grants/{token.partition('.')[0]}", who(user))
            self.alive.pop(token, None)

    @rule(user=any_user, data=st.data())
    def somebody_else_tries_to_end_one(self, user: str, data: st.DataObject) -> None:
        other = USERS[1 - USERS.index(user)]
        if self.given[other]:
            token = data.draw(st.sampled_from(self.given[other]))
            answer = self.world.ask("DELETE", f"/_stepup/grants/{token.partition('.')[0]}", who(user))
            assert answer.kind == "grant-gone"

    @rule(user=any_user)
    def enrolls_anew(self, user: str) -> None:
        self.world.enroll(user)
        self._all_end(user)

    @rule(user=any_user)
    def adds_a_factor(self, user: str) -> None:
        factor = Factor(user=user, factor_id=f"f{self.world.clock.now}", sealed=b"?", created_at=self.world.clock.now)
        if self._run(self.store.add_factor(factor)):
            self._all_end(user)

    @rule(user=any_user)
    def is_disabled(self, user: str) -> None:
        self._run(enrollment.revoke(self.world.stage.gate.services, user))
        self.world.secrets.pop(user, None)
        self._all_end(user)

    @rule()
    def the_keys_are_replaced(self) -> None:
        self.world.keys = base64.b64encode(os.urandom(32)).decode()
        self.world.restart()
        self.alive.clear()
        self.world.secrets.clear()

    @rule(user=any_user, data=st.data())
    def uses_a_recovery_code(self, user: str, data: st.DataObject) -> None:
        """One that may be good, or one that was used: that is never good again, whatever happened to the store."""
        codes = self.world.recovery.get(user, [])
        if not codes:
            return
        code = data.draw(st.sampled_from([codes[0], *[used for used in codes if used in self.spent]]))
        answer = self.world.post(user, "/wire", step_up_code=code)
        if answer.status == 200:
            assert code not in self.spent, "a recovery code was good twice"
            self.spent.add(code)

    @precondition(lambda self: self.backup is not None)
    @rule()
    def the_store_is_copied(self) -> None:
        assert self.backup is not None
        self._run(self.store.aclose())
        self.backup.copy()
        self.copied = True

    def _after_a_loss(self) -> None:
        self.world.restart()
        self.alive.clear()
        self.lost = True
        for user in USERS:  # who is to be asked for an authenticator that is gone cannot be asked any more
            if not self._run(self.store.factors(user)):
                self.world.secrets.pop(user, None)
            self.asks_to_enroll(user)
            for code in self.world.recovery.get(user, [])[:2]:
                assert self.world.post(user, "/wire", step_up_code=code).status != 200, "a code of before"

    @precondition(lambda self: self.copied)
    @rule()
    def an_older_copy_is_put_back(self) -> None:
        """What the copy holds may be void with it; what is dead stays dead."""
        assert self.backup is not None
        before = self._used_up()
        self._run(self.store.aclose())
        self.backup.put_back()
        self.world.restart()
        if self._run(self.store.loss()) is None:
            assert self._used_up() == before, "an older copy was taken for the store"
            return
        self._after_a_loss()
        for user in USERS:
            assert self._run(self.store.recovery_left(user)) == 0

    @precondition(lambda self: self.backup is not None)
    @rule(user=any_user, what=st.sampled_from(["proof", "recovery code", "revocation", "nothing"]), data=st.data())
    def goes_back_over_something(self, user: str, what: str, data: st.DataObject) -> None:
        self.the_store_is_copied()
        if what == "proof":
            self.prove(user, "/transfer")
        elif what == "recovery code":
            self.uses_a_recovery_code(user, data)
        elif what == "revocation":
            self.is_revoked(user, "operator")
        self.an_older_copy_is_put_back()

    def _used_up(self) -> list[Any]:
        """What is counted in the store: it cannot have gone back where no loss was found."""
        return [
            (self._run(self.store.recovery_left(user)), [f.last_step for f in self._run(self.store.factors(user))])
            for user in USERS
        ]

    @precondition(lambda self: self.backup is not None)
    @rule()
    def the_store_is_emptied(self) -> None:
        assert self.backup is not None
        self._run(self.store.aclose())
        self.backup.empty()
        self._after_a_loss()
        self.world.secrets.clear()

    @rule()
    def the_loss_is_accepted(self) -> None:
        assert self._run(self.store.accept_loss()) in (self.lost, True)
        self.lost = False

    @rule(user=any_user)
    def asks_to_enroll(self, user: str) -> None:
        """Who has no authenticator may enroll one; who may have lost it with the store may not."""
        enrolled = bool(self._run(self.store.factors(user)))
        answer = self.world.ask("GET", "/_stepup/enroll", who(user))
        assert answer.status == (200 if enrolled or not self.lost else 503)

    # What always holds

    @invariant()
    def the_dead_stay_dead_and_the_living_open(self) -> None:
        if not hasattr(self, "world"):
            return
        for user in USERS:
            for token in self.given[user][-3:]:
                self._try(user, token)

    def _try(self, user: str, token: str) -> None:
        runs = len(self.world.runs)
        other = USERS[1 - USERS.index(user)]
        for path in ("/transfer", "/payroll"):
            assert self.world.post(other, path, step_up_grant=token).status != 200
        assert len(self.world.runs) == runs, "another user's grant opened"
        assert self.world.post(user, "/wire", step_up_grant=token).status != 200, "a wider grant opened one request"
        opened = any(
            self.world.post(user, path, step_up_grant=token).status == 200 for path in ("/transfer", "/payroll")
        )
        age = self.world.clock.now - self.alive.get(token, -1e18)
        assert opened <= (-5 <= age < MAX_AGE_S), "a dead or stale grant opened"
        if 0 <= age < MAX_AGE_S:
            assert opened, "a living grant does not open"

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.close()
            shutil.rmtree(self.folder)


TestGrants = Grants.TestCase
TestGrants.settings = settings(max_examples=8, stateful_step_count=15, deadline=None)
