"""Names and whole addresses that stay out of the lines: every kind of line there is, and every byte of it."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from stepup_mw.enrollment import unlock

from .doors import CONFIG, Door, serving
from .steps import TRANSFER, ask, prove, verify
from .test_enroll import begin, code_of, confirm, later
from .test_privacy import folder_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PERSON = "Zq7x-planted-person"
WRONG = "abcdef"
SHOWN = re.compile("h:[0-9a-f]{8}:[0-9a-f]{32}")

ADDRESSES = {
    "198.51.100.77": ("198.51.100.0", 24),
    "2001:db8:aaaa:bbbb:cccc::77": ("2001:db8:aaaa::", 48),
    "::ffff:203.0.113.78": ("203.0.113.0", 24),
}
"""What a client's address is, and what of it a line may show."""

PARTS = ("198.51.100.7", "bbbb:", "cccc:", "203.0.113.7", ":cb00:71")
"""Of these addresses, in every spelling, what no line may hold."""

WITH_AN_ADDRESS = {
    *("trigger/required", "trigger/denied", "trigger/anonymous", "trigger/not_enrolled"),
    *("challenge/issued", "challenge/rejected", "challenge/replayed", "challenge/locked"),
    *("outcome/approved", "outcome/denied", "outcome/locked", "outcome/expired", "outcome/abandoned"),
    *("access/allowed", "access/refused", "result/completed", "result/failed"),
    *("enrollment/enrolled", "enrollment/replaced", "enrollment/rejected", "alert/duplicate_code"),
}
"""Kinds of line that say where a request came from."""

OF_A_PERSON = {"throttle/locked", "throttle/unlocked", "grant/revoked", "grant/used_up"}
"""Further kinds that say whom they are about."""


@pytest.fixture(params=["asgi", "wsgi"])
def discreet(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Door]:
    """A server whose lines show neither names nor whole addresses, and where people enroll themselves."""
    config = CONFIG.read_text().replace('ttl = "5m"', 'ttl = "5m"\nenroll = "self"')
    config = config.replace("[audit]", '[audit]\nuser_id = "hmac"\nip = "truncated"')
    with serving(request.param, tmp_path, config) as running:
        running.offset(2 - time.time() % 30)
        yield running


def live(door: Door, user: str, address: str) -> None:
    """One person's life with the gate, seen from one address."""
    away = {"X-Forwarded-For": address}
    with door.client(None, **away) as nobody:
        nobody.post(TRANSFER)
    with door.client(user, **away) as client, door.client(user, session="s2", **away) as other:
        client.post(TRANSFER, headers={"Step-Up-Grant": "forged.forged"})
        secret, told = enroll(door, client)
        code = code_of(door, secret)
        prove(client, code)
        client.post(TRANSFER)
        verify(other, ask(other), code)
        client.post("/close")
        client.post("/fail/raise")
        client.post(f"{ask(client, '/wire')['page_url']}/cancel")
        later(door, 60)
        client.post("/wire", headers={"Step-Up-Grant": prove(client, code_of(door, secret), "/wire")["grant"]})
        ask(client, "/totp-only")
        verify(client, ask(client, "/totp-only"), WRONG)
        later(door, 400)
        secret, _ = enroll(door, client, replace=told["factor_id"], current_code=code_of(door, secret))
        later(door, 60)
        prove(client, code_of(door, secret))
        client.delete("/_stepup/grants")
        for _ in range(6):
            client.post(TRANSFER, headers={"Step-Up-Code": WRONG})
        verify(other, ask(other), WRONG)
    anyio.run(unlock, door.assembly.gate.services, user)


def enroll(door: Door, client: Any, **more: str) -> tuple[str, dict[str, Any]]:
    """Enroll an authenticator, with one wrong code before the right one, and wait for its next code."""
    begun = begin(client)
    confirm(client, begun, WRONG, **more)
    answer = confirm(client, begun, code_of(door, begun["secret"]), **more)
    assert answer.status_code == 200, answer.text
    later(door, 30)
    return begun["secret"], answer.json()


def kind_of(line: dict[str, Any]) -> str:
    if line["event_type"] == "step_up":
        return f"{line['phase']}/{line['status']}"
    return f"{line['event_type']}/{line['phase']}"


def kinds_of(door: Door) -> set[str]:
    return {kind_of(line) for line in door.trail()}


@pytest.mark.slow
def test_no_kind_of_line_shows_a_name_or_a_whole_address(discreet: Door) -> None:
    for number, address in enumerate(ADDRESSES):
        live(discreet, f"{PERSON}-{number}", address)
    time.sleep(2)
    lines, seen = discreet.trail(), kinds_of(discreet)
    assert seen >= WITH_AN_ADDRESS | OF_A_PERSON, (WITH_AN_ADDRESS | OF_A_PERSON) - seen
    data = folder_bytes(discreet.folder / "audit")
    assert PERSON.encode() not in data
    assert {part for part in PARTS if part.encode() in data} == set()
    for line in lines:
        if kind_of(line) in WITH_AN_ADDRESS:
            origin = line["origin"] if line["event_type"] == "step_up" else line["detail"]
            assert (origin["ip"], origin["ip_prefix"]) in ADDRESSES.values(), line
        assert line.get("user_id") is None or SHOWN.fullmatch(line["user_id"]), line
    people = {line["user_id"] for line in lines if kind_of(line) in OF_A_PERSON}
    assert len(people) == len(ADDRESSES)


@pytest.mark.parametrize("name", ["asgi", "wsgi"])
def test_whole_addresses_are_the_default(name: str, tmp_path: Path) -> None:
    with serving(name, tmp_path, CONFIG.read_text()) as door:
        with door.client(None, **{"X-Forwarded-For": "198.51.100.77"}) as client:
            client.post(TRANSFER)
        (line,) = [line for line in door.trail() if line["event_type"] == "step_up"]
    assert (line["origin"]["ip"], "ip_prefix" in line["origin"]) == ("198.51.100.77", False)
