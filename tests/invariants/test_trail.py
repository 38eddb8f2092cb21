"""Invariants 25 to 29: one chain that only grows, is whole again after a crash, and has a check that is total."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepup_mw.trail import verify_trail

from ..trail.parts import agreed
from . import record
from .conftest import KINDS, MakeWorld
from .world import World

EXITS = {0, 2, 3, 4, 5}


def _conversation(world: World) -> None:
    """A bit of everything."""
    world.enroll("alice")
    challenge = world.post("alice", "/transfer")
    world.verify("alice", challenge, world.wrong("alice"))
    grant = world.verify("alice", challenge, world.code("alice")).json["grant"]
    world.post("alice", "/transfer", step_up_grant=grant)
    world.post("alice", "/rename")
    world.post("alice", "/close")
    world.post("", "/transfer")
    world.app_raises = True
    world.post("alice", "/watch")
    world.app_raises = False
    world.post("alice", "/payroll")
    world.post("alice", world.post("alice", "/wire").json["page_url"] + "/cancel")


@pytest.mark.parametrize(("door", "store"), KINDS, ids=["-".join(kind) for kind in KINDS])
def test_25_29_every_decision_and_every_challenge_has_its_line(door: str, store: str, make_world: MakeWorld) -> None:
    world = make_world(door, store)
    _conversation(world)
    world.clock.now += 400
    world.sweep()
    lines = world.lines()
    assert all(len(found) == 1 for found in record.outcomes(lines).values())
    assert world.steps().count("access/allowed") == len(world.runs) == 3
    assert {f"result/{how}" for how in ("completed", "failed")} <= set(world.steps())
    results = [line["request_id"] for line in lines if record.is_step(line, "result")]
    allowed = [line["request_id"] for line in lines if record.is_step(line, "access", "allowed")]
    assert sorted(results) == sorted(allowed)


def test_25_restarts_go_on_in_the_same_chain(make_world: MakeWorld) -> None:
    world = make_world(store="sqlite")
    for _ in range(3):
        _conversation(world)
        world.clock.now += 600
        world.restart()
    assert len(world.lines()) > 60
    assert verify_trail(world.trail_path).exit_code == 0


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.floats(0, 1), tail=st.sampled_from([b"", b"{", b'{"prev":"', b"\n", b"\0" * 40, b"x\n"]))
def test_26_cut_anywhere_the_trail_is_a_chain_again_and_whole_lines_are_kept(
    make_world: MakeWorld, cut: float, tail: bytes
) -> None:
    """What a kill leaves: whole lines and a piece of one (also with rubbish where the file system had got so far)."""
    world = make_world()
    world.enroll("alice")
    world.post("alice", "/rename")
    world.lines()
    world.stage.faulty_trail.close()
    data = world.trail_path.read_bytes()
    first = data.index(b"\n") + 1
    left = data[: first + round(cut * (len(data) - first))]
    world.trail_path.write_bytes(left + (tail if not left.endswith(b"\n") else b""))
    whole = left[: left.rindex(b"\n") + 1]
    world.restart()
    world.reader = record.Reader(world.trail_path)
    assert world.post("alice", "/rename").status == 200
    world.lines()
    assert world.reader.data.startswith(whole), "no whole line is lost"
    assert verify_trail(world.trail_path.parent).exit_code in (0, 3)


@pytest.fixture(scope="module")
def sample(make_world: MakeWorld) -> bytes:
    world = make_world()
    _conversation(world)
    world.lines()
    world.stage.faulty_trail.close()
    return world.trail_path.read_bytes()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300), seed=st.integers(0, 2**32), edits=st.integers(0, 3))
def test_28_any_bytes_have_a_verdict_and_stay_as_they_are(
    sample: bytes, tmp_path_factory: pytest.TempPathFactory, data: bytes, seed: int, edits: int
) -> None:
    folder: Path = tmp_path_factory.mktemp("verdict")
    source, content = random.Random(seed), bytearray(sample if edits else data)
    for _ in range(edits):
        at = source.randrange(len(content))
        content[at : at + source.randrange(4)] = data[: source.randrange(1 + len(data))]
    path = folder / "stepup.jsonl"
    path.write_bytes(content)
    found = agreed(path, exactly=False)
    assert found.exit_code in EXITS
    assert path.read_bytes() == bytes(content)
    assert [one.name for one in folder.iterdir()] == ["stepup.jsonl"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.floats(0, 0.999), kind=st.sampled_from(["flip", "drop", "twice", "swap", "insert"]))
def test_27_a_change_anywhere_but_in_the_last_line_is_seen(
    sample: bytes, tmp_path_factory: pytest.TempPathFactory, at: float, kind: str
) -> None:
    lines = sample.split(b"\n")[:-1]
    number = int(at * (len(lines) - 2))
    changed = list(lines)
    if kind == "flip":
        line = bytearray(changed[number])
        line[int(at * len(line))] ^= 1
        changed[number] = bytes(line)
    elif kind == "drop":
        del changed[number]
    elif kind == "twice":
        changed.insert(number, changed[number])
    elif kind == "swap":
        changed[number], changed[number + 1] = changed[number + 1], changed[number]
    else:
        changed.insert(number, b"{}")
    path = tmp_path_factory.mktemp("changed") / "stepup.jsonl"
    path.write_bytes(b"\n".join(changed) + b"\n")
    assert agreed(path).exit_code == 2
