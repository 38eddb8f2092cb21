"""Invariant 35, the ways in that only a loss would open: enrolling by oneself, and the grace before a day."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ..origin.databases import LONDON, NESTED, SYDNEY, write_database
from . import record
from .backups import backup_of
from .conftest import MakeWorld
from .world import World, who

GRACE = {"enroll": "grace until 2100-01-01"}


def _lose(world: World, *, how: str) -> None:
    """The file is gone, or an older copy of it is in its place, from before anybody had enrolled."""
    backup = backup_of(world.store, world.folder)
    inner: Any = world.stage.faulty_store.inner
    world.runner.run(inner.aclose())
    if how == "emptied":
        backup.empty()
    else:
        backup.put_back()
    world.restart()


def _begin(make_world: MakeWorld, challenge: dict[str, Any]) -> World:
    world = make_world("asgi", "sqlite", challenge=challenge)
    world.enroll("early")
    inner: Any = world.stage.faulty_store.inner
    world.runner.run(inner.aclose())
    backup_of(world.store, world.folder).copy()
    world.enroll("alice")
    assert world.post("alice", "/transfer", step_up_code=world.code("alice")).status == 200
    return world


def _enroll(world: World, user: str) -> int:
    """By oneself: whether the page is shown, and whether a confirmed secret would be kept."""
    shown = world.ask("GET", "/_stepup/enroll", who(user))
    if shown.status != 200:
        sent = world.post(user, "/_stepup/enroll", b'{"pending": "x", "code": "123456"}')
        assert sent.kind == shown.kind == "unavailable"
    return shown.status


@pytest.mark.parametrize("how", ["emptied", "put back"])
def test_35_after_a_loss_nobody_enrolls_anew_until_somebody_accepts_it(make_world: MakeWorld, how: str) -> None:
    world = _begin(make_world, {"enroll": "self"})
    assert _enroll(world, "newcomer") == 200
    _lose(world, how=how)
    runs = len(world.runs)
    refused = world.post("alice", "/transfer")
    assert (refused.status, refused.kind, "enroll_url" in refused.json) == (503, "unavailable", False)
    assert [_enroll(world, user) for user in ("alice", "newcomer")] == [503, 503]
    assert len(world.runs) == runs
    world.sweep()
    world.sweep()
    found = "empty" if how == "emptied" else "older"
    alerts = [
        line["detail"] for line in world.lines() if (line["event_type"], line["phase"]) == ("alert", "store_lost")
    ]
    assert [alert["found"] for alert in alerts] == [found], "once"
    refusals = [line for line in world.lines() if record.is_step(line, "access", "refused")]
    assert refusals[0]["user_id"] == "alice"
    assert {line["detail"] for line in refusals} == {"store_lost"}

    world.enroll("alice")  # an operator's to give, as always
    assert world.post("alice", "/transfer", step_up_code=world.code("alice")).status == 200
    assert _enroll(world, "newcomer") == 503
    assert world.runner.run(world.stage.faulty_store.inner.accept_loss()) is True
    assert _enroll(world, "newcomer") == 200


def test_35_grace_is_not_for_who_may_have_had_an_authenticator(make_world: MakeWorld) -> None:
    world = _begin(make_world, GRACE)
    assert world.post("newcomer", "/transfer").status == 200, "grace lasts"
    _lose(world, how="emptied")
    runs = len(world.runs)
    assert world.post("alice", "/transfer").kind == "unavailable"
    assert world.post("newcomer", "/transfer").kind == "unavailable"
    assert len(world.runs) == runs
    assert world.runner.run(world.stage.faulty_store.inner.accept_loss()) is True
    assert world.post("newcomer", "/transfer").status == 200


REMEMBERED = {
    "new_network": {"new_network": 45},
    "new_country": {"new_country": 45},
    "impossible_travel": {"impossible_travel": 45},
    "recent_failures": {"recent_failures": 45},
    "burst": {"burst": {"points": 45, "limit": 3, "window": "1m"}},
}
"""Each lifts ``/rename`` (10) over the threshold (50), by what only the store knows."""


WHERE = ("new_network", "new_country", "impossible_travel")
"""Those that ask where a request comes from."""


def _be_remembered(world: World, signal: str) -> list[tuple[str, str]]:
    """Do what the signal remembers; the headers of the request by which it shows."""
    if signal == "recent_failures":
        world.post("alice", "/transfer", step_up_code=world.wrong("alice"))
    for _ in range(4 if signal == "burst" else 0):
        world.post("alice", "/rename")
    return [("X-Forwarded-For", SYDNEY)] if signal in WHERE else []


def _from_home(signal: str) -> list[tuple[str, str]]:
    return [("X-Forwarded-For", LONDON)] if signal in WHERE else []


@pytest.mark.parametrize("signal", REMEMBERED)
def test_35_what_a_signal_forgot_with_the_store_is_a_doubt_and_no_lower_score(
    make_world: MakeWorld, signal: str, tmp_path: Path
) -> None:
    geo = {"database": str(write_database(tmp_path / "cities.mmdb", NESTED))}
    risk = {"signals": REMEMBERED[signal]}
    world = make_world("asgi", "sqlite", risk=risk, challenge={"enroll": "self"}, geo=geo)
    world.enroll("alice")
    proof = [("Step-Up-Code", world.code("alice"))]
    assert world.ask("POST", "/transfer", [*who("alice"), *_from_home(signal), *proof]).status == 200
    headers = _be_remembered(world, signal)
    assert world.ask("POST", "/rename", [*who("alice"), *headers]).status == 401
    assert world.ask("POST", "/rename", [*who("newcomer"), *headers]).status == 200, "a first contact is not new"
    _lose(world, how="emptied")
    world.sweep()
    runs = len(world.runs)
    for sent in (headers, _from_home(signal)):
        assert world.ask("POST", "/rename", [*who("alice"), *sent]).kind == "unavailable"
    assert len(world.runs) == runs
    asked = [line for line in world.lines() if record.is_step(line, "access", "refused")]
    for line in asked:
        assert (line["risk"]["failed"], line["risk"]["signals"][signal]) == ([signal], 45)
    world.enroll("alice")
    if signal in WHERE:  # the place is unknown until a proof from it
        home, proof = [*who("alice"), *_from_home(signal)], [("Step-Up-Code", world.code("alice"))]
        assert [world.ask("POST", "/rename", [*home, *more]).status for more in ([], proof, [])] == [401, 200, 200]
    assert world.runner.run(world.stage.faulty_store.inner.accept_loss()) is True
    world.sweep()
    assert world.ask("POST", "/rename", [*who("newcomer"), *headers]).status == 200


def test_29_challenges_that_were_lost_with_the_store_have_one_outcome_each(make_world: MakeWorld) -> None:
    """One that had ended since the copy ends no second time; one that the copy does not know ends with the loss."""
    world = _begin(make_world, {"enroll": "admin"})
    world.clock.now += 60
    cancelled = world.post("alice", "/wire").json
    backup = backup_of(world.store, world.folder)
    world.runner.run(world.stage.faulty_store.inner.aclose())
    backup.copy()
    page = cancelled["page_url"]
    assert world.post("alice", f"{page}/cancel").status == 200
    forgotten = world.post("alice", "/wire").json
    assert world.post("alice", "/payroll", step_up_code=world.code("alice")).status == 200
    _lose(world, how="put back")
    assert world.post("alice", f"{page}/verify", b'{"code": "000000"}').status == 404, "it is not answered again"
    assert world.ask("GET", page, who("alice")).status == 404
    for _ in range(2):
        for seconds in (1, 31, 400):
            world.clock.now += seconds
            world.sweep()
        world.restart()
    ends = record.outcomes(world.lines())
    assert all(len(found) == 1 for found in ends.values())
    told = {key: (found[0]["status"], found[0]["detail"]) for key, found in ends.items()}
    assert told[cancelled["challenge_id"]] == ("denied", None)
    assert told[forgotten["challenge_id"]] == ("error", "store_lost")
    assert len([line for line in world.lines() if record.is_step(line, "outcome")]) == len(ends), "each line once"
