"""When the trail or the store does not answer nothing is let through, and all is well again without a restart."""

from __future__ import annotations

import resource
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from .doors import CONFIG, Door, is_chain, read_lines, serving
from .steps import ASKED, BROWSER, BY_GRANT, TRANSFER, ask, problem, prove, verify

pytestmark = pytest.mark.slow

BELOW = "/rename"
"""A guarded path that needs no proof: its access line is all that stands between."""


@pytest.fixture(scope="module", params=["asgi", "wsgi"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A server whose parts a test may break, if it mends them."""
    with serving(request.param, tmp_path_factory.mktemp("faults"), CONFIG.read_text()) as running:
        yield running


@contextmanager
def trail_gone(door: Door) -> Iterator[None]:
    """A folder stands where the lock of the trail was: nothing can be written, and nothing else is amiss."""
    lock = door.folder / "audit" / ".stepup.lock"
    away = lock.with_name("away")
    lock.rename(away)
    lock.mkdir()
    try:
        yield
    finally:
        lock.rmdir()
        away.rename(lock)


@contextmanager
def disk_full(door: Door) -> Iterator[None]:
    """No file of the server may grow past what the trail has now."""
    before = resource.prlimit(_worker(door), resource.RLIMIT_FSIZE)
    size = (door.folder / "audit" / "stepup.jsonl").stat().st_size
    resource.prlimit(_worker(door), resource.RLIMIT_FSIZE, (size + 100, before[1]))
    try:
        yield
    finally:
        resource.prlimit(_worker(door), resource.RLIMIT_FSIZE, before)


def _worker(door: Door) -> int:
    """The process that writes the trail."""
    served = [line for line in read_lines(door.folder / "audit" / "stepup.jsonl") if line["event_type"] == "config"]
    return int(served[-1]["writer"]["pid"])


@contextmanager
def store_locked(door: Door) -> Iterator[None]:
    """Another connection holds the write lock of the database."""
    other = sqlite3.connect(door.folder / "state" / "stepup.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@contextmanager
def store_gone(door: Door) -> Iterator[None]:
    """The database file has another name."""
    path, away = door.folder / "state" / "stepup.db", door.folder / "state" / "away.db"
    path.rename(away)
    try:
        yield
    finally:
        away.rename(path)


def is_unavailable(answer: httpx2.Response) -> bool:
    assert problem(answer) == (503, "unavailable")
    return answer.headers["retry-after"] == "5"


def refusals(door: Door, user: str, detail: str) -> int:
    """How many lines about the user say so."""
    return sum(line.get("detail") == detail and line["status"] == "refused" for line in door.lines(user))


@pytest.mark.parametrize("fault", [trail_gone, disk_full])
def test_without_its_line_no_request_reaches_the_app(server: Door, user: str, fault: type) -> None:
    if fault is disk_full and not hasattr(resource, "prlimit"):
        return  # macOS cannot limit a process that runs already
    with server.client(user) as client:
        assert client.post(BELOW).status_code == 200
        server.lines(user)
        with fault(server):
            assert is_unavailable(client.post(BELOW))
            assert is_unavailable(client.post(BELOW))
            assert client.get(BELOW, headers=BROWSER).json()["stepup"] is None  # no rule: untouched
            assert client.post("/public").status_code == 200
        assert client.post(BELOW).status_code == 200
    trail = server.folder / "audit" / "stepup.jsonl"
    assert len(server.reached(user)) == 2
    assert [run["on_record"] for run in server.reached(user)] == [True, True]
    assert len([line for line in server.story(user) if line.startswith("access/allowed")]) == 2
    assert is_chain(trail)
    assert any(line["event_type"] == "audit" and line["phase"] == "gap" for line in read_lines(trail))


def test_a_person_is_told_on_a_page(server: Door, user: str) -> None:
    server.enroll(user)
    with server.client(user, **BROWSER) as browser, trail_gone(server):
        answer = browser.get("/export/all")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


def test_no_challenge_without_its_line(server: Door, user: str) -> None:
    server.enroll(user)
    with server.client(user) as client:
        with trail_gone(server):
            assert is_unavailable(client.post(TRANSFER))
        assert problem(client.post(TRANSFER)) == (401, "challenge-required")
    assert server.story(user) == ["access/refused route_policy", *ASKED]


def test_no_grant_without_its_line(server: Door, user: str) -> None:
    """The code is spent, nothing was given for it, and the outcome gets its line once that can be written."""
    enrolled = server.enroll(user)
    with server.client(user) as client:
        challenge = ask(client)
        with trail_gone(server):
            answer = verify(client, challenge, server.code(enrolled))
            assert is_unavailable(answer)
            assert "set-cookie" not in answer.headers
        assert client.post(TRANSFER).status_code == 401
    server.offset(31)
    story = server.settled(user, 6)
    server.offset(0)
    assert [told for told in story if not told.startswith("access/refused")] == [
        *ASKED,
        *ASKED,
        "outcome/approved route_policy",
    ]
    assert server.reached(user) == []


def test_no_code_with_a_request_without_its_line(server: Door, user: str) -> None:
    enrolled = server.enroll(user)
    with server.client(user) as client:
        ask(client)
        with trail_gone(server):
            assert is_unavailable(client.post(TRANSFER, headers={"Step-Up-Code": server.code(enrolled)}))
    assert server.reached(user) == []


def test_lost_lines_are_no_reason_to_refuse_where_the_configuration_says_so(tmp_path: Path) -> None:
    config = CONFIG.read_text().replace("[audit]", '[audit]\non_failure = "allow"')
    with serving("asgi", tmp_path, config) as door, door.client("alice") as client:
        assert client.post(BELOW).status_code == 200
        door.lines("alice")
        with trail_gone(door):
            assert client.post(BELOW).status_code == 200
        assert client.post(BELOW).status_code == 200
        assert is_chain(door.folder / "audit" / "stepup.jsonl")


def test_a_locked_store(server: Door, user: str) -> None:
    enrolled = server.enroll(user)
    with server.client(user) as client:
        prove(client, server.code(enrolled))
        with store_locked(server):
            assert is_unavailable(client.post("/wire"))
            assert client.post("/public").status_code == 200
        assert client.post(TRANSFER).status_code == 200
    assert refusals(server, user, "store_unavailable") == 1
    refused = next(line for line in server.lines(user) if line.get("detail") == "store_unavailable")
    assert refused["session_id"] is not None
    assert (refused["user_id"], refused["action"]["route"], refused["http"]["status"]) == (user, "wire", 503)
    assert server.story(user)[-3:] == ["access/refused route_policy", *BY_GRANT]


def test_a_code_while_the_store_is_locked_is_no_success(server: Door, user: str) -> None:
    enrolled = server.enroll(user)
    with server.client(user) as client:
        challenge = ask(client)
        with store_locked(server):
            assert is_unavailable(verify(client, challenge, server.code(enrolled)))
        assert verify(client, challenge, server.code(enrolled)).status_code == 200


def test_a_store_that_is_gone(server: Door, user: str) -> None:
    enrolled = server.enroll(user)
    with server.client(user) as client:
        prove(client, server.code(enrolled))
        assert client.post(TRANSFER).status_code == 200
        with store_gone(server):
            while client.post(TRANSFER).status_code == 200:  # it looks again every quarter of a second
                pass
            assert is_unavailable(client.post(TRANSFER))
            assert is_unavailable(client.post("/wire"))
            assert client.post("/public").status_code == 200
        assert client.post(TRANSFER).status_code == 200
    assert server.story(user)[-2:] == BY_GRANT
    assert all(run["on_record"] for run in server.reached(user))


def test_a_slow_body_keeps_nobody_else_waiting(door: Door, user: str) -> None:
    """A client that sends the body of a bound request slowly is one thread's burden, not the gate's."""
    person = door.enroll(user)
    host, port = door.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as slow:
        head = f"POST /wire HTTP/1.1\r\nHost: {host}\r\nX-Auth-User: {user}\r\nContent-Length: 100\r\n\r\nhalf of it"
        slow.sendall(head.encode())
        time.sleep(0.3)
        with door.client(user) as client:
            begun = time.monotonic()
            answer = client.post("/accounts/42/transfer", headers={"Step-Up-Code": door.code(person)})
            assert (answer.status_code, time.monotonic() - begun < 5) == (200, True)
