"""Invariants 1, 2, 3, 5, 7 and 13: what reaches the app, by which line, and what never gets it there."""

from __future__ import annotations

import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from . import record
from .conftest import MakeWorld
from .world import Answer, World, asgi_scope, who

ONE_WORLD = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
"""A world is made once and used for all examples on purpose: invariants hold in the middle of a life, too."""

LATIN = st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=40)
SENSITIVE = ("/transfer", "/wire", "/payroll")


def proved(world: World, user: str, target: str = "/transfer", body: bytes = b"") -> str:
    """A fresh grant."""
    world.clock.now += 61
    challenge = world.post(user, target, body)
    assert challenge.kind == "challenge-required"
    answer = world.verify(user, challenge, world.code(user))
    assert answer.status == 200
    return str(answer.json["grant"])


@ONE_WORLD
@given(st.lists(st.tuples(st.sampled_from([*SENSITIVE, "/rename", "/watch", "/close", "/export/x", "/public"]),
                          st.sampled_from(["nothing", "grant", "right", "wrong"])), max_size=8))  # fmt: skip
def test_01_02_every_run_has_an_earlier_line_of_its_own(world: World, user: str, asks: list[tuple[str, str]]) -> None:
    before, runs = len(world.lines()), len(world.runs)
    grant = proved(world, user)
    for target, how in asks:
        world.clock.now += 31
        headers = {"nothing": {}, "grant": {"step_up_grant": grant}, "right": {"step_up_code": world.code(user)}}
        headers["wrong"] = {"step_up_code": world.wrong(user)}
        world.post(user, target, b"", **headers[how])
    guarded = [run for run in world.runs[runs:] if run.path not in ("/public", "/export/x")]
    assert all(run.line is not None for run in guarded)
    allowed = [line["request_id"] for line in world.lines()[before:] if record.is_step(line, "access", "allowed")]
    assert [run.line["request_id"] for run in guarded if run.line] == allowed
    assert len(set(allowed)) == len(allowed)


def _crowd(world: World, headers: list[tuple[str, str]], body: bytes) -> list[Answer]:
    """Sixteen of the same request at once: tasks of one loop, or threads."""
    if world.door == "wsgi":
        with ThreadPoolExecutor(16) as pool:
            return list(pool.map(lambda _: world.ask("POST", "/wire", headers, body), range(16)))

    async def crowd() -> list[Answer]:
        scopes = [asgi_scope("POST", "/wire", headers, "127.0.0.1") for _ in range(16)]
        return list(await asyncio.gather(*(world._ask_asgi(scope, body) for scope in scopes)))

    return world.runner.run(crowd())


@pytest.mark.parametrize("how", ["grant", "code"])
def test_02_14_of_many_at_once_one_gets_through(how: str, world: World, user: str) -> None:
    if how == "grant":
        header = ("Step-Up-Grant", proved(world, user, "/wire", b"x"))
    else:
        header = ("Step-Up-Code", world.code(user))
    runs = len(world.runs)
    answers = _crowd(world, [*who(user), header], b"x")
    assert Counter(answer.status for answer in answers)[200] == 1
    assert {answer.status for answer in answers} <= {200, 401, 410, 429}
    assert len(world.runs) == runs + 1


@ONE_WORLD
@given(
    method=st.sampled_from(["POST", "post", "PUT"]),
    target=st.sampled_from(
        ["/wire", "/wire?a=1", "/wire?a=2", "/wire/", "//wire", "/wire%0a", "/transfer", "/payroll"]
    ),
    body=st.sampled_from([b"amount=1", b"amount=2", b"", b"amount=1 "]),
)
def test_03_a_proof_for_a_request_opens_that_very_request(
    world: World, user: str, method: str, target: str, body: bytes
) -> None:
    grant = proved(world, user, "/wire?a=1", b"amount=1")
    runs = len(world.runs)
    answer = world.ask(method, target, [*who(user), ("Step-Up-Grant", grant)], body)
    same = (method, target, body) == ("POST", "/wire?a=1", b"amount=1")
    guarded = [run for run in world.runs[runs:] if run.context is not None]
    assert bool(guarded) == same
    if same:
        assert answer.status == 200
        line = guarded[0].line
        assert line is not None
        assert (line["action"]["route"], line["action"]["method"], line["action"]["path"]) == ("wire", "POST", "/wire")
        assert guarded[0].body == b"amount=1"


NAMES = st.sampled_from(
    [
        "Step-Up-Grant", "Step-Up-Code", "Cookie", "Authorization", "X-Forwarded-For", "X-HTTP-Method-Override",
        "X-Original-URL", "X-Rewrite-URL", "Forwarded", "Accept", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Origin", "Host",
        "Content-Length", "Content-Type", "X-Requested-With", "X-Forwarded-Prefix", "X-Script-Name", "Traceparent",
        "X-Auth-User", "X-Auth-Session", "X_Auth_User", "Upgrade", "Range", "X-Stepup-Risk",
    ]
)  # fmt: skip
VALUES = LATIN | st.sampled_from(
    ["GET", "/public", "127.0.0.1", "alice", "000000", "stepup=a.b", "Bearer x", "text/html", "0", "null", "a.b", "."]
)


@ONE_WORLD
@given(
    headers=st.lists(st.tuples(NAMES, VALUES), max_size=6),
    target=st.sampled_from(SENSITIVE),
    method=st.sampled_from(["POST", "post", "FOO"]),
    body=st.binary(max_size=20),
)
def test_05_07_no_header_gets_a_request_through_without_a_proof(
    world: World, user: str, headers: list[tuple[str, str]], target: str, method: str, body: bytes
) -> None:
    runs = len(world.runs)
    answer = world.ask(method, target, [*who(user), *headers], body)
    assert [run for run in world.runs[runs:] if run.context is not None or run.path in SENSITIVE] == []
    assert answer.status in (303, 400, 401, 403, 429)


@ONE_WORLD
@given(headers=st.lists(st.tuples(NAMES, VALUES), max_size=4))
def test_07_no_header_takes_a_denied_request_through(world: World, user: str, headers: list[tuple[str, str]]) -> None:
    grant = proved(world, user)
    runs = len(world.runs)
    given_up = [("Step-Up-Grant", grant), ("Step-Up-Code", world.code(user, 1))]
    world.ask("POST", "/close", [*who(user), *given_up, *headers], b"")
    assert len(world.runs) == runs


@pytest.fixture(scope="module", params=["asgi", "wsgi"])
def risky(request: pytest.FixtureRequest, make_world: MakeWorld) -> World:
    """A world in which a device that nobody knows has its points."""
    world = make_world(request.param, risk={"signals": {"new_device": 20, "new_network": 5}})
    world.enroll("alice")
    return world


@ONE_WORLD
@given(
    headers=st.lists(st.tuples(NAMES, VALUES), max_size=6),
    target=st.sampled_from([*SENSITIVE, "/rename", "/watch", "/close"]),
)
def test_07_no_header_lowers_a_score_or_changes_rule_age_service_or_user(
    risky: World, headers: list[tuple[str, str]], target: str
) -> None:
    told = []
    for more in ([], headers):
        before = len(risky.lines())
        answer = risky.ask("POST", target, [*who("alice"), *more])
        first = next(line for line in risky.lines()[before:] if line["event_type"] == "step_up")
        told.append((first, answer))
    (plain, asked), (line, answer) = told
    if (line["phase"], line["status"]) == ("access", "refused"):  # ambiguous, or a grant that is none
        assert answer.status in (400, 401)
        return
    for name in ("phase", "status", "service", "user_id", "policy"):
        assert line[name] == plain[name]
    assert (line["action"]["route"], line["risk"]["deny_at"]) == (plain["action"]["route"], plain["risk"]["deny_at"])
    assert line["risk"]["score"] >= plain["risk"]["score"] >= 20
    if answer.status == 401:
        assert answer.json["max_age"] == asked.json["max_age"]


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("X-Auth-User", "")],
        [("X-Auth-User", "{user}, eve")],
        [("X-Auth-User", "{user}\x1f")],
        [("X-Auth-User", "x" * 300)],
    ],
    ids=["nobody", "empty", "two", "control character", "too long"],
)
def test_05_doubt_about_who_asks_lets_nobody_through(headers: list[tuple[str, str]], world: World, user: str) -> None:
    grant = proved(world, user)
    runs = len(world.runs)
    named = [(name, value.format(user=user)) for name, value in headers]
    proofs = [("Step-Up-Grant", grant), ("Step-Up-Code", world.code(user, 1))]
    answer = world.ask("POST", "/transfer", [*named, *proofs])
    assert answer.status in (400, 401)
    assert world.ask("POST", "/transfer", [*who(user), *proofs], peer="203.0.113.9").status == 401
    assert len(world.runs) == runs


def _raises(_: Any) -> str:
    raise RuntimeError("the directory does not answer")


def _gives_rubbish(_: Any) -> Any:
    return {"user": "alice"}


@pytest.mark.parametrize("provider", ["_raises", "_gives_rubbish"])
def test_05_an_identity_provider_that_fails_lets_nobody_through(provider: str, make_world: MakeWorld) -> None:
    world = make_world(identity={"provider": f"{__name__}:{provider}"})
    assert world.post("alice", "/rename").status == 503
    assert world.post("alice", "/transfer").status == 503
    assert world.runs == []
    assert world.steps() == ["access/refused"] * 2


@ONE_WORLD
@given(name=st.text("abc\u00e9\u4e2d \U0001f600", min_size=1, max_size=12).filter(lambda name: name == name.strip()))
def test_13_the_user_is_one_everywhere(world: World, name: str) -> None:
    spelt = name.encode("utf-8").decode("latin-1")
    world.enroll(name)
    before, runs = len(world.lines()), len(world.runs)
    world.clock.now += 31
    headers = [("X-Auth-User", spelt), ("X-Auth-Session", "s"), ("Step-Up-Code", world.code(name))]
    answer = world.ask("POST", "/transfer", headers)
    assert answer.status == 200
    (run,) = world.runs[runs:]
    assert run.context is not None
    assert run.context["user_id"] == name
    named = {line["user_id"] for line in world.lines()[before:] if line["event_type"] == "step_up"}
    assert named == {name}
