"""Invariants 3, 5 and 7 by spelling: the line names what the app runs; hanging up and more headers open nothing.

The app of the world has no router: it answers every path, so whatever is let through runs.
"""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepup_mw.congruence.operators import BY_NAME, OPERATORS
from stepup_mw.congruence.spelling import Spelling, plain
from stepup_mw.encoding import safe_text

from .conftest import MakeWorld
from .test_gate import proved
from .world import World, asgi_scope, who

ONE_WORLD = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
SPELT = [
    other for operator in OPERATORS for other in operator.apply(plain("POST", "/transfer")) if other.target.isascii()
]

HEADERS = [
    other.headers
    for name in ("Host and forwarded", "underscore headers", "method override", "script name")
    for other in BY_NAME[name].apply(plain("POST", "/transfer"))
]


@ONE_WORLD
@given(spelling=st.sampled_from(SPELT), also=st.sampled_from(SPELT))
def test_03_the_line_names_the_method_path_and_rule_of_what_the_app_runs(
    world: World, user: str, spelling: Spelling, also: Spelling
) -> None:
    grant = proved(world, user)
    runs = len(world.runs)
    for one in (spelling, also):
        if one.kind == "http":
            world.ask(one.method, one.target, [*who(user), *one.headers, ("Step-Up-Grant", grant)])
    for run in world.runs[runs:]:
        if run.context is None:
            assert run.method not in ("POST", "post", "Post", "pOST") or run.path != "/transfer"
            continue
        assert run.line is not None
        action = run.line["action"]
        assert (action["route"], action["template"]) == ("transfer", "/transfer")
        assert (action["method"], action["path"]) == (safe_text(run.method, 32), safe_text(run.path, 1024))
        assert run.line["user_id"] == user


@pytest.mark.parametrize("target", ["/transfer", "/wire", "/rename"])
def test_05_who_hangs_up_at_any_moment_runs_nothing_without_its_line(target: str, make_world: MakeWorld) -> None:
    """Cancelled after so many turns of the loop, from none to the end."""
    world = make_world("asgi", "sqlite")
    world.enroll("alice")
    finished = 0
    for turns in range(60):
        world.clock.now += 61
        headers = [*who("alice"), ("Step-Up-Code", world.code("alice"))]
        finished += world.runner.run(_cancelled(world, asgi_scope("POST", target, headers, "127.0.0.1"), turns))
        if finished > 2:
            break
    assert finished, "it was never let come to its end"
    for run in world.runs:
        assert run.context is not None
        assert run.line is not None
    ids = [run.line["request_id"] for run in world.runs if run.line]
    assert len(set(ids)) == len(ids)


async def _cancelled(world: World, scope: dict[str, object], turns: int) -> bool:
    """Whether it came to its end before it was cancelled."""
    task = asyncio.ensure_future(world._ask_asgi(scope, b"x"))
    for _ in range(turns * 3):
        if task.done():
            return True
        await asyncio.sleep(0 if turns < 20 else 0.001)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return False


@ONE_WORLD
@given(headers=st.lists(st.sampled_from(HEADERS), max_size=4))
def test_07_no_header_of_the_catalogue_opens_what_was_closed(
    world: World, user: str, headers: list[tuple[tuple[str, str], ...]]
) -> None:
    runs = len(world.runs)
    more = [header for one in headers for header in one]
    assert world.ask("POST", "/transfer", [*who(user), *more]).status in (400, 401, 429)
    assert len(world.runs) == runs
