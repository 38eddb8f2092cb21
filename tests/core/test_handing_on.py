"""What goes on to the services behind: the header that the app's request has, and the headers for a call of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from starlette.requests import Request
from starlette.testclient import TestClient

import stepup_mw
from stepup_mw.asgi import StepUpMiddleware as AsgiStepUp
from stepup_mw.flow_token import verify_flow
from stepup_mw.wsgi import StepUpMiddleware as WsgiStepUp

KEY = "sharing-is-caring-0123456789-abcdefgh"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
PEER = ("127.0.0.1", 50000)


def config(folder: Path, *, send: bool) -> dict[str, Any]:
    return {
        "service": "bank",
        "identity": {"provider": "header", "user": "X-Auth-User", "trusted_proxies": ["127.0.0.1"]},
        "cookie": {"secure": False},
        "routes": [
            {"name": "low", "path": "/low", "risk": 10},
            {"name": "watched", "path": "/watched", "risk": 60, "mode": "report"},
        ],
        "flow": {"send": send},
        "store": {"url": "memory://"},
        "audit": {"path": str(folder / "audit" / "stepup.jsonl")},
    }


Seen = dict[str, Any]


async def asgi_app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": str(stepup_mw.flow_headers(scope).get("Step-Up-Flow"))})
        await send({"type": "websocket.close"})
        return
    request = Request(scope)
    if request.url.path == "/asks":
        await stepup_mw.require(request, reason="to see", rule="low")
    seen = {
        "flow": [value.decode() for name, value in scope["headers"] if name.replace(b"_", b"-") == b"step-up-flow"],
        "out": stepup_mw.flow_headers(request),
        "told": scope.get("stepup"),
    }
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(seen).encode()})


def wsgi_app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    if environ["PATH_INFO"] == "/asks":
        stepup_mw.require_sync(environ, reason="to see", rule="low")
    flow = environ.get("HTTP_STEP_UP_FLOW")
    seen = {
        "flow": [flow] if flow is not None else [],
        "out": stepup_mw.flow_headers(environ),
        "told": environ.get("stepup"),
    }
    start_response("200 OK", [])
    return [json.dumps(seen).encode()]


Ask = Callable[..., Seen]


@pytest.fixture(params=["asgi", "wsgi"])
def wrapped(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("STEPUP_SECRET_KEY", "correct-horse-battery-staple-0123456789")
    monkeypatch.setenv("STEPUP_FLOW_KEY", KEY)
    closing: list[Callable[[], Any]] = []

    def begin(*, send: bool = True) -> Ask:
        if request.param == "asgi":
            asgi = AsgiStepUp(asgi_app, config=config(tmp_path, send=send))
            closing.append(lambda: anyio.run(asgi.aclose))
            client: Any = TestClient(asgi, client=PEER)
        else:
            wsgi = WsgiStepUp(wsgi_app, config=config(tmp_path, send=send))
            closing.append(wsgi.close)
            transport = httpx2.WSGITransport(app=wsgi, remote_addr=PEER[0])
            client = httpx2.Client(transport=transport, base_url="http://bank")

        def ask(path: str, **headers: str) -> Seen:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            answer = client.post(path, headers={"X-Auth-User": "alice", **named})
            assert answer.status_code == 200, answer.text
            seen: Seen = answer.json()
            return seen

        return ask

    yield begin
    for close in closing:
        close()


@pytest.mark.parametrize("path", ["/low", "/watched"])
def test_the_request_of_the_app_has_the_signed_flow_in_the_place_of_what_came(wrapped: Any, path: str) -> None:
    ask = wrapped()
    for sent in ({}, {"Step_Up_Flow": "forged"}):
        seen = ask(path, **sent)
        told = seen["told"]
        assert seen["flow"] == [told["flow_token"]] == [seen["out"]["Step-Up-Flow"]]
        flow = verify_flow([KEY.encode()], seen["flow"][0], user="alice", now=0)
        assert (flow.flow_id, flow.service) == (told["flow_id"], "bank")


def test_where_none_is_sent_what_came_goes_no_further_all_the_same(wrapped: Any) -> None:
    ask = wrapped(send=False)
    seen = ask("/low", Step_Up_Flow="forged")
    assert seen["flow"] == []
    assert seen["out"] == {"X-Request-ID": seen["told"]["request_id"]}


def test_a_request_that_no_rule_concerns_passes_untouched(wrapped: Any) -> None:
    seen = wrapped()("/free", Step_Up_Flow="forged", traceparent=TRACE)
    assert seen == {"flow": ["forged"], "out": {"traceparent": TRACE}, "told": None}


def test_the_flow_of_what_the_app_has_asked_for_itself(wrapped: Any) -> None:
    ask = wrapped()
    for _ in range(2):  # the first is not watched, those after it are
        seen = ask("/asks", Step_Up_Flow="forged")
        flow = verify_flow([KEY.encode()], seen["out"]["Step-Up-Flow"], user="alice", now=0)
        assert flow.flow_id == seen["told"]["flow_id"]


def test_the_trace_goes_on_as_it_came_if_it_is_good(wrapped: Any) -> None:
    ask = wrapped()
    good = {"traceparent": TRACE, "tracestate": "rojo=1,congo=2", "X_Request_ID": "req-1"}
    out = ask("/low", **good)["out"]
    assert {name: out[name] for name in ("traceparent", "tracestate", "X-Request-ID")} == {
        "traceparent": TRACE,
        "tracestate": "rojo=1,congo=2",
        "X-Request-ID": "req-1",
    }
    bad = ask("/low", traceparent=TRACE.upper(), tracestate="rojo=1", X_Request_ID="x" * 129)
    assert bad["out"] == {"Step-Up-Flow": bad["flow"][0], "X-Request-ID": bad["told"]["request_id"]}


def test_a_websocket_has_it_too_and_every_spelling_of_the_name_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPUP_SECRET_KEY", "correct-horse-battery-staple-0123456789")
    monkeypatch.setenv("STEPUP_FLOW_KEY", KEY)
    app = AsgiStepUp(asgi_app, config=config(tmp_path, send=True))
    client, user = TestClient(app, client=PEER), {"X-Auth-User": "alice"}
    with client.websocket_connect("/low", headers=user) as socket:
        assert verify_flow([KEY.encode()], socket.receive_text(), user="alice", now=0).service == "bank"
    twice = [(b"x-auth-user", b"alice"), (b"step_up_flow", b"forged"), (b"step-up-flow", b"also")]
    seen: Seen = client.post("/low", headers=twice).json()
    assert seen["flow"] == [seen["told"]["flow_token"]]
    anyio.run(app.aclose)


@pytest.mark.parametrize("kind", ["scope", "environ"])
def test_without_a_middleware_only_the_trace_goes_on(kind: str) -> None:
    scope = {"type": "http", "headers": [(b"traceparent", TRACE.encode())]}
    environ = {"HTTP_TRACEPARENT": TRACE}
    assert stepup_mw.flow_headers(scope if kind == "scope" else environ) == {"traceparent": TRACE}
