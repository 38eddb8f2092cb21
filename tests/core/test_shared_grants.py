"""A grant of one service at another: only where both say so, only service-wide, never for a request of its own."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import orjson
import pyotp
import pytest

from stepup_mw.config import load_config
from stepup_mw.enrollment import enroll
from stepup_mw.gate import Gate
from stepup_mw.messages import Pass, Request, Response
from stepup_mw.parts import make_services
from stepup_mw.revocation import revoke_grants
from stepup_mw.stores.memory import MemoryStore
from stepup_mw.trail import Trail

from .samples import KEY, Clock, Shelf, make_request, mapping

AS_JSON = {"Content-Type": "application/json"}
ROUTES = [
    {"name": "pay", "path": "/pay", "challenge": "always", "grant": "service"},
    {"name": "wire", "path": "/wire", "challenge": "always", "grant": "request"},
    {"name": "route", "path": "/route", "challenge": "always", "grant": "route"},
    {"name": "brief", "path": "/brief", "challenge": "always", "grant": "service", "max_age": "1m"},
]


class House:
    """Two services of one store and one secret key, and what each says about the other."""

    def __init__(self, bank: list[str], ledger: list[str], **changes: Any) -> None:
        self.clock, self.store = Clock(), MemoryStore()
        self.shelves = {"bank": Shelf(), "ledger": Shelf()}
        self.gates = {
            name: self._gate(name, shared, changes if name == "ledger" else {})
            for name, shared in (("bank", bank), ("ledger", ledger))
        }

    def _gate(self, name: str, shared: list[str], changes: dict[str, Any]) -> Gate:
        tables = {"service": name, "routes": ROUTES, "store": {"url": "sqlite:///x.db"}}
        grants = {"grants": {"shared_with": shared}} if shared else {}
        environ = {"STEPUP_SECRET_KEY": KEY}
        config = load_config(mapping(**{**tables, **grants, **changes}), environ)
        return Gate(make_services(config.settings, self.store, cast("Trail", self.shelves[name]), self.clock))

    async def ask(self, service: str, path: str, **headers: str) -> Pass | Response:
        return await self.gates[service].handle(request(path, **headers))

    async def earn(self, path: str = "/pay") -> str:
        """A grant of the bank, by a code."""
        services = self.gates["bank"].services
        enrolled = await enroll(services, "alice")
        asked = await self.ask("bank", path)
        assert isinstance(asked, Response)
        body = orjson.dumps({"code": pyotp.TOTP(enrolled.secret).at(self.clock.now)})

        async def read(_limit: int) -> bytes:
            return body

        answer = await self.gates["bank"].handle(
            request(
                orjson.loads(asked.body)["verify_url"], read_body=read, headers={"Content-Type": "application/json"}
            )
        )
        assert isinstance(answer, Response)
        return str(orjson.loads(answer.body)["grant"])

    async def opens(self, grant: str, path: str = "/pay", service: str = "ledger", **headers: str) -> bool:
        return isinstance(await self.ask(service, path, **{"Step-Up-Grant": grant, **headers}), Pass)


def request(path: str, **changes: Any) -> Request:
    headers = {"X-Auth-User": "alice", "X-Auth-Session": "s1", **changes.pop("headers", {})}
    named = {name: changes.pop(name) for name in list(changes) if name[0].isupper()}
    return make_request(path=path, headers={**headers, **named}, **changes)


@pytest.mark.parametrize(
    ("bank", "ledger", "opened"),
    [
        ([], [], False),
        (["ledger"], [], False),
        ([], ["bank"], False),
        (["ledger"], ["bank"], True),
        (["till"], ["bank"], False),
        (["ledger", "till"], ["bank", "till"], True),
        (["ledger"], ["till"], False),
    ],
    ids=["neither", "the-one", "the-other", "both", "another", "three", "past-each-other"],
)
def test_only_where_both_say_so(bank: list[str], ledger: list[str], opened: bool) -> None:
    house = House(bank, ledger)

    async def story() -> tuple[bool, bool]:
        grant = await house.earn()
        return await house.opens(grant), await house.opens(grant, service="bank")

    assert asyncio.run(story()) == (opened, True)
    lines = house.shelves["ledger"].lines()
    if opened:
        earned = next(line for line in house.shelves["bank"].lines() if line["phase"] == "outcome")
        access = next(line for line in lines if line["phase"] == "access")
        assert access["proof"]["basis"] == "grant"
        assert (access["flow_id"], access["service"]) == (earned["flow_id"], "ledger")
    else:
        assert not any(line["phase"] == "access" and line["status"] == "allowed" for line in lines)
        assert any(line.get("detail") == "foreign_grant" for line in lines)


@pytest.mark.parametrize("path", ["/wire", "/route"])
def test_never_one_of_a_route_or_a_request(path: str) -> None:
    house = House(["ledger"], ["bank"])

    async def story() -> list[bool]:
        grant = await house.earn(path)
        return [await house.opens(grant, other) for other in ("/pay", "/wire", "/route")]

    assert asyncio.run(story()) == [False, False, False]


def test_the_rule_here_says_how_fresh_it_must_be_and_for_what_it_counts() -> None:
    house = House(["ledger"], ["bank"])

    async def story() -> list[bool]:
        grant = await house.earn()
        found = [await house.opens(grant, path) for path in ("/pay", "/route", "/wire", "/brief")]
        house.clock.now += 61
        return [*found, await house.opens(grant, "/pay"), await house.opens(grant, "/brief")]

    assert asyncio.run(story()) == [True, True, False, True, True, False]


def test_a_factor_that_does_not_count_here_opens_nothing() -> None:
    house = House(["ledger"], ["bank"], routes=[{**ROUTES[0], "factors": ["recovery_code"]}])
    assert asyncio.run(_earned_and_tried(house)) is False


async def _earned_and_tried(house: House, **headers: str) -> bool:
    return await house.opens(await house.earn(), **headers)


@pytest.mark.parametrize("who", [{"X-Auth-User": "bob"}, {"X-Auth-Session": "s2"}], ids=["user", "session"])
def test_bound_to_its_user_and_session_there_too(who: dict[str, str]) -> None:
    assert asyncio.run(_earned_and_tried(House(["ledger"], ["bank"]), **who)) is False


def test_another_secret_key_is_another_house() -> None:
    house = House(["ledger"], ["bank"])
    stranger = load_config(
        mapping(service="ledger", routes=ROUTES, store={"url": "sqlite:///x.db"}, grants={"shared_with": ["bank"]}),
        {"STEPUP_SECRET_KEY": KEY[::-1]},
    )
    shelf = cast("Trail", house.shelves["ledger"])
    house.gates["ledger"] = Gate(make_services(stranger.settings, house.store, shelf, house.clock))
    assert asyncio.run(_earned_and_tried(house)) is False


def test_revoked_at_one_it_is_void_at_both() -> None:
    house = House(["ledger"], ["bank"])

    async def story() -> tuple[bool, bool]:
        grant = await house.earn()
        before = await house.opens(grant)
        await revoke_grants(house.gates["ledger"].services, "alice", None, by="owner")
        return before, await house.opens(grant, service="bank")

    assert asyncio.run(story()) == (True, False)
