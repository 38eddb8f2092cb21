"""Named peers, each set up as its own documentation says, around the same app.

None of them does what this package does; they stand here so that a reader knows what a layer of its kind costs.
"""

from __future__ import annotations

from typing import Any

import casbin
from fastapi_authz import CasbinMiddleware
from flask import Flask
from flask_login import LoginManager, UserMixin, login_required
from slowapi import Limiter
from slowapi.middleware import SlowAPIASGIMiddleware
from slowapi.util import get_remote_address
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, SimpleUser
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

_MODEL = """
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = g(r.sub, p.sub) && keyMatch2(r.obj, p.obj) && r.act == p.act
"""


async def _home(request: Request) -> PlainTextResponse:
    return PlainTextResponse(b"hello")


def starlette_app() -> Starlette:
    """One public route, and one that the rules of ``apps.wrapped`` name."""
    return Starlette(
        routes=[
            Route("/api/v1/items/{id}", _home),
            Route("/api/v1/{area}/{id}/users/{uid}/delete", _home, methods=["GET", "POST"]),
        ]
    )


class _BaseHTTP(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: Any) -> Any:
        return await call_next(request)


def base_http(app: Any) -> Any:
    """Starlette's BaseHTTPMiddleware, doing nothing."""
    return _BaseHTTP(app)


class _SignedIn:
    def __init__(self, app: Any) -> None:
        self.app, self.user, self.auth = app, SimpleUser("alice"), AuthCredentials(["authenticated"])

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope["user"], scope["auth"] = self.user, self.auth
        await self.app(scope, receive, send)


def casbin_rules(app: Any, rules: int) -> Any:
    """fastapi-authz on casbin: RBAC with keyMatch2, the row that allows the last of ``rules``."""
    model = casbin.Model()
    model.load_model_from_text(_MODEL)
    enforcer = casbin.Enforcer(model)
    enforcer.add_policies([["admin", f"/api/v1/area{i}/:id/users/:uid", "DELETE"] for i in range(rules - 1)])
    enforcer.add_policy("user", "/api/v1/items/:id", "GET")
    enforcer.add_grouping_policy("alice", "user")
    return _SignedIn(CasbinMiddleware(app, enforcer))


def slowapi_limit() -> Any:
    """slowapi's ASGI middleware with its store in memory and a limit never reached."""
    app = starlette_app()
    app.state.limiter = Limiter(key_func=get_remote_address, default_limits=["100000000/minute"])
    app.add_middleware(SlowAPIASGIMiddleware)
    return app


def flask_app(kind: str) -> Flask:
    """Flask: bare, with Flask-Login's ``login_required``, or with Flask-Security's ``auth_required`` (token)."""
    app = Flask("bench")
    app.config.update(SECRET_KEY="a-key-for-measuring-only-8f1d7c52e6b39a40")
    if kind == "security":
        return _with_flask_security(app)

    def item(number: str) -> str:
        return "hello"

    if kind == "login":
        manager = LoginManager(app)

        class Person(UserMixin):  # type: ignore[misc]
            id = "alice"

        manager.request_loader(lambda request: Person() if "X-Auth-User" in request.headers else None)
        app.add_url_rule("/api/v1/items/<number>", view_func=login_required(item), endpoint="item")
    else:
        app.add_url_rule("/api/v1/items/<number>", view_func=item, endpoint="item")
    return app


def _item(number: str) -> str:
    return f"hello {number}"


def _with_flask_security(app: Flask) -> Flask:
    """``auth_required("token")``; the token of its one user stands in ``app.config["BENCH_TOKEN"]``."""
    from flask_security import Security, SQLAlchemyUserDatastore, auth_required, hash_password  # noqa: PLC0415
    from flask_security.models import fsqla_v3  # noqa: PLC0415
    from flask_sqlalchemy import SQLAlchemy  # noqa: PLC0415

    app.config.update(
        SECURITY_PASSWORD_SALT="146585145368132386173505678016728509634",
        SQLALCHEMY_DATABASE_URI="sqlite://",
        SECURITY_PASSWORD_HASH="plaintext",
        SECURITY_HASHING_SCHEMES=["hex_md5"],
        SECURITY_DEPRECATED_HASHING_SCHEMES=[],
        WTF_CSRF_ENABLED=False,
    )
    db = SQLAlchemy(app)
    fsqla_v3.FsModels.set_db_info(db)
    role = type("Role", (db.Model, fsqla_v3.FsRoleMixin), {})
    person = type("User", (db.Model, fsqla_v3.FsUserMixin), {})
    passkey = type("WebAuthn", (db.Model, fsqla_v3.FsWebAuthnMixin), {})  # the model of a user names it
    app.security = Security(app, SQLAlchemyUserDatastore(db, person, role, passkey))  # type: ignore[attr-defined]
    with app.app_context():
        db.create_all()
        found = app.security.datastore.create_user(email="a@example.com", password=hash_password("password"))  # type: ignore[attr-defined]
        db.session.commit()
        app.config["BENCH_TOKEN"] = found.get_auth_token()
    app.add_url_rule("/api/v1/items/<number>", view_func=auth_required("token")(_item), endpoint="item")
    return app
