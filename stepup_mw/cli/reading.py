"""The user's app as ``check`` and ``init`` read it: imported, its router found, or a word about why not."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..routers import Router
from ..routers.reading import read_app
from . import service
from .failure import CommandError
from .screen import safe
from .target import load_app

KNOWN = "Starlette, FastAPI, Litestar, Quart, Django and Flask"


class App(NamedTuple):
    """``around``: the classes of the middlewares around it, outermost first."""

    name: str
    router: Router
    around: tuple[str, ...]


def read(name: str, *, factory: bool) -> App:
    """Import ``module:app`` and find its routes. No server is started, no handler and no middleware is run; what the
    import itself prints goes to stderr. CommandError where that cannot be."""
    service.add_import_path(Path.cwd())
    with contextlib.redirect_stdout(sys.stderr), _quiet():
        app = load_app(name, factory=factory)
        reading = read_app(app)
    if reading.router is None:
        raise CommandError(_unknown(name, reading.found, reading.around))
    return App(name, reading.router, reading.around)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """An app that has the middleware warns of its configuration when it is imported; the command says it itself."""
    log = logging.getLogger("stepup_mw")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def _unknown(name: str, found: str, around: tuple[str, ...]) -> str:
    found = "a function" if found == "function" else found
    where = f" (inside {', '.join(safe(one, 80) for one in around)})" if around else ""
    return (
        f"the routes of {safe(name, 80)} cannot be read: it is {safe(found, 80)}{where}, and {KNOWN} are known. Name "
        "the app itself if this one stands around it. `stepup check` alone still validates the policy, and "
        "`stepup explain METHOD PATH` says which rule a request meets in every spelling"
    )
