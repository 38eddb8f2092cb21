"""Pruning: what may go, in which order it goes, what stands for it afterwards, and what a cut at any step leaves."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stepup_mw.errors import ProofError, TrailUnavailable
from stepup_mw.note import parse_vkey
from stepup_mw.settings import AnchorSettings, TrailSettings
from stepup_mw.trail import Cursor, Trail, verify_trail
from stepup_mw.trail.files import Layout
from stepup_mw.trail.packing import pack_segments
from stepup_mw.trail.prove import make_proof
from stepup_mw.trail.prune import Plan, Tools, plan_prune, prune
from stepup_mw.trail.pruned import parse_start

from .parts import SERVICE, check, entries, expect_agreement, record, settings, vkey

if TYPE_CHECKING:
    from collections.abc import Callable

DAY = 86_400.0
BEGIN = 1_795_000_000.0


@dataclass
class Clock:
    now: float = BEGIN

    def __call__(self) -> float:
        return self.now


@dataclass
class Kept:
    """A trail with a segment a day for five days, and one for today, all signed."""

    folder: Path
    clock: Clock
    settings: TrailSettings

    def trail(self) -> Trail:
        return Trail(self.settings, service=SERVICE, clock=self.clock)

    def plan(self) -> Plan:
        return plan_prune(self.settings, now=self.clock.now)

    def prune(self, plan: Plan, name: str = "old.tar", **changes: Any) -> Any:
        subject = self.trail()
        tools = Tools(
            trail=subject, service=SERVICE, vkey=vkey(self.folder), held=(), clock=self.clock, random=os.urandom
        )
        try:
            return prune(self.settings, plan, self.folder / name, replace(tools, **changes))
        finally:
            subject.close()

    @property
    def segments(self) -> list[str]:
        return [item.path.name for item in Layout(self.settings.path).sealed()]


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    clock = Clock()
    found = Kept(tmp_path, clock, settings(tmp_path, signed=True, retain_s=int(2 * DAY), rotate_every_s=None))
    for day in range(5):
        subject = found.trail()
        for number in range(4):
            subject.append_blocking([stamped(clock.now, f"{day}-{number}")])
        subject.rotate_now()
        subject.close()
        clock.now += DAY
    return found


def stamped(now: float, name: str) -> bytes:
    from stepup_mw.encoding import format_timestamp  # noqa: PLC0415 - beside its one use

    return record(name).replace(b"2026-11-23T07:25:00.000000Z", format_timestamp(now).encode())


def test_whole_segments_past_their_time_go_and_the_rest_verifies_from_there(kept: Kept) -> None:
    before = entries(kept.folder)
    plan = kept.plan()
    assert [item.path.name for item in plan.segments] == kept.segments[:3]
    gone = [item.path.read_bytes() for item in plan.segments]
    packed = kept.prune(plan)
    assert (packed.first_seq, packed.lines) == (0, plan.size)
    left = entries(kept.folder)
    assert left[0]["seq"] == plan.size
    assert left[: len(before) - plan.size] == before[plan.size :]
    report = check(kept.folder)
    assert (report.verdict, report.exit_code, report.first_seq) == ("VERIFIED_FROM", 0, plan.size)
    assert report.lines == len(left)
    assert report.unanchored_lines == 0
    assert verify_trail(kept.folder / "old.tar", vkey=vkey(kept.folder)).verdict == "VERIFIED"
    data = (kept.folder / "old.tar").read_bytes()
    assert all(segment in data for segment in gone)
    again = kept.plan()
    assert (again.segments, again.refused) == ((), "")


def test_compressed_segments_go_as_plain_ones_do(kept: Kept) -> None:
    """Also one that is compressed after the plan was made."""
    layout = Layout(kept.settings.path)
    first, second = (item.path for item in layout.sealed()[:2])
    aside = second.rename(kept.folder / "aside")
    pack_segments(layout)
    aside.rename(second)
    plan = kept.plan()
    assert [item.path.suffix for item in plan.segments[:2]] == [".zst", ".jsonl"]
    pack_segments(layout)
    packed = kept.prune(plan)
    assert (packed.first_seq, packed.lines) == (0, plan.size)
    assert not first.exists()
    assert [name for name in kept.segments if name.startswith(("000001", "000002"))] == []
    assert (check(kept.folder).verdict, check(kept.folder).first_seq) == ("VERIFIED_FROM", plan.size)
    archive = verify_trail(kept.folder / "old.tar", vkey=vkey(kept.folder))
    assert (archive.verdict, archive.lines) == ("VERIFIED", plan.size)
    expect_agreement(kept.folder / "old.tar", archive, vkey(kept.folder))


def test_each_segment_has_a_record_that_stands_for_it(kept: Kept) -> None:
    plan = kept.plan()
    kept.prune(plan)
    records = [
        entry["detail"] for entry in entries(kept.folder) if entry["phase" if "phase" in entry else "seq"] == "pruned"
    ]
    assert [item["segment"] for item in records] == [item.path.name for item in plan.segments]
    assert records[-1]["size"] == plan.size
    assert records[-1]["archive"] == "old.tar"
    starts = [parse_start(item) for item in records]
    assert all(start is not None for start in starts)


def test_a_pruned_trail_is_written_signed_proven_and_pruned_on(kept: Kept) -> None:
    kept.prune(kept.plan())
    (kept.folder / "audit" / ".stepup.checkpoint").unlink()
    subject = kept.trail()
    subject.append_blocking([stamped(kept.clock.now, "later")])
    subject.close()
    assert check(kept.folder).verdict == "VERIFIED_FROM"
    assert check(kept.folder).unanchored_lines == 0
    keys = [parse_vkey(vkey(kept.folder))]
    first = entries(kept.folder)[0]["seq"]
    for seq in (first, first + 3, entries(kept.folder)[-1]["seq"]):
        assert make_proof(kept.folder / "audit", seq, keys=keys).index == seq
    with pytest.raises(ProofError, match="its archive can prove it"):
        make_proof(kept.folder / "audit", 1, keys=keys)
    assert make_proof(kept.folder / "old.tar", 1, keys=keys).index == 1
    kept.clock.now += DAY
    kept.prune(kept.plan(), "older.tar")
    report = check(kept.folder)
    assert (report.verdict, report.first_seq > first) == ("VERIFIED_FROM", True)
    old = verify_trail(kept.folder / "older.tar", vkey=vkey(kept.folder))
    assert (old.verdict, old.first_seq) == ("VERIFIED_FROM", first)
    for name in ("old.tar", "older.tar"):
        expect_agreement(
            kept.folder / name, verify_trail(kept.folder / name, vkey=vkey(kept.folder)), vkey(kept.folder)
        )


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_removal_that_was_cut_off_verifies_and_goes_on(kept: Kept, count: int) -> None:
    """A crash between two removals: the records of all are in the trail already."""
    plan = kept.plan()
    shutil.copytree(kept.folder / "audit" / "segments", kept.folder / "saved")
    kept.prune(plan)
    for item in plan.segments[count:]:
        shutil.copy(kept.folder / "saved" / item.path.name, item.path)
    report = check(kept.folder)
    assert (report.verdict, report.first_seq > 0) == ("VERIFIED_FROM", True)
    kept.prune(kept.plan(), "rest.tar") if count < 3 else None
    assert check(kept.folder).first_seq == plan.size


def test_segments_that_went_by_another_hand_are_noticed(kept: Kept) -> None:
    kept.plan().segments[0].path.unlink()
    report = check(kept.folder)
    assert (report.verdict, report.exit_code) == ("PRUNED_UNRECORDED", 2)
    subject = kept.trail()
    subject.append_blocking([stamped(kept.clock.now, "later")])
    subject.close()
    assert (check(kept.folder).verdict, check(kept.folder).exit_code) == ("PRUNED_UNRECORDED", 2)


def test_one_segment_more_than_was_recorded_is_noticed(kept: Kept) -> None:
    kept.prune(kept.plan())
    Layout(kept.settings.path).sealed()[0].path.unlink()
    assert check(kept.folder).verdict == "PRUNED_UNRECORDED"


@pytest.mark.parametrize("what", ["frontier", "leaf"])
def test_a_forged_record_stands_for_nothing(kept: Kept, what: str) -> None:
    """The record of the removal, and what comes after it, chained anew with other hashes."""
    kept.prune(kept.plan())
    live = kept.folder / "audit" / "stepup.jsonl"
    records = [entry["detail"] for entry in entries(kept.folder) if entry.get("phase") == "pruned"]
    value = records[-1]["frontier"][0] if what == "frontier" else records[-1]["leaf"]
    data = live.read_bytes()
    at = data.rindex(value.encode())
    live.write_bytes(data[:at] + b"A" * 43 + data[at + 43 :])
    assert check(kept.folder).exit_code == 2


def _hold(kept: Kept) -> None:
    (kept.folder / "audit" / "HOLD").write_text("case 7")


def _no_retain(kept: Kept) -> None:
    kept.settings = replace(kept.settings, retain_s=None)


def _no_key(kept: Kept) -> None:
    kept.settings = replace(kept.settings, signing_key_file=None)


@pytest.mark.parametrize(("change", "why"), [(_hold, "legal hold"), (_no_retain, "retain"), (_no_key, "signing_key")])
def test_nothing_may_go(kept: Kept, change: Callable[[Kept], None], why: str) -> None:
    change(kept)
    plan = kept.plan()
    assert why in plan.refused
    assert plan.segments == ()


def test_what_no_checkpoint_or_anchor_covers_stays(kept: Kept) -> None:
    anchor = AnchorSettings(kind="s3", bucket="worm", what=("checkpoints", "segments"))
    kept.settings = replace(kept.settings, anchors=(anchor,))
    assert "does not have them" in kept.plan().kept
    cursor = Cursor(kept.settings.path, anchor.name)
    cursor.advance(size=1000)
    assert (kept.plan().segments, "segments" in kept.plan().kept) == ((), True)
    cursor.advance(segment=2)
    assert len(kept.plan().segments) == 2
    cursor.advance(segment=5)
    assert len(kept.plan().segments) == 3
    (kept.folder / "audit" / "checkpoints.note").unlink()
    assert (kept.plan().segments, kept.plan().kept.endswith("no checkpoint covers them yet")) == ((), True)


def _tamper(kept: Kept) -> None:
    path = kept.plan().segments[1].path
    path.write_bytes(path.read_bytes().replace(b'"1-2"', b'"1-9"'))


def _taken(kept: Kept) -> None:
    (kept.folder / "old.tar").touch()


@pytest.mark.parametrize("harm", [_tamper, _taken])
def test_where_a_step_does_not_hold_nothing_is_removed(kept: Kept, harm: Callable[[Kept], None]) -> None:
    plan, before = kept.plan(), kept.segments
    harm(kept)
    with pytest.raises((TrailUnavailable, FileExistsError)):
        kept.prune(plan)
    assert kept.segments == before


def test_a_hold_that_comes_while_it_runs_is_kept(kept: Kept) -> None:
    plan, before = kept.plan(), kept.segments

    def late() -> float:
        _hold(kept)
        return time.time()

    with pytest.raises(TrailUnavailable, match="legal hold"):
        kept.prune(plan, clock=late)
    assert kept.segments == before
    assert check(kept.folder).verdict == "VERIFIED"


def test_what_cannot_be_signed_for_is_not_removed(kept: Kept) -> None:
    plan, before = kept.plan(), kept.segments

    def late() -> float:
        (kept.folder / "audit.key").write_bytes(b"no key any more")
        return time.time()

    public = vkey(kept.folder)
    with pytest.raises(TrailUnavailable, match="no checkpoint could be signed"):
        kept.prune(plan, clock=late, vkey=public, patience_s=0.2)
    assert kept.segments == before


def test_the_oldest_go_first(kept: Kept) -> None:
    """The second cannot be removed: what is left begins where the record of the first ends."""
    plan = kept.plan()
    second, calls = plan.segments[1].path, []

    def late() -> float:
        calls.append(1)
        if len(calls) == len(plan.segments):
            second.rename(kept.folder / "saved")
            second.mkdir()
        return kept.clock.now

    with pytest.raises(OSError, match=second.name):
        kept.prune(plan, clock=late)
    second.rmdir()
    (kept.folder / "saved").rename(second)
    report = check(kept.folder)
    assert (report.verdict, report.first_seq) == ("VERIFIED_FROM", plan.segments[1].first_seq)
