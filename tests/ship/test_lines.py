from __future__ import annotations

from pathlib import Path

import pytest

from stepup_mw.chain import leaf_hash
from stepup_mw.errors import AnchorError
from stepup_mw.ship.lines import count_lines, leaves_between, time_at, time_of, waiting_since
from stepup_mw.trail import read_lines
from stepup_mw.trail.files import Layout

from .parts import write


@pytest.fixture(params=[False, True], ids=["one_file", "segments"])
def layout(request: pytest.FixtureRequest, tmp_path: Path) -> Layout:
    write(tmp_path, 6, each=200, rotate=request.param)
    return Layout(tmp_path / "audit" / "stepup.jsonl")


def _raws(layout: Layout) -> list[bytes]:
    return [line.raw for line in read_lines(layout.folder)]


def test_the_lines_are_counted(layout: Layout) -> None:
    assert count_lines(layout) == len(_raws(layout)) > 1200


def test_any_leaf_is_found_wherever_it_stands(layout: Layout) -> None:
    leaves = [leaf_hash(raw) for raw in _raws(layout)]
    for start in [0, 1, 2, 199, 200, 201, 700, len(leaves) - 1]:
        for stop in [start, start + 1, start + 5, len(leaves)]:
            assert list(leaves_between(layout, start, min(stop, len(leaves)))) == leaves[start:stop], (start, stop)


def test_a_leaf_that_is_not_there_is_an_error(layout: Layout) -> None:
    size = count_lines(layout)
    with pytest.raises(AnchorError, match=f"line {size} is not in the trail"):
        list(leaves_between(layout, 0, size + 1))
    sealed = layout.sealed()
    if sealed:
        sealed[1].path.unlink()
        with pytest.raises(AnchorError, match=f"line {sealed[1].first_seq} is not in the trail"):
            list(leaves_between(layout, 0, size))


def test_times_are_those_of_the_lines(layout: Layout) -> None:
    raws = _raws(layout)
    for seq in (0, 3, 500, len(raws) - 1):
        assert time_at(layout, seq) == time_of(raws[seq])
    assert time_at(layout, len(raws)) is None
    assert time_at(layout, -1) is None


def test_what_waits_is_the_first_line_that_says_more_than_a_checkpoint(layout: Layout) -> None:
    raws = _raws(layout)
    assert waiting_since(layout, 0) == time_of(raws[0])
    assert waiting_since(layout, 300) is not None
    assert waiting_since(layout, len(raws)) is None
    last = max(seq for seq, raw in enumerate(raws) if b'"phase":"checkpoint"' not in raw)
    assert waiting_since(layout, last + 1) is None


def test_no_trail_has_no_lines(tmp_path: Path) -> None:
    nothing = Layout(tmp_path / "audit" / "stepup.jsonl")
    assert count_lines(nothing) == 0
    assert list(leaves_between(nothing, 0, 0)) == []


@pytest.mark.parametrize("line", [b"", b"{}", b'{"timestamp":5}', b'{"timestamp":"yesterday"}', b"\xff"])
def test_a_line_without_a_time_has_none(line: bytes) -> None:
    assert time_of(line) is None
