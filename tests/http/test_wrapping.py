"""The ways to put the middleware around an app: with and without lifespan, loops, mounts, forks, and a new policy."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import anyio
import pyotp
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from stepup_mw.asgi import StepUpMiddleware as AsgiStepUp
from stepup_mw.compose import Assembly, assemble
from stepup_mw.config import load_config
from stepup_mw.enrollment import enroll
from stepup_mw.errors import ConfigError, Unsupported
from stepup_mw.wsgi import StepUpMiddleware as WsgiStepUp

from .doors import CONFIG, SECRET, is_chain, read_lines, serving
from .steps import APPROVED, BY_GRANT, TRANSFER, prove

PEER = ("127.0.0.1", 50000)
SIGNED_IN = {"X-Auth-User": "alice", "X-Auth-Session": "s1"}


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPUP_SECRET_KEY", SECRET)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "stepup.toml"
    path.write_text(CONFIG.read_text())
    return path


def enrolled(config: Any, user: str = "alice") -> pyotp.TOTP:
    """A user's authenticator, made by another process's eyes: an assembly of its own."""
    assembly: Assembly = assemble(config)
    try:
        return pyotp.TOTP(anyio.run(enroll, assembly.gate.services, user).secret)
    finally:
        assembly.close()


def trail(folder: Path) -> list[dict[str, Any]]:
    assert is_chain(folder / "audit" / "stepup.jsonl")
    return read_lines(folder / "audit" / "stepup.jsonl")


def story(folder: Path) -> list[str]:
    return [f"{line['phase']}/{line['status']}" for line in trail(folder) if line["event_type"] == "step_up"]


def phases(folder: Path, event_type: str) -> list[str]:
    return [line["phase"] for line in trail(folder) if line["event_type"] == event_type]


WHOLE = ["trigger/required", "challenge/issued", "outcome/approved", "access/allowed", "result/completed"]


async def transfer(request: Request) -> JSONResponse:
    return JSONResponse({"basis": request.scope["stepup"]["basis"], "body": (await request.body()).decode()})


def bank(**options: Any) -> Starlette:
    return Starlette(routes=[Route("/accounts/{account}/transfer", transfer, methods=["POST"])], **options)


def two_steps(client: Any, authenticator: pyotp.TOTP, path: str = TRANSFER, at: str = "") -> None:
    """Be asked, answer, and come through, with a body that arrives."""
    asked = client.post(path)
    assert asked.status_code == 401, asked.text
    assert asked.json()["verify_url"].startswith(f"{at}/_stepup/challenges/")
    assert client.post(asked.json()["verify_url"], json={"code": authenticator.now()}).status_code == 200
    passed = client.post(path, content=b"amount=1")
    assert (passed.status_code, passed.json()) == (200, {"basis": "grant", "body": "amount=1"})


def test_add_middleware_with_a_lifespan(config: Path) -> None:
    ran: list[str] = []

    @asynccontextmanager
    async def lifespan(_: Starlette) -> Any:
        ran.append("up")
        yield
        ran.append("down")

    app = bank(lifespan=lifespan)
    app.add_middleware(AsgiStepUp, config=config)
    authenticator = enrolled(config)
    with TestClient(app, client=PEER, headers=SIGNED_IN) as client:
        two_steps(client, authenticator)
    assert ran == ["up", "down"]
    assert [line["phase"] for line in trail(config.parent)[:2]] == ["start", "enrolled"]
    assert phases(config.parent, "config") == ["loaded"]
    assert story(config.parent) == WHOLE
    assert phases(config.parent, "audit")[-1] == "stop"


def test_without_lifespan_and_with_a_new_event_loop_for_each_request(config: Path) -> None:
    app = AsgiStepUp(bank(), config=config)
    two_steps(TestClient(app, client=PEER, headers=SIGNED_IN), enrolled(config))
    anyio.run(app.aclose)
    assert story(config.parent) == WHOLE


def test_closed_and_used_again(config: Path) -> None:
    app = AsgiStepUp(bank(), config=config)
    client = TestClient(app, client=PEER, headers=SIGNED_IN)
    anyio.run(app.aclose)
    two_steps(client, enrolled(config))
    anyio.run(app.aclose)
    assert client.post(TRANSFER).status_code == 200
    anyio.run(app.aclose)
    assert phases(config.parent, "audit").count("stop") >= 2


def test_a_lifespan_that_fails_is_the_apps(config: Path) -> None:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> Any:
        if app.routes:
            raise RuntimeError("no database")
        yield

    with (
        pytest.raises(RuntimeError, match="no database"),
        TestClient(AsgiStepUp(bank(lifespan=lifespan), config=config), client=PEER),
    ):
        pass


def test_a_scope_of_another_kind_is_not_passed_unseen(config: Path) -> None:
    app = AsgiStepUp(bank(), config=config)

    async def nothing(*_: Any) -> Any:
        raise AssertionError

    with pytest.raises(Unsupported):
        anyio.run(app, {"type": "tunnel"}, nothing, nothing)


def test_a_gate_inside_a_mount(config: Path) -> None:
    """Rules are written as the wrapped app sees its paths; URLs are told as the client sees them."""
    inner = AsgiStepUp(bank(), config=config)
    client = TestClient(Starlette(routes=[Mount("/shop", app=inner)]), client=PEER, headers=SIGNED_IN)
    two_steps(client, enrolled(config), f"/shop{TRANSFER}", at="/shop")
    anyio.run(inner.aclose)
    assert story(config.parent) == WHOLE


def test_a_mapping(config: Path) -> None:
    folder = config.parent
    mapping = tomllib.loads(config.read_text())
    mapping["store"]["url"] = f"sqlite:///{folder / 'stepup.db'}"
    mapping["audit"]["path"] = str(folder / "audit" / "stepup.jsonl")
    app = AsgiStepUp(bank(), config=mapping)
    two_steps(TestClient(app, client=PEER, headers=SIGNED_IN), enrolled(mapping))
    anyio.run(app.aclose)
    assert story(folder) == WHOLE


def test_a_loaded_config(config: Path) -> None:
    loaded = load_config(config, {"STEPUP_SECRET_KEY": SECRET})
    app = AsgiStepUp(bank(), config=loaded)
    two_steps(TestClient(app, client=PEER, headers=SIGNED_IN), enrolled(loaded))
    anyio.run(app.aclose)
    assert story(config.parent) == WHOLE


def test_memory_in_one_process(config: Path) -> None:
    config.write_text(config.read_text().replace("sqlite:///state/stepup.db", "memory://"))
    app = AsgiStepUp(bank(), config=config)

    async def whole() -> pyotp.TOTP:
        return pyotp.TOTP((await enroll(app.assembly.gate.services, "alice")).secret)

    two_steps(TestClient(app, client=PEER, headers=SIGNED_IN), anyio.run(whole))
    anyio.run(app.aclose)
    assert story(config.parent) == WHOLE


@pytest.mark.slow
@pytest.mark.parametrize("name", ["asgi", "wsgi"])
def test_memory_in_several_processes_does_not_start(name: str, tmp_path: Path) -> None:
    text = CONFIG.read_text().replace("sqlite:///state/stepup.db", "memory://")
    (tmp_path / "stepup.toml").write_text(text)
    script = (
        "import sys; sys.argv = sys.argv[1:]\n"
        f"from stepup_mw.{name} import StepUpMiddleware\n"
        "from stepup_mw.errors import Unsupported\n"
        "try: StepUpMiddleware(None, config='stepup.toml')\n"
        "except Unsupported as error: print('refused', error)"
    )
    server = {"asgi": "/bin/uvicorn", "wsgi": "/bin/gunicorn"}[name]
    run = subprocess.run(
        [sys.executable, "-c", script, server, "app:app", "--workers", "2"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stdout.startswith("refused the command line asks for 2 workers")


@pytest.mark.slow
def test_memory_under_four_gunicorn_workers_serves_nothing(tmp_path: Path) -> None:
    text = CONFIG.read_text().replace("sqlite:///state/stepup.db", "memory://")
    with serving("wsgi", tmp_path, text, workers=4) as door:
        assert door.process.wait(15) != 0
    assert "memory:// works in one process only" in (tmp_path / "server.log").read_text()


# WSGI


def checked(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """The app behind a validator of its own, which wants a dot in the name of whatever is no text."""
    return validator(inner_wsgi)({**environ, "stepup": environ["stepup"]["basis"]}, start_response)


def inner_wsgi(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    answer = json.dumps({"basis": environ["stepup"], "body": body.decode()}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
    return [answer]


def call(app: Any, method: str, path: str, body: bytes = b"", **more: str) -> tuple[int, dict[str, str], bytes]:
    """One request by the letter of PEP 3333, checked on both sides of the gate by wsgiref's validator."""
    target, _, query = path.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method, "PATH_INFO": target, "QUERY_STRING": query, "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": "application/json", "REMOTE_ADDR": "127.0.0.1", "HTTP_X_AUTH_USER": "alice",
        "SCRIPT_NAME": "", "wsgi.input": io.BytesIO(body), **more,
    }  # fmt: skip
    setup_testing_defaults(environ)
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> Any:
        started[:] = [int(status[:3]), dict(headers)]
        return bytearray().extend

    answer = validator(app)(environ, start_response)
    try:
        content = b"".join(answer)
    finally:
        answer.close()  # type: ignore[attr-defined]  # the validator's iterator has one
    return started[0], started[1], content


@pytest.mark.parametrize("script_name", ["", "/shop"])
def test_by_the_letter_of_wsgi(config: Path, script_name: str) -> None:
    app = WsgiStepUp(checked, config=config)
    more: Any = {"SCRIPT_NAME": script_name}
    authenticator = enrolled(config)
    status, headers, content = call(app, "POST", TRANSFER, b"{}", **more)
    challenge = json.loads(content)
    assert status == 401
    assert challenge["verify_url"].startswith(f"{script_name}/_stepup/")
    code = json.dumps({"code": authenticator.now()}).encode()
    status, approved, content = call(app, "POST", challenge["verify_url"].removeprefix(script_name), code, **more)
    assert status == 200
    cookies = f"{headers['Set-Cookie'].partition(';')[0]}; {approved['Set-Cookie'].partition(';')[0]}"
    status, _, content = call(app, "POST", TRANSFER, b"amount=1", HTTP_COOKIE=cookies, **more)
    assert (status, json.loads(content)) == (200, {"basis": "grant", "body": "amount=1"})
    status, _, content = call(app, "HEAD", "/export/x", **more)
    assert (status, content) == (401, b"")
    app.close()
    assert story(config.parent) == [*WHOLE, "trigger/required", "challenge/issued"]


def test_a_bound_body_by_the_letter_of_wsgi(config: Path) -> None:
    app = WsgiStepUp(checked, config=config)
    authenticator = enrolled(config)
    passed = call(app, "POST", "/wire", b"amount=1", HTTP_STEP_UP_CODE=authenticator.now())
    assert (passed[0], json.loads(passed[2])) == (200, {"basis": "inline", "body": "amount=1"})
    assert call(app, "POST", "/wire", b"x" * 70_000)[0] == 413
    app.close()


@pytest.mark.parametrize("way", ["close", "aclose"])
@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_both_can_be_closed_with_a_loop_and_without_and_used_again(config: Path, kind: str, way: str) -> None:
    middleware: Any = AsgiStepUp if kind == "asgi" else WsgiStepUp
    app = middleware(checked, config=config)

    def refused() -> int:
        if kind == "wsgi":
            return call(app, "POST", TRANSFER, b"{}")[0]
        return TestClient(app, client=PEER, headers=SIGNED_IN).post(TRANSFER).status_code

    for count in (1, 2):
        assert refused() == 403  # nobody is enrolled
        app.close() if way == "close" else asyncio.run(app.aclose())
        assert phases(config.parent, "audit").count("stop") == count


# Root paths on real servers


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"), [("asgi", ["--root-path", "/shop"]), ("wsgi", ["--env", "SCRIPT_NAME=/shop"])]
)
def test_a_root_path(name: str, options: list[str], tmp_path: Path) -> None:
    with serving(name, tmp_path, CONFIG.read_text(), options=options) as door, door.client("alice") as client:
        prefix = "/shop" if name == "wsgi" else ""  # uvicorn puts it in front itself
        authenticator = door.enroll("alice")
        asked = client.post(prefix + TRANSFER)
        assert asked.json()["verify_url"].startswith("/shop/_stepup/")
        url = asked.json()["verify_url"] if name == "wsgi" else asked.json()["verify_url"].removeprefix("/shop")
        assert client.post(url, json={"code": door.code(authenticator)}).status_code == 200
        assert client.post(prefix + TRANSFER).status_code == 200
        assert door.story("alice") == [*APPROVED, *BY_GRANT]


# Forks


FORK = """
import os, sys, threading
from wsgiref.util import setup_testing_defaults
from stepup_mw.wsgi import StepUpMiddleware

def inner(environ, start_response):
    start_response("200 OK", [])
    return [b"ok"]

app = StepUpMiddleware(inner, config="stepup.toml")

def rename():
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/rename", "REMOTE_ADDR": "127.0.0.1", "HTTP_X_AUTH_USER": "eve"}
    setup_testing_defaults(environ)
    statuses = []
    answer = app(environ, lambda status, headers: statuses.append(status))
    list(answer)
    getattr(answer, "close", lambda: None)()
    return statuses[0]

def several(count):
    threads = [threading.Thread(target=lambda: said.append(rename())) for _ in range(count)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()

said = []
several(4)
children = []
for _ in range(2):
    child = os.fork()
    if not child:
        said.clear()
        several(4)
        app.close()
        os._exit(0 if said == ["200 OK"] * 4 else 1)
    children.append(child)
several(2)
print(said == ["200 OK"] * 6, [os.waitpid(child, 0)[1] for child in children])
app.close()
"""


def test_a_fork_after_use(config: Path) -> None:
    """Threads, loops and locks do not survive a fork; the child makes its own, and the chain stays one."""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK],
        cwd=config.parent, capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert run.stdout == "True [0, 0]\n", run.stderr
    assert story(config.parent).count("access/allowed") == 14
    assert story(config.parent).count("result/completed") == 14
    pids = {line["writer"]["pid"] for line in trail(config.parent)}
    assert len(pids) == 3


@pytest.mark.parametrize("options", [["--preload"]])
def test_a_preloaded_app(options: list[str], tmp_path: Path) -> None:
    with serving("wsgi", tmp_path, CONFIG.read_text(), options=options, workers=2) as door:
        with door.client("alice") as client:
            prove(client, door.code(door.enroll("alice")))
            assert client.post(TRANSFER).status_code == 200
        assert door.story("alice") == [*APPROVED, *BY_GRANT]


# Another policy


def test_reload_puts_a_new_policy_in_force(config: Path) -> None:
    app = AsgiStepUp(bank(), config=config)
    client = TestClient(app, client=PEER, headers=SIGNED_IN, raise_server_exceptions=False)
    assert client.post("/new").status_code == 404
    config.write_text(config.read_text() + '\n[[routes]]\nname = "new"\npath = "/new"\nchallenge = "always"\n')
    anyio.run(app.reload)
    assert client.post("/new").json()["type"] == "urn:stepup:not-enrolled"
    anyio.run(app.aclose)
    lines = [line for line in trail(config.parent) if line["event_type"] == "config"]
    loaded, reloaded = lines[0], lines[-1]
    assert [line["phase"] for line in lines] == ["loaded", "reloaded"]
    assert reloaded["detail"]["before"] == loaded["detail"]["policy"] != reloaded["detail"]["policy"]
    assert trail(config.parent)[-2]["policy"]["version"] == reloaded["detail"]["policy"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("risk = 60", "risk = 600"),
        ("risk = 60", "rusk = 60"),
        ('service = "bank"', "service = "),
        ('service = "bank"', 'service = "shop"'),
        ("sqlite:///state/stepup.db", "sqlite:///elsewhere.db"),
    ],
    ids=["out-of-bounds", "unknown-key", "no-toml", "needs-a-restart", "another-store"],
)
@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_a_reload_that_fails_leaves_the_policy_in_force(config: Path, kind: str, old: str, new: str) -> None:
    app: Any = (AsgiStepUp if kind == "asgi" else WsgiStepUp)(None, config=config)  # type: ignore[arg-type] # never run
    config.write_text(config.read_text().replace(old, new, 1))
    before = app.assembly.gate.services
    with pytest.raises(ConfigError):
        asyncio.run(app.reload()) if kind == "asgi" else app.reload()
    assert app.assembly.gate.services is before
    asyncio.run(app.aclose()) if kind == "asgi" else app.close()
    assert phases(config.parent, "config") == ["loaded", "reload_failed"]


def test_a_configuration_that_must_not_start(config: Path) -> None:
    config.write_text(config.read_text().replace("risk = 60", "rusk = 60"))
    for middleware in (AsgiStepUp, WsgiStepUp):
        with pytest.raises(ConfigError, match="rusk"):
            middleware(None, config=config)  # type: ignore[arg-type] # it must not come to that
    assert not (config.parent / "audit").exists()


@pytest.mark.slow
def test_two_servers_on_one_trail_and_one_store(tmp_path: Path) -> None:
    """uvicorn and gunicorn of one host share grants, counters and the chain."""
    config = CONFIG.read_text()
    with serving("asgi", tmp_path, config) as one, serving("wsgi", tmp_path, config) as two:
        authenticator = one.enroll("alice")
        with one.client("alice") as client:
            prove(client, one.code(authenticator))
            assert client.post(TRANSFER).status_code == 200
            assert client.post(two.url + TRANSFER).status_code == 200
            again = client.post(two.url + TRANSFER, headers={"Step-Up-Code": one.code(authenticator)})
        assert again.status_code == 401
        assert "challenge/replayed route_policy" in one.story("alice")
        assert is_chain(tmp_path / "audit" / "stepup.jsonl")


def test_an_app_with_a_root_path_of_its_own_is_guarded_under_both_names(config: Path) -> None:
    """FastAPI puts its own root path in the place of the server's, so that /api/x and /x run one handler."""
    with pytest.warns(match="root_path"):
        inner = FastAPI(root_path="/api", openapi_url=None)
    inner.add_api_route(TRANSFER.replace("42", "{account}"), transfer, methods=["POST"])
    app = AsgiStepUp(Noop(inner), config=config)
    client = TestClient(app, client=PEER, headers=SIGNED_IN)
    assert [client.post(prefix + TRANSFER).status_code for prefix in ("", "/api", "/api/", "/api//")] == [403] * 4
    two_steps(client, enrolled(config), "/api" + TRANSFER, at="/api")
    anyio.run(app.aclose)


class Noop:
    """Another middleware between the gate and the app."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)
