"""Invariants 6 and 8: what no rule concerns passes as it is, and nothing passes unseen."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepup_mw.doors.asgi import CLOSE_CODE
from stepup_mw.doors.asgi_input import Message
from stepup_mw.errors import Unsupported

from .world import World, asgi_scope, who, wsgi_environ

ONE_WORLD = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])

HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["Cookie", "X-Auth-User", "Step-Up-Grant", "X-Any", "Accept", "X-HTTP-Method-Override"]),
        st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=20),
    ),
    max_size=4,
)
TARGETS = st.text("abcdefg-_/", max_size=20).map(lambda text: "/" + text) | st.sampled_from(
    ["/", "/transfers", "/transfer/x", "/exports", "/_stepupx", "/public?path=/transfer", "/public#/transfer", "*"]
)


@ONE_WORLD
@given(st.sampled_from(["GET", "POST", "PUT", "HEAD"]), TARGETS, HEADERS, st.binary(max_size=200), st.booleans())
def test_06_a_public_request_gets_the_same_bytes_with_or_without_also_under_faults(
    world: World, method: str, target: str, headers: list[tuple[str, str]], body: bytes, faulty: bool
) -> None:
    stage = world.stage
    if stage.gate.services.policy.concerns(target.partition("?")[0]):
        return
    before = len(world.lines())
    stage.faulty_store.fail_after = stage.faulty_trail.fail_after = 0 if faulty else None
    try:
        wrapped = world.ask(method, target, headers, body)
        bare = _bare(world, method, target, headers, body)
    finally:
        stage.faulty_store.fail_after = stage.faulty_trail.fail_after = None
    assert wrapped == bare
    runs = world.runs[-2:]
    assert runs[0] == runs[1]
    assert runs[0].context is None
    assert runs[0].body == body
    assert [line["event_type"] for line in world.lines()[before:]] == ["drill"]


def _bare(world: World, method: str, target: str, headers: list[tuple[str, str]], body: bytes) -> Any:
    asgi, wsgi = world.asgi, world.wsgi
    bare: Any = world._asgi_app
    world.asgi = bare
    bare = world._wsgi_app
    world.wsgi = bare
    try:
        return world.ask(method, target, headers, body)
    finally:
        world.asgi, world.wsgi = asgi, wsgi


def test_06_the_app_is_handed_the_very_objects_of_the_server(world: World) -> None:
    seen: list[Any] = []

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        seen.extend([scope, receive, send])

    def wsgi(environ: Any, start_response: Any) -> list[bytes]:
        seen.extend([environ, start_response])
        return [b"x"]

    world.asgi.app, asgi_before = asgi, world.asgi.app
    world.wsgi.app, wsgi_before = wsgi, world.wsgi.app
    scope, receive, send = asgi_scope("GET", "/public", [], "127.0.0.1"), object(), object()
    environ, start_response = wsgi_environ("GET", "/public", [], b"", "127.0.0.1"), object()
    calls: Any = (receive, send, start_response)
    world.runner.run(world.asgi(scope, calls[0], calls[1]))
    body = world.wsgi(environ, calls[2])
    world.asgi.app, world.wsgi.app = asgi_before, wsgi_before
    assert [id(one) for one in seen] == [id(one) for one in (scope, receive, send, environ, start_response)]
    assert body == [b"x"]
    assert "stepup" not in scope
    assert "stepup" not in environ


def _scope(kind: str, path: str, headers: list[tuple[str, str]], **more: Any) -> dict[str, Any]:
    scope = asgi_scope("GET", path, headers, "127.0.0.1")
    if kind == "websocket":
        del scope["method"]
    return {**scope, "type": kind, **more}


def _talk(world: World, scope: dict[str, Any]) -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    world.runner.run(world.asgi(scope, receive, send))
    return sent


def test_08_a_websocket_is_decided_at_the_handshake(world: World, user: str) -> None:
    runs = len(world.runs)
    sent = _talk(world, _scope("websocket", "/export/live", who(user)))
    assert [(message["type"], message.get("code")) for message in sent] == [("websocket.close", CLOSE_CODE)]
    extended = _scope("websocket", "/export/live", who(user), extensions={"websocket.http.response": {}})
    sent = _talk(world, extended)
    assert [message["type"] for message in sent] == ["websocket.http.response.start", "websocket.http.response.body"]
    assert sent[0]["status"] == 401
    assert len(world.runs) == runs
    world.clock.now += 31
    code = ("Step-Up-Code", world.code(user))
    _talk(world, _scope("websocket", "/export/live", [*who(user), code]))
    assert len(world.runs) == runs + 1
    assert world.runs[-1].line is not None


def test_08_a_lifespan_passes(world: World) -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    world.asgi.app, before = app, world.asgi.app
    _talk(world, {"type": "lifespan", "asgi": {"version": "3.0"}})
    world.asgi.app = before
    assert seen == ["lifespan"]


KINDS = st.text(max_size=12) | st.sampled_from(["http2", "HTTP", "Http", "websocket2", "http\n", "lifespan ", "telnet"])


@ONE_WORLD
@given(kind=KINDS.filter(lambda kind: kind not in ("http", "websocket", "lifespan")))
def test_08_a_scope_of_another_kind_never_reaches_the_app(world: World, kind: str) -> None:
    runs = len(world.runs)
    with pytest.raises(Unsupported):
        _talk(world, {**_scope("http", "/public", []), "type": kind})
    assert len(world.runs) == runs
