"""Two services behind one another, both wrapped: one flow over both trails, and a grant of the one at the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest

from stepup_mw.flow_token import Flow, sign_flow

from .doors import CONFIG, Door, serving
from .steps import prove

pytestmark = pytest.mark.slow

PAYROLL = "/payroll"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACE = {"traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01"}
KEY = "sharing-is-caring-0123456789-abcdefgh"


class House(NamedTuple):
    """``bank`` is in front of ``ledger``."""

    bank: Door
    ledger: Door

    def line(self, user: str, phase: str = "access") -> dict[str, Any]:
        """The last line of a phase in the ledger's trail."""
        return [line for line in self.ledger.lines(user) if line["phase"] == phase][-1]


def config(service: str, store: Path, tables: str) -> str:
    text = CONFIG.read_text().replace('service = "bank"', f'service = "{service}"')
    return text.replace("sqlite:///state/stepup.db", f"sqlite:///{store}") + tables


Start = Callable[..., House]


@pytest.fixture(params=["asgi", "wsgi"])
def start(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts both, with these tables in the configuration of each."""
    monkeypatch.setenv("STEPUP_FLOW_KEY", KEY)
    opened: list[Any] = []

    def begin(bank: str, ledger: str, front: str = "gateway") -> House:
        behind = serving(request.param, tmp_path / "ledger", config("ledger", tmp_path / "house.db", ledger))
        second = behind.__enter__()
        opened.append(behind)
        monkeypatch.setenv("STEPUP_TEST_BEHIND", second.url)
        before = serving(
            request.param,
            tmp_path / "bank",
            config("bank", tmp_path / "house.db", bank),
            app=f"tests.http.{front}:{request.param}",
        )
        first = before.__enter__()
        opened.append(before)
        return House(first, second)

    yield begin
    for door in reversed(opened):
        door.__exit__(None, None, None)


def proven(house: House, user: str, path: str = PAYROLL) -> httpx2.Client:
    """A client that has proved itself at the bank, and carries its grant by name."""
    enrolled = house.bank.enroll(user)
    with house.bank.client(user) as client:
        grant = prove(client, house.bank.code(enrolled), path)["grant"]
    return house.bank.client(user, **{"Step-Up-Grant": grant}, **TRACE)


SEND, ACCEPT = "[flow]\nsend = true\n", '[flow]\naccept = ["bank"]\n'
GRANTS = {"bank": '[grants]\nshared_with = ["ledger"]\n', "ledger": '[grants]\nshared_with = ["bank"]\n'}


def test_one_flow_and_one_grant_over_both_where_both_say_so(start: Start, user: str) -> None:
    house = start(SEND + GRANTS["bank"], ACCEPT + GRANTS["ledger"])
    with proven(house, user) as client:
        answer = client.post(PAYROLL).json()
    assert answer["status"] == 200
    outcome = next(line for line in house.bank.lines(user) if line["phase"] == "outcome")
    front = [line for line in house.bank.lines(user) if line["phase"] == "access"][-1]
    behind = house.line(user)
    assert front["flow_id"] == behind["flow_id"] == outcome["flow_id"] == answer["told"]["flow_id"]
    assert front["trace"]["trace_id"] == behind["trace"]["trace_id"] == TRACE_ID
    assert behind["trace"]["flow"] == {"service": "bank", "flow_id": outcome["flow_id"]}
    assert (behind["service"], behind["proof"]["basis"]) == ("ledger", "grant")
    assert behind["proof"]["challenge_id"] == outcome["proof"]["challenge_id"]
    assert front["request_id"] != behind["request_id"]


def test_a_plain_proxy_hands_the_flow_on_and_nobody_elses(start: Start, user: str) -> None:
    """By the configuration alone: the app in front forwards the headers of its request and knows nothing of a flow."""
    house = start(SEND + GRANTS["bank"], ACCEPT + GRANTS["ledger"], front="proxy")
    forged = sign_flow([b"x" * 32], Flow("019ab0c4-7d2e-7f31-8a55-0123456789ab", "bank", 2**40), user)
    with proven(house, user) as client:
        assert client.post(PAYROLL).status_code == 200
        assert client.post(PAYROLL, headers={"Step-Up-Flow": forged}).status_code == 200
        client.post("/unguarded", headers={"Step-Up-Flow": forged})
    fronts = [line for line in house.bank.lines(user) if line["phase"] == "access"]
    behinds = [line for line in house.ledger.lines(user) if line["phase"] == "access"]
    assert len(fronts) == len(behinds) == 2
    for front, behind in zip(fronts, behinds, strict=True):
        assert front["flow_id"] == behind["flow_id"]
        assert front["trace"]["trace_id"] == behind["trace"]["trace_id"] == TRACE_ID
        assert behind["trace"]["flow"] == {"service": "bank", "flow_id": front["flow_id"]}
    assert fronts[1]["trace"]["flow"] == {"ignored": "not_configured"}


def test_what_no_rule_in_front_concerns_is_handed_on_as_it_came_and_judged_behind_by_its_signature(
    start: Start, user: str
) -> None:
    free = '[[routes]]\nname = "free"\npath = "/free"\nmethods = ["POST"]\nrisk = 60\n'
    house = start(SEND, ACCEPT + free, front="proxy")
    house.bank.enroll(user)
    flow_id, until = "019ab0c4-7d2e-7f31-8a55-0123456789ab", int(house.bank.now()) + 60
    for token, reason in (
        (sign_flow([b"x" * 32], Flow(flow_id, "bank", until), user), "signature"),
        ("made-up", "shape"),
    ):
        with house.bank.client(user) as client:
            assert client.post("/free", headers={"Step-Up-Flow": token}).status_code == 401
        line = house.line(user, "trigger")
        assert line["trace"]["flow"] == {"ignored": reason}
        assert line["flow_id"] != flow_id
    assert [line for line in house.bank.lines(user) if line["event_type"] == "step_up"] == []


@pytest.mark.parametrize("sends", [False, True], ids=["not sent", "sent"])
def test_what_came_in_unsigned_goes_no_further(start: Start, user: str, sends: bool) -> None:
    house = start(SEND if sends else "", ACCEPT, front="proxy")
    with proven(house, user) as client:
        assert client.post(PAYROLL, headers={"Step-Up-Flow": "made-up"}).status_code == 401
    line = house.line(user, "trigger")
    found = line["trace"].get("flow")
    assert found == ({"service": "bank", "flow_id": line["flow_id"]} if sends else None)


def test_a_flow_goes_on_though_each_asks_for_its_own_proof(start: Start, user: str) -> None:
    house = start(SEND, ACCEPT)
    with proven(house, user) as client:
        answer = client.post(PAYROLL).json()
        assert (answer["status"], answer["body"]["type"]) == (401, "urn:stepup:challenge-required")
        flow_id = answer["told"]["flow_id"]
        asked = [line for line in house.ledger.lines(user) if line["phase"] in ("trigger", "challenge")]
        assert {line["flow_id"] for line in asked} == {flow_id}
        assert answer["body"]["flow_id"] == flow_id
        assert asked[0]["trace"]["flow"]["service"] == "bank"
        verify = answer["body"]["verify_url"]
        code = house.bank.code(house.bank.enroll(user))
        with house.ledger.client(user) as direct:
            assert direct.post(verify, json={"code": code}).status_code == 200
    assert house.line(user, "outcome")["flow_id"] == flow_id
    assert not [line for line in house.bank.lines(user) if (line.get("proof") or {}).get("basis") == "inline"]


def test_by_default_nothing_is_shared_and_no_flow_is_sent_or_taken(start: Start, user: str) -> None:
    house = start("", "")
    with proven(house, user) as client:
        answer = client.post(PAYROLL).json()
        assert answer["status"] == 401
        assert "flow_token" not in answer["told"]
        forged = sign_flow([KEY.encode()], Flow(answer["told"]["flow_id"], "bank", 2**40), user)
        again = client.post(PAYROLL, headers={"X-Flow": forged}).json()
    assert again["status"] == 401
    triggers = [line for line in house.ledger.lines(user) if line["phase"] == "trigger"]
    assert answer["told"]["flow_id"] not in {line["flow_id"] for line in triggers}
    assert [line["trace"].get("flow") for line in triggers] == [None, {"ignored": "not_configured"}]
    assert house.ledger.reached(user) == []


def test_a_flow_that_nobody_signed_for_this_is_ignored_and_noted(start: Start, user: str) -> None:
    house = start(SEND, ACCEPT)
    flow_id, now = "019ab0c4-7d2e-7f31-8a55-0123456789ab", int(house.bank.now())
    keys, other = [KEY.encode()], [b"x" * 32]
    forged = {
        "signature": sign_flow(other, Flow(flow_id, "bank", now + 60), user),
        "user": sign_flow(keys, Flow(flow_id, "bank", now + 60), "eve"),
        "expired": sign_flow(keys, Flow(flow_id, "bank", now - 1), user),
        "service": sign_flow(keys, Flow(flow_id, "till", now + 60), user),
        "shape": flow_id,
    }
    with proven(house, user) as client:
        for reason, token in forged.items():
            client.post(PAYROLL, headers={"X-Flow": token})
            line = house.line(user, "trigger")
            assert line["flow_id"] != flow_id
            assert line["trace"]["flow"] == {"ignored": reason}
        client.post(PAYROLL, headers={"X-Flow": sign_flow(keys, Flow(flow_id, "bank", now + 60), user)})
        assert house.line(user, "trigger")["flow_id"] == flow_id
    trail = (house.ledger.folder / "audit" / "stepup.jsonl").read_bytes()
    assert not [reason for reason, token in forged.items() if reason != "shape" and token.encode() in trail]


def test_a_challenge_is_its_own_services_alone(start: Start, user: str) -> None:
    house = start("", "")
    enrolled = house.bank.enroll(user)
    with house.bank.client(user) as front, house.ledger.client(user) as behind:
        asked = front.post(PAYROLL).json()
        assert behind.get(asked["page_url"]).status_code == 404
        assert behind.post(asked["verify_url"], json={"code": house.bank.code(enrolled)}).status_code == 404
        inline = behind.post(PAYROLL, headers={"Step-Up-Code": house.bank.code(enrolled)})
        assert inline.status_code == 200
        house.bank.offset(400)
        house.ledger.offset(400)
        time.sleep(2.5)  # whoever looks first may settle it: it is the bank's to tell, now or half a minute later
        house.bank.offset(440)
        house.ledger.offset(440)
    assert house.bank.settled(user, 3)[-1] == "outcome/abandoned route_policy"
    outcomes = [line["status"] for line in house.ledger.lines(user) if line["phase"] == "outcome"]
    assert outcomes == ["approved"]
