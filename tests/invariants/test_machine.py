"""The whole service against a model, over every store and both doors: whatever happens, in whatever order.

Here over memory and SQLite; ``test_every_store`` runs the same over real servers.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stepup_mw.config import load_config
from stepup_mw.errors import ConfigError
from stepup_mw.gate.visit import survey
from stepup_mw.totp import time_step
from stepup_mw.trail import verify_trail

from . import record
from .backups import backup_of
from .world import KEY, ROUTES, Answer, StoreKind, World, request_of, who

USERS = ("alice", "bob", "carol")
NOBODY = ""
SPELLINGS = ("{}", "{}/", "/{}", "{}%0a", "{}%2f", "/x/..{}", "/.{}", "{};v=1", "{}?q=QUERYMARK", "{}%00", "/%2e{}")
PATHS = ("/transfer", "/wire", "/payroll", "/rename", "/close", "/watch", "/export/all", "/public")
METHODS = ("POST", "POST", "POST", "GET", "post", "PUT", "HEAD", "FOO")
SWEPT_AT_ONCE = 256
LONGEST_SECRET = 512
MARKS = ("BODYMARK", "QUERYMARK", "TOKENMARK", "SESSIONMARK")

any_user = st.sampled_from(USERS[:2]) | st.sampled_from(USERS)


class Service(RuleBasedStateMachine):
    """``taken``: successes by user and step. ``held``: what each user's client has, cookies and grants."""

    kinds: tuple[StoreKind, ...] = ("memory", "sqlite")

    @initialize(door=st.sampled_from(["asgi", "wsgi"]), data=st.data())
    def begin(self, door: Any, data: st.DataObject) -> None:
        store = data.draw(st.sampled_from(self.kinds))
        self.folder = Path(tempfile.mkdtemp(prefix="stepup-machine-"))
        self.world = World(folder=self.folder, door=door, store=store, durability="write")
        self.taken: Counter[tuple[str, int]] = Counter()
        self.spent: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self.challenges: list[tuple[str, Answer]] = []
        self.grants: dict[str, list[str]] = {user: [] for user in USERS}
        self.cookies: dict[str, dict[str, str]] = {user: {} for user in USERS}
        self.guessed: set[str] = set()
        self.used_up: set[str] = set()
        self.looked_through = 0
        self.fault_for = 0
        self.unexplained = False
        for user in USERS[:2]:
            self.world.enroll(user)

    # What may happen

    def _send(self, user: str, method: str, target: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        pairs = [*who(user), *headers.items(), ("User-Agent", "machine/1"), ("X-Api-Key", "TOKENMARK")]
        target += "" if "?" in target else "?q=QUERYMARK"
        if self.cookies.get(user):
            pairs.append(("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies[user].items())))
        explained, sure = self._explain(method, target, pairs), not self._faults and not self.unexplained
        before = len(self.world.lines())
        runs = len(self.world.runs)
        answer = self.world.ask(method, target, pairs, body)
        self.fault_for -= 1
        if self.fault_for <= 0:
            self._faults_end()
        if user:
            self.cookies[user].update(answer.cookies)
        new = self.world.lines()[before:]
        lines = [line for line in new if record.is_step(line, "trigger") or record.is_step(line, "access", "allowed")]
        if explained is not None and lines:
            assert lines[0]["risk"]["score"] == explained, "explain and live give one score"
        for run in self.world.runs[runs:]:
            self._check_run(run, user)
        self._check_uses(self.world.runs[runs:], sure=sure)
        return answer

    def _check_uses(self, runs: list[Any], *, sure: bool) -> None:
        """Invariant 13: a use is taken for a request that is let through on it, and for no other. A fault in between
        may cost one."""
        if self.unexplained:
            return
        store = self.world.stage.faulty_store.inner
        grants = [grant for user in USERS for grant in self.world.runner.run(store.grants(user, now=0.0))]
        used = {grant.flow_id for grant in grants if grant.uses_left == 0}
        if sure:
            through = {run.context["flow_id"] for run in runs if run.context and run.context["basis"] == "grant"}
            assert used - self.used_up <= through, "a use was taken, and nothing was let through on it"
        self.used_up |= used

    def _explain(self, method: str, target: str, pairs: list[tuple[str, str]]) -> int | None:
        services = self.world.stage.gate.services
        if self._faults or self.unexplained:
            return None
        request = request_of(self.world, method, target, pairs)
        try:
            match = services.policy.match(request.method, request.path, "", request.raw_path)
        except Exception:  # noqa: BLE001 - refused either way; the live request shows how
            return None
        if match is None:
            return None
        return self.world.runner.run(survey(services, request, match, record=False)).assessment.score

    def _check_run(self, run: Any, user: str) -> None:
        """Invariants 1, 3, 4 and 13, when it happens."""
        if run.context is None:
            assert not _reaches(self.world.door, run.method, run.path), "a sensitive handler ran unseen"
            return
        assert run.line is not None, "the app ran before its line was on disk"
        assert run.line["user_id"] == run.context["user_id"] == (user or None)
        assert run.line["action"]["method"] == run.method
        assert run.line["flow_id"] == run.context["flow_id"]
        assert run.line["proof"]["basis"] == run.context["basis"]

    @property
    def _faults(self) -> bool:
        stage = self.world.stage
        return stage.faulty_store.fail_after is not None or stage.faulty_trail.fail_after is not None

    @rule(
        user=any_user | st.just(NOBODY),
        path=st.sampled_from(PATHS),
        spelling=st.sampled_from(SPELLINGS) | st.just("{}"),
        method=st.sampled_from(METHODS),
        extra=st.sampled_from([{}, {"Accept": "text/html"}, {"Authorization": "Bearer TOKENMARK"}, {"X-Plan": "gold"}]),
    )
    def request(self, user: str, path: str, spelling: str, method: str, extra: dict[str, str]) -> None:
        answer = self._send(user, method, spelling.format(path), b"amount=BODYMARK", extra)
        if answer.kind == "challenge-required":
            self.challenges.append((user, answer))

    @rule(user=any_user, path=st.sampled_from(PATHS[:3]), drift=st.integers(-1, 1), body=st.sampled_from([b"a", b"b"]))
    def prove_and_go_on(self, user: str, path: str, drift: int, body: bytes) -> None:
        """What most people do: ask, prove, repeat."""
        challenge = self._send(user, "POST", path, body, {})
        if challenge.kind != "challenge-required":
            return
        self.challenges.append((user, challenge))
        self._verify(user, user, challenge, *self._code(user, drift, "right"))
        for token in self.grants[user][-1:] * 2:
            self._send(user, "POST", path, body, {"Step-Up-Grant": token})

    @rule(user=any_user, path=st.sampled_from(PATHS[:3]), data=st.data(), body=st.sampled_from([b"a", b"BODYMARK"]))
    def request_with_grant(self, user: str, path: str, data: st.DataObject, body: bytes) -> None:
        every = [token for tokens in self.grants.values() for token in tokens]
        if every:
            token = data.draw(st.sampled_from(every))
            cut = data.draw(st.integers(0, len(token)))
            tampered = data.draw(st.sampled_from([token, token, token + "=", token[:cut], token[:-1] + "A"]))
            self._send(user, "POST", path, body, {"Step-Up-Grant": tampered})

    @rule(
        user=any_user,
        drift=st.integers(-3, 3),
        path=st.sampled_from(PATHS[:3]),
        how=st.sampled_from(["right", "right", "wrong", "respelt", "recovery"]),
    )
    def inline(self, user: str, drift: int, path: str, how: str) -> None:
        runs = len(self.world.runs)
        code, success = self._code(user, drift, how)
        self._send(user, "POST", path, b"BODYMARK", {"Step-Up-Code": code})
        if len(self.world.runs) > runs and (self.world.runs[-1].context or {}).get("basis") == "inline":
            success()

    @rule(user=any_user, times=st.integers(3, 7))
    def guess(self, user: str, times: int) -> None:
        code, success = self._code(user, 0, "wrong")
        for _ in range(times):
            runs = len(self.world.runs)
            self._send(user, "POST", "/transfer", b"", {"Step-Up-Code": code})
            if len(self.world.runs) > runs:
                success()

    @precondition(lambda self: self.challenges)
    @rule(
        data=st.data(),
        drift=st.integers(-2, 2),
        how=st.sampled_from(["right", "right", "right", "wrong", "respelt", "recovery", "rubbish"]),
        as_other=st.sampled_from([False, False, False, True]),
    )
    def verify(self, data: st.DataObject, drift: int, how: str, as_other: bool) -> None:
        owner, challenge = data.draw(st.sampled_from(self.challenges[-6:]))
        user = data.draw(any_user) if as_other else owner
        code, success = self._code(user or "alice", drift, how)
        self._verify(user, owner, challenge, "BODYMARK" if how == "rubbish" else code, success)

    def _verify(self, user: str, owner: str, challenge: Answer, code: str, success: Any) -> None:
        answer = self._send(user, "POST", challenge.json["verify_url"], orjson.dumps({"code": code}), {})
        if answer.status == 200:
            assert user == owner, "a challenge is passed by the person it was raised for"
            self.ended.update([challenge.json["challenge_id"]])
            success()
            self.grants[user].append(answer.json["grant"])

    def _code(self, user: str, drift: int, how: str) -> tuple[str, Any]:
        """A code, and what to note if it succeeds."""
        if user not in self.world.secrets:
            return "000000", lambda: self._never("a code of nobody")
        step, code = time_step(self.world.clock.now) + drift, self.world.code(user, drift)
        self.guessed.add(code)
        if how == "recovery":
            codes = self.world.recovery[user]
            return codes[0], lambda: self.spent.update([codes[0]])
        if how == "respelt":
            return "".join(chr(0xFF10 + int(digit)) for digit in code).encode().decode("latin-1"), lambda: self._never(
                "a code in other digits"
            )
        if how == "wrong":
            return self.world.wrong(user), lambda: self._never("a wrong code")
        return code, lambda: self.taken.update([(user, step)])

    @staticmethod
    def _never(what: str) -> None:
        raise AssertionError(f"{what} succeeded")

    @precondition(lambda self: self.challenges)
    @rule(data=st.data(), method=st.sampled_from(["GET", "HEAD", "OPTIONS"]))
    def look(self, data: st.DataObject, method: str) -> None:
        """Invariant 21."""
        owner, challenge = data.draw(st.sampled_from(self.challenges[-6:]))
        page = challenge.json["page_url"]
        before = len(self.world.lines())
        for target in (page, f"{page}/verify", f"{page}/cancel", "/_stepup/status?method=POST&path=/transfer"):
            self._send(owner, method, target, b"", {})
        new = self.world.lines()[before:]
        changed = {line["phase"] for line in new if line["event_type"] not in ("config", "audit", "drill")}
        assert changed <= {"access"}, "looking changes nothing but the list of refusals"

    @precondition(lambda self: self.challenges)
    @rule(data=st.data(), user=any_user)
    def cancel(self, data: st.DataObject, user: str) -> None:
        owner, challenge = data.draw(st.sampled_from(self.challenges[-6:]))
        answer = self._send(user, "POST", challenge.json["page_url"] + "/cancel", b"", {})
        assert answer.status != 200 or user == owner
        self.ended.update([challenge.json["challenge_id"]] if answer.status == 200 else [])

    @rule(seconds=st.sampled_from([1, 10, 31, 65, 301, 700, 4000, -1, -20, -90]))
    def time_goes(self, seconds: int) -> None:
        self.world.clock.now += seconds

    @rule(user=any_user)
    def enroll_again(self, user: str) -> None:
        if not self._faults:
            self.world.enroll(user)
            self.taken = Counter({key: count for key, count in self.taken.items() if key[0] != user})

    @rule(
        what=st.sampled_from(["store", "trail"]),
        after=st.integers(0, 14),
        user=any_user,
        path=st.sampled_from(PATHS),
        requests=st.integers(1, 4),
    )
    def a_fault(self, what: str, after: int, user: str, path: str, requests: int) -> None:
        """From the ``after``-th use on, for so many requests."""
        stage = self.world.stage
        (stage.faulty_store if what == "store" else stage.faulty_trail).fail_after = after
        self.fault_for = requests
        self.request(user, path, "{}", "POST", {})

    def _faults_end(self) -> None:
        self.world.stage.faulty_store.fail_after = self.world.stage.faulty_trail.fail_after = None

    @rule()
    def sweep(self) -> None:
        if not self._faults:
            self.world.sweep()

    @rule()
    def restart(self) -> None:
        self.world.restart()

    @precondition(lambda self: self.world.store not in ("memory", "sqlite"))
    @rule(user=any_user, path=st.sampled_from(PATHS[:3]))
    def the_connections_are_cut(self, user: str, path: str) -> None:
        """By the server: what is asked next is refused or goes over a new one, and never asked twice."""
        backup_of(self.world.store, self.folder).cut()
        self.world.runner.run(asyncio.sleep(0.02))  # the loop of a service runs on, and sees its connections end
        self.unexplained = True
        self.request(user, path, "{}", "POST", {})
        self.unexplained = False

    @rule(good=st.booleans(), name=st.sampled_from(["one", "two"]))
    def reload(self, good: bool, name: str) -> None:
        if self._faults:
            return
        stage = self.world.stage
        before = stage.config.settings.policy_version
        if good:
            routes = [*ROUTES, {"name": name, "path": f"/{name}", "risk": 60}]
            config = load_config(self.world.mapping(routes=routes), {"STEPUP_SECRET_KEY": KEY})
            self.world.runner.run(stage.reload_from(config))
            assert stage.config.settings.policy_version == config.settings.policy_version
            return
        try:
            self.world.runner.run(stage.reload_from(self.world.mapping(routes=[{"name": name, "rsik": 1}])))
        except ConfigError:
            assert stage.config.settings.policy_version == before, "a bad configuration changes nothing"
        else:
            raise AssertionError("a bad configuration was taken")

    # What must hold after every rule

    @invariant()
    def the_record_is_a_chain_that_only_grows(self) -> None:
        """Invariants 25, 30 and 31."""
        self.world.lines()
        new = self.world.reader.data[self.looked_through :]
        secrets = [*self.world.secrets.values(), *(c for codes in self.world.recovery.values() for c in codes)]
        secrets += [token for tokens in self.grants.values() for token in tokens]
        secrets += [value for cookies in self.cookies.values() for value in cookies.values() if len(value) > 9]
        for secret in (*MARKS, *secrets, *(f'"{code}"' for code in self.guessed)):
            assert secret.encode() not in new, "a secret in the trail"
        self.looked_through = max(0, len(self.world.reader.data) - LONGEST_SECRET)

    @invariant()
    def each_run_has_a_line_of_its_own(self) -> None:
        """Invariants 1 and 2."""
        ids = [run.line["request_id"] for run in self.world.runs if run.line is not None]
        assert len(set(ids)) == len(ids)
        grants = Counter(
            run.line["flow_id"]
            for run in self.world.runs
            if run.line and run.line["action"]["route"] == "wire" and run.line["proof"]["basis"] != "report_mode"
        )
        assert all(count == 1 for count in grants.values()), "a grant for one request opens one"

    @invariant()
    def a_code_succeeds_once(self) -> None:
        """Invariant 14."""
        assert all(count == 1 for count in self.taken.values())
        assert all(count == 1 for count in self.spent.values())

    @invariant()
    def guesses_stay_within_the_budget(self) -> None:
        """Invariants 15 and 17: what was counted, and what was looked at."""
        failures: Counter[str] = Counter()
        locked: dict[str, float] = {}
        for user, now, found in self.world.attempts:
            if found is None:
                failures[user], locked[user] = 0, 0.0
            elif found.allowed:
                failures[user] += 1
                assert now >= locked.get(user, 0.0), "a code was looked at while the account was locked"
                assert found.failures == failures[user], "an attempt was not counted"
                if failures[user] % 5 == 0:
                    locked[user] = now + min(30.0 * 2 ** (failures[user] // 5 - 1), 3600.0)
        counted = Counter(user for user, _, found in self.world.attempts if found is not None and found.allowed)
        lines = self.world.reader.read()
        evaluated = Counter(
            line["user_id"]
            for line in {line["event_id"]: line for line in lines}.values()
            if record.is_step(line, "challenge", "rejected", "replayed") or record.is_step(line, "outcome", "approved")
        )
        assert all(evaluated[user] <= counted[user] for user in USERS)

    @invariant()
    def a_challenge_ends_once(self) -> None:
        """Invariants 20 and 29."""
        found = record.outcomes(self.world.reader.read())
        assert all(len(ends) <= 1 for ends in found.values())
        assert all(count == 1 for count in self.ended.values())

    def teardown(self) -> None:
        if hasattr(self, "world"):
            try:
                self._end()
            finally:
                self.world.close()
            assert verify_trail(self.world.trail_path).exit_code == 0
            shutil.rmtree(self.folder)

    def _end(self) -> None:
        """Past every expiry, with all parts in order again, every question has been answered in the record."""
        self._faults_end()
        for seconds in (1000, 31, 31):
            self.world.clock.now += seconds
            while self.world.sweep() == SWEPT_AT_ONCE:
                continue
        ends = record.outcomes(self.world.lines())
        open_still = [key for key, found in ends.items() if len(found) != 1]
        assert not open_still, "every challenge has an outcome, also if nobody comes back"


def _reaches(door: str, method: str, path: str) -> bool:
    """Whether a router below runs the handler of a sensitive route: Starlette's ``^path$``, or Werkzeug's."""
    if method.upper() not in ("POST", "FOO"):
        return False
    if door == "asgi":
        return path.removesuffix("\n") in PATHS[:6]
    return "/" + path.lstrip("/") in PATHS[:6]


TestService = pytest.mark.timeout(600)(Service.TestCase)
"""A few stories every day, longer ones over every store in ``test_every_store``. What takes long is to make a failing
story short, and that is worth the wait."""
TestService.settings = settings(
    max_examples=10, stateful_step_count=25, phases=[Phase.explicit, Phase.generate, Phase.shrink]
)
