"""An answer that outlives its proof is ended, on real servers: events, a file, a WebSocket; nothing else is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from .doors import CONFIG, Door, serving
from .steps import prove

pytestmark = pytest.mark.slow

RULES = """
[[routes]]
name = "brief"
path = "/brief/{what}"
challenge = "always"
max_age = "2s"
stream_max_age = "2s"

[[routes]]
name = "long"
path = "/long/{what}"
challenge = "always"
max_age = "1m"
stream_max_age = "10m"

[[routes]]
name = "free"
path = "/free/{what}"
challenge = "always"

[[routes]]
name = "low"
path = "/low/{what}"
max_age = "1s"
stream_max_age = "1s"
"""


def begun(name: str, folder: Path) -> AbstractContextManager[Door]:
    text = CONFIG.read_text()
    config = text[: text.index("[[routes]]")] + RULES + text[text.index("[challenge]") :]
    return serving(name, folder, config, app=f"tests.http.streaming:{name}")


@pytest.fixture(scope="module", params=["asgi", "wsgi"])
def streaming(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with begun(request.param, tmp_path_factory.mktemp("streaming")) as running:
        yield running


@pytest.fixture(scope="module")
def sockets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """WSGI has no WebSockets."""
    with begun("asgi", tmp_path_factory.mktemp("sockets")) as running:
        yield running


def follow(door: Door, user: str, path: str, headers: dict[str, str]) -> tuple[bytes, float, bool]:
    """What comes of a stream, for how many seconds, and whether it was whole."""
    begun, got, whole = time.monotonic(), b"", True
    with door.client(user, **headers) as client, client.stream("GET", path, timeout=30) as answer:
        assert answer.status_code == 200, answer.read()
        try:
            for piece in answer.iter_bytes():
                got += piece
        except (httpx2.RemoteProtocolError, httpx2.ReadError):
            whole = False
    return got, time.monotonic() - begun, whole


def ending(door: Door, user: str) -> tuple[str, str | None]:
    line = [line for line in door.lines(user) if line["phase"] == "result"][-1]
    return line["status"], line["detail"]


@pytest.mark.parametrize(("what", "whole"), [("events", True), ("file", False)])
def test_a_stream_ends_with_its_proof(streaming: Door, user: str, what: str, whole: bool) -> None:
    code = streaming.code(streaming.enroll(user))
    got, seconds, was_whole = follow(streaming, user, f"/brief/{what}", {"Step-Up-Code": code})
    assert was_whole is whole
    assert got.startswith(b"data: 0\n\n")
    assert 1 < seconds < 12
    assert got.count(b"data:") < 100
    assert ending(streaming, user) == ("aborted", "proof_expired")
    assert (streaming.folder / "tidied").exists()
    with streaming.client(user) as client:
        assert client.get(f"/brief/{what}").status_code == 401


def test_an_answer_in_one_piece_is_whole_however_long_it_takes(streaming: Door, user: str) -> None:
    code = streaming.code(streaming.enroll(user))
    got, seconds, whole = follow(streaming, user, "/brief/slow", {"Step-Up-Code": code})
    assert (got, whole) == (b"whole", True)
    assert seconds > 2.5
    assert ending(streaming, user) == ("completed", None)


def test_without_a_longest_life_it_ends_when_it_will(streaming: Door, user: str) -> None:
    code = streaming.code(streaming.enroll(user))
    with streaming.client(user, **{"Step-Up-Code": code}) as client, client.stream("GET", "/free/events") as answer:
        begun = time.monotonic()
        for _ in answer.iter_bytes():
            if time.monotonic() - begun > 3:
                break
    deadline = time.monotonic() + 40
    while len([line for line in streaming.lines(user, settle=False) if line["phase"] == "result"]) < 1:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert ending(streaming, user)[1] is None


def test_below_the_threshold_it_is_judged_anew_after_its_life(streaming: Door, user: str) -> None:
    _, seconds, whole = follow(streaming, user, "/low/events", {})
    assert whole
    assert seconds < 12
    assert ending(streaming, user) == ("aborted", "proof_expired")


@pytest.mark.parametrize("how", ["one", "all"])
def test_a_stream_ends_soon_after_its_grant_is_given_up(streaming: Door, user: str, how: str) -> None:
    enrolled = streaming.enroll(user)
    with streaming.client(user) as client:
        grant = prove(client, streaming.code(enrolled), "/long/events", "GET")["grant"]
        with client.stream("GET", "/long/events", timeout=30) as answer:
            begun = 0.0
            for _ in answer.iter_bytes():
                if not begun:
                    held = client.get("/_stepup/grants").json()["grants"]
                    url = f"/_stepup/grants/{held[0]['id']}" if how == "one" else "/_stepup/grants"
                    assert client.delete(url).status_code == 200
                    begun = time.monotonic()
        assert time.monotonic() - begun < 15
    assert grant
    assert ending(streaming, user) == ("aborted", "proof_revoked")


def test_a_websocket_is_closed_with_its_proof(sockets: Door, user: str) -> None:
    headers = {
        "X-Auth-User": user,
        "X-Auth-Session": "s1",
        "Step-Up-Code": sockets.code(sockets.enroll(user)),
    }
    url = sockets.url.replace("http", "ws") + "/brief/live"
    with connect(url, additional_headers=headers) as socket, pytest.raises(ConnectionClosed) as closed:
        all(socket.recv(timeout=10) for _ in range(100))
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4401, "the proof has expired")
    assert ending(sockets, user) == ("aborted", "proof_expired")
    line = [line for line in sockets.lines(user) if line["phase"] == "result"][-1]
    assert line["http"]["status"] == 101
