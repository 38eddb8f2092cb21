"""The bank in Quart."""

from __future__ import annotations

from typing import Any

from quart import Quart, websocket

from . import say
from .werkzeug import url_map


def bank() -> Any:
    app = url_map(Quart("bank", static_folder=None))

    async def live(room: str) -> None:
        say("live")
        await websocket.accept()

    app.add_websocket("/live/<room>", "live", live)
    return app
