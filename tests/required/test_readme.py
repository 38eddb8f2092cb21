"""The README's own lines of Python about a request, run in a handler as they stand there."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

import stepup_mw
from stepup_mw.flow_token import verify_flow

from .site import CONFIG, SECRET, Site, verify

FLOW_KEY = "sharing-is-caring-0123456789-abcdefgh"
README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPUP_SECRET_KEY", SECRET)
    monkeypatch.setenv("STEPUP_FLOW_KEY", FLOW_KEY)


def shown(what: str) -> str:
    """The one block of Python in the README that has this."""
    found = [block for block in re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL) if what in block]
    assert len(found) == 1
    return str(found[0])


def handler_of(block: str, **names: Any) -> Any:
    """An async handler with these lines in it, and after them an answer."""
    source = "async def handler(request, amount):\n" + textwrap.indent(block, "    ")
    there: dict[str, Any] = {"stepup_mw": stepup_mw, **names}
    exec(source, there)  # noqa: S102 - the README's own words

    async def answer(request: Request) -> Response:
        await there["handler"](request, int(request.query_params.get("amount", 0)))
        return PlainTextResponse("paid")

    return answer


def test_the_demand_of_the_readme(tmp_path: Path) -> None:
    app = Starlette(routes=[Route("/pay", handler_of(shown("stepup_mw.require(")), methods=["POST"])])
    site = Site(tmp_path, app, "asgi")
    client, authenticator = site.client(), site.enroll()
    asked = client.post("/pay?amount=20000")
    assert asked.status_code == 401
    told = asked.json()
    assert (told["reason"], told["action"], told["max_age"]) == ("amount over 10k", {"amount": 20000}, 60)
    assert verify(client, asked, site.code(authenticator)).status_code == 200
    assert client.post("/pay?amount=20001").status_code == 401
    assert client.post("/pay?amount=20000").text == "paid"
    site.skew = 61
    assert client.post("/pay?amount=20000").status_code == 401
    assert site.story()[3:5] == ["trigger/required app_required", "challenge/issued app_required"]
    site.close()


def test_the_headers_of_the_readme_for_a_service_behind(tmp_path: Path) -> None:
    behind: list[dict[str, str]] = []

    def service(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        behind.append({name: value for name, value in environ.items() if name.startswith("HTTP_")})
        start_response("200 OK", [])
        return [b""]

    calls = httpx2.Client(transport=httpx2.WSGITransport(app=service))
    handler = handler_of(shown("flow_headers("), httpx=calls, url="http://ledger/book")
    app = Starlette(routes=[Route("/rename", handler, methods=["POST"])])
    site = Site(tmp_path, app, "asgi", config=CONFIG + "[flow]\nsend = true\n")
    assert site.client().post("/rename", headers={"X-Request-ID": "req-7"}).text == "paid"
    line = next(line for line in site.lines() if line["phase"] == "access")
    token = behind[0]["HTTP_STEP_UP_FLOW"]
    assert behind[0]["HTTP_X_REQUEST_ID"] == "req-7" == line["trace"]["request_id"]
    signed = verify_flow([FLOW_KEY.encode()], token, user="alice", now=0)
    assert signed.flow_id == line["flow_id"]
    site.close()
