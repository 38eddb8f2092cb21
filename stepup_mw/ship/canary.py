"""Is a bucket write-once? Tried, not asked: some servers accept locks and do not keep them.

Stores one small object under a COMPLIANCE lock of a minute and tries every way to be rid of it. The object stays, and
can be deleted after that minute.
"""

from __future__ import annotations

import hashlib
import time
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from .s3 import Refused, folder_of, open_bucket

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..settings import AnchorSettings
    from .s3 import Bucket

LOCK_S = 60
_TEXT = b"stepup-mw tries whether this bucket keeps its locks; this object may be deleted.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One way that was tried. ``held``: the lock withstood it; ``answer``: what the server said."""

    way: str
    held: bool
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """``key``: the object, which can be deleted after ``until`` (Unix seconds)."""

    bucket: str
    key: str
    until: float
    trials: tuple[Trial, ...]

    @property
    def worm(self) -> bool:
        return bool(self.trials) and all(trial.held for trial in self.trials)


def try_bucket(anchor: AnchorSettings, origin: str, random: Callable[[int], bytes]) -> Canary:
    """Store a canary and try to delete it and to shorten its lock. AnchorError if it cannot even be stored."""
    bucket = open_bucket(anchor)
    key = f"{folder_of(anchor, origin)}canary-{random(8).hex()}.txt"
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=LOCK_S + 1)
    stored = bucket.call(
        "put_object",
        Key=key,
        Body=_TEXT,
        ChecksumSHA256=b64encode(hashlib.sha256(_TEXT).digest()).decode(),
        IfNoneMatch="*",
        ObjectLockMode="COMPLIANCE",
        ObjectLockRetainUntilDate=until,
    )
    version = stored.get("VersionId")
    if not version or version == "null":
        trial = Trial(way="keep versions", held=False, answer="the object has no version, so that it can be replaced")
        return Canary(bucket=anchor.bucket, key=key, until=until.timestamp(), trials=(trial,))
    trials = [_attempt(bucket, way, call) for way, call in _ways(key, version, until)]
    trials.append(_still_there(bucket, key, version, until))
    return Canary(bucket=anchor.bucket, key=key, until=until.timestamp(), trials=tuple(trials))


def _ways(key: str, version: str, until: datetime) -> list[tuple[str, tuple[str, dict[str, Any]]]]:
    one = {"Key": key, "VersionId": version}
    batch = {"Delete": {"Objects": [one]}}
    soon = {**one, "Retention": {"Mode": "COMPLIANCE", "RetainUntilDate": until - timedelta(seconds=LOCK_S // 2)}}
    weak = {**one, "Retention": {"Mode": "GOVERNANCE", "RetainUntilDate": until}}
    none: dict[str, Any] = {**one, "Retention": {}}
    bypass = {"BypassGovernanceRetention": True}
    return [
        ("delete it", ("delete_object", one)),
        ("delete it, bypassing governance", ("delete_object", {**one, **bypass})),
        ("delete it in a batch", ("delete_objects", batch)),
        ("delete it in a batch, bypassing governance", ("delete_objects", {**batch, **bypass})),
        ("shorten its lock", ("put_object_retention", {**soon, **bypass})),
        ("weaken its lock", ("put_object_retention", {**weak, **bypass})),
        ("take its lock away", ("put_object_retention", {**none, **bypass})),
    ]


def _attempt(bucket: Bucket, way: str, call: tuple[str, dict[str, Any]]) -> Trial:
    operation, arguments = call
    try:
        answer = bucket.call(operation, **arguments)
    except Refused as error:
        return Trial(way=way, held=True, answer=str(error).removeprefix(f"bucket {bucket.name} refused {operation}: "))
    refused = answer.get("Errors")
    if refused:
        return Trial(way=way, held=True, answer=f"{refused[0].get('Code')}: {refused[0].get('Message')}")
    return Trial(way=way, held=False, answer="the server did it")


def _still_there(bucket: Bucket, key: str, version: str, until: datetime) -> Trial:
    """The last word: the version, its bytes and its lock as they were."""
    way = "find it as it was"
    try:
        found = bucket.call("get_object", Key=key, VersionId=version)
        body = found["Body"].read()
    except Refused as error:
        return Trial(way=way, held=False, answer=str(error))
    if body != _TEXT:
        return Trial(way=way, held=False, answer="its bytes have changed")
    lock = found.get("ObjectLockRetainUntilDate")
    if found.get("ObjectLockMode") != "COMPLIANCE" or not isinstance(lock, datetime) or lock < until:
        return Trial(way=way, held=False, answer=f"its lock is {found.get('ObjectLockMode')} until {lock}")
    return Trial(
        way=way, held=True, answer=f"locked until {time.strftime('%H:%M:%S', time.gmtime(lock.timestamp()))} UTC"
    )
