"""Payments behind a FastAPI app: everybody sees the list; a payment asks for a code, and so does taking all away."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI
from pydantic import BaseModel
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection

from stepup_mw.fastapi import StepUp, require_stepup

FOLDER = Path(__file__).parent
TOKENS = {"token-of-alice": "alice", "token-of-bob": "bob"}  # stands for the login that your app has


class Payment(BaseModel):
    to: str
    amount: int


class Tokens(AuthenticationBackend):
    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser] | None:
        user = TOKENS.get(conn.headers.get("authorization", "").removeprefix("Bearer "))
        return (AuthCredentials(["authenticated"]), SimpleUser(user)) if user else None


app = FastAPI()
StepUp(app, config=FOLDER / "stepup.toml")  # the middleware, and what it may answer in /docs
app.add_middleware(AuthenticationMiddleware, backend=Tokens())  # added last, so outermost: it says who asks


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
