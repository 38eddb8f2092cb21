"""The routes of Flask and Quart, whose URL maps are one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import say


def url_map(app: Any) -> Any:
    """The routes of Flask and Quart, whose URL maps are one."""

    def view(name: str) -> Callable[..., str]:
        def run(**_values: Any) -> str:
            return say(name)

        return run

    app.add_url_rule("/", "home", view("home"))
    app.add_url_rule("/public/<x>", "public", view("public"), methods=["GET", "POST"])
    app.add_url_rule("/accounts/<account>/transfer", "transfer", view("transfer"), methods=["POST"])
    app.add_url_rule("/admin/transfer/", "admin", view("admin"), methods=["GET", "POST"])
    app.add_url_rule("/items/<int(signed=True):id>/delete", "delete", view("delete"), methods=["POST", "DELETE"])
    app.add_url_rule("/files/<path:rest>", "files", view("files"))
    app.add_url_rule("/keys/<uuid:key>", "key", view("key"), methods=["DELETE"])
    app.add_url_rule("/kasse/stra\u00dfe", "kasse", view("kasse"), methods=["POST"])
    app.add_url_rule("/m/inner/transfer", "mounted", view("mounted"), methods=["POST"])
    app.add_url_rule("/<tenant>/t/pay", "tenant", view("tenant"), methods=["POST"])
    return app
