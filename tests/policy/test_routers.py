"""What reaches a handler in a router of any habit: the policy gives its rule, a stricter one, or refuses."""

from __future__ import annotations

import asyncio
import posixpath
import unicodedata
from typing import Annotated, Any
from urllib.parse import quote, unquote

import pytest
from fastapi import FastAPI, Path
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stepup_mw.congruence.operators import OPERATORS
from stepup_mw.congruence.spelling import plain
from stepup_mw.errors import AmbiguousRequest
from stepup_mw.policy import Policy

from .routers import (
    RULES,
    Reach,
    starlette_reach,
    undecoded_reach,
    unreserving_reach,
)
from .samples import ODD, rule

POLICY = Policy(RULES)

ROUTERS: dict[str, Reach] = {
    "starlette": starlette_reach(),
    "undecoded": undecoded_reach(),
    "decodes twice": unreserving_reach(unquote)(),
    "resolves dots": unreserving_reach(lambda path: posixpath.normpath(path) if path else path)(),
    "backslashes": unreserving_reach(lambda path: path.replace("\\", "/"))(),
    "normal form": unreserving_reach(lambda path: unicodedata.normalize("NFKC", path))(),
    "cuts at NUL": unreserving_reach(lambda path: path.partition("\0")[0])(),
    "cuts parameters": unreserving_reach(lambda path: "/".join(p.partition(";")[0] for p in path.split("/")))(),
}

PUBLIC = ["/", "/public/x", "/accounts/42", "/items/7", "/m/inner", "/static/app.js", "/t/pay"]
COVERED = ["/accounts/42/transfer", "/admin/transfer", "/items/7/delete", "/files/a/b.txt", "/reports/q.json"]
COVERED += [
    "/m/inner/transfer",
    "/acme/t/pay",
    "/acme/n/bob/x/pay",
    "/t/pay",
    "/t/t/pay",
    "/inner/transfer",
    "/bob/x/pay",
]


@st.composite
def targets(draw: st.DrawFn) -> tuple[str, str, bytes]:
    """(path, root path, raw path): a path, a few operators of the catalogue on it, decoded in one way or another, below
    a root path or beside it."""
    spelling = plain("GET", draw(st.sampled_from(COVERED * 3 + PUBLIC)))
    for operator in draw(st.lists(st.sampled_from(OPERATORS), max_size=4)):
        variants = list(operator.apply(spelling))
        if variants:
            spelling = draw(st.sampled_from(variants))
    root_path = draw(st.sampled_from(["", "", "", "/api", "/api/", "/m", "/zz/y", "/admin"]))
    before = draw(st.sampled_from(["", root_path, root_path, root_path * 2, "/x" + root_path]))
    raw = (before + spelling.target.partition("?")[0]).encode("latin-1")
    path = unquote(raw.decode("latin-1"), errors=draw(st.sampled_from(["replace", "surrogateescape"])))
    return path, spelling.root_path or root_path, raw


def check(reach: Reach, path: str, root_path: str, raw_path: bytes, method: str = "GET") -> str | None:
    """The handler that ran; the test fails if the policy would have asked for less than its rule."""
    name = reach(method, path, root_path, raw_path)
    if name is None:
        return None
    assert POLICY.concerns(path, root_path, raw_path), (name, path)
    try:
        match = POLICY.match(method, path, root_path, raw_path)
    except AmbiguousRequest:
        return name
    own = POLICY.rule(name)
    assert own is not None
    assert match is not None, (name, path)
    assert match.rule.risk >= own.risk, (name, match.rule.name, path)
    return name


@pytest.mark.parametrize("router", ROUTERS)
@settings(max_examples=600, deadline=None)
@given(target=targets())
@example(target=("/admin/transfer\n", "", b"/admin/transfer%0a"))
@example(target=("//admin/transfer", "", b"//admin/transfer"))
@example(target=("/t/pay\n", "", b"/t/pay%0a"))
@example(target=("/m//inner/transfer\n", "", b"/m//inner/transfer%0a"))
@example(target=("/t/pay\n/", "", b"/t/pay%0a/"))
@example(target=("/t\uff0fpay\n", "", b"/t%EF%BC%8Fpay%0A"))
@example(target=("/t//pay", "/t/", b"/t//pay"))
@example(target=("http://host.example/t/pay", "", b"http://host.example/t/pay"))
@example(target=("/acme/n//bob/x//pay\n", "", b"/acme/n//bob/x//pay%0a"))
def test_no_spelling_reaches_a_handler_past_its_rule(router: str, target: tuple[str, str, bytes]) -> None:
    check(ROUTERS[router], *target)


@pytest.mark.parametrize("router", ROUTERS)
@settings(max_examples=200, deadline=None)
@given(
    parts=st.lists(
        st.sampled_from([*ODD, "/", "/", "admin", "transfer", "files", "t", "pay", "m", "inner"]), max_size=10
    ),
    root_path=st.sampled_from(["", "/m", "/t/"]),
)
def test_no_random_target_reaches_a_handler_past_its_rule(router: str, parts: list[str], root_path: str) -> None:
    path = root_path + "/" + "".join(parts)
    check(ROUTERS[router], path, root_path, quote(path, safe="/%", errors="surrogateescape").encode())


REACHED = {
    "E1": ("starlette", "/admin/transfer\n", "", "admin"),
    "mount and newline": ("starlette", "/t/pay\n", "", "tenant"),
    "mount, slash and newline": ("starlette", "/m//inner/transfer\n", "", "mounted"),
    "root path": ("starlette", "/api/admin/transfer", "/api", "admin"),
    "mount and a root path not there": ("starlette", "/t/pay", "/api", "tenant"),
    "root path not there": ("starlette", "/admin/transfer", "/api", "admin"),
    "kept apart": ("undecoded", "/accounts/4%2F2/transfer", "", "transfer"),
    "decoded twice": ("decodes twice", "/%61dmin/transfer", "", "admin"),
    "dots": ("resolves dots", "/x/../admin/./transfer", "", "admin"),
    "backslash": ("backslashes", "/admin\\transfer", "", "admin"),
    "full width": ("normal form", "/admin\uff0ftransfer", "", "admin"),
    "parameters": ("cuts parameters", "/admin;a/transfer;b", "", "admin"),
    "NUL": ("cuts at NUL", "/admin/transfer\0.css", "", "admin"),
}


@pytest.mark.parametrize(("router", "path", "root_path", "name"), REACHED.values(), ids=REACHED.keys())
def test_the_routers_do_serve_these_spellings(router: str, path: str, root_path: str, name: str) -> None:
    """So that the properties above are not empty."""
    assert check(ROUTERS[router], path, root_path, path.encode()) == name


@pytest.mark.parametrize("method", ["GET", "get", "Post", "FOO", "TRACE"])
def test_methods_that_a_plain_view_runs(method: str) -> None:
    policy = Policy([rule("any", "/admin/transfer"), rule("files", "/files/{rest:path}", "GET POST", risk=9)])
    assert policy.match(method, "/admin/transfer") is not None
    assert (policy.match(method, "/files/a") is None) == (method == "TRACE")


NUMBERS = [
    "5",
    "+5",
    "-5",
    " 5",
    "5 ",
    "5.0",
    "1_000",
    "\uff15",
    "\u0665",
    "05",
    "5e0",
    "0x5",
    "five",
    "+\uff15",
    "1e400",
    "\u00b2",
]
FLOATS = ["5", "1e5", "inf", "-Infinity", "nan", "+.5", "1_0.5", "\uff15", "x"]
UUIDS = ["12345678-1234-5678-1234-567812345678", "urn:uuid:12345678-1234-5678-1234-567812345678", "x"]
UUIDS += [
    "{12345678-1234-5678-1234-567812345678}",
    "12345678123456781234567812345678",
    "12345678-12345678-1234-567812345678",
]


@pytest.mark.parametrize(("kind", "values"), [("int", NUMBERS), ("float", FLOATS), ("uuid", UUIDS)])
def test_what_fastapi_takes_for_a_type_is_covered(kind: str, values: list[str]) -> None:
    from uuid import UUID  # noqa: PLC0415 - beside its one use

    types: dict[str, Any] = {"int": int, "float": float, "uuid": UUID}
    ran: list[str] = []
    app = FastAPI()

    async def handler(value: Any) -> None:
        ran.append(str(value))

    handler.__annotations__["value"] = Annotated[types[kind], Path()]
    app.add_api_route("/items/{value}", handler, methods=["GET"])
    policy = Policy([rule("item", f"/items/{{value:{kind}}}", "GET")])

    async def get(path: str) -> None:
        scope: dict[str, Any] = {
            "type": "http",
            "method": "GET",
            "path": path,
            "raw_path": b"",
            "root_path": "",
            "headers": [],
        }
        scope |= {"query_string": b"", "scheme": "http", "server": ("host.example", 80), "client": None}

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(_message: Any) -> None:
            return None

        await app(scope, receive, send)

    reached = 0
    for value in values:
        ran.clear()
        asyncio.run(get(f"/items/{value}"))
        reached += len(ran)
        assert not ran or policy.match("GET", f"/items/{value}"), value
    assert reached >= 4
