"""Completeness: a record that was given a number and has no line shows, wherever it went."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw.chain import Tip, link
from stepup_mw.errors import TrailUnavailable
from stepup_mw.trail.counters import Counters
from stepup_mw.trail.inbox import MAX_QUEUED
from stepup_mw.trail.told import Told

from .parts import check, entries, mark, python, record, trail
from .test_faults import BEGIN, PATH

if TYPE_CHECKING:
    from pathlib import Path


def line(n: int, *, life: str = "a", kind: str = "", again: bool = False, **detail: int) -> dict[str, object]:
    own = {"event_type": "audit", "phase": kind} if kind else {"event_type": "step_up", "phase": "access"}
    number = {"life": life, "after" if kind else "n": n}
    return {**own, "detail": detail, **({"again": True} if again else {}), "writer": number}


RUNS: dict[str, tuple[list[dict[str, object]], int]] = {
    "whole": ([line(0, kind="start"), line(1), line(2), line(2, kind="rotated"), line(3), line(3, kind="stop")], 0),
    "one missing": ([line(0, kind="start"), line(1), line(3)], 1),
    "the first missing": ([line(0, kind="start"), line(2)], 1),
    "the last missing": ([line(0, kind="start"), line(1), line(3, kind="stop")], 2),
    "refused and said": ([line(0, kind="start"), line(1), line(1, kind="gap", lost=0, refused=2), line(4)], 0),
    "lost and said": ([line(0, kind="start"), line(0, kind="gap", lost=1, refused=0), line(2)], 0),
    "more than is said": ([line(0, kind="start"), line(0, kind="gap", lost=1, refused=0), line(4)], 2),
    "two writers": ([line(0, kind="start"), line(0, life="b", kind="start"), line(1), line(1, life="b"), line(2)], 0),
    "said by another": (
        [line(0, kind="start"), line(0, life="b", kind="start"), line(0, life="b", kind="gap", lost=1), line(2)],
        1,
    ),
    "again": (
        [
            line(0, kind="start"),
            line(1),
            line(2),
            line(2, kind="io_error"),
            line(1, again=True),
            line(2, again=True),
            line(3),
        ],
        0,
    ),
    "only again": ([line(0, kind="start"), line(1, again=True), line(2, again=True)], 0),
    "one life after another": ([line(0, kind="start"), line(1), line(0, kind="start"), line(1)], 0),
    "before a line of the trail's own": ([line(0, kind="start"), line(1), line(2, kind="rotated"), line(3)], 1),
    "an older line of the trail's own after a newer record": (
        [line(0, kind="start"), line(2), line(0, kind="gap", refused=1), line(3), line(2, kind="rotated"), line(4)],
        0,
    ),
    "a hole that was written again": (
        [line(0, kind="start"), line(1), line(3), line(1, again=True), line(3, again=True), line(4)],
        1,
    ),
    "killed": ([line(0, kind="start"), line(1)], 0),
    "from the middle": ([line(7), line(8), line(10)], 1),
    "nothing of the kind": ([{"writer": {"pid": 1}}, {"writer": 3}, {}, line(0, life="")], 0),
}


@pytest.mark.parametrize("name", RUNS)
def test_holes(name: str) -> None:
    events, holes = RUNS[name]
    whole = tell(events)
    assert whole.counters.holes() == holes
    for cut in range(len(events) + 1):
        first, second = tell(events[:cut]), tell(events[cut:])
        first.add(second)
        assert first.counters.holes() == holes, cut


def tell(events: list[dict[str, object]]) -> Told:
    told = Told()
    for seq, event in enumerate(events):
        told.line(event, seq)
    return told


@given(kept=st.lists(st.booleans(), max_size=30), cuts=st.sets(st.integers(0, 30), max_size=4))
def test_runs_add_up_to_what_one_run_gives(kept: list[bool], cuts: set[int]) -> None:
    events = [
        line(0, kind="start"),
        *(line(n) for n, there in enumerate(kept, 1) if there),
        line(len(kept), kind="stop"),
    ]
    places = sorted({0, *cuts, len(events)})
    parts = [tell(events[a:b]) for a, b in pairwise(places)]
    whole = parts[0]
    for part in parts[1:]:
        whole.add(part)
    assert whole.counters.holes() == kept.count(False)


def test_many_writers_take_no_more_room_than_some() -> None:
    counters = Counters()
    for number in range(30_000):
        counters.line(line(0, life=f"l{number}", kind="start"))
        counters.line(line(2, life=f"l{number}"))
    assert len(counters._lives) <= 10_000
    assert counters.holes() == 30_000


def test_each_record_has_the_next_number_and_the_trails_own_lines_have_none(tmp_path: Path) -> None:
    subject = trail(tmp_path)
    subject.append_blocking([record("a"), record("b")])
    subject.rotate_now()
    subject.append_blocking([record("c")])
    subject.close()
    records = [entry["writer"]["n"] for entry in entries(tmp_path) if entry["event_type"] != "audit"]
    own = [(entry["phase"], entry["writer"]["after"]) for entry in entries(tmp_path) if entry["event_type"] == "audit"]
    assert (records, own) == ([1, 2, 3], [("start", 0), ("rotated", 2), ("stop", 3)])
    assert len({entry["writer"]["life"] for entry in entries(tmp_path)}) == 1


def test_a_record_that_the_writer_drops_without_a_word_is_a_gap(tmp_path: Path) -> None:
    """What a fault in the writer itself would do: a number is given and nothing comes of it."""
    subject = trail(tmp_path)
    subject.append_blocking([record("a")])
    assert subject._writer is not None
    subject._writer._inbox.skip(2)
    subject.append_blocking([record("b")])
    subject.close()
    report = check(tmp_path)
    assert (report.verdict, report.missing_lines) == ("GAP", 2)


def test_refusals_are_on_record_and_no_gap(tmp_path: Path) -> None:
    subject = trail(tmp_path)
    subject.append_blocking([record("a")])
    with pytest.raises(TrailUnavailable, match="are waiting"):
        subject.append_blocking([record("never")] * (MAX_QUEUED + 1))
    subject.append_blocking([record("b")])
    subject.close()
    assert (mark(tmp_path, "gap")["refused"], mark(tmp_path, "gap")["lost"]) == (MAX_QUEUED + 1, 0)
    assert check(tmp_path).verdict == "VERIFIED"


def test_posts_beyond_the_room_are_lost_and_said_to_be(tmp_path: Path) -> None:
    subject = trail(tmp_path)
    subject.append_blocking([record("a")])
    subject.post([record("never")] * (MAX_QUEUED + 1))
    subject.append_blocking([record("b")])
    subject.close()
    assert mark(tmp_path, "gap")["lost"] == MAX_QUEUED + 1
    report = check(tmp_path)
    assert (report.verdict, report.lost_lines, report.missing_lines) == ("GAP", MAX_QUEUED + 1, 0)


def test_what_a_full_disk_refused_adds_up(tmp_path: Path) -> None:
    code = """
subject = trail(folder)
attempt("a")
live = folder / "audit" / "stepup.jsonl"
for turn in range(3):
    resource.setrlimit(resource.RLIMIT_FSIZE, (live.stat().st_size + 100, resource.RLIM_INFINITY))
    attempt("x"); attempt("y")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    attempt(f"after-{turn}")
subject.close()
"""
    python(BEGIN + code, tmp_path, PATH)
    assert [entry["detail"]["refused"] for entry in entries(tmp_path) if entry.get("phase") == "gap"] == [2, 2, 2]
    report = check(tmp_path)
    assert (report.verdict, report.missing_lines) == ("VERIFIED", 0)


def test_a_gap_line_that_is_taken_out_shows_even_where_the_chain_is_forged(tmp_path: Path) -> None:
    """Somebody with the power to chain the lines anew, before any checkpoint, still has to account for the numbers."""
    subject = trail(tmp_path)
    subject.append_blocking([record("a")])
    with pytest.raises(TrailUnavailable):
        subject.append_blocking([record("never")] * (MAX_QUEUED + 1))
    subject.append_blocking([record("b")])
    subject.close()
    kept = [entry for entry in entries(tmp_path) if entry.get("phase") != "gap"]
    bodies = [
        json.dumps({k: v for k, v in entry.items() if k not in ("prev", "seq")}, separators=(",", ":")).encode()[1:]
        for entry in kept
    ]
    data, _ = link(bodies, Tip())
    (tmp_path / "audit" / "stepup.jsonl").write_bytes(data)
    report = check(tmp_path)
    assert (report.verdict, report.missing_lines, report.lost_lines) == ("GAP", MAX_QUEUED + 1, 0)
