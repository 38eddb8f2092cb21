"""Which rule covers which route, in every framework; what changes state uncovered; which rules hold for nothing."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import pytest
from fastapi import Depends, FastAPI
from flask import Flask
from flask import request as flask_request
from flask.views import MethodView
from litestar import Litestar
from litestar import post as litestar_post
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute

import stepup_mw
from stepup_mw import require
from stepup_mw.congruence.coverage import Coverage, RuleUse
from stepup_mw.congruence.sensitive import suggest
from stepup_mw.fastapi import require_stepup
from stepup_mw.flask import stepup_required as flask_required
from stepup_mw.litestar import stepup_required as litestar_required
from stepup_mw.policy import Policy
from stepup_mw.routers.reading import read_app

from .banks import BANKS, RULES, bank, make_rule, policy

SOCKETS = {"starlette", "starlette-mounts", "fastapi", "litestar", "quart"}


def coverage(app: Any, rules: Policy, public: tuple[str, ...] = ()) -> Coverage:
    router = read_app(app).router
    assert router is not None
    return Coverage(router, rules, public)


@pytest.mark.parametrize("name", BANKS)
def test_each_rule_of_the_bank_holds_for_its_route(name: str) -> None:
    found = coverage(bank(name).app, policy())
    by_name = {use.rule.name: [route.rstrip("/") for route in use.routes] for use in found.rules}
    assert by_name == {rule["name"]: [rule["path"]] for rule in RULES if rule["name"] != "live" or name in SOCKETS} | (
        {} if name in SOCKETS else {"live": []}
    )
    states = {cover.route.path.rstrip("/"): cover.state for cover in found.routes}
    assert states.pop("") == "open"
    assert states.pop("/public/{x}") == ("open" if "django" in name else "gap")  # Django says no methods there
    assert set(states.values()) == {"covered"}


@pytest.mark.parametrize("name", BANKS)
def test_without_rules_every_route_that_changes_state_is_a_gap(name: str) -> None:
    found = coverage(bank(name).app, Policy([make_rule("other", "/other")]))
    gaps = {cover.route.path.rstrip("/") for cover in found.routes if cover.missing}
    wanted = {rule["path"] for rule in RULES if rule["name"] not in ("files", "live")}
    assert gaps - {"/public/{x}"} == wanted


async def _end(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("")


async def _socket(_socket: Any) -> None: ...


def _app(*routes: Any) -> Starlette:
    return Starlette(routes=list(routes))


POST = ["POST"]


def test_a_route_that_a_rule_covers_in_part() -> None:
    app = _app(Route("/a/{x}", _end, methods=["POST", "PUT"]), Route("/b/{x}", _end, methods=POST))
    rules = Policy([make_rule("post", "/a/{x}", methods=POST), make_rule("one", "/b/x7", methods=POST)])
    found = coverage(app, rules)
    assert [(cover.state, cover.missing) for cover in found.routes] == [("partly", ("PUT",)), ("partly", ("POST",))]


@pytest.mark.parametrize(
    ("entry", "state"),
    [
        ("POST /login", "public"),
        ("/login", "public"),
        ("/{rest:path}", "public"),
        ("PUT /login", "gap"),
        ("POST /logout", "gap"),
    ],
)
def test_what_the_configuration_accepts_is_no_gap(entry: str, state: str) -> None:
    found = coverage(_app(Route("/login", _end, methods=POST)), Policy([make_rule("other", "/other")]), (entry,))
    assert [cover.state for cover in found.routes] == [state]


@pytest.mark.parametrize(("path", "state"), [("/live/{room}", "open"), ("/live/transfer", "gap")])
def test_a_websocket_is_a_gap_by_its_name(path: str, state: str) -> None:
    app = _app(WebSocketRoute(path, _socket))
    states = [coverage(app, Policy([make_rule("one", rule)])).routes[0].state for rule in ("/other", path)]
    assert states == [state, "covered"]


def test_a_route_that_the_app_itself_never_reaches() -> None:
    app = _app(Route("/{anything}", _end, methods=POST), Route("/late", _end, methods=POST))
    found = coverage(app, Policy([make_rule("all", "/{rest:path}")]))
    assert [cover.state for cover in found.routes] == ["covered", "unreached"]


def test_what_is_mounted_and_cannot_be_read_is_said() -> None:
    async def opaque(scope: Any, receive: Any, send: Any) -> None: ...

    app = _app(Mount("/x", opaque))
    (cover,) = coverage(app, Policy([make_rule("other", "/other")])).routes
    assert (cover.route.kind, cover.route.path, cover.state) == ("mount", "/x/{path:path}", "unread")
    assert coverage(app, Policy([make_rule("x", "/x/{rest:path}")])).routes[0].state == "covered"


USES = {
    "holds": (make_rule("pay", "/pay/{to}", methods=POST), {"routes": ("/pay/{to}",)}),
    "another path": (make_rule("pay", "/pays/{to}", methods=POST), {"near": "/pay/{to}"}),
    "another method": (
        make_rule("pay", "/pay/{to}", methods=["PUT"]),
        {"near": "/pay/{to}", "note": "the app has POST there"},
    ),
    "nothing like it": (make_rule("pay", "/zzz", methods=POST), {}),
}


@pytest.mark.parametrize(("rule", "expected"), USES.values(), ids=USES)
def test_the_use_of_a_rule(rule: Any, expected: dict[str, Any]) -> None:
    (use,) = coverage(_app(Route("/pay/{to}", _end, methods=POST)), Policy([rule])).rules
    assert use == RuleUse(**({"rule": rule, "routes": ()} | expected))


def test_a_rule_that_an_earlier_one_leaves_nothing() -> None:
    """Not a mistake of the policy alone: it could hold for paths that this app does not have."""
    rules = [make_rule("one", "/pay/{to}/now", methods=POST), make_rule("two", "/pay/{to}/{when}", methods=POST)]
    uses = coverage(_app(Route("/pay/{to}/now", _end, methods=POST)), Policy(rules)).rules
    assert [use.by for use in uses] == ["", "one"]


def flask_that_asks() -> Any:
    app = Flask("asks", static_folder=None)
    app.add_url_rule("/pay", "pay", flask_required(lambda: ""), methods=POST)
    return app


def fastapi_that_asks() -> Any:
    app = FastAPI(openapi_url=None)
    app.add_api_route("/pay", _end, methods=POST, dependencies=[Depends(require_stepup(reason="Pay."))])
    return app


def litestar_that_asks() -> Any:
    @litestar_post("/pay", guards=[litestar_required(reason="Pay.")])
    async def pay() -> None: ...

    return Litestar([pay], openapi_config=None)


@pytest.mark.parametrize("make", [flask_that_asks, fastapi_that_asks, litestar_that_asks])
def test_a_handler_that_asks_for_a_proof_itself_is_no_gap(make: Any) -> None:
    found = coverage(make(), Policy([make_rule("other", "/other")]))
    assert [(cover.route.path, cover.route.asks, cover.state) for cover in found.routes] == [("/pay", True, "covered")]


def flask_that_asks_in_its_code() -> Any:
    app = Flask("asks", static_folder=None)

    def pay() -> str:
        if int(flask_request.form["amount"]) > 10:
            stepup_mw.require_sync(flask_request, reason="Pay.")
        return ""

    app.add_url_rule("/pay", "pay", pay, methods=POST)
    return app


def starlette_class_that_asks() -> Any:
    class Pay(HTTPEndpoint):
        async def post(self, request: Request) -> PlainTextResponse:
            await require(request, reason="Pay.")
            return PlainTextResponse("")

    return _app(Route("/pay", Pay))


def flask_class_that_asks() -> Any:
    class Pay(MethodView):
        decorators: ClassVar = [flask_required(reason="Pay.")]

        def post(self) -> str:
            return ""

    app = Flask("asks", static_folder=None)
    app.add_url_rule("/pay", view_func=Pay.as_view("pay"))
    return app


@pytest.mark.parametrize(
    "make",
    [flask_that_asks_in_its_code, starlette_class_that_asks, flask_class_that_asks],
    ids=lambda make: make.__name__,
)
def test_so_is_one_that_asks_in_its_code(make: Any) -> None:
    found = coverage(make(), Policy([make_rule("other", "/other")]))
    assert [(cover.route.path, cover.route.asks, cover.state) for cover in found.routes] == [("/pay", True, "covered")]
    assert suggest(tuple(cover.route for cover in found.routes)) == []


def test_a_class_that_asks_before_some_of_what_it_changes_is_a_gap() -> None:
    class Both(HTTPEndpoint):
        async def post(self, request: Request) -> None:
            await stepup_mw.require(request, reason="Pay.")

        async def delete(self, request: Request) -> None: ...

    (cover,) = coverage(_app(Route("/pay", Both)), Policy([make_rule("other", "/other")])).routes
    assert cover.missing == ("DELETE", "POST")


def test_what_is_mounted_in_an_app_with_a_root_path_is_reached_below_it() -> None:
    """FastAPI answers its own routes with its root path and without, and what it mounts with it only."""
    inner = FastAPI(openapi_url=None)
    inner.add_api_route("/pay/{to}", _end, methods=POST)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # younger FastAPIs would rather be told by the server
        app = FastAPI(openapi_url=None, root_path="/api")
    app.mount("/sub", inner)
    rules = [make_rule("pay", "/sub/pay/{to}", methods=POST)]
    assert [cover.state for cover in coverage(app, Policy(rules)).routes] == ["covered"]
    others = Policy([make_rule("other", "/other")])
    assert [(cover.route.path, cover.state) for cover in coverage(app, others).routes] == [("/sub/pay/{to}", "gap")]
    assert [cover.state for cover in coverage(app, others, ("/sub/{rest:path}",)).routes] == ["public"]


def test_a_rule_for_a_route_that_the_app_sends_elsewhere() -> None:
    app = Flask("moved", static_folder=None)
    app.add_url_rule("/old", "old", lambda: "", methods=POST, redirect_to="/new")
    app.add_url_rule("/new", "new", lambda: "", methods=POST)
    found = coverage(app, Policy([make_rule("old", "/old", methods=POST)]))
    assert [(cover.route.path, cover.state) for cover in found.routes] == [("/old", "unreached"), ("/new", "gap")]
    assert found.rules[0].note == "the app has such a route, and sends its requests elsewhere"
