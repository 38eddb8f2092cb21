"""The fuzzer that ships with the product, against every framework: no spelling reaches a covered handler past its rule.

The everyday run tries every operator alone on every route, and some mixtures; the slow one many more. By hand, as long
as you like: ``stepup check --app module:app --spellings 1000000 --seed 7``.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Route

from stepup_mw.congruence.hunt import Hunt, Tally
from stepup_mw.congruence.operators import OPERATORS
from stepup_mw.policy import Policy
from stepup_mw.routers.reading import read_app

from .banks import BANKS, bank, make_rule, policy

SEED = 20261129

UNREACHED = {
    "WebSocket": {"django-asgi", "flask-a2wsgi", "flask-asgiref"},
    "method spelling": {"starlette", "starlette-mounts", "fastapi", "litestar"},
}
"""Operators that need not lead to a covered handler of some bank: no WebSocket there, or methods to the letter."""


def hunt(app: Any, rules: Policy, rounds: int = 0, seed: int = SEED) -> Tally:
    router = read_app(app).router
    assert router is not None
    return Hunt(router, rules).run(rounds, seed)


def check(name: str, rounds: int) -> None:
    tally = hunt(bank(name).app, policy(), rounds)
    assert [finding._replace(rule=None) for finding in tally.findings] == []  # type: ignore[arg-type]
    assert tally.held > 300
    unreached = {operator.name for operator in OPERATORS} - tally.by_operator.keys()
    assert unreached <= {operator for operator, banks in UNREACHED.items() if name in banks}


VARIATIONS = {"starlette-mounts", "django-asgi", "flask-a2wsgi", "flask-asgiref"}
"""Tried by the slow run, which tries the same and more."""


@pytest.mark.parametrize("name", [name for name in BANKS if name not in VARIATIONS])
def test_every_operator_on_every_route_of_every_framework(name: str) -> None:
    check(name, 100)


@pytest.mark.slow
@pytest.mark.parametrize("name", BANKS)
def test_mixtures_of_operators_in_every_framework(name: str) -> None:
    check(name, 6_000)


def test_the_same_seed_tries_the_same() -> None:
    rules = Policy([make_rule("pay", "/pay", methods=["POST"])])
    app = Starlette(routes=[Route("/pay", _end, methods=["POST"])])
    one, two, other = [hunt(app, rules, 100, seed) for seed in (5, 5, 6)]
    assert one == two
    assert other != one


async def _end(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("")


def insensitive() -> Starlette:
    """A route that takes any case, which its rule does not."""
    route = Route("/admin/transfer", _end, methods=["POST"])
    route.path_regex = re.compile("^(?i:/admin/transfer)$")
    return Starlette(routes=[route])


def test_a_router_that_is_wider_than_its_rule_is_found_out() -> None:
    """Without this the tests above could be empty."""
    tally = hunt(insensitive(), Policy([make_rule("admin", "/admin/transfer", methods=["POST"])]))
    assert {finding.operators for finding in tally.findings} == {("case",)}
    assert tally.findings[0].spelling.target.lower() == "/admin/transfer"
    assert tally.findings[0].verdict.kind == "pass"


def rooted_fastapi() -> Any:
    with pytest.warns(match="root_path"):
        app = FastAPI(root_path="/api", openapi_url=None)
    app.add_api_route("/pay", _end, methods=["POST"])
    return app


def test_an_app_with_a_root_path_of_its_own_is_held_under_both_names() -> None:
    tally = hunt(rooted_fastapi(), Policy([make_rule("pay", "/pay", methods=["POST"])]), 500)
    assert tally.findings == []
    assert tally.held > 100


def test_routes_by_host_are_reached_with_their_host() -> None:
    app = Starlette(routes=[Host("api.example.com", app=Starlette(routes=[Route("/pay", _end, methods=["POST"])]))])
    tally = hunt(app, Policy([make_rule("pay", "/pay", methods=["POST"])]))
    assert tally.findings == []
    assert tally.held > 50
