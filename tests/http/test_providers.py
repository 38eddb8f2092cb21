"""Where the identity comes from besides a header: the app's session, its user object, the server, your own callable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from stepup_mw.asgi import StepUpMiddleware

from .doors import CONFIG, SECRET, Door, read_lines, serving
from .steps import ASKED, problem

pytestmark = pytest.mark.slow

PATH = "/rename"


def configured(identity: str) -> str:
    text = CONFIG.read_text()
    before, _, rest = text.partition("[identity]")
    return before + f"[identity]\n{identity}\n[cookie]" + rest.partition("[cookie]")[2]


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Starlette:
    """An app with a login of its own."""
    monkeypatch.setenv("STEPUP_SECRET_KEY", SECRET)

    async def login(request: Request) -> PlainTextResponse:
        request.session["uid"] = "alice"
        return PlainTextResponse("in")

    async def rename(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.scope["stepup"]["user_id"])

    return Starlette(routes=[Route("/login", login), Route(PATH, rename, methods=["POST"])])


def users(folder: Path) -> list[str | None]:
    lines = read_lines(folder / "audit" / "stepup.jsonl")
    return [line["user_id"] for line in lines if line["phase"] in ("trigger", "access")]


def test_the_apps_session(app: Starlette, tmp_path: Path) -> None:
    (tmp_path / "stepup.toml").write_text(configured('provider = "session"\nuser = "uid"'))
    gate = StepUpMiddleware(app, config=tmp_path / "stepup.toml")
    client = TestClient(SessionMiddleware(gate, secret_key="app"))
    assert problem(client.post(PATH)) == (401, "login-required")
    client.get("/login")
    assert client.post(PATH).text == "alice"
    anyio.run(gate.aclose)
    assert users(tmp_path) == [None, "alice"]


class Tokens(AuthenticationBackend):
    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser] | None:
        name = conn.headers.get("X-Token")
        return (AuthCredentials(["authenticated"]), SimpleUser(name)) if name else None


def test_the_apps_user_object(app: Starlette, tmp_path: Path) -> None:
    (tmp_path / "stepup.toml").write_text(configured('provider = "scope_user"'))
    gate = StepUpMiddleware(app, config=tmp_path / "stepup.toml")
    client = TestClient(AuthenticationMiddleware(gate, backend=Tokens()))
    assert problem(client.post(PATH)) == (401, "login-required")
    assert client.post(PATH, headers={"X-Token": "alice"}).text == "alice"
    anyio.run(gate.aclose)
    assert users(tmp_path) == [None, "alice"]


def test_a_header_is_no_identity_for_another_provider(app: Starlette, tmp_path: Path) -> None:
    (tmp_path / "stepup.toml").write_text(configured('provider = "remote_user"'))
    gate = StepUpMiddleware(app, config=tmp_path / "stepup.toml")
    client = TestClient(gate, client=("127.0.0.1", 1))
    for name in ("X-Auth-User", "Remote-User", "REMOTE_USER"):
        assert problem(client.post(PATH, headers={name: "alice"})) == (401, "login-required")
    anyio.run(gate.aclose)


def test_what_the_server_says(app: Starlette, tmp_path: Path) -> None:
    (tmp_path / "stepup.toml").write_text(configured('provider = "remote_user"'))
    gate = StepUpMiddleware(app, config=tmp_path / "stepup.toml")

    async def server(scope: Any, receive: Any, send: Any) -> None:
        await gate({**scope, "remote_user": "alice"}, receive, send)

    assert TestClient(server).post(PATH).text == "alice"
    anyio.run(gate.aclose)


@pytest.fixture(scope="module", params=["asgi", "wsgi"])
def own(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    config = configured('provider = "tests.http.witness:who"')
    with serving(request.param, tmp_path_factory.mktemp("own"), config) as running:
        yield running


def test_a_callable_of_your_own(own: Door, user: str) -> None:
    own.enroll(user)
    with own.client() as client:
        assert problem(client.post("/wire")) == (401, "login-required")
        assert problem(client.post(f"/wire?{user}")) == (401, "challenge-required")
    assert own.story(user) == ASKED


def test_a_callable_that_raises_lets_nobody_in(own: Door) -> None:
    with own.client() as client:
        assert problem(client.post(f"{PATH}?raise")) == (503, "unavailable")
        assert client.post("/public?raise").status_code == 200
    line = own.lines(None)[-1]
    assert (line["phase"], line["status"], line["detail"]) == ("access", "refused", "identity_unavailable")
    assert own.reached(None) == []
