"""The bank in Flask, bare and inside two ASGI bridges."""

from __future__ import annotations

from typing import Any

from a2wsgi import WSGIMiddleware
from asgiref.wsgi import WsgiToAsgi
from flask import Flask

from .werkzeug import url_map


def bank() -> Any:
    return url_map(Flask("bank", static_folder=None))


def in_a2wsgi() -> Any:
    return WSGIMiddleware(bank(), workers=1)


def in_asgiref() -> Any:
    bridge: Any = WsgiToAsgi
    return bridge(bank())
