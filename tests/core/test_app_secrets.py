"""Secrets in the app's own database: asked for at each code, each code good once, and no secret kept here."""

from __future__ import annotations

import asyncio
import base64
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from stepup_mw.app_secrets import ProvidedSecret, row_id
from stepup_mw.asgi import StepUpMiddleware as AsgiStepUp
from stepup_mw.errors import StoreUnavailable
from stepup_mw.gate import Gate
from stepup_mw.gate.codes import is_enrolled, judge_code, prepare
from stepup_mw.gate.services import Services
from stepup_mw.messages import Pass, Response
from stepup_mw.state import MAX_FACTORS
from stepup_mw.stores.sqlite import SqliteStore
from stepup_mw.totp import format_code, time_step
from stepup_mw.wsgi import StepUpMiddleware as WsgiStepUp

from .samples import KEY, NOW, SECRET, Clock, Shelf, make, make_request, mapping

OTHER = base64.b32encode(bytes(range(20))).decode()


class Devices:
    """A tiny app's database of authenticators."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run("CREATE TABLE device (id INTEGER PRIMARY KEY, owner TEXT, secret TEXT, name TEXT)")

    def run(self, statement: str, *values: object) -> list[Any]:
        with closing(sqlite3.connect(self.path)) as database, database:
            return database.execute(statement, values).fetchall()

    def add(self, owner: str, secret: str, name: str = "") -> None:
        self.run("INSERT INTO device (owner, secret, name) VALUES (?, ?, ?)", owner, secret, name)

    async def secrets(self, user: str) -> Sequence[ProvidedSecret]:
        rows = self.run("SELECT id, secret, name FROM device WHERE owner = ?", user)
        return [ProvidedSecret(factor_id=str(number), secret=secret, label=name) for number, secret, name in rows]


@pytest.fixture
def devices(tmp_path: Path) -> Devices:
    return Devices(tmp_path / "app.db")


def services_with(devices: Devices, shelf: Shelf | None = None, clock: Clock | None = None) -> Services:
    return replace(make(shelf, clock), secrets=devices)


def ask(services: Services, code: str = "", user: str = "alice") -> Pass | Response:
    headers = {"X-Auth-User": user, "X-Auth-Session": "s1"} | ({"Step-Up-Code": code} if code else {})
    return asyncio.run(Gate(services).handle(make_request(headers=headers)))


def test_a_code_of_the_apps_own_secret_is_good_once(devices: Devices) -> None:
    devices.add("alice", SECRET, "phone")
    shelf, clock = Shelf(), Clock()
    services = services_with(devices, shelf, clock)
    code = format_code(SECRET, time_step(NOW))
    assert isinstance(ask(services), Response)
    assert isinstance(ask(services, code), Pass)
    assert isinstance(ask(services, code), Response)
    clock.now = NOW - 3600
    assert isinstance(ask(services, format_code(SECRET, time_step(NOW - 3600))), Response)
    assert "challenge/replayed" in shelf.steps()
    [row] = asyncio.run(services.store.factors("alice"))
    assert (row.sealed, row.last_step, row.label) == (b"", time_step(NOW), "phone")


def test_the_grant_for_the_first_code_is_kept(devices: Devices) -> None:
    """What keeps the steps is added before the epoch is read in which the code is judged."""
    devices.add("alice", SECRET)
    services = services_with(devices)
    asked = ask(services)
    assert isinstance(asked, Response)
    url = orjson.loads(asked.body)["verify_url"]

    async def body(_limit: int) -> bytes:
        return orjson.dumps({"code": format_code(SECRET, time_step(NOW))})

    headers = {"X-Auth-User": "alice", "X-Auth-Session": "s1", "Content-Type": "application/json"}
    verified = asyncio.run(Gate(services).handle(make_request(path=url, headers=headers, read_body=body)))
    assert isinstance(verified, Response)
    grant = orjson.loads(verified.body)["grant"]
    again = {"X-Auth-User": "alice", "X-Auth-Session": "s1", "Step-Up-Grant": grant}
    assert isinstance(asyncio.run(Gate(services).handle(make_request(headers=again))), Pass)


def test_every_device_counts_and_nobody_elses(devices: Devices) -> None:
    devices.add("alice", SECRET)
    devices.add("alice", OTHER.lower())
    devices.add("bob", base64.b32encode(b"b" * 20).decode())
    services = services_with(devices)
    assert isinstance(ask(services, format_code(SECRET, time_step(NOW))), Pass)
    assert isinstance(ask(services, format_code(OTHER, time_step(NOW))), Response)  # a step is the user's
    assert isinstance(ask(services, format_code(OTHER, time_step(NOW) + 1)), Pass)
    theirs = format_code(base64.b32encode(b"b" * 20).decode(), time_step(NOW))
    assert isinstance(ask(services, theirs), Response)
    assert isinstance(ask(services, theirs, "bob"), Pass)


def test_nobody_without_a_device_is_enrolled(devices: Devices) -> None:
    services = services_with(devices)
    answer = ask(services)
    assert isinstance(answer, Response)
    assert (answer.status, orjson.loads(answer.body)["type"]) == (403, "urn:stepup:not-enrolled")
    assert not asyncio.run(is_enrolled(services, "alice"))
    devices.add("alice", SECRET)
    assert asyncio.run(is_enrolled(services, "alice"))
    assert asyncio.run(services.store.factors("alice")) == ()  # looking changes nothing


def test_a_device_the_app_took_away_verifies_nothing(devices: Devices) -> None:
    devices.add("alice", SECRET)
    services = services_with(devices)
    assert isinstance(ask(services, format_code(SECRET, time_step(NOW))), Pass)
    devices.run("DELETE FROM device")
    answer = ask(services, format_code(SECRET, time_step(NOW) + 1))
    assert isinstance(answer, Response)
    assert answer.status == 403


def test_a_code_used_before_the_store_was_lost_is_not_taken_again(devices: Devices, tmp_path: Path) -> None:
    devices.add("alice", SECRET)

    def services_of_now() -> Services:
        store = SqliteStore(tmp_path / "state.db", witness=tmp_path / "witness", clock=lambda: NOW)
        return replace(services_with(devices), store=store)

    def lose(services: Services) -> None:
        asyncio.run(services.store.aclose())
        for path in tmp_path.glob("state.db*"):
            path.unlink()

    code, next_code = (format_code(SECRET, time_step(NOW) + number) for number in range(2))
    services = services_of_now()
    assert isinstance(ask(services, code), Pass)
    lose(services)
    services = services_of_now()
    for each in (code, next_code):
        refused = ask(services, each)
        assert isinstance(refused, Response)
        assert refused.status == 503
    assert asyncio.run(services.store.accept_loss()) is True
    assert isinstance(ask(services, next_code), Pass)
    asyncio.run(services.store.aclose())


def test_rows_of_devices_long_gone_make_room(devices: Devices) -> None:
    services = services_with(devices)
    for number in range(3 * MAX_FACTORS):
        devices.run("DELETE FROM device")
        secret = base64.b32encode(bytes([number] * 20)).decode()
        devices.run("INSERT INTO device VALUES (?, 'alice', ?, '')", number, secret)
        assert asyncio.run(prepare(services, "alice", NOW, allowed=("totp",)))
        judged = asyncio.run(
            judge_code(services, "alice", format_code(secret, time_step(NOW)), allowed=("totp",), now=NOW)
        )
        assert judged.verdict == "right"
    assert len(asyncio.run(services.store.factors("alice"))) <= MAX_FACTORS


def test_more_devices_than_are_kept_is_a_refusal(devices: Devices) -> None:
    for number in range(MAX_FACTORS + 1):
        devices.add("alice", base64.b32encode(bytes([number] * 20)).decode())
    services = services_with(devices)
    with pytest.raises(StoreUnavailable, match="more authenticators"):
        asyncio.run(prepare(services, "alice", NOW, allowed=("totp",)))
    answer = ask(services)
    assert isinstance(answer, Response)
    assert answer.status == 503


@pytest.mark.parametrize(
    "damage",
    ["DROP TABLE device", "UPDATE device SET secret = 'AAAA'", "UPDATE device SET secret = '!'"],
)
def test_an_app_database_that_fails_lets_nobody_in(devices: Devices, damage: str) -> None:
    devices.add("alice", SECRET)
    devices.run(damage)
    services = services_with(devices)
    for code in ("", format_code(SECRET, time_step(NOW))):
        answer = ask(services, code)
        assert isinstance(answer, Response)
        assert answer.status == 503
        assert b"AAAA" not in answer.body


def test_a_secret_shows_nowhere() -> None:
    secret = ProvidedSecret(factor_id="7", secret=SECRET)
    assert SECRET not in repr(secret)
    assert row_id(secret) == row_id(replace(secret, secret=OTHER))
    assert row_id(secret) != row_id(replace(secret, factor_id="8"))
    assert row_id(replace(secret, factor_id="\ud800" * 999)).isascii()


@pytest.mark.parametrize("face", [AsgiStepUp, WsgiStepUp])
def test_both_faces_take_it(
    face: type[AsgiStepUp | WsgiStepUp], devices: Devices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPUP_SECRET_KEY", KEY)
    monkeypatch.chdir(tmp_path)
    wrapped = face(lambda *_: None, mapping(), secrets=devices)  # type: ignore[arg-type]  # never called
    assert wrapped.assembly.gate.services.secrets is devices
    wrapped.assembly.reload(wrapped.assembly.config)
    assert wrapped.assembly.gate.services.secrets is devices
