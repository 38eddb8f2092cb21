"""Orders in Litestar: an order is free, cancelling all asks for a code, and so does the list of who ordered what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from litestar import Litestar, Request, delete, get, post
from litestar.middleware.session.client_side import CookieBackendConfig

import stepup_mw
from stepup_mw.litestar import StepUpPlugin, stepup_required

FOLDER = Path(__file__).parent
ORDERS: list[dict[str, Any]] = []


@post("/sign-in/{user:str}", status_code=204)
async def sign_in(request: Request[Any, Any, Any]) -> None:
    """Stands for the login that your app has: it puts a user into the session."""
    request.session["user_id"] = request.path_params["user"]


@get("/orders")
async def orders() -> list[str]:
    return [str(order["what"]) for order in ORDERS]


@post("/orders")
async def order(request: Request[Any, Any, Any], data: dict[str, Any]) -> dict[str, Any]:
    """Only the handler knows whether it matters."""
    if data["amount"] > 1000:
        await stepup_mw.require(request, reason="an order over 1000", action={"amount": data["amount"]})
    ORDERS.append({"what": data["what"], "amount": data["amount"], "by": request.session["user_id"]})
    return data


@delete("/orders")  # a rule in stepup.toml names it
async def cancel_all() -> None:
    ORDERS.clear()


@get("/who", guards=[stepup_required(reason="who ordered what", max_age="1m")])  # no rule names it; the guard asks
async def who() -> list[dict[str, Any]]:
    return ORDERS


app = Litestar(
    [sign_in, orders, order, cancel_all, who],
    middleware=[CookieBackendConfig(secret=b"an example: use your own"[:16]).middleware],
    plugins=[StepUpPlugin(config=FOLDER / "stepup.toml")],
)
