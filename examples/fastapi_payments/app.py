"""Payments behind a FastAPI app, for programs with a token and for people at the form on its page: everybody sees the
list; a payment asks for a code, and so do many at once, taking all away and a standing order, which no rule names."""

from __future__ import annotations

import html
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Form, Request, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import HTTPConnection

import stepup_mw
from stepup_mw.fastapi import StepUp, require_stepup

FOLDER = Path(__file__).parent
TOKENS = {"token-of-alice": "alice", "token-of-bob": "bob"}  # stands for the login that your app has


class Payment(BaseModel):
    to: str
    amount: int


class TokenOrSession(AuthenticationBackend):
    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser] | None:
        token = conn.headers.get("authorization", "").removeprefix("Bearer ")
        user = TOKENS.get(token) if token else conn.session.get("user")
        return (AuthCredentials(["authenticated"]), SimpleUser(user)) if user else None


app = FastAPI()
StepUp(app, config=FOLDER / "stepup.toml")  # the middleware, and what it may answer in /docs
app.add_middleware(AuthenticationMiddleware, backend=TokenOrSession())  # added later, so further out: who asks
app.add_middleware(SessionMiddleware, secret_key=os.environ.get("SESSION_KEY", os.urandom(32).hex()))


def database() -> closing[sqlite3.Connection]:
    db = sqlite3.connect(FOLDER / "payments.db", isolation_level=None)
    db.execute("create table if not exists payments (recipient text, amount int)")
    return closing(db)


@app.get("/payments")
def list_payments() -> list[dict[str, Any]]:
    with database() as db:
        return [{"to": to, "amount": amount} for to, amount in db.execute("select * from payments")]


@app.post("/payments", status_code=201)
def pay(payment: Payment) -> Payment:
    with database() as db:
        db.execute("insert into payments values (?, ?)", (payment.to, payment.amount))
    return payment


@app.get("/export", dependencies=[Depends(require_stepup(reason="all payments, to take with you", max_age="1m"))])
def export() -> list[dict[str, Any]]:
    """No rule names it; the dependency asks."""
    return list_payments()


@app.post("/sign-in/{user}")
def sign_in(request: Request, user: str) -> RedirectResponse:
    """Stands for the login that your app has: it puts a user into the session."""
    request.session["user"] = user
    return RedirectResponse("/", 303)


@app.get("/", response_class=HTMLResponse)
def page(request: Request) -> str:
    if not request.user.is_authenticated:
        return PAGE.format('<form method="post" action="/sign-in/alice"><button>Sign in</button></form>')
    paid = "".join(f"<li>{amount} to {html.escape(to)}</li>" for to, amount in (p.values() for p in list_payments()))
    forms = FORM.format("/pay", "Pay") + FORM.format("/standing-orders", "Pay monthly")
    return PAGE.format(f'<ul>{paid}</ul>{forms}<a href="/payroll">Pay many</a> <a href="/export">Take all with you</a>')


@app.post("/pay")  # a rule names it: the form is kept, shown, and sent after the code
def pay_by_form(
    to: Annotated[str, Form()], amount: Annotated[int, Form()], invoice: UploadFile | None = None
) -> RedirectResponse:
    name = f" for {invoice.filename}, {len(invoice.file.read())} bytes" if invoice and invoice.filename else ""
    pay(Payment(to=to + name, amount=amount))
    return RedirectResponse("/", 303)


@app.get("/payroll", response_class=HTMLResponse)  # a rule asks before the long form is filled in …
async def payroll(request: Request) -> str:
    return PAGE.format(PAYROLL.format(await stepup_mw.form_token(request, "/payroll")))


@app.post("/payroll")  # … and the token in it lets it be sent when that proof is no longer fresh
def pay_all(payments: Annotated[str, Form()]) -> RedirectResponse:
    for line in payments.splitlines():
        to, _, amount = line.rpartition(" ")
        pay(Payment(to=to, amount=int(amount)))
    return RedirectResponse("/", 303)


@app.post("/standing-orders")  # no rule names it: the handler asks, when it has read the form, and that is kept, too
async def order(request: Request, to: Annotated[str, Form()], amount: Annotated[int, Form()]) -> RedirectResponse:
    if amount > 10:
        await stepup_mw.require(request, reason="a standing order", action={"to": to, "amount": amount})
    pay(Payment(to=f"{to}, monthly", amount=amount))
    return RedirectResponse("/", 303)


PAGE = """<!doctype html><html lang="en"><meta name="viewport" content="width=device-width">
<title>Payments</title><h1>Payments</h1>{}</html>"""
FORM = """<form method="post" action="{0}" enctype="multipart/form-data">
<label>To <input name="to" required></label> <label>Amount <input name="amount" type="number" required></label>
<label>Invoice <input name="invoice" type="file"></label> <button>{1}</button></form>"""
PAYROLL = """<form method="post"><input type="hidden" name="_stepup" value="{}">
<label>A payment a line, as in “Bob 20” <textarea name="payments" rows="9" required></textarea></label>
<button>Pay all</button></form>"""
