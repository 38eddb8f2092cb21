"""Invariant 34: a configuration with a mistake in it never starts and never takes the place of one that runs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepup_mw.compose import assemble
from stepup_mw.config import load_config
from stepup_mw.errors import ConfigError

from .conftest import MakeWorld
from .world import KEY, World

TABLES: list[tuple[str, ...]] = [(), ("identity",), ("cookie",), ("risk",), ("risk", "signals"), ("store",), ("audit",)]
JUNK = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.lists(st.integers(), max_size=2)
)


def _at(whole: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    found: Any = whole
    for name in path:
        found = found[name]
    return dict(found)


def _put(whole: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    if not path:
        return dict(value)
    return {**whole, path[0]: _put(whole[path[0]], path[1:], value)}


ONE_WORLD = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def running(make_world: MakeWorld) -> World:
    world = make_world()
    world.enroll("alice")
    assert world.post("alice", "/transfer").status == 401
    return world


@ONE_WORLD
@given(st.sampled_from(TABLES), st.from_regex(r"[a-z_]{3,12}x9", fullmatch=True), JUNK)
def test_34_an_unknown_key_never_starts(running: World, path: tuple[str, ...], key: str, value: Any) -> None:
    whole = running.mapping()
    bad = _put(whole, path, {**_at(whole, path), key: value})
    with pytest.raises(ConfigError) as refused:
        load_config(bad, {"STEPUP_SECRET_KEY": KEY})
    assert any(key in problem.key for problem in refused.value.problems)


@ONE_WORLD
@given(st.data(), JUNK)
def test_34_a_junk_value_starts_nothing_or_is_refused_by_name(running: World, data: st.DataObject, value: Any) -> None:
    whole = running.mapping()
    path = data.draw(st.sampled_from(TABLES))
    key = data.draw(st.sampled_from(sorted(_at(whole, path))))
    found: ConfigError | None = None
    try:
        load_config(_put(whole, path, {**_at(whole, path), key: value}), {"STEPUP_SECRET_KEY": KEY})
    except ConfigError as refused:
        found = refused
    assert found is None or all(problem.message for problem in found.problems)


@pytest.mark.parametrize(
    "key", ["", "short", "a" * 64, "changeme" * 8, " ", KEY[:31], f"{KEY},short"], ids=lambda key: key[:12]
)
def test_34_a_weak_secret_never_starts(running: World, key: str) -> None:
    with pytest.raises(ConfigError):
        load_config(running.mapping(), {"STEPUP_SECRET_KEY": key})


def test_34_nothing_starts_without_a_secret(running: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STEPUP_SECRET_KEY", raising=False)
    with pytest.raises(ConfigError, match="STEPUP_SECRET_KEY"):
        assemble(running.mapping())


@ONE_WORLD
@given(st.sampled_from(TABLES), JUNK)
def test_34_a_failed_reload_leaves_the_old_policy_in_force(running: World, path: tuple[str, ...], value: Any) -> None:
    version = running.stage.config.settings.policy_version
    before = len(running.lines())
    whole = running.mapping(routes=[])
    with pytest.raises(ConfigError):
        running.runner.run(running.stage.reload_from(_put(whole, path, {**_at(whole, path), "unknown_x9": value})))
    assert running.stage.config.settings.policy_version == version
    running.clock.now += 61
    challenge = running.post("alice", "/transfer")
    assert challenge.kind == "challenge-required"
    assert running.ask("POST", challenge.json["page_url"] + "/cancel", [("X-Auth-User", "alice"),
        ("X-Auth-Session", "SESSIONMARK-alice")]).status == 200  # fmt: skip
    new = running.lines()[before:]
    assert [line["phase"] for line in new if line["event_type"] == "config"][-1] == "reload_failed"
    assert {line["policy"]["version"] for line in new if line["event_type"] == "step_up"} == {version}


def test_34_a_reload_is_whole_and_on_record(make_world: MakeWorld) -> None:
    world = make_world()
    world.enroll("alice")
    challenge = world.post("alice", "/transfer")
    grant = world.verify("alice", challenge, world.code("alice")).json["grant"]
    assert world.post("alice", "/transfer", step_up_grant=grant).status == 200
    routes = [{"name": "transfer", "path": "/transfer", "methods": ["POST"], "risk": 61}, {"name": "n", "path": "/new"}]
    config = load_config(world.mapping(routes=routes), {"STEPUP_SECRET_KEY": KEY})
    world.runner.run(world.stage.reload_from(config))
    assert world.post("alice", "/transfer", step_up_grant=grant).status == 401, (
        "the rule has changed: its grants are void"
    )
    assert [world.post("alice", target).status for target in ("/new", "/wire")] == [200, 200]
    judged = [run.context is not None for run in world.runs[-2:]]
    assert judged == [True, False], "at the door the new rule is in force, and the old one is not"
    phases = [line["phase"] for line in world.lines() if line["event_type"] == "config"]
    assert phases[-1] == "reloaded"
