"""Whether a bucket is write-once is tried: on a server that keeps its locks, and on one that only says so."""

from __future__ import annotations

import os
import time

import pytest

from stepup_mw.errors import AnchorError
from stepup_mw.settings import AnchorSettings
from stepup_mw.ship.canary import LOCK_S, try_bucket

from .http import closed_port
from .liar import liar
from .weed import weed

ORIGIN = "bank/stepup-audit"


def test_a_server_that_keeps_its_locks_withstands_every_way() -> None:
    bucket = weed().bucket()
    canary = try_bucket(weed().anchor(bucket, prefix="eu/"), ORIGIN, os.urandom)
    assert canary.worm, canary.trials
    assert len(canary.trials) == 8
    assert weed().keys(bucket) == [canary.key]
    assert canary.key.startswith(f"eu/{ORIGIN}/canary-")
    assert LOCK_S - 5 < canary.until - time.time() <= LOCK_S + 1


def test_a_bucket_without_object_lock_cannot_even_be_tried() -> None:
    with pytest.raises(AnchorError, match="refused put_object"):
        try_bucket(weed().anchor(weed().bucket(locked=False)), ORIGIN, os.urandom)


@pytest.mark.parametrize(
    ("lies", "done"),
    [
        (["delete"], {"delete it", "find it as it was"}),
        (["bypass"], {"delete it, bypassing governance", "find it as it was"}),
        (["batch"], {"delete it in a batch", "delete it in a batch, bypassing governance", "find it as it was"}),
        (["retention"], {"shorten its lock", "weaken its lock", "take its lock away", "find it as it was"}),
        (["rewrite"], {"find it as it was"}),
        (["unversioned"], {"keep versions"}),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_server_that_only_says_so_is_found_out(lies: list[str], done: set[str]) -> None:
    with liar(*lies) as url:
        canary = try_bucket(AnchorSettings(kind="s3", bucket="worm", endpoint_url=url, region="x"), ORIGIN, os.urandom)
    assert not canary.worm
    assert {trial.way for trial in canary.trials if not trial.held} == done


def test_the_lying_server_keeps_its_locks_when_it_does_not_lie() -> None:
    with liar() as url:
        canary = try_bucket(AnchorSettings(kind="s3", bucket="worm", endpoint_url=url, region="x"), ORIGIN, os.urandom)
    assert canary.worm, canary.trials


def test_a_server_that_does_not_answer_proves_nothing() -> None:
    anchor = AnchorSettings(kind="s3", bucket="worm", endpoint_url=closed_port(), region="x", timeout_s=1)
    with pytest.raises(AnchorError, match="Could not connect"):
        try_bucket(anchor, ORIGIN, os.urandom)
