from __future__ import annotations

import time
from pathlib import Path

import pytest

from stepup_mw.errors import TrailUnavailable
from stepup_mw.settings import AnchorSettings
from stepup_mw.ship import Behind, Receipt, Shelf, Window
from stepup_mw.ship.lines import count_lines
from stepup_mw.ship.receipt import write_receipt
from stepup_mw.ship.window import FRESH_S
from stepup_mw.trail import Trail
from stepup_mw.trail.files import Layout

from ..servers import until
from ..trail.parts import SERVICE, record
from .parts import with_anchors, write

SEEN = AnchorSettings(kind="witness", url="https://w.example", key="w+00+AA")
LOCKED = AnchorSettings(kind="s3", bucket="worm")
OUT = AnchorSettings(kind="stdout")


class Clock:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


def _window(folder: Path, clock: Clock, **changes: object) -> Window:
    return Window(with_anchors(folder, OUT, SEEN, LOCKED, **{"max_unanchored_then": "deny", **changes}), clock)


def _anchored(folder: Path, anchor: AnchorSettings, size: int) -> None:
    layout = Layout(folder / "audit" / "stepup.jsonl")
    write_receipt(Shelf(layout, anchor).receipt, Receipt(size=size))
    time.sleep(FRESH_S)


def test_the_best_anchor_counts_and_what_is_printed_does_not(tmp_path: Path) -> None:
    write(tmp_path, 2, each=10)
    total, clock = count_lines(Layout(tmp_path / "audit" / "stepup.jsonl")), Clock()
    window = _window(tmp_path, clock, max_unanchored_lines=5)
    assert window.measure().lines == total
    _anchored(tmp_path, OUT, total)
    assert window.measure().lines == total
    _anchored(tmp_path, SEEN, 4)
    assert window.measure().lines == total - 4
    _anchored(tmp_path, LOCKED, total - 3)
    assert window.measure().lines == 3
    _anchored(tmp_path, SEEN, total + 1)
    assert window.measure().lines == 0


def test_more_lines_than_allowed_are_refused_until_they_are_anchored(tmp_path: Path) -> None:
    write(tmp_path, 1, each=10)
    window = _window(tmp_path, Clock(), max_unanchored_lines=5)
    with pytest.raises(TrailUnavailable, match="5 are allowed"):
        window.check()
    _anchored(tmp_path, SEEN, count_lines(Layout(tmp_path / "audit" / "stepup.jsonl")) - 5)
    window.check()


def test_the_age_is_that_of_the_oldest_line_that_is_not_anchored(tmp_path: Path) -> None:
    clock = Clock()
    write(tmp_path, 1, each=10, clock=clock)
    window = _window(tmp_path, clock, max_unanchored_s=60)
    assert window.refresh() is None
    clock.now += 61
    assert "for 61 s, and 60 s are allowed" in (window.refresh() or "")
    with pytest.raises(TrailUnavailable, match="60 s are allowed"):
        window.check()
    _anchored(tmp_path, LOCKED, count_lines(Layout(tmp_path / "audit" / "stepup.jsonl")))
    assert window.refresh() is None
    window.check()


def test_a_word_about_a_checkpoint_does_not_age(tmp_path: Path) -> None:
    clock = Clock()
    found = with_anchors(tmp_path)
    trail = Trail(found, service=SERVICE, clock=clock)
    trail.append_blocking([record("one")])
    made = trail.checkpoint_now()
    assert made is not None
    layout = Layout(found.path)
    until(lambda: count_lines(layout) > made.size, what="the line about the checkpoint")
    _anchored(tmp_path, LOCKED, made.size)
    clock.now += 10_000
    window = _window(tmp_path, clock, max_unanchored_s=60)
    assert window.refresh() is None
    assert window.measure() == Behind(1, 0.0)
    trail.append_blocking([record("two")])
    clock.now += 61
    assert window.refresh() is not None
    trail.close()


def test_alert_alone_refuses_nothing(tmp_path: Path) -> None:
    write(tmp_path, 1, each=10)
    window = _window(tmp_path, Clock(), max_unanchored_lines=1, max_unanchored_then="alert")
    assert window.refresh() is not None
    window.check()


def test_a_trail_that_cannot_be_read_is_doubt_and_refused(tmp_path: Path) -> None:
    write(tmp_path, 1)
    live = tmp_path / "audit" / "stepup.jsonl"
    live.unlink()
    live.symlink_to(tmp_path / "audit.key")
    with pytest.raises(TrailUnavailable, match="nobody can tell"):
        _window(tmp_path, Clock(), max_unanchored_lines=1).check()


def test_no_trail_yet_is_nothing_unanchored(tmp_path: Path) -> None:
    window = _window(tmp_path, Clock(), max_unanchored_lines=1, max_unanchored_s=1)
    assert window.refresh() is None
    assert window.measure() == Behind(0, 0.0)
    window.check()
