from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw.settings import AnchorSettings
from stepup_mw.ship.receipt import Failure, Receipt, Shelf, read_receipt, write_receipt
from stepup_mw.trail.files import Layout

NUMBERS = st.integers(0, 2**53)
FAILURES = st.builds(Failure, since=st.floats(0, 2e9), from_seq=NUMBERS, why=st.text(max_size=80).filter(str.isascii))
RECEIPTS = st.builds(
    Receipt,
    size=NUMBERS,
    root=st.text("abc=", max_size=44),
    end=NUMBERS,
    at=st.floats(0, 2e9),
    segment=NUMBERS,
    segment_lines=NUMBERS,
    failed=st.none() | FAILURES,
)


@given(RECEIPTS)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, receipt: Receipt) -> None:
    path = tmp_path_factory.getbasetemp() / "anchors" / "s3-00000000.json"
    write_receipt(path, receipt)
    assert read_receipt(path) == receipt
    assert [item.name for item in path.parent.iterdir()] == [path.name]


@given(st.binary(max_size=200) | st.sampled_from([b"[]", b"{}", b'{"size":-1}', b'{"size":true}', b'{"failed":3}']))
def test_any_other_bytes_are_a_new_receipt(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "garbage.json"
    path.write_bytes(data)
    assert read_receipt(path) == Receipt()


@pytest.mark.parametrize(
    "data",
    [
        b'{"size":"3"}',
        b'{"size":3,"unknown":4}',
        b'{"root":5}',
        b'{"at":"now"}',
        b'{"failed":{"since":1}}',
        b'{"failed":{"since":1,"from_seq":-2,"why":"x"}}',
        b'{"failed":{"since":1,"from_seq":2,"why":3}}',
    ],
)
def test_a_receipt_of_the_wrong_shape_is_a_new_one(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "r").write_bytes(data)
    assert read_receipt(tmp_path / "r") == Receipt()


def test_one_that_is_missing_is_a_new_one(tmp_path: Path) -> None:
    assert read_receipt(tmp_path / "none") == Receipt()


def test_a_draft_that_a_crash_left_is_no_hindrance(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    (tmp_path / "r.draft").write_bytes(b"half")
    write_receipt(path, Receipt(size=3))
    assert read_receipt(path).size == 3


def test_each_anchor_has_files_of_its_own(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "audit" / "stepup.jsonl")
    shelves = [Shelf(layout, AnchorSettings(kind="s3", bucket=name)) for name in ("one", "two")]
    files = {path for shelf in shelves for path in (shelf.receipt, shelf.lock, shelf.kept)}
    assert len(files) == 6
    assert {path.parent for path in files} == {tmp_path / "audit" / "anchors"}
