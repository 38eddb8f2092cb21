"""Invariants 24, 31 and 36: what one request may cost, and what may stand in a line, whatever the client sends."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepup_mw.doors.asgi_input import Message

from .conftest import MakeWorld
from .world import World, asgi_scope, who

ONE_WORLD = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
MOST_LINES = 6
"""Lines that one request can give: trigger, question, the end of an evicted one, lock, its notice, refusal."""

HOSTILE = st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=60) | st.builds(
    lambda text, times: text * times, st.sampled_from(["\xff", "(", "a,", '"', "\\", "~a.b", "/"]), st.integers(1, 3000)
)


@ONE_WORLD
@given(
    st.dictionaries(
        st.sampled_from(["user-agent", "x-request-id", "traceparent", "cookie", "step-up-grant", "x-forwarded-for",
                         "accept", "referer", "authorization"]), HOSTILE, max_size=5),
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="?#%"), max_size=60),
    st.sampled_from(["POST", "FOO" * 30, "GET"]),
)  # fmt: skip
def test_31_36_whatever_a_client_sends_a_request_gives_few_and_sound_lines(
    world: World, user: str, headers: dict[str, str], tail: str, method: str
) -> None:
    before = len(world.lines())
    data = len(world.reader.data)
    world.ask(method, "/export/" + tail, [*who(user), *headers.items()], b"")
    new = [line for line in world.lines()[before:] if line["event_type"] != "drill"]
    assert len(new) <= MOST_LINES
    assert len(world.reader.data) - data <= (MOST_LINES + 1) * 16 * 1024
    for line in new:
        assert len(json.dumps(line)) < 16 * 1024


@pytest.mark.parametrize("limit", [4096, 65536])
@pytest.mark.parametrize("size", [1, 1000, 100_000])
def test_24_a_body_without_end_is_read_to_the_cap_and_no_further(limit: int, size: int, make_world: MakeWorld) -> None:
    world = make_world(challenge={"resume_max_body": f"{limit // 1024}KiB"})
    world.enroll("alice")
    given_out = 0

    async def receive() -> Message:
        nonlocal given_out
        given_out += size
        return {"type": "http.request", "body": b"x" * size, "more_body": True}

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    world.runner.run(world.asgi(asgi_scope("POST", "/wire", who("alice"), "127.0.0.1"), receive, send))
    assert sent[0]["status"] == 413
    assert given_out <= limit + 2 * size
    assert world.runs == []


@pytest.mark.parametrize(
    "headers",
    [
        [("Cookie", "stepup=" + "a.b~" * 100_000)],
        [("Cookie", "stepup-device=" + "x" * 400_000)],
        [("X-Forwarded-For", "1.2.3.4, " * 50_000)],
        [("User-Agent", "(" * 400_000)],
        [("Step-Up-Grant", "a." * 200_000)],
        [("Step-Up-Code", "1" * 400_000)],
        [("Accept", "text/html;q=0.1," * 30_000)],
        [("X-Request-ID", "\xff" * 400_000)],
    ],
    ids=lambda headers: headers[0][0],
)
def test_24_36_a_huge_header_leaves_nothing_behind(headers: list[tuple[str, str]], make_world: MakeWorld) -> None:
    world = make_world()
    world.enroll("alice")
    for number in range(3):
        world.post("alice", f"/export/{number}")
    faulty: Any = world.stage.faulty_store
    faulty.fail_after = 10_000
    tracemalloc.start()
    try:
        base, _ = tracemalloc.get_traced_memory()
        for number in range(10):
            name, value = headers[0]
            world.ask("GET", f"/export/{number}", [*who("alice"), (name, f"{number}{value}")])
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept - base < 1_000_000, "a quarter of what was sent"
    assert 10_000 - faulty.fail_after < 10 * 40, "uses of the store"
    faulty.fail_after = None


def test_36_challenges_of_one_user_are_bounded(make_world: MakeWorld) -> None:
    world = make_world()
    world.enroll("alice")
    ids = [world.post("alice", "/transfer").json["challenge_id"] for _ in range(60)]
    store = world.stage.faulty_store.inner
    states = [world.runner.run(store.challenge(one)) for one in ids]
    assert sum(state is not None and state.state == "open" for state in states) <= 32
    assert world.steps().count("outcome/abandoned") == 60 - 32
