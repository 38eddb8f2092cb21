"""Whole services on a real server of state: its death is a 503 in time, reaches no app, and is over when it is over."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from ..http.doors import CONFIG, Door, is_chain, serving
from ..http.steps import BY_GRANT, TRANSFER, ask, problem, prove, verify
from ..servers import PostgresServer, RedisServer

TIMEOUT_S = 0.5
Server = RedisServer | PostgresServer


@pytest.fixture(scope="module", params=["valkey-8", "postgres"])
def state(request: pytest.FixtureRequest) -> Iterator[Server]:
    made: Server = PostgresServer() if request.param == "postgres" else RedisServer(request.param)
    yield made
    made.kill()


@pytest.fixture(scope="module", params=["asgi", "wsgi"])
def door(request: pytest.FixtureRequest, state: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """Two workers behind one port."""
    config = CONFIG.read_text().replace("sqlite:///state/stepup.db", state.url(f"?timeout={TIMEOUT_S}"))
    with serving(request.param, tmp_path_factory.mktemp("service"), config, workers=2) as running:
        yield running


def test_a_killed_store_is_a_503_in_time_and_a_started_one_goes_on(door: Door, state: Server) -> None:
    user = f"alice-{door.name}"
    enrolled = door.enroll(user)
    with door.client(user) as client, door.client(user, session="s2") as other:
        prove(client, door.code(enrolled))
        assert [client.post(TRANSFER).status_code for _ in range(8)] == [200] * 8, "on either worker"
        challenge = ask(other)
        runs = len(door.reached(user))
        state.kill()
        try:
            for _ in range(4):
                begun = time.monotonic()
                answer = client.post(TRANSFER)
                assert time.monotonic() - begun < 2 * TIMEOUT_S + 0.5
                assert problem(answer) == (503, "unavailable")
                assert "Retry-After" in answer.headers
            assert verify(other, challenge, door.code(enrolled, steps=1)).status_code == 503
        finally:
            state.start()
        assert len(door.reached(user)) == runs
        assert [client.post(TRANSFER).status_code for _ in range(8)] == [200] * 8
        assert len(door.reached(user)) == runs + 8
        assert verify(other, challenge, door.code(enrolled, steps=1)).status_code == 200
    story = door.story(user)
    assert story.count(BY_GRANT[0]) == runs + 8
    assert [line["detail"] for line in door.lines(None) if line.get("status") == "refused"][-5:] == [
        "store_unavailable"
    ] * 5
    assert is_chain(door.folder / "audit" / "stepup.jsonl")


def test_one_code_is_good_once_for_all_workers(door: Door) -> None:
    user = f"bob-{door.name}"
    enrolled = door.enroll(user)
    code, answers = door.code(enrolled), []
    for number in range(5):
        with door.client(user, session=f"s{number}") as client:
            answers.append(client.post(TRANSFER, headers={"Step-Up-Code": code}).status_code)
    assert answers.count(200) == 1
    assert len(door.reached(user)) == 1
