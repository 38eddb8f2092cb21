"""One anchor's way: in order, at least once, by one process at a time, from wherever it stopped."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from stepup_mw.errors import AnchorError, MissingExtra
from stepup_mw.settings import AnchorSettings
from stepup_mw.ship import read_receipt
from stepup_mw.ship.sinks import check_extras
from stepup_mw.trail.cursors import anchored_size
from stepup_mw.trail.files import Layout

from .http import closed_port
from .parts import lane, with_anchors, write
from .weed import weed

OUT = AnchorSettings(kind="stdout", timeout_s=2)


def _sizes(capfd: pytest.CaptureFixture[str]) -> list[int]:
    return [json.loads(line)["size"] for line in capfd.readouterr().out.splitlines()]


def test_every_checkpoint_is_sent_once_in_its_order(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = write(tmp_path, 3)
    walk = lane(found, OUT)
    assert walk.has_news()
    assert walk.outstanding() == (4, 0)
    shipped = walk.run()
    assert shipped is not None
    sizes = _sizes(capfd)
    assert (shipped.notes, len(sizes), sizes) == (4, 4, sorted(set(sizes)))
    assert not walk.has_news()
    write(tmp_path, 1)
    assert walk.has_news()
    walk.run()
    assert all(size > sizes[-1] for size in _sizes(capfd))


def test_it_goes_on_where_it_was_stopped(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = write(tmp_path, 3)
    one = lane(found, OUT).run(stopping=lambda: True)
    assert one is not None
    assert one.notes == 1
    first = _sizes(capfd)
    lane(found, OUT).run()
    rest = _sizes(capfd)
    assert (len(first), len(rest)) == (1, 3)
    assert first[0] < rest[0]


@pytest.mark.parametrize("damage", ["lost", "garbage", "elsewhere"])
def test_without_its_receipt_everything_is_sent_again(
    damage: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = write(tmp_path, 2)
    walk = lane(found, OUT)
    walk.run()
    before = _sizes(capfd)
    path = walk.shelf.receipt
    if damage == "lost":
        path.unlink()
    elif damage == "garbage":
        path.write_bytes(b"\x00" * 20)
    else:
        path.write_bytes(json.dumps({**json.loads(path.read_bytes()), "end": 7}).encode())
    lane(found, OUT).run()
    assert _sizes(capfd) == before


def test_a_note_that_is_not_whole_waits(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = write(tmp_path, 1)
    notes = tmp_path / "audit" / "checkpoints.note"
    whole = notes.read_bytes()
    notes.write_bytes(whole[:-30])
    lane(found, OUT).run()
    short = _sizes(capfd)
    notes.write_bytes(whole)
    lane(found, OUT).run()
    assert len(short + _sizes(capfd)) == 2


def test_a_note_that_is_none_stops_it_and_is_said(tmp_path: Path) -> None:
    found = write(tmp_path, 1)
    notes = tmp_path / "audit" / "checkpoints.note"
    notes.write_bytes("not a checkpoint\n\n\u2014 x AAAAAAA=\n".encode() + notes.read_bytes())
    with pytest.raises(AnchorError, match=r"checkpoints\.note, before byte"):
        lane(found, OUT).run()


def test_one_process_at_a_time(tmp_path: Path) -> None:
    found = write(tmp_path, 1)
    inside, go = threading.Event(), threading.Event()

    def wait() -> bool:
        inside.set()
        return not go.wait(10)

    thread = threading.Thread(target=lane(found, OUT).run, kwargs={"stopping": wait})
    thread.start()
    assert inside.wait(10)
    other = lane(found, OUT)
    assert other.run() is None
    assert other.fail("down") is None
    go.set()
    thread.join()
    assert other.run() is not None


def test_a_failure_is_remembered_over_processes_and_ends_with_the_next_success(tmp_path: Path) -> None:
    found = write(tmp_path, 1)
    failed = lane(found, OUT).fail("no answer")
    assert failed is not None
    assert (failed.from_seq, failed.why) == (0, "no answer")
    assert lane(found, OUT).fail("no answer still") is None
    unsettled = lane(found, OUT).run(settle=False)
    assert unsettled is not None
    assert unsettled.recovered is None
    shipped = lane(found, OUT).run()
    assert shipped is not None
    assert shipped.recovered == failed
    again = lane(found, OUT).run()
    assert again is not None
    assert again.recovered is None


def test_nothing_to_send_is_no_error(tmp_path: Path) -> None:
    walk = lane(with_anchors(tmp_path), OUT)
    shipped = walk.run()
    assert shipped is not None
    assert (shipped.notes, shipped.size) == (0, 0)


def test_printing_is_no_proof_that_pruning_may_rest_on(tmp_path: Path) -> None:
    found = write(tmp_path, 1)
    lane(found, OUT).run()
    assert anchored_size(Layout(found.path)) is None


def _segments(bucket: str) -> list[tuple[int, int, str]]:
    names = [key.rpartition("/")[2] for key in weed().keys(bucket) if "/segment-" in key]
    parts = [name.removesuffix(".jsonl").split("-") for name in names]
    return sorted((int(first), int(last), digest) for _, first, last, digest in parts)


def _anchor(bucket: str, **changes: Any) -> AnchorSettings:
    return weed().anchor(bucket, what=("checkpoints", "segments"), **changes)


def test_sealed_segments_follow_in_order_and_stay_here(tmp_path: Path) -> None:
    found, bucket = write(tmp_path, 4, rotate=True), weed().bucket()
    sealed = Layout(found.path).sealed()
    told: list[int] = []
    walk = lane(found, _anchor(bucket), on_bytes=told.append)
    notes, size = walk.outstanding()
    assert size == sum(item.path.stat().st_size for item in sealed)
    shipped = walk.run()
    assert shipped is not None
    assert (shipped.notes, shipped.segments) == (notes, 4)
    stored = _segments(bucket)
    assert [digest for _, _, digest in stored] == [
        hashlib.sha256(item.path.read_bytes()).hexdigest() for item in sealed
    ]
    assert [first for first, _, _ in stored] == [item.first_seq for item in sealed]
    assert [last + 1 for _, last, _ in stored[:-1]] == [item.first_seq for item in sealed[1:]]
    assert sum(told) == size
    assert read_receipt(walk.shelf.receipt).segment_lines == stored[-1][1] + 1
    assert anchored_size(Layout(found.path)) == shipped.size


def test_a_crash_between_sending_and_remembering_sends_again_and_stores_once(tmp_path: Path) -> None:
    found, bucket = write(tmp_path, 3, rotate=True), weed().bucket()
    walk = lane(found, _anchor(bucket))
    walk.run()
    before = weed().client().list_object_versions(Bucket=bucket)["Versions"]
    walk.shelf.receipt.unlink()
    lane(found, _anchor(bucket)).run()
    assert len(weed().client().list_object_versions(Bucket=bucket)["Versions"]) == len(before)


def test_an_anchor_that_comes_back_gets_what_it_missed(tmp_path: Path) -> None:
    found, bucket = write(tmp_path, 2, rotate=True), weed().bucket()
    with pytest.raises(AnchorError, match="Could not connect"):
        lane(found, _anchor(bucket, endpoint_url=closed_port())).run()
    assert Layout(found.path).sealed()
    shipped = lane(found, _anchor(bucket)).run()
    assert shipped is not None
    assert shipped.segments == 2


def test_checkpoints_alone_are_the_default(tmp_path: Path) -> None:
    found, bucket = write(tmp_path, 2, rotate=True), weed().bucket()
    lane(found, weed().anchor(bucket)).run()
    assert _segments(bucket) == []
    assert all(key.endswith(".note") for key in weed().keys(bucket))


def test_a_disk_that_takes_no_receipt_is_said(tmp_path: Path) -> None:
    found = write(tmp_path, 1)
    walk = lane(found, OUT)
    walk.run()
    write(tmp_path, 1)
    draft = walk.shelf.receipt.with_suffix(".draft")
    draft.mkdir()
    with pytest.raises(OSError, match=r"draft"):
        walk.run()
    assert os.path.lexists(walk.shelf.receipt)


def test_a_missing_package_is_said_before_anything_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    anchors = [OUT, AnchorSettings(kind="s3", bucket="worm"), AnchorSettings(kind="rfc3161")]
    check_extras(anchors)
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(MissingExtra, match=r"stepup-mw\[s3\]"):
        check_extras(anchors)
