"""What is proposed for an app, and that it holds: a policy of the proposals has no gap."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from stepup_mw.cli.app_init import AppRoutes
from stepup_mw.cli.reading import App
from stepup_mw.config import load_config
from stepup_mw.config.template import render_config
from stepup_mw.congruence.coverage import Coverage
from stepup_mw.congruence.sensitive import suggest
from stepup_mw.policy import Policy
from stepup_mw.routers.reading import read_app
from stepup_mw.shadows import find_unreachable

from .banks import BANKS, bank

SECRET = {"STEPUP_SECRET_KEY": "uK3vY9wQ2rT7xB5nM8pL4sD6fG1hJ0zC+/aEiOqWUyk="}


def proposals(app: Any) -> dict[str, tuple[tuple[str, ...], int, bool]]:
    router = read_app(app).router
    assert router is not None
    return {one.route.path: (one.methods, one.risk, one.public) for one in suggest(tuple(router.routes))}


async def handler(_request: Request) -> None: ...


ROUTES = {
    "moves money": ("/accounts/{a}/transfer", ["POST"], (("POST",), 60, False)),
    "changes state, no word": ("/notes", ["POST", "GET"], (("POST",), 30, False)),
    "deletes by method": ("/notes/{n}", ["DELETE"], (("DELETE",), 60, False)),
    "takes data out": ("/report/export", ["GET"], (("GET",), 60, False)),
    "administers, reading": ("/admin/users", ["GET"], (("GET",), 60, False)),
    "reads": ("/notes/{n}", ["GET"], None),
    "a word that is a part of another": ("/payload", ["GET"], None),
    "nobody is signed in": ("/login", ["POST"], (("POST",), 0, True)),
    "in two words": ("/sign-in/{user}", ["POST"], (("POST",), 0, True)),
    "a machine calls": ("/webhooks/stripe", ["POST"], (("POST",), 0, True)),
    "signed in after all": ("/password/reset", ["POST"], (("POST",), 60, False)),
    "words in camel case": ("/user/changeEmail", ["PUT"], (("PUT",), 60, False)),
}


@pytest.mark.parametrize(("path", "methods", "expected"), ROUTES.values(), ids=ROUTES)
def test_a_route(path: str, methods: list[str], expected: Any) -> None:
    assert proposals(Starlette(routes=[Route(path, handler, methods=methods)])) == (
        {path: expected} if expected else {}
    )


def test_a_special_path_stands_before_the_general_one_that_would_take_it() -> None:
    paths = ["/{rest:path}", "/users/{id}", "/users/me", "/other"]
    app = Starlette(routes=[Route(path, handler, methods=["POST"]) for path in paths])
    router = read_app(app).router
    assert router is not None
    assert [one.route.path for one in suggest(tuple(router.routes))] == [
        "/users/me",
        "/users/{id}",
        "/other",
        "/{rest:path}",
    ]


@pytest.mark.parametrize("name", BANKS)
def test_the_proposals_for_a_bank_are_a_policy_without_a_gap(name: str) -> None:
    router = read_app(bank(name).app).router
    assert router is not None
    text = render_config("bank", **AppRoutes(App("bank:app", router, ())).proposed)
    document = tomllib.loads(text)
    del document["secret_key_file"], document["audit"]["signing_key_file"]
    config = load_config(document, SECRET)
    rules = config.settings.rules
    assert find_unreachable(rules) == []
    assert {rule.path.rstrip("/") for rule in rules} >= {
        "/accounts/{account}/transfer",
        "/admin/transfer",
        "/keys/{key:uuid}",
    }
    found = Coverage(router, Policy(rules), config.settings.public)
    assert [cover.route.path for cover in found.routes if cover.missing] == []
    assert [use.rule.path for use in found.rules if not use.routes] == []


def test_a_comment_is_one_line_whatever_the_app_calls_its_handlers() -> None:
    odd = "a\nb\u2028c = 1"
    app = Starlette(routes=[Route("/pay", handler, methods=["POST"])])
    router = read_app(app).router
    assert router is not None
    object.__setattr__(router.routes[0], "handler", odd)
    text = render_config("bank", **AppRoutes(App("bank:app", router, ())).proposed)
    assert tomllib.loads(text)["routes"][0]["path"] == "/pay"
