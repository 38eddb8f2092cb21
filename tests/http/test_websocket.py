"""WebSockets are decided at the handshake: an HTTP answer where the server can give one, else close code 4401."""

from __future__ import annotations

import json
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import anyio
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from stepup_mw.asgi import StepUpMiddleware

from .doors import CONFIG, Door, read_lines, serving
from .steps import APPROVED, ASKED, BY_GRANT, INLINE, PROBLEM, WRONG, prove, verify

ROOM = "/live/room"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """WSGI has no WebSockets: uvicorn only."""
    with serving("asgi", tmp_path_factory.mktemp("live"), CONFIG.read_text()) as running:
        yield running


def shake(door: Door, path: str = ROOM, **headers: str) -> dict[str, Any]:
    """Open a WebSocket; gives what the app sends. InvalidStatus where the handshake is refused."""
    with connect(door.url.replace("http", "ws") + path, additional_headers=headers) as socket:
        return dict(json.loads(socket.recv(timeout=10)))


def signed_in(user: str, **headers: str) -> dict[str, str]:
    return {"X-Auth-User": user, "X-Auth-Session": "s1", **headers}


def test_refused_with_the_document_of_a_challenge(live: Door, user: str) -> None:
    enrolled = live.enroll(user)
    with pytest.raises(InvalidStatus) as refused:
        shake(live, **signed_in(user))
    response = refused.value.response
    assert (response.status_code, response.headers["content-type"]) == (401, PROBLEM)
    assert response.headers["www-authenticate"].startswith("StepUp ")
    challenge = json.loads(response.body)
    assert challenge["type"] == "urn:stepup:challenge-required"
    with live.client(user) as client:
        grant = verify(client, challenge, live.code(enrolled)).json()["grant"]
    seen = shake(live, **signed_in(user, **{"Step-Up-Grant": grant}))
    assert (seen["method"], seen["stepup"]["basis"]) == ("WS", "grant")
    assert live.story(user) == [*APPROVED, *BY_GRANT]
    assert live.lines(user)[-1]["http"]["status"] == 101


def test_passed_with_the_cookies_of_a_browser(live: Door, user: str) -> None:
    with live.client(user) as client:
        prove(client, live.code(live.enroll(user)), ROOM, "GET")
        cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    assert shake(live, **signed_in(user, Cookie=cookies))["stepup"]["user_id"] == user
    assert live.story(user) == [*APPROVED, *BY_GRANT]


def test_a_code_with_the_handshake(live: Door, user: str) -> None:
    enrolled = live.enroll(user)
    with pytest.raises(InvalidStatus) as wrong:
        shake(live, **signed_in(user, **{"Step-Up-Code": live.wrong(enrolled)}))
    right = shake(live, **signed_in(user, **{"Step-Up-Code": live.code(enrolled)}))
    assert wrong.value.response.status_code == 401
    assert right["stepup"]["basis"] == "inline"
    assert live.story(user) == [*ASKED, WRONG, "outcome/approved route_policy", *INLINE]


def test_nobody(live: Door) -> None:
    with pytest.raises(InvalidStatus) as refused:
        shake(live)
    assert refused.value.response.status_code == 401
    assert live.lines(None)[-1]["status"] == "anonymous"


def test_never_sent_to_a_page(live: Door, user: str) -> None:
    live.enroll(user)
    with pytest.raises(InvalidStatus) as refused:
        shake(live, **signed_in(user, Accept="text/html"))
    assert refused.value.response.status_code == 401


@pytest.mark.parametrize("path", ["//live/room", "/live/room/", "/%6cive/room", "/live/room%0a", "/live%2froom"])
def test_in_another_spelling(live: Door, user: str, path: str) -> None:
    with pytest.raises(InvalidStatus):
        shake(live, path, **signed_in(user))
    assert live.reached(user) == []


def test_where_no_rule_holds_it_is_not_touched(live: Door, user: str) -> None:
    assert shake(live, "/chat", **signed_in(user))["stepup"] is None
    assert live.lines(user) == []


@pytest.mark.parametrize(
    ("extensions", "sent"),
    [
        (None, [{"type": "websocket.close", "code": 4401, "reason": "step-up required"}]),
        ({}, [{"type": "websocket.close", "code": 4401, "reason": "step-up required"}]),
        ({"websocket.http.response": {}}, ["websocket.http.response.start", "websocket.http.response.body"]),
    ],
    ids=["none", "empty", "http-response"],
)
def test_what_a_server_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extensions: dict[str, Any] | None, sent: list[Any]
) -> None:
    monkeypatch.setenv("STEPUP_SECRET_KEY", "correct-horse-battery-staple-0123456789")
    (tmp_path / "stepup.toml").write_text(CONFIG.read_text())
    got: list[MutableMapping[str, Any]] = []

    async def app(*_: Any) -> None:
        raise AssertionError("the app must not run")

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        got.append(message)

    async def handshake() -> None:
        gate = StepUpMiddleware(app, config=tmp_path / "stepup.toml")
        scope: dict[str, Any] = {"type": "websocket", "path": ROOM, "headers": [], "client": ("127.0.0.1", 1)}
        if extensions is not None:
            scope["extensions"] = extensions
        await gate(scope, receive, send)
        await gate.aclose()

    anyio.run(handshake)
    assert [
        message["type"] if isinstance(wanted, str) else message for message, wanted in zip(got, sent, strict=True)
    ] == sent
    phases = [
        line["phase"] for line in read_lines(tmp_path / "audit" / "stepup.jsonl") if line["event_type"] == "step_up"
    ]
    assert phases == ["trigger"]
