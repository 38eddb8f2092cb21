"""What an object is: ASGI, WSGI, or nothing that can be served."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from flask import Flask
from starlette.applications import Starlette

from stepup_mw.cli.failure import CommandError
from stepup_mw.cli.servers import Plan, gunicorn_settings
from stepup_mw.cli.target import detect, load_app, looks_like


async def asgi(scope: Any, receive: Any, send: Any) -> None: ...


def wsgi(environ: Any, start_response: Any) -> Any: ...


def sync_asgi(scope: Any, receive: Any, send: Any) -> Any: ...


async def async_pair(one: Any, two: Any) -> None: ...


class AsgiObject:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


class WsgiObject:
    def __call__(self, environ: Any, start_response: Any) -> Any: ...


class Anything:
    def __call__(self, *arguments: Any) -> Any: ...


def with_prefix(prefix: str, environ: Any, start_response: Any) -> Any: ...


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (asgi, "asgi"),
        (sync_asgi, "asgi"),
        (AsgiObject(), "asgi"),
        (AsgiObject().__call__, "asgi"),
        (Starlette(), "asgi"),
        (functools.partial(asgi), "asgi"),
        (wsgi, "wsgi"),
        (WsgiObject(), "wsgi"),
        (Flask("x"), "wsgi"),
        (functools.partial(with_prefix, "/x"), "wsgi"),
        (async_pair, None),
        (AsgiObject, None),
        (Anything(), None),
        (lambda: None, None),
        (print, None),
        (7, None),
        (functools, None),
    ],
    ids=lambda value: "neither" if value is None else value if isinstance(value, str) else type(value).__name__,
)
def test_looks_like(value: Any, found: str | None) -> None:
    assert looks_like(value) == found
    if found is None:
        with pytest.raises(CommandError):
            detect(value, "x:y")
    else:
        assert detect(value, "x:y") == found


def test_load_app_follows_dots_and_factories() -> None:
    assert load_app(f"{__name__}:AsgiObject.__call__") is AsgiObject.__call__
    assert isinstance(load_app(f"{__name__}:AsgiObject", factory=True), AsgiObject)


def test_a_plan_survives_the_environment(tmp_path: Any) -> None:
    plan = Plan(app="a:b", factory=True, config=tmp_path / "s.toml", interface="wsgi", host="::1", port=80)
    assert Plan.parse(plan.dump()) == plan


def test_gunicorn_is_told_to_believe_nobody(tmp_path: Any) -> None:
    plan = Plan(app="a:b", factory=False, config=tmp_path, interface="wsgi", host="::1", port=80)
    settings = gunicorn_settings(plan, 3, 4)
    assert (settings["bind"], settings["workers"], settings["threads"]) == ("[::1]:80", 3, 4)
    assert (settings["forwarded_allow_ips"], settings["forwarder_headers"]) == ("", "")
    assert settings["secure_scheme_headers"] == {}
