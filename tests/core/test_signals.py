from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw.gate.visit import survey
from stepup_mw.messages import Request
from stepup_mw.settings import AccountThrottle, AddressThrottle
from stepup_mw.signals import Finding, Signal, Subject
from stepup_mw.signals.burst import Burst
from stepup_mw.signals.call import TIMEOUT_S, Call
from stepup_mw.signals.new_device import NewDevice
from stepup_mw.signals.new_network import NewNetwork
from stepup_mw.signals.off_hours import OffHours
from stepup_mw.signals.recent_failures import RecentFailures
from stepup_mw.state import Store
from stepup_mw.stores.memory import MemoryStore

from .samples import NOW, make, make_request, make_rule

HERE = "tests.core.test_signals"


def subject(**changes: Any) -> Subject:
    values: dict[str, Any] = {
        "request": make_request(),
        "rule": make_rule(),
        "user": "alice",
        "ip": "203.0.113.9",
        "device": "h:1",
        "device_known": False,
        "network": "h:2",
        "path": "/transfer",
        "params": {},
        "now": NOW,
        "record": True,
    }
    return Subject(**{**values, **changes})


def measure(signal: Signal, store: Store | None = None, **changes: Any) -> int:
    return find(signal, store, **changes).points


def find(signal: Signal, store: Store | None = None, **changes: Any) -> Finding:
    return asyncio.run(signal.measure(subject(**changes), store or MemoryStore()))


def run(*steps: Awaitable[Any]) -> None:
    async def all_of_them() -> None:
        for step in steps:
            await step

    asyncio.run(all_of_them())


def test_new_device_holds_until_the_person_has_proved_themself_here() -> None:
    assert measure(NewDevice(20), device_known=False) == 20
    assert measure(NewDevice(20), device_known=True) == 0
    assert measure(NewDevice(20), device="", device_known=False) == 20


def test_new_network_holds_where_others_are_known_and_this_is_not() -> None:
    store = MemoryStore()
    assert measure(NewNetwork(15), store) == 0
    run(store.remember("alice", "network", "h:2", now=NOW, keep=5))
    assert measure(NewNetwork(15), store) == 0
    assert measure(NewNetwork(15), store, network="h:3") == 15
    assert measure(NewNetwork(15), store, network="") == 15
    assert measure(NewNetwork(15), store, user="bob", network="h:3") == 0


def test_recent_failures_holds_from_the_first_wrong_code_to_the_next_right_one() -> None:
    store, signal = MemoryStore(), RecentFailures(10)
    assert measure(signal, store) == 0
    run(store.take_attempt("alice", "a", now=NOW, account=AccountThrottle(), limit=AddressThrottle()))
    assert measure(signal, store) == 10
    assert measure(signal, store, user="bob") == 0
    run(store.forgive("alice", "a"))
    assert measure(signal, store) == 0


def test_burst_holds_beyond_its_limit_and_forgets() -> None:
    store, signal = MemoryStore(), Burst(20, limit=3, window_s=60)
    assert [measure(signal, store, now=NOW + second) for second in range(5)] == [0, 0, 0, 20, 20]
    assert measure(signal, store, user="bob") == 0
    assert measure(signal, store, now=NOW + 120) == 0


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=12))
def test_burst_explained_is_what_it_will_be_live(visits: list[tuple[int, bool]]) -> None:
    store, signal, now = MemoryStore(), Burst(20, limit=3, window_s=60), NOW
    for seconds, twice in visits:
        now += seconds
        explained = [measure(signal, store, now=now, record=False) for _ in range(1 + twice)]
        assert {measure(signal, store, now=now, record=True)} == set(explained)


def _at(text: str, zone: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("hours", "moment", "holds"),
    [
        ("22:00-06:00", "2026-11-23T21:59:59", False),
        ("22:00-06:00", "2026-11-23T22:00:00", True),
        ("22:00-06:00", "2026-11-24T00:00:00", True),
        ("22:00-06:00", "2026-11-24T05:59:59", True),
        ("22:00-06:00", "2026-11-24T06:00:00", False),
        ("12:00-13:00", "2026-11-23T11:59:59", False),
        ("12:00-13:00", "2026-11-23T12:00:00", True),
        ("12:00-13:00", "2026-11-23T13:00:00", False),
        ("00:00-23:59", "2026-11-23T23:59:30", False),
        ("22:00-06:00", "2026-07-01T21:30:00", False),
        ("22:00-06:00", "2026-07-01T22:30:00", True),
        ("22:00-06:00", "2026-03-29T05:30:00", True),
        ("22:00-06:00", "2026-03-29T06:00:00", False),
        ("22:00-06:00", "2026-10-25T05:59:00", True),
        ("02:00-03:00", "2026-10-25T02:30:00", True),
    ],
)
def test_off_hours_go_by_the_clock_on_the_wall(hours: str, moment: str, holds: bool) -> None:
    start, _, end = hours.partition("-")
    for zone in ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC"):
        signal = OffHours(10, start=start, end=end, timezone=zone)
        assert measure(signal, now=_at(moment, zone)) == (10 if holds else 0), zone


def test_the_hour_that_comes_twice_is_off_hours_twice() -> None:
    signal = OffHours(10, start="02:00", end="03:00", timezone="Europe/Berlin")
    first = _at("2026-10-25T02:30:00", "Europe/Berlin")
    assert [measure(signal, now=first + hour * 3600) for hour in (-1, 0, 1, 2)] == [0, 10, 10, 0]


def _raises(_: Subject) -> bool:
    raise ValueError("no database")


async def _raises_late(_: Subject) -> bool:
    raise ValueError("no database")


async def _too_slow(_: Subject) -> bool:
    await asyncio.sleep(TIMEOUT_S * 5)
    return False


def _asleep(_: Subject) -> bool:
    time.sleep(TIMEOUT_S + 0.5)
    return False


def _sync(answer: Any) -> Callable[[Subject], Any]:
    return lambda _: answer


def _async(answer: Any) -> Callable[[Subject], Any]:
    async def call(_: Subject) -> Any:
        return answer

    return call


@pytest.mark.parametrize("made", [_sync, _async], ids=["sync", "async"])
@pytest.mark.parametrize(
    ("answer", "points"),
    [(True, 30), (False, 0), (0, 0), (1, 1), (29.9, 29), (30, 30), (31, 30), (10**30, 30), (-5, 0), (-(10**30), 0)],
)
def test_a_signal_of_yours_adds_at_most_its_points(made: Any, answer: Any, points: int) -> None:
    assert measure(Call("mine", 30, made(answer))) == points


def test_a_signal_of_yours_sees_the_subject() -> None:
    seen: list[Subject] = []

    def look(found: Subject) -> bool:
        seen.append(found)
        return found.params["account"] == "42" and found.body == b"amount=20000"

    assert measure(Call("mine", 30, look), params={"account": "42"}, body=b"amount=20000") == 30
    assert seen[0].user == "alice"


def _surveyed(name: str, **changes: Any) -> tuple[int, dict[str, int]]:
    """The score of a request with one signal of one's own, through the gate's survey."""
    services = make(risk={"signals": {"mine": {"points": 30, "call": f"{HERE}:{name}"}}})

    async def look() -> Any:
        request: Request = make_request(headers={"x-auth-user": "alice"}, **changes)
        match = services.policy.match("POST", "/transfer")
        assert match is not None
        return (await survey(services, request, match)).assessment

    found = asyncio.run(look())
    return found.score, dict(found.signals)


@pytest.mark.parametrize("name", ["_raises", "_raises_late", "_gives_nothing", "_gives_nan", "_gives_text"])
def test_a_signal_that_fails_adds_its_points(name: str) -> None:
    assert _surveyed(name) == (90, {"route": 60, "mine": 30})


@pytest.mark.parametrize("name", ["_too_slow", "_asleep"])
def test_a_signal_that_takes_too_long_adds_its_points(name: str) -> None:
    begun = time.perf_counter()
    assert _surveyed(name) == (90, {"route": 60, "mine": 30})
    assert time.perf_counter() - begun < TIMEOUT_S + 2


def test_a_signal_that_does_not_hold_is_not_named() -> None:
    assert _surveyed("_holds_not") == (60, {"route": 60})


def _gives_nothing(_: Subject) -> None:
    return None


def _gives_nan(_: Subject) -> float:
    return float("nan")


def _gives_text(_: Subject) -> str:
    return "very"


def _holds_not(_: Subject) -> bool:
    return False


def test_a_signal_of_yours_has_its_own_time_and_its_own_points_for_failing() -> None:
    signal = {"points": 30, "call": f"{HERE}:_too_slow", "timeout": "1s", "on_failure": 7}
    services = make(risk={"signals": {"mine": signal}})

    async def look() -> Any:
        match = services.policy.match("POST", "/transfer")
        assert match is not None
        return await survey(services, make_request(headers={"x-auth-user": "alice"}), match)

    begun = time.perf_counter()
    visit = asyncio.run(look())
    assert 1 <= time.perf_counter() - begun < TIMEOUT_S
    assert (visit.assessment.signals, visit.assessment.failed) == ({"route": 60, "mine": 7}, ["mine"])
    assert str(visit.findings["mine"]) == "cannot tell: it took too long"


@pytest.mark.parametrize(
    ("signal", "changes", "words"),
    [
        (NewDevice(20), {"device_known": True}, "this user has proved themself in this browser before"),
        (NewDevice(20), {"device": ""}, "the client sent no device cookie of this service"),
        (RecentFailures(10), {}, "no wrong code since the last right one"),
        (Burst(5, limit=1, window_s=60), {}, "number 1 of this user's sensitive requests within 1m; it holds above 1"),
        (
            OffHours(5, start="09:00", end="17:00", timezone="UTC"),
            {"now": NOW},
            "07:25 in UTC lies outside of 09:00-17:00",
        ),
        (Call("mine", 30, lambda _: 12), {}, "your function says 12 of 30 points"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_signals_say_what_they_compared(signal: Signal, changes: dict[str, Any], words: str) -> None:
    assert str(find(signal, **changes)) == words
