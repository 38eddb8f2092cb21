"""What an app of some framework says about its own routes, in words that do not depend on the framework.

A router answers two questions and runs no handler for either: which routes there are, and which of them a request
would reach. Each framework has a module of its own here, loaded only for an app of that framework.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

Native = MutableMapping[str, Any]
"""An ASGI scope or a WSGI environ. ``dispatch`` may change it, as the framework itself does."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AppRoute:
    """One route of the app.

    path: in the syntax of rules, from the root of the app on. methods: None where the app itself says nothing, so that
    every method runs the handler. handler: ``module.name``. samples: decoded paths that should reach it, the parameters
    filled in. host: the Host header it needs, "" for any. changes: the handler's code speaks of POST, a form or a body,
    which counts where the methods are not said. asks: this package's decorator, dependency or guard stands before it.
    moved: the app itself answers with a redirect, and no handler runs. A ``mount`` is an app inside the app that cannot
    be read.
    """

    path: str
    methods: frozenset[str] | None
    handler: str
    kind: Literal["http", "websocket", "mount"] = "http"
    samples: tuple[str, ...] = ()
    host: str = ""
    changes: bool = False
    asks: bool = False
    moved: bool = False


class Hit(NamedTuple):
    """The route that a request reaches, and what it made of the parameters, as text."""

    route: AppRoute
    params: Mapping[str, str]


class Router(Protocol):
    """The routes of one app, and the way to them. ``interface`` says what ``dispatch`` wants."""

    @property
    def framework(self) -> str: ...

    @property
    def interface(self) -> Literal["asgi", "wsgi"]: ...

    @property
    def routes(self) -> Sequence[AppRoute]: ...

    @property
    def root_path(self) -> str:
        """A root path that the app gives itself, whatever the server says; "" for none."""
        ...

    def dispatch(self, native: Native) -> Hit | None:
        """The route whose handler would run, by the framework's own matching; None where none would."""
        ...
