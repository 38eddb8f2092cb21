"""A whole service in this process: the assembly, a real door, a store, a trail on disk, and an app that notes its runs.

The clock is ours, the housekeeping runs when a test says so, and store and trail can be made to fail.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import unquote_to_bytes

import orjson

from stepup_mw import enrollment
from stepup_mw.compose import Assembly
from stepup_mw.config import Config, load_config
from stepup_mw.doors.asgi import AsgiDoor, Scope, Send
from stepup_mw.doors.asgi_input import Message, Receive
from stepup_mw.doors.wsgi import WsgiDoor
from stepup_mw.errors import StoreUnavailable, TrailUnavailable
from stepup_mw.gate import Gate
from stepup_mw.messages import Headers, Request
from stepup_mw.parts import make_services
from stepup_mw.state import Attempt, Store
from stepup_mw.totp import format_code, time_step
from stepup_mw.trail import Trail

from . import record
from .backups import url_of

KEY = "uK3vY9wQ2rT7xB5nM8pL4sD6fG1hJ0zC+/aEiOqWUyk="
START = 1_795_418_700.0
DoorKind = Literal["asgi", "wsgi"]
StoreKind = Literal["memory", "sqlite", "redis-6.2", "redis-7.0", "valkey-8", "postgres"]

ROUTES: list[dict[str, Any]] = [
    {"name": "transfer", "path": "/transfer", "methods": ["POST"], "risk": 60},
    {"name": "wire", "path": "/wire", "methods": ["POST"], "risk": 60, "grant": "request"},
    {"name": "payroll", "path": "/payroll", "methods": ["POST"], "risk": 60, "grant": "service"},
    {"name": "rename", "path": "/rename", "methods": ["POST"], "risk": 10},
    {"name": "export", "path": "/export/{rest:path}", "methods": ["GET"], "challenge": "always"},
    {"name": "close", "path": "/close", "methods": ["POST"], "risk": 95},
    {"name": "watch", "path": "/watch", "methods": ["POST"], "risk": 60, "mode": "report"},
]


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


class FaultyStore:
    """A store whose every step can be made to fail: ``fail_after`` more steps go well, then all raise.

    ``attempts``: what it said to each attempt of a user, and None where it forgave them all they had.
    """

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.fail_after: int | None = None
        self.attempts: list[tuple[str, float, Attempt | None]] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def step(*arguments: Any, **named: Any) -> Any:
            if self.fail_after is not None and name != "aclose":
                if self.fail_after <= 0:
                    raise StoreUnavailable("the test has taken the store away")
                self.fail_after -= 1
            found = await getattr(self.inner, name)(*arguments, **named)
            if name == "take_attempt":
                self.attempts.append((arguments[0], named["now"], found))
            elif name == "try_challenge":
                self.attempts.append((arguments[0].user, arguments[0].now, found.attempt))
            elif name in ("forgive", "put_factor", "reward"):
                self.attempts.append((getattr(arguments[0], "user", arguments[0]), 0.0, None))
            return found

        return step


class FaultyTrail:
    """A trail that can refuse: what is refused is not written. What is posted it writes as late as it may."""

    def __init__(self, inner: Trail) -> None:
        self.inner = inner
        self.fail_after: int | None = None
        self._posted: list[bytes] = []

    async def append(self, records: Sequence[bytes], *, wait: bool = True, spooled: bool = False) -> None:
        if self.fail_after is not None:
            if self.fail_after <= 0:
                raise TrailUnavailable("the test has taken the trail away")
            self.fail_after -= 1
        self.write_posted()
        await self.inner.append(records, wait=wait, spooled=spooled)

    def post(self, records: Sequence[bytes], *, info: bool = False) -> None:  # noqa: ARG002 - the shape of a trail
        self._posted += records

    async def unended(self, *, since: float, until: float) -> list[dict[str, Any]]:
        self.write_posted()
        return await self.inner.unended(since=since, until=until)

    def write_posted(self) -> None:
        posted, self._posted = self._posted, []
        if posted:
            self.inner.post(posted)

    def close(self) -> None:
        self.write_posted()
        self.inner.close()


class Stage(Assembly):
    """An assembly whose housekeeping is the test's to do, over a store and a trail that can fail."""

    def __init__(self, config: Config, clock: Clock, store: Store | None = None) -> None:
        super().__init__(config, clock=clock)
        self.faulty_store = FaultyStore(store or self.store)
        self.faulty_trail = FaultyTrail(self.trail)
        self.store = cast("Store", self.faulty_store)
        self.trail = cast("Trail", self.faulty_trail)
        services = make_services(config.settings, self.store, self.trail, clock)
        self.gate = Gate(services)
        self.concerns = services.policy.concerns

    async def _keep_house(self) -> None:
        """Nothing by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the wrapped app. ``line``: its ``access/allowed`` line, as it stood on disk when the app began."""

    method: str
    path: str
    body: bytes
    context: Mapping[str, Any] | None
    line: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: Headers = ()
    body: bytes = b""

    def header(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.body)
        return found

    @property
    def kind(self) -> str:
        """The last word of a problem's type, "" for anything else."""
        if self.header(b"content-type") != b"application/problem+json" or not self.body:
            return ""
        return str(self.json["type"]).rpartition(":")[2]

    @property
    def cookies(self) -> dict[str, str]:
        pairs = [value.decode().partition(";")[0] for key, value in self.headers if key.lower() == b"set-cookie"]
        return dict(cast("tuple[str, str]", tuple(pair.split("=", 1))) for pair in pairs)


@dataclass
class World:
    """``folder`` holds the store and the trail; a world made again in the same folder goes on there."""

    folder: Path
    door: DoorKind = "asgi"
    store: StoreKind = "memory"
    changes: Mapping[str, Any] = field(default_factory=dict)
    durability: str = "commit"
    clock: Clock = field(default_factory=Clock)
    runs: list[Run] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)
    recovery: dict[str, list[str]] = field(default_factory=dict)
    attempts: list[tuple[str, float, Attempt | None]] = field(default_factory=list)
    app_raises: bool = False

    def __post_init__(self) -> None:
        self.runner = asyncio.Runner()
        self.reader = record.Reader(self.trail_path)
        self.stage = self._make(None)
        self._open_doors()

    @property
    def trail_path(self) -> Path:
        return self.folder / "audit" / "stepup.jsonl"

    def mapping(self, **changes: Any) -> dict[str, Any]:
        """The configuration as a mapping."""
        return {
            "service": "bank",
            "identity": {
                "provider": "header",
                "user": "X-Auth-User",
                "session": "X-Auth-Session",
                "trusted_proxies": ["127.0.0.1"],
            },
            "cookie": {"secure": False},
            "routes": ROUTES,
            "risk": {
                "signals": {
                    "burst": {"points": 5, "limit": 3, "window": "1m"},
                    "recent_failures": 5,
                    "new_device": 5,
                    "new_network": 5,
                }
            },
            "store": {"url": url_of(self.store, self.folder)},
            "audit": {"path": str(self.trail_path), "rotate": {"every": "never"}, "durability": self.durability},
            **self.changes,
            **changes,
        }

    def _make(self, store: Store | None) -> Stage:
        config = load_config(self.mapping(), {"STEPUP_SECRET_KEY": KEY})
        stage = Stage(config, self.clock, store)
        stage.faulty_store.attempts = self.attempts
        return stage

    def _open_doors(self) -> None:
        self.asgi = AsgiDoor(self._asgi_app, self.stage)
        self.wsgi = WsgiDoor(self._wsgi_app, self.stage)

    def restart(self) -> None:
        """Close everything and begin anew. What is in memory goes on: with it gone there is nothing to hold against."""
        inner = self.stage.faulty_store.inner
        self.stage.faulty_trail.close()
        self.stage.driver.close()
        if self.store != "memory":
            self.runner.run(inner.aclose())
        self.stage = self._make(inner if self.store == "memory" else None)
        self._open_doors()

    def close(self) -> None:
        self.stage.faulty_trail.close()
        self.runner.run(self.stage.faulty_store.inner.aclose())
        self.stage.driver.close()
        self.runner.close()

    def flush(self) -> None:
        """Wait for what was posted."""
        self.stage.faulty_trail.write_posted()
        self.stage.faulty_trail.inner.append_blocking([self._notice()])

    def _notice(self) -> bytes:
        return self.stage.gate.services.journal.notice("drill", "begun")

    # The wrapped app

    def _note(self, method: str, path: str, body: bytes, context: Mapping[str, Any] | None) -> None:
        line = None
        if context is not None:
            lines = self.reader.read()
            found = [one for one in lines if record.is_step(one, "access", "allowed")]
            line = next((one for one in found if one["request_id"] == context["request_id"]), None)
        self.runs.append(Run(method=method, path=path, body=body, context=context, line=line))
        if self.app_raises:
            raise RuntimeError("the app failed")

    async def _asgi_app(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more and scope["type"] == "http":
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self._note(scope.get("method", "WS"), scope["path"], body, scope.get("stepup"))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-app", b"ran")]})
        await send({"type": "http.response.body", "body": b"app:" + body})

    def _wsgi_app(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
        self._note(environ["REQUEST_METHOD"], path, body, environ.get("stepup"))
        start_response("200 OK", [("x-app", "ran")])
        return [b"app:" + body]

    # Asking

    def ask(
        self,
        method: str,
        target: str,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        *,
        peer: str = "127.0.0.1",
        door: DoorKind | None = None,
    ) -> Answer:
        """One request through the door. ``target`` is as on the wire: percent-encoded, with its query."""
        if (door or self.door) == "asgi":
            return self.runner.run(self._ask_asgi(asgi_scope(method, target, headers, peer), body))
        return self._ask_wsgi(wsgi_environ(method, target, headers, body, peer))

    async def _ask_asgi(self, scope: Scope, body: bytes) -> Answer:
        half = len(body) // 2
        parts: list[Message] = [
            {"type": "http.request", "body": body[:half], "more_body": True},
            {"type": "http.request", "body": body[half:], "more_body": False},
        ]
        sent: list[Message] = []

        async def receive() -> Message:
            return parts.pop(0) if parts else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        try:
            await self.asgi(scope, receive, send)
        except RuntimeError as error:
            assert str(error) == "the app failed"  # noqa: PT017 - the app's own error goes on to the server
            return Answer(status=500)
        start = sent[0]
        found = b"".join(message.get("body", b"") for message in sent[1:])
        return Answer(status=start["status"], headers=tuple(start["headers"]), body=found)

    def _ask_wsgi(self, environ: dict[str, Any]) -> Answer:
        begun: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> Callable[[bytes], object]:
            begun.append((status, headers))
            return lambda _: None

        try:
            chunks = self.wsgi(environ, start_response)
        except RuntimeError as error:
            assert str(error) == "the app failed"  # noqa: PT017 - the app's own error goes on to the server
            return Answer(status=500)
        found = b"".join(chunks)
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
        status, pairs = begun[0]
        headers = tuple((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs)
        return Answer(status=int(status[:3]), headers=headers, body=found)

    def post(self, user: str, target: str, body: bytes = b"", **headers: str) -> Answer:
        """A POST by a user; ``step_up_code="123456"`` is the header ``Step-Up-Code``."""
        return self.ask("POST", target, [*who(user), *_named(headers)], body)

    def verify(self, user: str, challenge: Answer, code: str, **headers: str) -> Answer:
        """Send a code to the ``verify_url`` of a challenge."""
        return self.post(user, challenge.json["verify_url"], orjson.dumps({"code": code}), **headers)

    # What tests do beside asking

    def enroll(self, user: str) -> None:
        made = self.runner.run(enrollment.enroll(self.stage.gate.services, user))
        self.secrets[user] = made.secret
        self.recovery[user] = list(made.recovery_codes)

    def code(self, user: str, drift: int = 0) -> str:
        return format_code(self.secrets[user], time_step(self.clock.now) + drift)

    def wrong(self, user: str) -> str:
        """Six digits that are no code of any step near."""
        near = {self.code(user, drift) for drift in range(-25, 26)}
        return next(text for text in (f"{number:06d}" for number in range(100)) if text not in near)

    def sweep(self) -> int:
        return self.runner.run(self.stage.gate.sweep())

    def lines(self) -> list[dict[str, Any]]:
        """Every line of the trail, those posted included."""
        self.flush()
        return self.reader.read()

    def steps(self) -> list[str]:
        """``phase/status`` of every ``step_up`` line."""
        return [f"{line['phase']}/{line['status']}" for line in self.lines() if line["event_type"] == "step_up"]


def who(user: str) -> list[tuple[str, str]]:
    """The headers of a signed-in user."""
    return [("X-Auth-User", user), ("X-Auth-Session", f"SESSIONMARK-{user}")] if user else []


def _named(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name.replace("_", "-"), value) for name, value in headers.items()]


def asgi_scope(method: str, target: str, headers: Iterable[tuple[str, str]], peer: str) -> dict[str, Any]:
    """A scope as uvicorn makes it."""
    raw, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote_to_bytes(raw).decode("utf-8", "replace"),
        "raw_path": raw.encode("utf-8"),
        "root_path": "",
        "query_string": query.encode("utf-8"),
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        "client": (peer, 1),
        "server": ("127.0.0.1", 80),
    }


def wsgi_environ(
    method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes, peer: str
) -> dict[str, Any]:
    """An environ as gunicorn makes it: names with an underscore are dropped, repeated ones joined."""
    raw, _, query = target.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(raw).decode("latin-1"),
        "RAW_URI": target.encode("utf-8").decode("latin-1"),
        "QUERY_STRING": query.encode("utf-8").decode("latin-1"),
        "CONTENT_LENGTH": str(len(body)),
        "REMOTE_ADDR": peer,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in headers:
        if "_" in name:
            continue
        key = name.upper().replace("-", "_")
        key = key if key == "CONTENT_TYPE" else f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ and key != "CONTENT_TYPE" else value
    return environ


def request_of(world: World, method: str, target: str, headers: Iterable[tuple[str, str]]) -> Request:
    """The same request as the gate sees it, for what only looks."""
    scope = asgi_scope(method, target, headers, "127.0.0.1")
    return Request(
        method=method,
        path=scope["path"],
        raw_path=scope["raw_path"],
        query=scope["query_string"],
        headers=tuple(scope["headers"]),
        peer="127.0.0.1",
        native=scope,
    )
