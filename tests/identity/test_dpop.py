"""A client with a DPoP token (RFC 9449), whoever says who it is: RFC 9470 answers it, and the token is no proof."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from starlette.authentication import SimpleUser

from stepup_mw.enrollment import enroll
from stepup_mw.gate import Gate
from stepup_mw.identity.django import USER
from stepup_mw.messages import Pass, Request, Response
from tests.core.samples import Clock, Shelf, make, make_request

from .issuer import AUDIENCE, ISSUER, mint, public_jwk, written

WANTED = 'Bearer error="insufficient_user_authentication"'
BOARD = Flask("board")
BOARD.secret_key = "of the board"


def whoever(_request: Request) -> str:
    return "alice"


class Person:
    """As Django has them."""

    is_authenticated = True

    def get_username(self) -> str:
        return "alice"


def signed_in() -> dict[str, str]:
    """The cookie of Flask's own session."""
    serializer = SecureCookieSessionInterface().get_signing_serializer(BOARD)
    assert serializer is not None
    return {"cookie": f"session={serializer.dumps({'user_id': 'alice'})}"}


ASKING: dict[str, tuple[dict[str, Any], Callable[[], dict[str, Any]]]] = {
    "header": (
        {"user": "X-Auth-User", "trusted_proxies": ["127.0.0.1"]},
        lambda: {"headers": {"x-auth-user": "alice"}},
    ),
    "scope_user": ({}, lambda: {"native": {"user": SimpleUser("alice")}}),
    "session": ({"user": "uid"}, lambda: {"native": {"session": {"uid": "alice"}}}),
    "remote_user": ({}, lambda: {"native": {"remote_user": "alice", "REMOTE_USER": "alice"}}),
    "flask": ({}, lambda: {"headers": signed_in(), "app": BOARD}),
    "django": ({}, lambda: {"native": {USER: Person()}}),
    f"{__name__}:whoever": ({}, dict),
}


def send(identity: dict[str, Any], *, authorization: str, headers: Any = None, **parts: Any) -> tuple[Any, list[str]]:
    """The answer, and the lines that were written."""
    shelf, clock = Shelf(), Clock()
    services = make(shelf, clock, identity=identity)
    asyncio.run(enroll(services, "alice"))
    shelf.records.clear()
    whole = {**(headers or {}), "authorization": authorization}
    answer = asyncio.run(Gate(services).handle(make_request(headers=whole, **parts)))
    return answer, shelf.steps()


@pytest.mark.parametrize("scheme", ["DPoP", "dpop", "Bearer"])
@pytest.mark.parametrize("provider", ASKING)
def test_whoever_says_who_it_is(provider: str, scheme: str) -> None:
    settings, parts = ASKING[provider]
    answer, story = send({"provider": provider, **settings}, authorization=f"{scheme} abc", **parts())
    assert isinstance(answer, Response)
    assert story == ["trigger/required", "challenge/issued"]
    assert dict(answer.headers)[b"www-authenticate"].startswith(WANTED.encode())


def test_a_dpop_token_that_would_be_a_proof_as_a_bearer_token_is_none(tmp_path: Path) -> None:
    """Its proof of possession is not checked: whoever sends it may have stolen it."""
    identity = {"provider": "jwt", "jwks": str(written(tmp_path, public_jwk("rsa1"))), "issuer": ISSUER,
                "audience": AUDIENCE, "acr": ["urn:mfa"]}  # fmt: skip
    token = mint("rsa1", Clock().now)
    passed, _ = send(identity, authorization=f"Bearer {token}")
    assert isinstance(passed, Pass)
    answer, story = send(identity, authorization=f"DPoP {token}")
    assert (answer.status, story) == (401, ["access/refused"])
    assert dict(answer.headers)[b"www-authenticate"].startswith(b'Bearer error="invalid_token"')
    stale, _ = send(identity, authorization=f"Bearer {mint('rsa1', Clock().now, auth_time=1)}")
    assert dict(stale.headers)[b"www-authenticate"].startswith(WANTED.encode())
