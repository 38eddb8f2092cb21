"""Passkeys through both doors: made with proof, passed with a signature, and every way in which neither is so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from stepup_mw.enrollment import Enrolled

from ..passkeys.authenticator import PRESENT, Authenticator
from .doors import CONFIG, Door, serving
from .steps import ask, problem, verify

pytestmark = pytest.mark.slow

CONFIGURED = (
    CONFIG.read_text().replace("[challenge]", '[challenge]\nenroll = "self"')
    + """
[passkeys]
rp_id = "bank.example"

[[routes]]
name = "vault"
path = "/vault"
methods = ["POST"]
risk = 60
factors = ["passkey"]

[[routes]]
name = "either"
path = "/either"
methods = ["POST"]
risk = 60
grant = "service"
factors = ["passkey", "totp"]
"""
)


@pytest.fixture(scope="module", params=["asgi", "wsgi"])
def bank(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with serving(request.param, tmp_path_factory.mktemp(request.param), CONFIGURED) as running:
        yield running


@pytest.fixture
def client(bank: Door, user: str) -> Iterator[httpx2.Client]:
    with bank.client(user) as signed_in:
        yield signed_in


def offer(client: httpx2.Client) -> dict[str, Any]:
    answer = client.get("/_stepup/passkeys")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def register(client: httpx2.Client, authenticator: Authenticator, proof: Any = "", **more: Any) -> httpx2.Response:
    """Make a passkey; ``proof`` is a code, or the passkey that proves the change."""
    offered = offer(client)
    current = proof.get(offered["current"]) if isinstance(proof, Authenticator) else proof
    sent = {"pending": offered["pending"], "credential": authenticator.create(offered["creation"]), **more}
    return client.post("/_stepup/passkeys", json={**sent, "current_code": current})


def options(client: httpx2.Client, challenge: dict[str, Any]) -> dict[str, Any]:
    answer = client.get(f"{challenge['page_url']}/passkey")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def sign(client: httpx2.Client, challenge: dict[str, Any], authenticator: Authenticator) -> httpx2.Response:
    answer = authenticator.get(options(client, challenge))
    return client.post(challenge["verify_url"], json={"passkey": answer})


def test_a_first_passkey_opens_what_only_passkeys_open(bank: Door, user: str, client: httpx2.Client) -> None:
    refused = client.post("/vault")
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:stepup:not-enrolled")
    mine = Authenticator()
    made = register(client, mine, label="my laptop").json()
    assert (made["status"], made["label"], len(made["recovery_codes"])) == ("enrolled", "my laptop", 10)
    challenge = ask(client, "/vault")
    assert challenge["factors"] == ["passkey"]
    asked = options(client, challenge)["publicKey"]
    assert (asked["rpId"], asked["userVerification"]) == ("bank.example", "required")
    assert sign(client, challenge, mine).json()["status"] == "approved"
    assert client.post("/vault").status_code == 200
    outcome = next(line for line in bank.lines(user) if line["phase"] == "outcome")
    assert outcome["proof"]["method"] == "passkey"
    assert outcome["detail"] == f"authenticator:{made['factor_id']}"
    access = next(line for line in bank.lines(user) if line["phase"] == "access")
    assert (access["proof"]["basis"], access["proof"]["method"]) == ("grant", "passkey")


def test_a_code_opens_nothing_that_wants_a_passkey(bank: Door, user: str, client: httpx2.Client) -> None:
    enrolled = bank.enroll(user)
    assert client.post("/vault").status_code == 403
    assert register(client, Authenticator(), bank.code(enrolled)).status_code == 200
    challenge = ask(client, "/vault")
    for code in (bank.code(enrolled, steps=1), enrolled.recovery_codes[0]):
        assert problem(verify(client, challenge, code)) == (401, "invalid-code")
    assert verify(client, ask(client, "/either"), bank.code(enrolled, steps=1)).status_code == 200
    assert client.post("/either").status_code == 200
    assert client.post("/vault").status_code == 401  # a grant for the whole service, but earned by a code


def test_whoever_holds_a_passkey_changes_passkeys_by_one_only(bank: Door, user: str, client: httpx2.Client) -> None:
    """Else a code that was phished would make the thief a passkey, and with it open what codes do not."""
    enrolled = bank.enroll(user)
    first, second = Authenticator(), Authenticator()
    assert register(client, first, bank.code(enrolled)).status_code == 200
    for proof in (bank.code(enrolled, steps=1), enrolled.recovery_codes[0], "", second):
        assert register(client, second, proof).status_code == 401
    bank.offset(120)
    assert register(client, second, first).status_code == 200
    assert [held["backed_up"] for held in offer(client)["passkeys"]] == [False, False]
    gone = offer(client)["passkeys"][0]["factor_id"]
    url = f"/_stepup/passkeys/{gone}"
    offered = offer(client)
    by_code = {"pending": offered["pending"], "current_code": bank.code(enrolled, steps=1)}
    assert client.request("DELETE", url, json=by_code).status_code == 401
    by_passkey = {"pending": offered["pending"], "current_code": second.get(offered["current"])}
    assert client.request("DELETE", url, json=by_passkey).json()["status"] == "removed"
    assert client.request("DELETE", url, json=by_passkey).status_code == 400
    assert sign(client, ask(client, "/vault"), second).status_code == 200
    bank.offset(0)


Spoil = Callable[[Authenticator], Authenticator]
WRONG: list[tuple[str, Spoil]] = [
    ("from another site", lambda mine: replace(mine, origin="https://bank.example.evil")),
    ("from plain http", lambda mine: replace(mine, origin="http://bank.example")),
    ("for another relying party", lambda mine: replace(mine, rp_id="evil.example")),
    ("of nobody verified", lambda mine: replace(mine, flags=PRESENT)),
    ("of nobody present", lambda mine: replace(mine, flags=0)),
    ("with another key", lambda mine: replace(mine, key=Authenticator().key)),
    ("of an unknown passkey", lambda mine: replace(mine, credential_id=b"x" * 32)),
]


@pytest.mark.parametrize("spoil", [spoil for _, spoil in WRONG], ids=[name for name, _ in WRONG])
def test_an_answer_that_proves_nothing(bank: Door, user: str, client: httpx2.Client, spoil: Spoil) -> None:
    mine = Authenticator()
    assert register(client, mine).status_code == 200
    assert problem(sign(client, ask(client, "/vault"), spoil(mine))) == (401, "invalid-code")
    assert bank.story(user)[-1].startswith("challenge/rejected")


@pytest.mark.parametrize("spoil", [spoil for _, spoil in WRONG[:5]], ids=[name for name, _ in WRONG[:5]])
def test_a_passkey_that_cannot_be_kept(bank: Door, client: httpx2.Client, spoil: Spoil) -> None:
    assert register(client, spoil(Authenticator())).status_code == 401
    assert offer(client)["passkeys"] == []


def test_an_answer_is_for_one_challenge_and_one_use(bank: Door, client: httpx2.Client) -> None:
    mine = Authenticator(counts=False)
    assert register(client, mine).status_code == 200
    first, second = ask(client, "/vault"), ask(client, "/vault")
    answer = {"passkey": mine.get(options(client, first))}
    assert client.post(second["verify_url"], json=answer).status_code == 401
    assert client.post(first["verify_url"], json=answer).status_code == 200
    assert client.post(first["verify_url"], json=answer).status_code == 410
    offered = offer(client)
    change = {"pending": offered["pending"], "credential": mine.create(offered["creation"])}
    assert client.post("/_stepup/passkeys", json={**change, "current_code": answer["passkey"]}).status_code == 401


def test_a_count_that_does_not_rise_is_a_copy_that_signs(bank: Door, user: str, client: httpx2.Client) -> None:
    mine = Authenticator(count=7)
    assert register(client, mine).status_code == 200
    assert sign(client, ask(client, "/vault"), mine).status_code == 200
    copy = replace(mine, count=6)
    with bank.client(user) as thief:
        assert sign(thief, ask(thief, "/vault"), copy).status_code == 401
    assert any(line.startswith("challenge/replayed") for line in bank.story(user))
    with bank.client(user) as phone:
        assert sign(phone, ask(phone, "/vault"), mine).status_code == 200


def test_the_pending_token_is_for_one_passkey(bank: Door, client: httpx2.Client) -> None:
    offered, mine = offer(client), Authenticator()
    sent = {"pending": offered["pending"], "credential": mine.create(offered["creation"]), "current_code": ""}
    assert client.post("/_stepup/passkeys", json=sent).status_code == 200
    again = {**sent, "credential": Authenticator().create(offered["creation"])}
    again["current_code"] = mine.get(offer(client)["current"])
    assert client.post("/_stepup/passkeys", json=again).status_code in (401, 410)
    assert len(offer(client)["passkeys"]) == 1


def test_totp_changes_may_be_proven_by_a_passkey(bank: Door, user: str, client: httpx2.Client) -> None:
    mine = Authenticator()
    assert register(client, mine).status_code == 200
    offered = client.get("/_stepup/enroll").json()
    assert "passkey" in offered["current_code_by"]
    assert offered["factors"] == []
    code = bank.code(Enrolled(user=user, secret=offered["secret"], uri="", recovery_codes=(), replaced=False))
    sent = {"pending": offered["pending"], "code": code, "current_code": mine.get(offered["current"])}
    assert client.post("/_stepup/enroll", json=sent).json()["status"] == "enrolled"


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"passkey": "x"}', b'{"passkey": {}}', b'{"passkey": {"id": "\xc3\xa4", "response": []}}',
     b'{"passkey": {"id": 7}}', b'{"passkey": {"id": "AAAA", "response": null}}', b'{"passkey": ' + b"[" * 2000],
)  # fmt: skip
def test_garbage_is_a_refusal(bank: Door, client: httpx2.Client, body: bytes) -> None:
    assert register(client, Authenticator()).status_code == 200
    challenge = ask(client, "/vault")
    json = {"content-type": "application/json"}
    assert client.post(challenge["verify_url"], content=body, headers=json).status_code in (400, 401)
    assert client.post("/_stepup/passkeys", content=body, headers=json).status_code in (400, 401, 410)


def test_nobody_else_is_told_of_my_passkeys(bank: Door, client: httpx2.Client) -> None:
    assert register(client, Authenticator()).status_code == 200
    challenge = ask(client, "/vault")
    with bank.client("mallory") as other:
        assert other.get(f"{challenge['page_url']}/passkey").status_code == 404
    cross = {"sec-fetch-site": "cross-site"}
    assert client.post("/_stepup/passkeys", json={}, headers=cross).status_code == 400
