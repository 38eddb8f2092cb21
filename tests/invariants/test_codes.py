"""Invariants 11, 14 and 21: tokens and codes by what they mean, not by how they are spelt; looking changes nothing."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepup_mw.totp import time_step

from . import record
from .test_gate import proved
from .world import World, who

ONE_WORLD = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
CHANGES = st.lists(
    st.tuples(
        st.integers(0, 80), st.sampled_from(["", "=", "A", "-", ".", "~", " ", "\xe9", "a.b"]), st.integers(0, 2)
    ),
    min_size=1,
    max_size=2,
)


def _changed(token: str, changes: list[tuple[int, str, int]]) -> str:
    for at, put, drop in changes:
        token = token[:at] + put + token[at + drop :]
    return token


@ONE_WORLD
@given(CHANGES, st.sampled_from(["header", "cookie"]))
def test_11_a_changed_token_is_nothing_or_the_same_grant(
    world: World, user: str, changes: list[tuple[int, str, int]], way: str
) -> None:
    """A grant for one use, in another spelling first: the two together open once at most."""
    token = proved(world, user, "/wire", b"x")
    runs = len(world.runs)
    for text in (_changed(token, changes), token):
        header = ("Step-Up-Grant", text) if way == "header" else ("Cookie", f"stepup={text}")
        answer = world.ask("POST", "/wire", [*who(user), header], b"x")
        assert answer.status in (200, 401)
    flows = Counter(run.context["flow_id"] for run in world.runs[runs:] if run.context)
    assert sum(flows.values()) <= 1


def _respelt(code: str) -> list[str]:
    """The same six digits as other characters, or with something about them."""
    wide = "".join(chr(0xFF10 + int(digit)) for digit in code)
    arabic = "".join(chr(0x0660 + int(digit)) for digit in code)
    return [wide, arabic, code + "\n", "0" + code, code + "0", f"{code[:3]}\u00a0{code[3:]}", code[:5]]


@ONE_WORLD
@given(st.lists(st.tuples(st.sampled_from(["verify", "inline", "respelt"]), st.integers(-2, 2), st.integers(-40, 40)),
                min_size=2, max_size=10))  # fmt: skip
def test_14_a_step_succeeds_once_over_all_channels_and_clocks(
    world: World, user: str, tries: list[tuple[str, int, int]]
) -> None:
    taken: list[int] = []
    world.enroll(user)
    world.clock.now += 3600
    for channel, drift, seconds in tries:
        world.clock.now += seconds
        code, step = world.code(user, drift), time_step(world.clock.now) + drift
        if channel == "inline":
            success = world.post(user, "/transfer", step_up_code=code).status == 200
        else:
            challenge = world.post(user, "/transfer")
            codes = [code] if channel == "verify" else _respelt(code)[:2]
            success = 200 in [world.verify(user, challenge, text).status for text in codes]
            assert not (success and channel == "respelt")
        if success:
            taken.append(step)
    assert taken == sorted(set(taken)), "the accepted step only ever grows"


def test_14_a_code_in_other_characters_is_no_code(world: World, user: str) -> None:
    for text in _respelt(world.code(user)):
        world.enroll(user)
        challenge = world.post(user, "/transfer")
        assert world.verify(user, challenge, text).status == 401, ascii(text)


def test_14_a_recovery_code_succeeds_once(world: World, user: str) -> None:
    first, second = world.recovery[user][:2]
    challenge = world.post(user, "/transfer")
    assert world.verify(user, challenge, first.lower().replace("-", " ")).status == 200
    world.clock.now += 400
    again = world.post(user, "/transfer")
    assert world.verify(user, again, first).status == 401
    assert world.verify(user, again, second).status == 200


def _state(world: World, user: str, challenge_id: str) -> Any:
    """Everything the store holds about a user."""
    store = world.stage.faulty_store.inner

    async def look() -> Any:
        return (
            await store.factors(user),
            await store.recovery_left(user),
            await store.failures(user),
            await store.challenge(challenge_id),
            await store.grants(user, now=world.clock.now),
            await store.hits(f"burst:{user}", now=world.clock.now, window_s=60, record=False),
        )

    return world.runner.run(look())


@ONE_WORLD
@given(
    st.sampled_from(["GET", "HEAD", "OPTIONS", "TRACE", "get", "PROPFIND"]),
    st.sampled_from(["{page}", "{page}/verify", "{page}/cancel", "{page}/", "/_stepup", "/_stepup/nothing",
                     "/_stepup/status?method=POST&path=/transfer", "/_stepup/status?method=POST&path=/wire"]),
    st.sampled_from([{}, {"accept": "text/html"}, {"sec-purpose": "prefetch"}, {"step-up-code": "code"}]),
)  # fmt: skip
def test_21_looking_changes_nothing(world: World, user: str, method: str, target: str, headers: dict[str, str]) -> None:
    world.clock.now += 61
    challenge = world.post(user, "/transfer")
    page = challenge.json["page_url"]
    code = world.code(user)
    sent = {**headers, **({"step-up-code": code} if headers.get("step-up-code") else {})}
    before, lines = _state(world, user, challenge.json["challenge_id"]), len(world.lines())
    body = b'{"code":"%b"}' % code.encode()
    world.ask(method, target.format(page=page), [*who(user), *sent.items()], body)
    assert _state(world, user, challenge.json["challenge_id"]) == before
    assert not [line for line in world.lines()[lines:] if record.is_step(line, "challenge")]
    assert not [line for line in world.lines()[lines:] if record.is_step(line, "outcome")]


@pytest.mark.parametrize("target", ["/transfer", "/wire", "/close", "/rename"])
def test_21_explaining_a_request_changes_nothing(target: str, world: World, user: str) -> None:
    challenge = world.post(user, "/transfer").json["challenge_id"]
    before = _state(world, user, challenge)
    for _ in range(6):
        answer = world.ask("GET", f"/_stepup/status?method=POST&path={target}", who(user))
        assert answer.json["sensitive"] is True
        assert "score" not in answer.body.decode()
    assert _state(world, user, challenge) == before
