"""``init --app``: the sensitive routes of an app as rules of a first configuration."""

from __future__ import annotations

from typing import Any

from ..config.template import Proposal
from ..congruence.coverage import Coverage
from ..congruence.sensitive import Suggestion, suggest
from ..policy import Policy
from .reading import App


class AppRoutes:
    """What is proposed for an app."""

    def __init__(self, app: App) -> None:
        self._app = app
        covers = Coverage(app.router, Policy([])).routes
        found = suggest(tuple(cover.route for cover in covers if cover.state != "unreached"))
        self._rules = [one for one in found if not one.public]
        self._public = [one for one in found if one.public]

    @property
    def proposed(self) -> dict[str, Any]:
        """For ``write_init``."""
        rules = [
            Proposal(name=one.name, path=one.route.path, methods=one.methods, risk=one.risk, why=_why(one))
            for one in self._rules
        ]
        return {"routes": rules, "public": [(entry, one.why) for one in self._public for entry in _entries(one)]}

    @property
    def said(self) -> str:
        count, routes = len(self._rules), len(self._app.router.routes)
        if not count:
            return f"an example rule: none of the {routes} routes of {self._app.name} looks sensitive"
        return f"{count} rule{'s' if count > 1 else ''} for the {routes} routes of {self._app.name}"

    def as_json(self) -> dict[str, Any]:
        return {
            "app": self._app.name,
            "framework": self._app.router.framework,
            "routes": [
                {"name": one.name, "path": one.route.path, "methods": list(one.methods) or None, "risk": one.risk}
                | {"handler": one.route.handler, "why": one.why}
                for one in self._rules
            ],
            "public": [entry for one in self._public for entry in _entries(one)],
        }


def _why(one: Suggestion) -> str:
    return f"{one.route.handler.rpartition('.')[2]}: {one.why}"


def _entries(one: Suggestion) -> list[str]:
    return [f"{method} {one.route.path}" for method in one.methods] or [one.route.path]
