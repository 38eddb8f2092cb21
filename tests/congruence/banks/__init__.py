"""The same small bank in every framework. Each handler does nothing but say its name, in the answer and in ``RAN``.

A module for each framework, imported when its bank is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from stepup_mw.policy import Policy, Rule

RAN: list[str] = []
"""The names of the handlers that ran in this process."""

RULES: list[dict[str, Any]] = [
    {"name": "transfer", "path": "/accounts/{account}/transfer", "methods": ["POST"], "challenge": "always"},
    {"name": "admin", "path": "/admin/transfer", "challenge": "always"},
    {"name": "delete", "path": "/items/{id:int}/delete", "methods": ["POST", "DELETE"], "challenge": "always"},
    {"name": "files", "path": "/files/{rest:path}", "methods": ["GET"], "challenge": "always"},
    {"name": "mounted", "path": "/m/inner/transfer", "methods": ["POST"], "challenge": "always"},
    {"name": "tenant", "path": "/{tenant}/t/pay", "methods": ["POST"], "challenge": "always"},
    {"name": "live", "path": "/live/{room}", "challenge": "always"},
    {"name": "key", "path": "/keys/{key:uuid}", "methods": ["DELETE"], "challenge": "always"},
    {"name": "kasse", "path": "/kasse/stra\u00dfe", "methods": ["POST"], "challenge": "always"},
]
"""The rules; each is named after the handler it covers."""

PUBLIC = {"public", "home"}

Interface = Literal["asgi", "wsgi"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bank:
    """``app`` as a server gets it."""

    name: str
    interface: Interface
    app: Any


def say(name: str) -> str:
    RAN.append(name)
    return f"ran:{name}"


BANKS: dict[str, tuple[Interface, str, str]] = {
    "starlette": ("asgi", "starlette", "flat"),
    "starlette-mounts": ("asgi", "starlette", "mounted"),
    "fastapi": ("asgi", "fastapi", "bank"),
    "litestar": ("asgi", "litestar", "bank"),
    "quart": ("asgi", "quart", "bank"),
    "django-asgi": ("asgi", "django", "asgi"),
    "django-wsgi": ("wsgi", "django", "wsgi"),
    "flask": ("wsgi", "flask", "bank"),
    "flask-a2wsgi": ("asgi", "flask", "in_a2wsgi"),
    "flask-asgiref": ("asgi", "flask", "in_asgiref"),
}
"""Name: interface, module, function."""


def bank(name: str) -> Bank:
    interface, module, function = BANKS[name]
    return Bank(name=name, interface=interface, app=getattr(import_module(f"{__name__}.{module}"), function)())


def policy() -> Policy:
    return Policy([make_rule(**entry) for entry in RULES])


def make_rule(name: str, path: str, challenge: Any = "auto", methods: list[str] | None = None) -> Rule:
    methods_ = frozenset(methods) if methods is not None else None
    return Rule(name=name, path=path, version="0" * 64, methods=methods_, challenge=challenge)
