"""S3 Object Lock against a server that keeps its locks."""

from __future__ import annotations

import hashlib
import importlib
import time
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stepup_mw.errors import AnchorError, MissingExtra
from stepup_mw.note import Checkpoint
from stepup_mw.ship.s3 import S3Sink, Watched
from stepup_mw.ship.sink import Parcel, Piece

from .http import closed_port, silent_port
from .weed import weed

ORIGIN = "bank/stepup-audit"
PARCEL = Parcel(note=b"a note", checkpoint=Checkpoint(origin=ORIGIN, size=17, root=bytes(range(32))), segment_lines=9)
KEY = f"{ORIGIN}/17-0001020304050607.note"


def _sink(bucket: str, **changes: Any) -> S3Sink:
    return S3Sink(weed().anchor(bucket, **changes), ORIGIN, time.time)


def _refusal(sink: S3Sink) -> str:
    with pytest.raises(AnchorError) as caught:
        sink.send(PARCEL)
    return str(caught.value)


@pytest.fixture
def bucket() -> str:
    return weed().bucket()


def test_a_checkpoint_is_one_locked_object_with_its_checksum(bucket: str) -> None:
    _sink(bucket, retain_s=3 * 86_400).send(PARCEL)
    (key,) = weed().keys(bucket)
    assert key == KEY
    found = weed().client().get_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    assert found["Body"].read() == b"a note"
    assert found["ChecksumSHA256"] == b64encode(hashlib.sha256(b"a note").digest()).decode()
    assert found["ObjectLockMode"] == "COMPLIANCE"
    until = found["ObjectLockRetainUntilDate"]
    assert (
        timedelta(0) <= until - (datetime.now(UTC) + timedelta(days=3) - timedelta(seconds=30)) <= timedelta(minutes=1)
    )
    assert found["Metadata"] == {"segment-lines": "9"}


def test_its_version_can_be_deleted_by_nobody(bucket: str) -> None:
    _sink(bucket).send(PARCEL)
    client = weed().client()
    version = client.head_object(Bucket=bucket, Key=KEY)["VersionId"]
    errors = importlib.import_module("botocore.exceptions")
    with pytest.raises(errors.ClientError, match="AccessDenied"):
        client.delete_object(Bucket=bucket, Key=KEY, VersionId=version, BypassGovernanceRetention=True)


def test_the_prefix_stands_before_the_origin(bucket: str) -> None:
    _sink(bucket, prefix="eu/bank/").send(PARCEL)
    assert weed().keys(bucket) == [f"eu/bank/{KEY}"]


def test_sent_twice_it_is_there_once(bucket: str) -> None:
    sink = _sink(bucket)
    sink.send(PARCEL)
    sink.send(PARCEL)
    _sink(bucket).send(PARCEL)
    assert len(weed().client().list_object_versions(Bucket=bucket)["Versions"]) == 1


def test_other_bytes_under_the_name_are_an_error(bucket: str) -> None:
    _sink(bucket).send(Parcel(note=b"another", checkpoint=PARCEL.checkpoint))
    assert _refusal(_sink(bucket)) == f"{bucket}/{KEY} holds other bytes already"


def test_the_same_bytes_without_a_lock_are_an_error(bucket: str) -> None:
    checksum = b64encode(hashlib.sha256(b"a note").digest()).decode()
    weed().client().put_object(Bucket=bucket, Key=KEY, Body=b"a note", ChecksumSHA256=checksum)
    assert _refusal(_sink(bucket)) == f"{bucket}/{KEY} is there without a lock"


def test_a_bucket_without_object_lock_is_refused_by_the_server() -> None:
    bare = weed().bucket(locked=False)
    assert f"bucket {bare} refused put_object: " in _refusal(_sink(bare))
    assert weed().keys(bare) == []


def test_a_bucket_that_is_not_there() -> None:
    assert "bucket no-such-bucket refused put_object: " in _refusal(_sink("no-such-bucket"))


def test_wrong_credentials(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret")
    assert "SignatureDoesNotMatch" in _refusal(_sink(bucket))


def test_no_credentials_at_all(bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    assert "credentials" in _refusal(_sink(bucket))


def test_a_closed_port_and_a_silent_one_end_in_time() -> None:
    assert "Could not connect" in _refusal(_sink("worm", endpoint_url=closed_port(), timeout_s=2))
    begun = time.monotonic()
    with silent_port() as url:
        assert "timeout" in _refusal(_sink("worm", endpoint_url=url, timeout_s=0.5)).lower()
    assert time.monotonic() - begun < 10


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(importlib.import_module("sys").modules, "boto3", None)
    with pytest.raises(MissingExtra, match=r"pip install 'stepup-mw\[s3\]'"):
        S3Sink(weed().anchor("worm"), ORIGIN, time.time)


def _piece(path: Path, data: bytes) -> Piece:
    path.write_bytes(data)
    return Piece(path=path, number=1, first=0, last=99, size=len(data), digest=hashlib.sha256(data).digest())


def test_a_segment_is_addressed_by_its_content(bucket: str, tmp_path: Path) -> None:
    piece = _piece(tmp_path / "000001-000000000000.jsonl", b"line\n" * 200_000)
    told: list[int] = []
    S3Sink(weed().anchor(bucket), ORIGIN, time.time, told.append).send_segment(piece)
    (key,) = weed().keys(bucket)
    assert key == f"{ORIGIN}/segment-0-99-{piece.digest.hex()}.jsonl"
    assert weed().client().head_object(Bucket=bucket, Key=key)["ObjectLockMode"] == "COMPLIANCE"
    assert sum(told) == piece.size
    assert piece.path.exists()


def test_a_segment_that_changed_while_it_was_sent_is_refused_by_the_server(bucket: str, tmp_path: Path) -> None:
    piece = _piece(tmp_path / "segment", b"line\n" * 100)
    piece.path.write_bytes(b"LINE\n" * 100)
    with pytest.raises(AnchorError, match="refused put_object"):
        _sink(bucket).send_segment(piece)
    assert weed().keys(bucket) == []


def test_what_one_request_cannot_take_is_said(bucket: str, tmp_path: Path) -> None:
    huge = Piece(path=tmp_path / "huge", number=1, first=0, last=9, size=5 * 1024**3 + 1, digest=bytes(32))
    with pytest.raises(AnchorError, match="larger than 5 GiB"):
        _sink(bucket).send_segment(huge)


def test_a_file_read_twice_is_counted_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 100)
    told: list[int] = []
    with Watched(tmp_path / "file", told.append) as stream:
        for _ in range(2):
            assert stream.seek(0) == 0
            assert b"".join(iter(lambda: stream.read(30), b"")) == b"x" * 100
            assert stream.tell() == 100
    assert sum(told) == 100
