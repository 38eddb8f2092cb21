"""The steps that most scenarios share: be asked, answer, and what the lines of a whole two-step flow are."""

from __future__ import annotations

from typing import Any

import httpx2

TRANSFER = "/accounts/42/transfer"
PROBLEM = "application/problem+json"

ASKED = ["trigger/required route_policy", "challenge/issued route_policy"]
APPROVED = [*ASKED, "outcome/approved route_policy"]
WRONG = "challenge/rejected route_policy"
REPLAYED = "challenge/replayed route_policy"
LOCKED = "challenge/locked route_policy"
BY_GRANT = ["access/allowed route_policy grant", "result/completed route_policy grant"]
INLINE = ["access/allowed route_policy inline", "result/completed route_policy inline"]

BROWSER = {
    "Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "same-origin",
}
"""What a browser sends when a person goes to a page."""


def ask(client: httpx2.Client, path: str = TRANSFER, method: str = "POST") -> dict[str, Any]:
    """Make a request that needs a proof; gives the problem document of its challenge."""
    answer = client.request(method, path)
    assert answer.status_code == 401, answer.text
    return dict(answer.json())


def verify(client: httpx2.Client, challenge: dict[str, Any], code: str) -> httpx2.Response:
    """Answer a challenge with a code."""
    return client.post(challenge["verify_url"], json={"code": code})


def prove(client: httpx2.Client, code: str, path: str = TRANSFER, method: str = "POST") -> dict[str, Any]:
    """Be asked and answer rightly; gives what verify says. The client holds the cookie from then on."""
    answer = verify(client, ask(client, path, method), code)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def problem(answer: httpx2.Response) -> tuple[int, str]:
    """The status and the kind of a problem document, its form checked: RFC 9457 and never to be stored."""
    body = answer.json()
    assert answer.headers["content-type"] == PROBLEM
    assert answer.headers["cache-control"] == "no-store"
    assert body["status"] == answer.status_code
    assert body["title"]
    assert body["detail"]
    assert "score" not in answer.text
    assert "signal" not in answer.text
    return answer.status_code, body["type"].removeprefix("urn:stepup:")
