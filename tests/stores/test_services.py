"""Whole services on a real server of state: its death is a 503 in time, reaches no app, and is over when it is over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from stepup_mw.stores.redis.names import Names

from ..http.doors import CONFIG, Door, is_chain, serving
from ..http.steps import BY_GRANT, TRANSFER, ask, problem, prove, verify
from ..servers import PostgresServer, RedisServer, until
from .kept import TABLES

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
    refused = [line for line in door.trail() if line.get("status") == "refused"][-5:]
    assert [(line["user_id"], line["detail"]) for line in refused] == [(user, "store_unavailable")] * 5
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


def _sql(state: Server, *statements: str) -> None:
    with psycopg.connect(state.url(), autocommit=True) as db:
        db.execute("SET default_transaction_read_only = off")
        for statement in statements:
            db.execute(statement.encode())


def _switch(state: Server, fault: str, *, on: bool) -> None:
    if fault == "slow":
        state.pause() if on else state.resume()
    elif isinstance(state, RedisServer):
        words = {
            "read-only": ("REPLICAOF", *(("127.0.0.1", "1") if on else ("NO", "ONE"))),
            "full": ("CONFIG", "SET", "maxmemory", "1" if on else "0"),
        }[fault]
        assert state.ask(*words) == "+OK"
    else:
        end = "SET default_transaction_read_only = on" if on else "RESET default_transaction_read_only"
        _sql(state, f"ALTER SYSTEM {end}", "SELECT pg_reload_conf()")
        time.sleep(0.3)


@pytest.mark.parametrize("fault", ["slow", "read-only", "full"])
def test_a_store_that_cannot_count_lets_nothing_through_and_goes_on(door: Door, state: Server, fault: str) -> None:
    user = f"{fault}-{door.name}-{type(state).__name__}"
    if fault == "full" and isinstance(state, PostgresServer):
        fault = "read-only"  # what a PostgreSQL on a full disk is to its clients
    enrolled = door.enroll(user)
    with door.client(user) as client, door.client(user, session="s2") as other:
        challenge = ask(client)
        refused = len(_refusals(door))
        _switch(state, fault, on=True)
        try:
            begun = time.monotonic()
            assert problem(verify(client, challenge, door.code(enrolled))) == (503, "unavailable")
            assert time.monotonic() - begun < 4 * TIMEOUT_S + 1
            answer = other.post(TRANSFER, headers={"Step-Up-Code": door.code(enrolled)})
            assert problem(answer) == (503, "unavailable")
            assert "Retry-After" in answer.headers
            assert door.reached(user) == []
        finally:
            _switch(state, fault, on=False)
        assert len(_refusals(door)) >= refused + 2, "what was refused is on record"
        until(lambda: verify(other, ask(other), door.code(enrolled, steps=1)).status_code == 200, what="recovery")
        assert other.post(TRANSFER).status_code == 200
    assert len(door.reached(user)) == 1


def _refusals(door: Door) -> list[dict[str, Any]]:
    return [line for line in door.trail() if line.get("detail") == "store_unavailable"]


def test_a_store_that_evicts_lets_nobody_in_says_so_and_goes_on(door: Door, state: Server) -> None:
    if not isinstance(state, RedisServer):
        return  # a table evicts nothing
    user = f"dora-{door.name}"
    enrolled = door.enroll(user)
    with door.client(user) as client, door.client(f"{user}-new") as newcomer:
        prove(client, door.code(enrolled))
        assert client.post(TRANSFER).status_code == 200
        for key in (Names("stepup").user(user), Names("stepup").grants(user)):
            state.evict(key)
        answers = [client.post(TRANSFER), client.post(TRANSFER, headers={"Step-Up-Code": door.code(enrolled, steps=1)})]
        assert {problem(answer) for answer in answers} == {(503, "unavailable")}
        assert all("Retry-After" in answer.headers for answer in answers)
        until(lambda: _lost(door) in ({"evicted"}, {"empty"}, {"evicted", "empty"}), what="the line")
        assert problem(newcomer.post(TRANSFER)) == (503, "unavailable"), "nobody knows who they were"
        assert newcomer.get("/_stepup/enroll").status_code == 403
        again = door.enroll(user)
        assert client.post(TRANSFER, headers={"Step-Up-Code": door.code(again)}).status_code == 200
    assert len(door.reached(user)) == 2


def _lost(door: Door) -> set[str]:
    return {line["detail"]["found"] for line in door.lines(None, settle=False) if line["phase"] == "store_lost"}


def test_a_store_that_is_emptied_lets_nobody_in_says_so_and_goes_on(door: Door, state: Server) -> None:
    user = f"carol-{door.name}"
    enrolled = door.enroll(user)
    with door.client(user) as client:
        prove(client, door.code(enrolled))
        assert client.post(TRANSFER).status_code == 200
        if isinstance(state, RedisServer):
            assert state.ask("FLUSHALL") == "+OK"
        else:
            _sql(state, "TRUNCATE " + ", ".join(f"stepup.{name}" for name in TABLES))
        answers = [client.post(TRANSFER), client.post(TRANSFER, headers={"Step-Up-Code": door.code(enrolled, steps=1)})]
        assert [problem(answer) for answer in answers] == [(503, "unavailable")] * 2
        until(lambda: any(line["phase"] == "store_lost" for line in door.lines(None, settle=False)), what="the line")
        again = door.enroll(user)
        assert client.post(TRANSFER, headers={"Step-Up-Code": door.code(again)}).status_code == 200
    assert len(door.reached(user)) == 2
