"""Invariants 9, 10 and 18: whoever changes what a person has voids every grant of theirs, at once and for good; and
what a code sent twice is told to, and where the configuration keeps that to the record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from stepup_mw import enrollment
from stepup_mw.totp import format_code, time_step

from .conftest import MakeWorld
from .test_gate import proved
from .world import Answer, World, who


def _post(world: World, **fields: str) -> Answer:
    world.clock.now += 31  # a code that was not used yet
    body = {**fields, "current_code": world.code("alice")}
    return world.post("alice", "/_stepup/enroll", orjson.dumps(body), content_type="application/json")


def _begin(world: World) -> dict[str, Any]:
    return world.ask("GET", "/_stepup/enroll", who("alice")).json


def _confirm(world: World, **fields: str) -> Answer:
    begun = _begin(world)
    code = format_code(begun["secret"], time_step(world.clock.now + 31))
    return _post(world, pending=begun["pending"], code=code, **fields)


def _first(world: World) -> str:
    return str(_begin(world)["factors"][0]["factor_id"])


def _operator(act: Callable[..., Any]) -> Callable[[World], object]:
    return lambda world: world.runner.run(act(world.stage.gate.services, "alice"))


BY_THE_PERSON: dict[str, Callable[[World], Answer]] = {
    "one more": _confirm,
    "another in its place": lambda world: _confirm(world, replace=_first(world)),
    "one less": lambda world: _post(world, action="remove", factor_id=str(_begin(world)["factors"][1]["factor_id"])),
}
BY_AN_OPERATOR: dict[str, Callable[[World], object]] = {
    "enrolled anew": _operator(enrollment.enroll),
    "all taken away": _operator(enrollment.revoke),
}


def _open(world: World, grant: str) -> int:
    return world.post("alice", "/payroll", step_up_grant=grant).status


@pytest.mark.parametrize("change", [*BY_THE_PERSON, *BY_AN_OPERATOR])
def test_10_a_changed_factor_voids_every_grant(make_world: MakeWorld, change: str) -> None:
    world = make_world("asgi", "memory", challenge={"enroll": "self"})
    world.enroll("alice")
    world.enroll("bob")
    if change == "one less":
        assert _confirm(world).status == 200
        world.clock.now += 31
    grant, bobs = proved(world, "alice", "/payroll"), proved(world, "bob", "/payroll")
    assert _open(world, grant) == 200
    if change in BY_THE_PERSON:
        made = BY_THE_PERSON[change](world)
        assert made.status == 200, made.body
    else:
        BY_AN_OPERATOR[change](world)
    runs = len(world.runs)
    assert _open(world, grant) in (401, 403)
    world.clock.now -= 60
    assert _open(world, grant) in (401, 403), "nor when the clock goes back"
    assert len(world.runs) == runs
    world.clock.now += 60
    assert world.post("bob", "/payroll", step_up_grant=bobs).status == 200, "nobody else's"


@pytest.mark.parametrize("change", BY_THE_PERSON)
def test_18_without_the_old_factor_nothing_changes(make_world: MakeWorld, change: str) -> None:
    world = make_world("asgi", "memory", challenge={"enroll": "self"})
    world.enroll("alice")
    if change == "one less":
        assert _confirm(world).status == 200
        world.clock.now += 31
    grant, before = proved(world, "alice", "/payroll"), _begin(world)["factors"]
    world.secrets["alice"], theirs = "A" * 32, world.secrets["alice"]
    assert BY_THE_PERSON[change](world).status == 401
    world.secrets["alice"] = theirs
    assert _begin(world)["factors"] == before
    assert _open(world, grant) == 200


@pytest.mark.parametrize("told", [True, False])
def test_a_code_sent_twice_is_on_record_and_told_where_the_configuration_says_so(
    make_world: MakeWorld, told: bool
) -> None:
    world = make_world("asgi", "memory", challenge={"duplicate_notice": told})
    world.enroll("alice")
    code = world.code("alice")
    assert world.post("alice", "/transfer", step_up_code=code).status == 200
    elsewhere = [("X-Auth-User", "alice"), ("X-Auth-Session", "another"), ("Step-Up-Code", code)]
    assert world.ask("POST", "/transfer", elsewhere).status == 401
    status = world.ask("GET", "/_stepup/status?method=POST&path=/transfer", who("alice")).json
    assert status["duplicate_codes"] == (1 if told else 0)
    lines = world.lines()
    assert [line["status"] for line in lines if line.get("phase") == "challenge"][-1] == "replayed"
    assert sum((line["event_type"], line["phase"]) == ("alert", "duplicate_code") for line in lines) == 1
