"""Anchors from the shell: ship by hand, try a bucket, verify against what anchors hold, and from a bucket alone."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stepup_mw.note import format_vkey, generate_signing_key, origin_of, parse_signer
from stepup_mw.settings import TrailSettings
from stepup_mw.trail import Trail

from ..ship.authority import Authority, authority
from ..ship.cosigner import Cosigner, cosigner
from ..ship.http import closed_port
from ..ship.liar import liar
from ..ship.weed import ACCESS, SECRET, weed
from ..trail.parts import record
from .conftest import CONFIG, Run, write_service

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


def _write(folder: Path, batches: int = 3, *, rotate: bool = True) -> None:
    """Lines with checkpoints, as the service of the folder would write them."""
    settings = TrailSettings(path=folder / "audit" / "stepup.jsonl", signing_key_file=folder / "audit.key")
    trail = Trail(settings, service="bank", clock=time.time)
    for batch in range(batches):
        trail.append_blocking([record(f"{batch}-{number}") for number in range(5)])
        if rotate:
            trail.rotate_now()
        trail.checkpoint_now()
    trail.close()


def _configure(folder: Path, *anchors: str, audit: str = "") -> None:
    key = folder / "audit.key"
    if not key.exists():
        key.write_bytes(generate_signing_key())
        key.chmod(0o600)
    tables = "".join(f"[[audit.anchor]]\n{anchor}\n" for anchor in anchors)
    write_service(folder, f'{CONFIG}signing_key_file = "audit.key"\n{audit}\n{tables}')


def _s3(bucket: str, *, endpoint: str = "", what: str = '"checkpoints", "segments"') -> str:
    url = endpoint or weed().endpoint
    place = f'kind = "s3"\nbucket = "{bucket}"\nendpoint_url = "{url}"\nregion = "us-east-1"'
    return f'{place}\nwhat = [{what}]\ntimeout = "2s"'


@pytest.fixture
def bucket(folder: Path) -> str:
    """A service whose trail goes to this bucket, with three segments."""
    name = weed().bucket()
    _configure(folder, _s3(name))
    _write(folder)
    return name


def _json(stepup: Run, command: str) -> tuple[int, dict[str, Any]]:
    ran = stepup(f"{command} --json")
    value = json.loads(ran.out)
    assert isinstance(value, dict)
    return ran.code, value


def test_ship_sends_what_is_missing_and_says_so(bucket: str, stepup: Run) -> None:
    ran = stepup("audit ship")
    assert ran.code == 0
    assert "✓ s3-" in ran.out
    assert "4 checkpoints, 3 segments sent" in ran.out
    assert len([key for key in weed().keys(bucket) if "/segment-" in key]) == 3
    code, told = _json(stepup, "audit ship")
    (anchor,) = told["anchors"]
    assert (code, anchor["checkpoints"], anchor["segments"], anchor["error"]) == (0, 0, 0, None)
    assert anchor["lines"] > 15


def test_ship_takes_one_anchor_by_its_name(bucket: str, folder: Path, stepup: Run) -> None:
    _configure(folder, _s3(bucket), 'kind = "stdout"')
    names = [anchor["anchor"] for anchor in _ship_all(stepup)]
    assert [name.split("-")[0] for name in names] == ["s3", "stdout"]
    _write(folder, 1)
    code, told = _json(stepup, f"audit ship --anchor {names[0]}")
    assert (code, len(told["anchors"])) == (0, 1)
    ran = stepup("audit ship --anchor nowhere")
    assert ran.code == 2
    assert all(name in ran.err for name in names)


def _ship_all(stepup: Run) -> list[dict[str, Any]]:
    ran = stepup("audit ship --json")
    anchors = json.loads(ran.out.splitlines()[-1])["anchors"]
    assert isinstance(anchors, list)
    return anchors


def test_an_anchor_that_is_down_is_a_finding_and_the_other_gets_all(bucket: str, folder: Path, stepup: Run) -> None:
    _configure(folder, _s3("gone", endpoint=closed_port()), _s3(bucket))
    ran = stepup("audit ship")
    assert ran.code == 1
    assert "✗ s3-" in ran.out
    assert "Could not connect" in ran.out
    assert "3 segments sent" in ran.out


def test_ship_without_anchors_is_usage(folder: Path, stepup: Run) -> None:
    _configure(folder)
    ran = stepup("audit ship")
    assert (ran.code, "names no anchor" in ran.err) == (2, True)


def test_verify_shows_up_to_where_and_since_when(bucket: str, folder: Path, stepup: Run) -> None:
    before = stepup("verify")
    assert before.code == 0
    assert "has nothing yet" in before.out
    stepup("audit ship")
    code, told = _json(stepup, "verify")
    (anchor,) = told["anchors"]
    assert (code, told["verdict"]) == (0, "VERIFIED")
    assert (anchor["kind"], anchor["problem"]) == ("s3", None)
    assert anchor["how"] == "receipt of this host; --anchors asks"
    assert told["unanchored"]["lines"] == told["lines"] - anchor["lines"]
    asked = stepup("verify --anchors")
    assert asked.code == 0
    assert f"the first {anchor['lines']:,} lines, since 20" in asked.out
    assert "read back, locked until" in asked.out


@pytest.mark.parametrize("shipped", [True, False])
def test_the_limit_is_counted_from_the_last_anchor(shipped: bool, bucket: str, folder: Path, stepup: Run) -> None:
    _configure(folder, _s3(bucket), audit="max_unanchored = { lines = 5 }")
    if shipped:
        stepup("audit ship")
    code, told = _json(stepup, "verify")
    assert (code, told["verdict"]) == ((0, "VERIFIED") if shipped else (4, "UNANCHORED_TAIL"))
    assert told["max_unanchored"] == {"lines": 5, "seconds": None}
    assert "; 5 lines are allowed" in stepup("verify").out
    if not shipped:
        assert "are under no anchor yet" in told["first_bad"]["why"]


def test_a_history_written_anew_with_the_key_is_found_by_its_anchor(bucket: str, folder: Path, stepup: Run) -> None:
    stepup("audit ship")
    for path in sorted((folder / "audit").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    for path in folder.glob("audit.key.*"):
        path.unlink()
    _write(folder, 4)
    assert stepup("verify").code == 0, "its own receipts are gone with the rest: nothing here can tell"
    code, told = _json(stepup, "verify --anchors")
    assert (code, told["verdict"]) == (2, "FORK")
    assert "held by s3-" in told["first_bad"]["why"]


def test_a_trail_set_back_to_a_copy_is_found_by_its_anchor(bucket: str, folder: Path, stepup: Run) -> None:
    stepup("audit ship")
    shutil.copytree(folder / "audit", folder / "copy")
    _write(folder, 2)
    stepup("audit ship")
    shutil.rmtree(folder / "audit")
    (folder / "copy").rename(folder / "audit")
    for path in folder.glob("audit.key.*"):
        path.unlink()
    assert stepup("verify").code == 0, "a whole copy of an earlier time: nothing here can tell"
    code, told = _json(stepup, "verify --anchors")
    assert (code, told["verdict"]) == (2, "SHRUNK")


def test_an_anchor_that_cannot_be_asked_is_no_pass(bucket: str, folder: Path, stepup: Run) -> None:
    _configure(folder, _s3(bucket, endpoint=closed_port()))
    code, told = _json(stepup, "verify --anchors")
    assert (code, told["verdict"]) == (3, "NO_INTEGRITY_DATA")
    assert "Could not connect" in told["anchors"][0]["problem"]


@pytest.fixture
def witness(folder: Path) -> Iterator[Cosigner]:
    _configure(folder)
    public = parse_signer((folder / "audit.key").read_bytes(), origin_of("bank")).vkey.public
    with cosigner(origin_of("bank"), public) as (made, url):
        _configure(folder, f'kind = "witness"\nurl = "{url}"\nkey = "{made.vkey}"')
        _write(folder)
        yield made


def test_a_witness_proves_without_being_asked_and_knows_more_when_it_is(
    witness: Cosigner, folder: Path, stepup: Run
) -> None:
    stepup("audit ship")
    code, told = _json(stepup, "verify")
    assert (code, told["anchors"][0]["how"]) == (0, "cosigned")
    assert told["anchors"][0]["since"] == "2026-11-23T07:25:00Z"
    witness.seen = 9999, bytes(32)
    assert _json(stepup, "verify")[0] == 0
    code, told = _json(stepup, "verify --anchors")
    assert (code, told["verdict"]) == (2, "SHRUNK")
    assert "has seen 9999 lines" in told["first_bad"]["why"]


def test_a_time_stamp_proves_since_when(folder: Path, tmp_path_factory: pytest.TempPathFactory, stepup: Run) -> None:
    with authority(tmp_path_factory.mktemp("tsa") / "keys") as (made, url):
        assert isinstance(made, Authority)
        _configure(folder, f'kind = "rfc3161"\nurl = "{url}"\nca_file = "{made.ca}"')
        _write(folder)
        assert stepup("audit ship").code == 0
        code, told = _json(stepup, "verify")
        assert (code, told["anchors"][0]["how"]) == (0, "time stamp checked")
        token = max((folder / "audit" / "anchors").rglob("*.tsr"), key=lambda path: int(path.name.split("-")[0]))
        token.write_bytes(token.read_bytes()[:-1] + b"\x00")
        code, told = _json(stepup, "verify")
        assert (code, told["verdict"]) == (3, "NO_INTEGRITY_DATA")
        assert "proves nothing" in stepup("verify").out


def test_verify_from_the_bucket_needs_nothing_of_this_host(bucket: str, folder: Path, stepup: Run) -> None:
    stepup("audit ship")
    ran = stepup(f"verify s3://{bucket}")
    assert ran.code == 0
    assert "✓ VERIFIED" in ran.out
    assert f"s3://{bucket}" in ran.out
    assert "3 segments, 4 checkpoints; the newest covers" in ran.out
    for path in sorted((folder / "audit").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    code, told = _json(stepup, f"verify s3://{bucket}/bank/stepup-audit")
    assert (code, told["verdict"], told["signed"], told["stored"]["segments"]) == (0, "VERIFIED", True, 3)


def test_verify_from_the_bucket_by_key_alone(bucket: str, folder: Path, stepup: Run) -> None:
    stepup("audit ship")
    key = format_vkey(parse_signer((folder / "audit.key").read_bytes(), origin_of("bank")).vkey)
    (folder / "stepup.toml").unlink()
    env = {"AWS_ENDPOINT_URL": weed().endpoint, "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
    ran = stepup("verify", f"s3://{bucket}", "--key", key, "--json", env={**os.environ, **env})
    assert ran.code == 0, ran.out
    assert json.loads(ran.out)["signed"] is True


def test_what_hides_objects_is_shown(bucket: str, stepup: Run) -> None:
    stepup("audit ship")
    weed().client().delete_object(Bucket=bucket, Key=weed().keys(bucket)[0])
    ran = stepup(f"verify s3://{bucket}")
    assert ran.code == 0
    assert "1 objects are behind a delete marker" in ran.out


@pytest.mark.parametrize("target", ["s3://no-such-bucket", "s3://no-such-bucket/prefix"])
def test_a_bucket_that_cannot_be_read_cannot_be_verified(target: str, bucket: str, stepup: Run) -> None:
    assert stepup(f"verify {target}").code == 5


def test_check_worm_tries_the_bucket(bucket: str, stepup: Run) -> None:
    ran = stepup("check --worm")
    assert ran.code == 0
    assert f"✓ {bucket} keeps its locks" in ran.out
    assert "held: AccessDenied" in ran.out
    assert "yours to delete after 20" in ran.out


def test_check_worm_refuses_the_name_to_what_is_not(folder: Path, stepup: Run) -> None:
    with liar("bypass", "retention") as url:
        _configure(folder, _s3("worm", endpoint=url))
        ran = stepup("check --worm")
        code, told = _json(stepup, "check --worm")
    assert ran.code == code == 1
    assert "✗ worm is NOT write-once" in ran.out
    assert "DONE: the server did it" in ran.out
    assert (told["worm"], told["buckets"][0]["worm"]) == (False, False)


def test_check_worm_without_a_bucket_or_an_answer(folder: Path, stepup: Run) -> None:
    _configure(folder, 'kind = "stdout"')
    ran = stepup("check --worm")
    assert (ran.code, 'no [[audit.anchor]] of kind = "s3"' in ran.err) == (2, True)
    _configure(folder, _s3("worm", endpoint=closed_port()))
    ran = stepup("check --worm")
    assert (ran.code, "Could not connect" in ran.err) == (2, True)
