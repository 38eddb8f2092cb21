"""Store and trail fail at every single place where they can: nothing gets through, and the record comes right."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from . import record
from .conftest import KINDS, MakeWorld
from .world import Answer, DoorKind, StoreKind, World

pytestmark = pytest.mark.slow

MOST_STEPS = 150
"""More uses of store or trail than any of these conversations makes."""


def _two_steps(world: World, user: str) -> list[Answer]:
    """Ask, prove, repeat; each part only if the one before went well."""
    answers = [world.post(user, "/wire", b"amount=1")]
    if answers[-1].kind == "challenge-required":
        answers.append(world.verify(user, answers[-1], world.code(user)))
        if answers[-1].status == 200:
            answers.append(world.post(user, "/wire", b"amount=1", step_up_grant=answers[-1].json["grant"]))
    return answers


def _inline(world: World, user: str) -> list[Answer]:
    return [world.post(user, "/transfer", step_up_code=world.code(user))]


def _wrong_five_times(world: World, user: str) -> list[Answer]:
    return [world.post(user, "/transfer", step_up_code=world.wrong(user)) for _ in range(6)]


def _cancelled(world: World, user: str) -> list[Answer]:
    answers = [world.post(user, "/transfer")]
    if answers[0].kind == "challenge-required":
        answers.append(world.post(user, answers[0].json["page_url"] + "/cancel"))
    return answers


def _below_the_threshold(world: World, user: str) -> list[Answer]:
    return [world.post(user, "/rename")]


TALKS = [_two_steps, _inline, _wrong_five_times, _cancelled, _below_the_threshold]


@pytest.mark.parametrize("talk", TALKS, ids=lambda talk: talk.__name__.strip("_"))
@pytest.mark.parametrize("what", ["store", "trail"])
@pytest.mark.parametrize(("door", "store"), KINDS[:1] + KINDS[3:], ids=["asgi-memory", "wsgi-sqlite"])
def test_05_29_wherever_a_part_fails_nothing_gets_through_and_the_record_comes_right(
    talk: Any, what: str, door: DoorKind, store: StoreKind, make_world: MakeWorld
) -> None:
    world = make_world(door, store)
    for steps in range(MOST_STEPS):
        user = f"user{steps}"
        world.enroll(user)
        faulty: Any = world.stage.faulty_store if what == "store" else world.stage.faulty_trail
        faulty.fail_after = steps
        answers = talk(world, user)
        through = faulty.fail_after > 0
        faulty.fail_after = None
        assert through or 503 in [answer.status for answer in answers] or _says_no(answers)
        _let_time_pass(world)
        if through:
            break
    else:
        raise AssertionError(f"more than {MOST_STEPS} steps")
    _check(world)
    assert steps >= 1, "there was nothing to fail"


def _says_no(answers: list[Answer]) -> bool:
    """Doubt in a signal adds points; the request is then decided by the rest."""
    return answers[-1].status in (200, 401, 403, 410, 429)


def _let_time_pass(world: World) -> None:
    """Past every expiry, grace and lock."""
    for _ in range(3):
        world.clock.now += 700
        world.sweep()


def _check(world: World) -> None:
    lines = world.lines()
    assert all(len(found) == 1 for found in record.outcomes(lines).values())
    for run in world.runs:
        assert run.context is not None, "a sensitive handler ran unseen"
        assert run.line is not None
    ids = [run.line["request_id"] for run in world.runs if run.line]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(("door", "store"), KINDS, ids=["-".join(kind) for kind in KINDS])
def test_05_a_trail_that_cannot_be_written_lets_nothing_through_until_it_can(
    door: DoorKind, store: StoreKind, make_world: MakeWorld
) -> None:
    """A real trail whose folder is taken away and given back (invariants 5, 32 and 33)."""
    world = make_world(door, store)
    world.enroll("alice")
    assert world.post("alice", "/rename").status == 200
    assert world.post("alice", "/watch").status == 200
    world.restart()
    folder = world.trail_path.parent
    aside = folder.with_name("aside")
    folder.rename(aside)
    Path(folder).write_text("a file stands where the folder was")
    runs = len(world.runs)
    challenge = world.post("alice", "/transfer")
    assert {challenge.status, world.post("alice", "/rename").status, world.post("alice", "/watch").status} == {503}
    assert world.post("alice", "/transfer", step_up_code=world.code("alice")).status == 503
    assert world.ask("GET", "/public").status == 200
    assert [run.path for run in world.runs[runs:]] == ["/public"]
    folder.unlink()
    os.rename(aside, folder)  # noqa: PTH104 - the counterpart of the rename above
    assert world.post("alice", "/rename").status == 200
    gaps = [line for line in world.lines() if (line["event_type"], line["phase"]) == ("audit", "gap")]
    assert gaps, "what was refused meanwhile is on record"
    assert gaps[0]["detail"]["refused"] >= 3


@pytest.mark.parametrize(("door", "store"), KINDS, ids=["-".join(kind) for kind in KINDS])
def test_35_a_store_that_is_gone_opens_nothing(door: DoorKind, store: StoreKind, make_world: MakeWorld) -> None:
    """A grant, a challenge and a device are worth nothing without the store that knows them."""
    world = make_world(door, store)
    world.enroll("alice")
    challenge = world.post("alice", "/transfer")
    grant = world.verify("alice", challenge, world.code("alice")).json["grant"]
    assert world.post("alice", "/transfer", step_up_grant=grant).status == 200
    again = world.post("alice", "/wire")
    other = make_world(door, store)
    runs = len(other.runs)
    assert other.post("alice", "/transfer", step_up_grant=grant).kind == "not-enrolled"
    other.secrets = world.secrets
    assert other.verify("alice", again, other.code("alice")).kind == "challenge-gone"
    assert other.post("alice", "/transfer", step_up_code=other.code("alice")).kind == "not-enrolled"
    assert len(other.runs) == runs
