"""The bank as an app of its own: pages for a browser, JSON for a program. Nothing in here knows of step-up."""

from __future__ import annotations

import csv
import io
import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from . import views
from .bank import Account, Bank, BankError, format_cents, parse_cents

Endpoint = Callable[[Request, Bank, str], Awaitable[Response]]

_MAX_BODY = 16 * 1024


def make_app(bank: Bank, *, hint: str) -> Starlette:
    """``hint``: what the login page says about the way in. Wants ``scope["session"]`` from whatever is around it."""

    async def login(request: Request) -> Response:
        return await _login(request, bank, hint)

    async def rates(request: Request) -> Response:
        user = request.session.get("user", "")
        return views.rates_page(await run_in_threadpool(bank.name, user) if user else "")

    async def lost(request: Request, _error: Exception) -> Response:
        user = request.scope.get("session", {}).get("user", "")
        return views.lost_page(await run_in_threadpool(bank.name, user) if user else "")

    def page(path: str, endpoint: Endpoint, method: str = "GET") -> Route:
        return Route(path, _signed_in(endpoint, bank), methods=[method])

    routes = [
        Route("/login", login, methods=["GET", "POST"]),
        Route("/logout", _logout, methods=["POST"]),
        Route("/rates", rates),
        page("/", _overview),
        page("/statement.csv", _statement),
        page("/transfer", _transfer_form),
        page("/transfer", _check_transfer, "POST"),
        page("/transfer/review", _review),
        page("/transfer/send", _send, "POST"),
        page("/settings", _settings),
        page("/password", _password_form),
        page("/password", _password, "POST"),
        page("/accounts/{account}/close", _close, "POST"),
        page("/api/accounts", _api_accounts),
        page("/api/transfers", _api_transfer, "POST"),
    ]
    return Starlette(routes=routes, exception_handlers={404: lost})


def _signed_in(endpoint: Endpoint, bank: Bank) -> Callable[[Request], Awaitable[Response]]:
    async def checked(request: Request) -> Response:
        user = request.session.get("user")
        if isinstance(user, str):
            return await endpoint(request, bank, user)
        if request.url.path.startswith("/api/"):
            return JSONResponse({"error": "a bearer token is needed"}, 401, {"www-authenticate": "Bearer"})
        return RedirectResponse("/login", 303)

    return checked


async def _login(request: Request, bank: Bank, hint: str) -> Response:
    if request.method != "POST":
        return views.login_page(hint)
    form = await _form(request)
    user = form.get("user", "").strip()
    if not await run_in_threadpool(bank.sign_in, user, form.get("password", "")):
        return views.login_page(hint, "That is not the user and password.", 401)
    request.session.clear()
    request.session.update(user=user, sid=secrets.token_urlsafe(16))
    return RedirectResponse("/", 303)


async def _logout(request: Request) -> Response:
    request.session.clear()
    return RedirectResponse("/login", 303)


async def _overview(request: Request, bank: Bank, user: str) -> Response:
    name, accounts = await _who(bank, user)
    return views.overview_page(
        name, accounts, await run_in_threadpool(bank.entries, user, 8), request.session.pop("flash", "")
    )


async def _statement(_request: Request, bank: Bank, user: str) -> Response:
    sheet = io.StringIO()
    rows = csv.writer(sheet)
    rows.writerow(("day", "account", "who", "note", "amount"))
    for entry in await run_in_threadpool(bank.entries, user):
        rows.writerow((entry.day, entry.account, entry.who, entry.note, format_cents(entry.cents)))
    headers = {"content-disposition": 'attachment; filename="statement.csv"', "cache-control": "no-store"}
    return Response(sheet.getvalue(), media_type="text/csv", headers=headers)


async def _transfer_form(_request: Request, bank: Bank, user: str) -> Response:
    name, accounts = await _who(bank, user)
    return views.transfer_page(name, accounts, {})


async def _check_transfer(request: Request, bank: Bank, user: str) -> Response:
    """Whatever is wrong is said before a code is asked for; then the review page, which is the sensitive one."""
    form = await _form(request)
    name, accounts = await _who(bank, user)
    try:
        source = _account(accounts, form.get("from", ""))
        if not 0 < parse_cents(form.get("amount", "")) <= source.cents:
            raise BankError(f"{source.label} has {format_cents(source.cents)}.")
        if not form.get("to", "").strip():
            raise BankError("Say who gets the money.")
    except BankError as error:
        return views.transfer_page(name, accounts, form, str(error))
    return RedirectResponse(f"/transfer/review?{urlencode(_draft(form))}", 303)


async def _review(request: Request, bank: Bank, user: str) -> Response:
    draft = _draft(dict(request.query_params))
    name, accounts = await _who(bank, user)
    try:
        source = _account(accounts, draft["from"])
        amount = format_cents(parse_cents(draft["amount"]))
    except BankError as error:
        return views.transfer_page(name, accounts, draft, str(error))
    return views.review_page(name, draft, source.label, amount)


async def _send(request: Request, bank: Bank, user: str) -> Response:
    draft = _draft(await _form(request))
    try:
        cents = parse_cents(draft["amount"])
        await run_in_threadpool(
            bank.transfer, user, source=draft["from"], to=draft["to"], cents=cents, note=draft["note"], day=_today()
        )
    except BankError as error:
        name, accounts = await _who(bank, user)
        return views.transfer_page(name, accounts, draft, str(error))
    request.session["flash"] = f"Sent: {format_cents(cents)} to {draft['to']}."
    return RedirectResponse("/", 303)


async def _settings(request: Request, bank: Bank, user: str) -> Response:
    name, accounts = await _who(bank, user)
    return views.settings_page(name, accounts, request.session.pop("flash", ""))


async def _password_form(_request: Request, bank: Bank, user: str) -> Response:
    return views.password_page(await run_in_threadpool(bank.name, user))


async def _password(request: Request, bank: Bank, user: str) -> Response:
    form = await _form(request)
    try:
        await run_in_threadpool(bank.change_password, user, form.get("new", ""))
    except BankError as error:
        return views.password_page(await run_in_threadpool(bank.name, user), str(error))
    request.session["flash"] = "The password is changed."
    return RedirectResponse("/settings", 303)


async def _close(request: Request, bank: Bank, user: str) -> Response:
    try:
        await run_in_threadpool(bank.close_account, user, request.path_params["account"])
    except BankError as error:
        name, accounts = await _who(bank, user)
        return views.settings_page(name, accounts, error=str(error))
    request.session["flash"] = "The account is closed."
    return RedirectResponse("/settings", 303)


async def _api_accounts(_request: Request, bank: Bank, user: str) -> Response:
    accounts = await run_in_threadpool(bank.accounts, user)
    return JSONResponse([{"id": one.id, "balance": format_cents(one.cents)} for one in accounts if not one.closed])


async def _api_transfer(request: Request, bank: Bank, user: str) -> Response:
    """``{"to": "Bob", "amount": 25, "from": "everyday", "note": "…"}``; the last two may be left out."""
    try:
        wish: Any = orjson.loads(await _body(request))
        draft = _draft({key: str(value) for key, value in wish.items()})
        cents = parse_cents(draft["amount"])
        source = draft["from"] or "everyday"
        number = await run_in_threadpool(
            bank.transfer, user, source=source, to=draft["to"], cents=cents, note=draft["note"], day=_today()
        )
    except (orjson.JSONDecodeError, AttributeError):
        return JSONResponse({"error": "send a JSON object with to and amount"}, 400)
    except BankError as error:
        return JSONResponse({"error": str(error)}, 400)
    return JSONResponse({"transfer": number, "to": draft["to"], "amount": format_cents(cents)}, 201)


async def _who(bank: Bank, user: str) -> tuple[str, list[Account]]:
    return await run_in_threadpool(bank.name, user), await run_in_threadpool(bank.accounts, user)


def _account(accounts: Sequence[Account], wanted: str) -> Account:
    for account in accounts:
        if account.id == wanted and not account.closed:
            return account
    raise BankError("There is no such account.")


def _draft(form: dict[str, str]) -> dict[str, str]:
    return {key: form.get(key, "") for key in ("from", "to", "amount", "note")}


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await _body(request)).decode("utf-8", "replace"), keep_blank_values=True))


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY:
            raise HTTPException(413)
    return body


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
