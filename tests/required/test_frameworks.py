"""The doors of Flask, FastAPI and Litestar, put up as their users do, with each one's own session or user."""

from __future__ import annotations

import datetime
import json
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import anyio
import httpx2
import pyotp
import pytest
from asgiref.wsgi import WsgiToAsgi
from fastapi import APIRouter, Depends, FastAPI
from flask import Flask, session
from litestar import Litestar, asgi, get, post
from litestar import Request as LitestarRequest
from litestar.connection import ASGIConnection
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult, DefineMiddleware
from litestar.testing import TestClient as LitestarClient
from litestar.types import Receive, Scope, Send
from starlette.testclient import TestClient

from stepup_mw.asgi import StepUpMiddleware as AsgiStepUp
from stepup_mw.compose import Assembly
from stepup_mw.config import load_config
from stepup_mw.demands import Evidence
from stepup_mw.enrollment import enroll
from stepup_mw.errors import BadDemand, StepUpError
from stepup_mw.fastapi import RESPONSES, document, require_stepup
from stepup_mw.fastapi import StepUp as FastStepUp
from stepup_mw.flask import StepUp, stepup_required
from stepup_mw.litestar import StepUpPlugin
from stepup_mw.litestar import stepup_required as guard
from stepup_mw.wsgi import StepUpMiddleware as WsgiStepUp

from .site import SECRET, told, verify

PEER = ("127.0.0.1", 50000)


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPUP_SECRET_KEY", SECRET)


def config(folder: Path, **identity: Any) -> dict[str, Any]:
    return {
        "service": "bank",
        "identity": identity,
        "cookie": {"secure": False},
        "routes": [
            {"name": "wipe", "path": "/wipe", "methods": ["POST"], "risk": 60},
            {"name": "admin", "path": "/admin/{rest:path}", "challenge": "always"},
        ],
        "store": {"url": "memory://"},
        "audit": {"path": str(folder / "audit" / "stepup.jsonl")},
    }


def story(folder: Path) -> list[str]:
    """Once every access has its result."""
    until = time.monotonic() + 5
    while True:
        raw = (folder / "audit" / "stepup.jsonl").read_bytes().split(b"\n")[:-1]
        found = [told(line) for line in map(json.loads, raw) if line["event_type"] in ("step_up", "grant")]
        begun, ended = (sum(text.startswith(what) for text in found) for what in ("access/allowed", "result/"))
        if begun == ended or time.monotonic() > until:
            return found
        time.sleep(0.01)


def enrolled(assembly: Assembly, user: str = "alice") -> pyotp.TOTP:
    return pyotp.TOTP(anyio.run(enroll, assembly.gate.services, user).secret)


# Flask


def board() -> Flask:
    app = Flask("board")
    app.secret_key = "of the board"

    @app.post("/sign-in/<user>")
    def sign_in(user: str) -> str:
        session["user_id"] = user
        return "in"

    @app.post("/wipe")
    def wipe() -> str:
        return "wiped"

    @app.post("/posts/<int:post>/delete")
    @stepup_required(reason="to delete it", action=lambda post: {"post": post})
    def delete(post: int) -> str:
        return f"deleted {post}"

    @app.post("/close")
    @stepup_required
    async def close() -> str:
        return "closed"

    return app


@pytest.fixture
def flask_client(tmp_path: Path) -> Iterator[tuple[Any, pyotp.TOTP]]:
    app = board()
    app.config["STEPUP_CONFIG"] = config(tmp_path, provider="flask")
    extension = StepUp()
    extension.init_app(app)
    client = app.test_client()
    client.post("/sign-in/alice")
    yield client, enrolled(extension.middleware_of(app).assembly)
    extension.middleware_of(app).close()


def test_flask_by_its_own_session(flask_client: tuple[Any, pyotp.TOTP], tmp_path: Path) -> None:
    client, authenticator = flask_client
    asked = client.post("/wipe")
    assert asked.status_code == 401
    assert client.post(asked.json["verify_url"], json={"code": authenticator.now()}).status_code == 200
    assert client.post("/wipe").text == "wiped"
    assert story(tmp_path)[-2:] == ["access/allowed route_policy grant", "result/completed route_policy grant"]


def test_flask_decorators_ask_with_what_the_view_is_given(flask_client: tuple[Any, pyotp.TOTP]) -> None:
    client, authenticator = flask_client
    asked = client.post("/posts/7/delete")
    assert (asked.json["reason"], asked.json["action"]) == ("to delete it", {"post": 7})
    client.post(asked.json["verify_url"], json={"code": authenticator.now()})
    assert client.post("/posts/7/delete").text == "deleted 7"
    assert client.post("/posts/8/delete").status_code == 401
    assert client.post("/close").status_code == 401


def test_flask_a_made_up_session_is_nobody(flask_client: tuple[Any, pyotp.TOTP]) -> None:
    client, _ = flask_client
    client.set_cookie("session", "eyJ1c2VyX2lkIjoiYWxpY2UifQ.aaaaaa.bbbbbbbbbbbb")
    assert client.post("/wipe").json["type"] == "urn:stepup:login-required"


def test_flask_twice_is_a_mistake(tmp_path: Path) -> None:
    app = board()
    extension = StepUp(app, config(tmp_path, provider="flask"))
    with pytest.raises(StepUpError, match="has the extension already"):
        extension.init_app(app)
    extension.middleware_of(app).close()


@pytest.mark.parametrize("around", ["the app", "its wsgi_app", "a middleware"])
def test_the_flask_session_in_the_plain_wsgi_door(tmp_path: Path, around: str) -> None:
    app = board()
    inner: Any = {"the app": app, "its wsgi_app": app.wsgi_app, "a middleware": _Around(app)}[around]
    door = WsgiStepUp(inner, config=config(tmp_path, provider="flask", user="user_id"))
    authenticator = enrolled(door.assembly)
    with httpx2.Client(transport=httpx2.WSGITransport(app=door), base_url="http://testserver") as client:
        client.post("/sign-in/alice")
        verify(client, client.post("/wipe"), authenticator.now())
        assert client.post("/wipe").text == "wiped"
    door.close()


class _Around:
    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.app(environ, start_response)


def test_the_flask_session_behind_a_bridge(tmp_path: Path) -> None:
    bridge = WsgiToAsgi(board())  # type: ignore[no-untyped-call]  # asgiref has no types for it
    door = AsgiStepUp(bridge, config=config(tmp_path, provider="flask"))
    authenticator = enrolled(door.assembly)
    client = TestClient(door, client=PEER)
    client.post("/sign-in/alice")
    verify(client, client.post("/wipe"), authenticator.now())
    assert client.post("/wipe").text == "wiped"
    anyio.run(door.aclose)


def test_no_flask_app_inside_lets_nobody_in(tmp_path: Path) -> None:
    door = WsgiStepUp(lambda _environ, _start_response: [b"x"], config=config(tmp_path, provider="flask"))
    with httpx2.Client(transport=httpx2.WSGITransport(app=door), base_url="http://testserver") as client:
        assert client.post("/wipe").json()["type"] == "urn:stepup:unavailable"
    door.close()


# FastAPI


def payments() -> FastAPI:
    app = FastAPI()

    @app.post("/wipe")
    async def wipe() -> str:
        return "wiped"

    @app.post("/pay/{payee}", dependencies=[Depends(require_stepup(reason="a payment"))])
    def pay(payee: str) -> str:
        return f"paid {payee}"

    @app.get("/secret")
    async def secret(proof: Annotated[Evidence, Depends(require_stepup("wipe", max_age="1m"))]) -> str:
        return proof.basis

    @app.get("/public")
    async def public() -> str:
        return "public"

    return app


IDENTITY = {"provider": "header", "user": "X-Auth-User", "trusted_proxies": ["127.0.0.1"]}


@pytest.fixture
def fast(tmp_path: Path) -> Iterator[TestClient]:
    app = payments()
    FastStepUp(app, config(tmp_path, **IDENTITY))
    client = TestClient(app, client=PEER, headers={"X-Auth-User": "alice"})
    client.get("/public")
    yield client
    anyio.run(door_of(client).aclose)


def door_of(client: TestClient) -> AsgiStepUp:
    """The middleware that Starlette made."""
    app: Any = client.app
    layer = app.middleware_stack
    while not isinstance(layer, AsgiStepUp):
        layer = layer.app
    return layer


def test_fastapi_dependencies_ask_and_give_the_evidence(fast: TestClient, tmp_path: Path) -> None:
    authenticator = enrolled(door_of(fast).assembly)
    asked = fast.post("/pay/bob")
    assert (asked.status_code, asked.json()["reason"]) == (401, "a payment")
    verify(fast, asked, authenticator.now())
    assert fast.post("/pay/bob").json() == "paid bob"
    assert fast.post("/pay/eve").json() == "paid eve"  # one route, one proof
    assert fast.get("/secret").json()["max_age"] == 60
    inline = fast.get("/secret", headers={"Step-Up-Code": authenticator.at(int(time.time()) + 30)})
    assert inline.json() == "inline"
    assert "access/allowed app_required grant" in story(tmp_path)


def test_fastapi_documents_what_may_be_answered(fast: TestClient) -> None:
    schema = fast.get("/openapi.json").json()
    pay, secret, wipe, public = (
        schema["paths"][path][method]
        for path, method in (("/pay/{payee}", "post"), ("/secret", "get"), ("/wipe", "post"), ("/public", "get"))
    )
    for operation in (pay, secret, wipe):
        assert set(operation["responses"]) >= {"200", "401", "403", "429", "503"}
        assert "application/problem+json" in operation["responses"]["401"]["content"]
    assert "401" not in public["responses"]
    assert pay["security"] == secret["security"] == [{"StepUp": []}]
    scheme = schema["components"]["securitySchemes"]["StepUp"]
    assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "header", "Step-Up-Code")


def test_fastapi_responses_by_hand_and_document_alone() -> None:
    app = FastAPI()

    @app.post("/x", dependencies=[Depends(require_stepup())], responses=RESPONSES)
    async def x() -> None: ...

    @app.post("/y", dependencies=[Depends(require_stepup())])
    async def y() -> None: ...

    assert "429" in app.openapi()["paths"]["/x"]["post"]["responses"]
    app.openapi_schema = None
    document(app)
    assert "429" in app.openapi()["paths"]["/y"]["post"]["responses"]
    assert app.openapi() is app.openapi()


def test_fastapi_documents_what_routers_include_and_rules_cover_by_type(tmp_path: Path) -> None:
    app, outer, inner = FastAPI(), APIRouter(prefix="/org/{org}"), APIRouter(dependencies=[Depends(require_stepup())])

    @inner.post("/in/{day}")
    async def deep(org: int, day: datetime.date) -> None: ...

    @outer.delete("/keys/{key}")
    async def key(org: int, key: uuid.UUID) -> None: ...

    @outer.get("/keys/{key}")
    async def free(org: int, key: uuid.UUID) -> None: ...

    outer.include_router(inner)
    app.include_router(outer, prefix="/v1")
    rules = [{"name": "key", "path": "/v1/org/{org:int}/keys/{key:uuid}", "methods": ["DELETE"]}]
    document(app, load_config({**config(tmp_path, **IDENTITY), "routes": rules}, os.environ))
    paths = app.openapi()["paths"]
    assert "429" in paths["/v1/org/{org}/in/{day}"]["post"]["responses"]
    assert paths["/v1/org/{org}/in/{day}"]["post"]["security"] == [{"StepUp": []}]
    assert "429" in paths["/v1/org/{org}/keys/{key}"]["delete"]["responses"]
    assert "429" not in paths["/v1/org/{org}/keys/{key}"]["get"]["responses"]


def test_a_dependency_that_cannot_be_is_refused_where_it_stands() -> None:
    with pytest.raises(BadDemand, match="max_age"):
        require_stepup(max_age="soon")


# Litestar


class ByHeader(AbstractAuthenticationMiddleware):
    async def authenticate_request(self, connection: ASGIConnection[Any, Any, Any, Any]) -> AuthenticationResult:
        return AuthenticationResult(user=_User(connection.headers.get("X-User", "")), auth=None)


class _User:
    def __init__(self, identity: str) -> None:
        self.identity = identity
        self.is_authenticated = bool(identity)


@post("/wipe", status_code=200, media_type="text/plain")
async def wipe() -> str:
    return "wiped"


@get("/items/{item:int}", guards=[guard(reason="to see it")], media_type="text/plain")
async def item(request: LitestarRequest[Any, Any, Any]) -> str:
    return str(request.scope["stepup"]["basis"])  # type: ignore[typeddict-item]  # put there by the door


@asgi("/admin", is_mount=True, copy_scope=False)
async def admin(scope: Scope, receive: Receive, send: Send) -> None:
    text = scope["path"].encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(text))]})
    await send({"type": "http.response.body", "body": text, "more_body": False})


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[tuple[Any, pyotp.TOTP]]:
    plugin = StepUpPlugin(config(tmp_path, provider="scope_user"))
    app = Litestar([wipe, item, admin], middleware=[DefineMiddleware(ByHeader)], plugins=[plugin])
    with LitestarClient(app) as client:
        client.headers["X-User"] = "alice"
        yield client, enrolled(plugin.assembly)


def test_litestar_behind_its_own_authentication(lite: tuple[Any, pyotp.TOTP], tmp_path: Path) -> None:
    client, authenticator = lite
    asked = client.post("/wipe")
    assert asked.json()["verify_url"].startswith("/_stepup/challenges/")
    assert verify(client, asked, authenticator.now()).status_code == 200
    assert client.post("/wipe").text == "wiped"
    assert client.post("/wipe/").text == "wiped"
    assert client.post("/wipe", headers={"X-User": ""}).json()["type"] == "urn:stepup:login-required"
    assert client.get("/_stepup/nothing").status_code == client.get("/_stepups").status_code == 404
    assert story(tmp_path)[3:5] == ["access/allowed route_policy grant", "result/completed route_policy grant"]


def test_litestar_guards_ask(lite: tuple[Any, pyotp.TOTP]) -> None:
    client, authenticator = lite
    asked = client.get("/items/7")
    assert (asked.status_code, asked.json()["reason"]) == (401, "to see it")
    verify(client, asked, authenticator.now())
    assert client.get("/items/7").text == "grant"
    assert client.get("/items/8").text == "grant"  # one route, one proof


@pytest.mark.parametrize("path", ["/admin/users", "/admin/users/", "/admin/%75sers", "/admin//users", "/admin/a%2fb"])
def test_litestar_mounts_are_guarded_by_the_path_that_was_sent(lite: tuple[Any, pyotp.TOTP], path: str) -> None:
    client, authenticator = lite
    assert client.get(path).status_code == 401
    code = {"Step-Up-Code": authenticator.now()}
    inside = client.get(path, headers=code)
    assert inside.status_code == 200
    assert not inside.text.startswith("/admin")
