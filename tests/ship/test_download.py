"""Verifying from the bucket alone, and every way in which somebody tries to make it lie."""

from __future__ import annotations

import hashlib
import time
import urllib.request
from base64 import b64encode
from pathlib import Path

import pytest

from stepup_mw.errors import AnchorError
from stepup_mw.ship.bucket import list_bucket
from stepup_mw.ship.download import Stored, verify_bucket
from stepup_mw.ship.s3 import open_bucket

from ..trail.parts import vkey
from .parts import lane, write
from .weed import weed


@pytest.fixture
def bucket(tmp_path: Path) -> str:
    """A bucket with five segments and their checkpoints; one more checkpoint says so."""
    name = weed().bucket()
    anchor = weed().anchor(name, what=("checkpoints", "segments"))
    lane(write(tmp_path, 5, rotate=True), anchor).run()
    lane(write(tmp_path, 1), anchor).run()
    return name


def _verify(bucket: str, tmp_path: Path, prefix: str = "", *, keyed: bool = True) -> Stored:
    folder = tmp_path / "fetched"
    folder.mkdir()
    key = vkey(tmp_path) if keyed else None
    return verify_bucket(open_bucket(weed().anchor(bucket)), prefix, folder, vkey=key)


def _segments(bucket: str) -> list[str]:
    keys = [key for key in weed().keys(bucket) if "/segment-" in key]
    return sorted(keys, key=lambda key: int(key.rpartition("/")[2].split("-")[1]))


def _side_door(bucket: str, key: str) -> None:
    """The administrator of the storage: past S3 and its locks, every version of an object is gone."""
    for path in (key, f"{key}.versions"):
        url = f"{weed().filer}/buckets/{bucket}/{path}?recursive=true"
        with urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=10) as answer:
            assert answer.status in (200, 202, 204)


def test_what_was_shipped_verifies_without_the_host(bucket: str, tmp_path: Path) -> None:
    stored = _verify(bucket, tmp_path)
    assert (stored.report.verdict, stored.report.findings) == ("VERIFIED", ())
    assert stored.report.signed
    assert stored.report.files == 5
    assert stored.report.lines < stored.signed_lines
    assert (stored.listing.later, stored.listing.hidden) == (0, 0)


@pytest.mark.parametrize("prefix", ["bank/", "bank/stepup-audit/", "bank/stepup"])
def test_a_prefix_may_be_longer(prefix: str, bucket: str, tmp_path: Path) -> None:
    assert _verify(bucket, tmp_path, prefix).report.verdict == "VERIFIED"


def test_progress_is_told_in_bytes(bucket: str, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    (tmp_path / "f").mkdir()
    verify_bucket(
        open_bucket(weed().anchor(bucket)), "", tmp_path / "f", vkey=None, progress=lambda *at: told.append(at)
    )
    assert told
    assert all(0 <= done <= total for done, total in told)


def test_an_empty_bucket_has_no_lines_and_is_no_pass(tmp_path: Path) -> None:
    stored = _verify(weed().bucket(), tmp_path, keyed=False)
    assert stored.report.exit_code == 5


@pytest.mark.parametrize("which", [1, 2, 3])
def test_a_segment_removed_past_the_locks_is_a_gap(which: int, bucket: str, tmp_path: Path) -> None:
    keys = _segments(bucket)
    _side_door(bucket, keys[which])
    assert len(_segments(bucket)) == 4
    stored = _verify(bucket, tmp_path)
    assert (stored.report.verdict, stored.report.exit_code) == ("GAP", 3)
    first = int(keys[which].rpartition("/")[2].split("-")[1])
    assert stored.report.findings[0].seq == first
    assert "not in the bucket any more" in stored.report.findings[0].why
    assert stored.report.lines == first


def test_the_last_segments_cannot_be_cut_off_unnoticed(bucket: str, tmp_path: Path) -> None:
    for key in _segments(bucket)[3:]:
        _side_door(bucket, key)
    report = _verify(bucket, tmp_path).report
    assert (report.verdict, report.exit_code) == ("GAP", 3)


def test_neither_can_the_first(bucket: str, tmp_path: Path) -> None:
    _side_door(bucket, _segments(bucket)[0])
    assert _verify(bucket, tmp_path).report.exit_code in (2, 3)


def test_nor_all_of_them(bucket: str, tmp_path: Path) -> None:
    for key in _segments(bucket):
        _side_door(bucket, key)
    report = _verify(bucket, tmp_path).report
    assert report.exit_code in (3, 5)
    assert any(finding.verdict == "GAP" for finding in report.findings)


def test_a_delete_marker_hides_nothing(bucket: str, tmp_path: Path) -> None:
    hidden = [_segments(bucket)[2], next(key for key in weed().keys(bucket) if key.endswith(".note"))]
    for key in hidden:
        weed().client().delete_object(Bucket=bucket, Key=key)
    assert not set(hidden) & set(weed().keys(bucket))
    stored = _verify(bucket, tmp_path)
    assert stored.report.verdict == "VERIFIED"
    assert stored.listing.hidden == 2


def test_a_later_version_changes_nothing(bucket: str, tmp_path: Path) -> None:
    for key in (_segments(bucket)[1], next(key for key in weed().keys(bucket) if key.endswith(".note"))):
        checksum = b64encode(hashlib.sha256(b"other").digest()).decode()
        weed().client().put_object(Bucket=bucket, Key=key, Body=b"other", ChecksumSHA256=checksum)
    stored = _verify(bucket, tmp_path)
    assert stored.report.verdict == "VERIFIED"
    assert stored.listing.later == 2


def test_a_segment_with_other_bytes_than_its_name_says_is_tampered(bucket: str, tmp_path: Path) -> None:
    key = _segments(bucket)[2]
    _side_door(bucket, key)
    weed().client().put_object(Bucket=bucket, Key=key, Body=b"{}\n")
    report = _verify(bucket, tmp_path).report
    assert (report.verdict, report.exit_code) == ("TAMPERED", 2)
    assert "does not hold what its name says" in report.findings[0].why


def test_a_segment_made_up_and_well_named_is_tampered(bucket: str, tmp_path: Path) -> None:
    key = _segments(bucket)[2]
    body = weed().client().get_object(Bucket=bucket, Key=key)["Body"].read().replace(b"xxxx", b"xxxy", 1)
    _side_door(bucket, key)
    name = key.rpartition("-")[0] + f"-{hashlib.sha256(body).hexdigest()}.jsonl"
    weed().client().put_object(Bucket=bucket, Key=name, Body=body)
    report = _verify(bucket, tmp_path).report
    assert (report.verdict, report.exit_code) == ("TAMPERED", 2)
    assert report.findings[0].file is not None
    assert "segment-" in str(report.findings[0].file)


def test_of_two_that_claim_the_same_lines_the_first_counts(bucket: str, tmp_path: Path) -> None:
    key = _segments(bucket)[2]
    name = key.rpartition("-")[0] + f"-{hashlib.sha256(b'x').hexdigest()}.jsonl"
    time.sleep(1.1)  # S3 tells the time of an object in whole seconds
    weed().client().put_object(Bucket=bucket, Key=name, Body=b"x")
    assert _verify(bucket, tmp_path).report.verdict == "VERIFIED"


def test_two_trails_under_one_prefix_have_to_be_told_apart(bucket: str, tmp_path: Path) -> None:
    weed().client().put_object(Bucket=bucket, Key="shop/stepup-audit/9-0123456789abcdef.note", Body=b"x")
    with pytest.raises(AnchorError, match=r"holds 2 trails, name one: bank/stepup-audit/, shop/stepup-audit/"):
        list_bucket(open_bucket(weed().anchor(bucket)), "")
    assert _verify(bucket, tmp_path, "bank/").report.verdict == "VERIFIED"


def test_with_another_key_it_is_the_wrong_key(bucket: str, tmp_path: Path) -> None:
    (tmp_path / "audit.key").unlink()
    (tmp_path / "other").mkdir()
    write(tmp_path / "other", 1)
    (tmp_path / "other" / "audit.key").rename(tmp_path / "audit.key")
    assert _verify(bucket, tmp_path).report.exit_code == 2


def test_more_objects_than_one_page_lists(bucket: str) -> None:
    opened = open_bucket(weed().anchor(bucket))
    whole = list_bucket(opened, "")
    assert len(whole.notes) + len(whole.segments) > 10
    for size in (1, 3, 4):
        assert list_bucket(opened, "", page_size=size) == whole
