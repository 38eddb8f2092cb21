"""What the app asks for is met by an access token that satisfies it, on a route without a rule and on one with."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

import stepup_mw
from stepup_mw.asgi import StepUpMiddleware

from ..http.doors import SECRET, read_lines
from ..identity.issuer import AUDIENCE, ISSUER, mint, public_jwk, written

CONFIG = f"""
service = "bank"
[identity]
provider = "jwt"
jwks = "jwks.json"
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
acr = ["urn:mfa"]
[cookie]
secure = false
[[routes]]
name = "ruled"
path = "/ruled"
[store]
url = "sqlite:///stepup.db"
[audit]
path = "audit/stepup.jsonl"
"""


@pytest.mark.parametrize("path", ["/free", "/ruled"])
def test_a_token_that_satisfies_it(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPUP_SECRET_KEY", SECRET)
    written(tmp_path, public_jwk("rsa1"))
    (tmp_path / "stepup.toml").write_text(CONFIG)

    async def pay(request: Request) -> PlainTextResponse:
        evidence = await stepup_mw.require(request, reason="amount over 10k", max_age=120)
        return PlainTextResponse(f"{evidence.basis} {evidence.user_id}")

    gate = StepUpMiddleware(Starlette(routes=[Route(path, pay, methods=["POST"])]), config=tmp_path / "stepup.toml")
    client = TestClient(gate, client=("127.0.0.1", 1))

    def send(**changes: Any) -> Any:
        return client.post(path, headers={"Authorization": f"Bearer {mint('rsa1', time.time(), **changes)}"})

    try:
        assert send().text == "token alice"
        poor = send(acr="urn:pwd")
        old = send(auth_time=int(time.time()) - 121)
    finally:
        anyio.run(gate.aclose)
    for answer in (poor, old):
        assert answer.status_code == 401
        assert 'acr_values="urn:mfa", max_age="120"' in answer.headers["www-authenticate"]
    lines = read_lines(tmp_path / "audit" / "stepup.jsonl")
    details = [line["detail"] for line in lines if line["phase"] == "trigger"]
    assert details == ["token_acr", "token_stale"]
