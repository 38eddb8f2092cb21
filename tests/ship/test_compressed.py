"""Compressed segments in a bucket: named by their compressed bytes, and verified from there, mixed with plain ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from stepup_mw.ship.download import verify_bucket
from stepup_mw.ship.s3 import open_bucket
from stepup_mw.trail.files import Layout

from ..trail.parts import vkey
from .parts import lane, write
from .weed import weed

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("last", ["compressed", "plain"])
def test_a_mix_is_shipped_and_verified_from_the_bucket(tmp_path: Path, last: str) -> None:
    bucket = weed().bucket()
    anchor = weed().anchor(bucket, what=("checkpoints", "segments"))
    plain = write(tmp_path, 2, rotate=True)
    packed = replace(plain, compress="zstd")
    lane(packed if last == "plain" else plain, anchor).run()
    write(tmp_path, 2, rotate=True)
    lane(plain if last == "plain" else packed, anchor).run()
    names = [key.rpartition("/")[2] for key in weed().keys(bucket) if "/segment-" in key]
    assert len(names) == 4
    assert sum(name.endswith(".jsonl.zst") for name in names) == 2
    (tmp_path / "fetched").mkdir()
    stored = verify_bucket(open_bucket(anchor), "", tmp_path / "fetched", vkey=vkey(tmp_path))
    assert (stored.report.verdict, stored.report.findings, stored.report.files) == ("VERIFIED", (), 4)
    assert stored.report.signed


def test_what_is_compressed_after_it_was_shipped_is_not_shipped_again(tmp_path: Path) -> None:
    bucket = weed().bucket()
    anchor = weed().anchor(bucket, what=("checkpoints", "segments"))
    plain = write(tmp_path, 2, rotate=True)
    lane(plain, anchor).run()
    keys = weed().keys(bucket)
    lane(replace(plain, compress="zstd"), anchor).run()
    assert weed().keys(bucket) == keys
    assert [item.path.suffix for item in Layout(plain.path).sealed()] == [".jsonl", ".jsonl"]
