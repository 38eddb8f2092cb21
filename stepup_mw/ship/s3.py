"""S3 Object Lock: each checkpoint and segment one object that nobody, not even the account's root, can delete or
change before its time.

    <prefix><origin>/<size>-<root16>.note
    <prefix><origin>/segment-<first>-<last>-<sha256>.jsonl     or .jsonl.zst, of the compressed bytes

One PutObject an object, in COMPLIANCE mode, with its SHA-256 for the server to check and ``If-None-Match: *``. Never
reads what was stored, but for a name that is taken; never deletes.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..errors import AnchorError, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ..settings import AnchorSettings
    from .sink import Parcel, Piece

MAX_PUT = 5 * 1024**3
"""The largest object that one PutObject takes."""

SEGMENT_LINES = "segment-lines"
"""Metadata of a checkpoint: how many lines stood in the segments of the bucket by then."""


_BLOCK = 1 << 20


class S3Sink:
    """Stores; what is stored already is as good."""

    newest_only = False

    def __init__(
        self,
        anchor: AnchorSettings,
        origin: str,
        clock: Callable[[], float],
        on_bytes: Callable[[int], None] | None = None,
    ) -> None:
        self._anchor = anchor
        self._folder = folder_of(anchor, origin)
        self._clock = clock
        self._on_bytes = on_bytes
        self._made: Bucket | None = None
        load_sdk()

    @property
    def _bucket(self) -> Bucket:
        self._made = self._made or open_bucket(self._anchor)
        return self._made

    def send(self, parcel: Parcel) -> None:
        self._put(
            f"{parcel.stem}.note",
            parcel.note,
            sha256(parcel.note).digest(),
            ContentType="text/plain; charset=utf-8",
            Metadata={SEGMENT_LINES: str(parcel.segment_lines)},
        )

    def send_segment(self, piece: Piece) -> None:
        if piece.size > MAX_PUT:
            raise AnchorError(f"{piece.path} is larger than 5 GiB, the most that S3 takes in one piece")
        with Watched(piece.path, self._on_bytes) as stream:
            self._put(piece.name, stream, piece.digest, ContentType="application/jsonl", ContentLength=piece.size)

    def _put(self, name: str, body: Any, digest: bytes, **extra: Any) -> None:
        """Store under lock; an object of that name with the same bytes, under a lock, is as good."""
        key, checksum = self._folder + name, b64encode(digest).decode()
        until = datetime.fromtimestamp(self._clock(), UTC) + timedelta(seconds=self._anchor.retain_s)
        answer = self._bucket.call(
            "put_object",
            accept=("PreconditionFailed", "412"),
            Key=key,
            Body=body,
            ChecksumSHA256=checksum,
            IfNoneMatch="*",
            ObjectLockMode="COMPLIANCE",
            ObjectLockRetainUntilDate=until,
            **extra,
        )
        if answer is None:
            self._compare(key, checksum)

    def _compare(self, key: str, checksum: str) -> None:
        there = self._bucket.call("head_object", Key=key, ChecksumMode="ENABLED")
        if there.get("ChecksumSHA256") != checksum:
            raise AnchorError(f"{self._bucket.name}/{key} holds other bytes already")
        if there.get("ObjectLockMode") != "COMPLIANCE":
            raise AnchorError(f"{self._bucket.name}/{key} is there without a lock")


class Watched:
    """A file that says how much of it was read since its start: the SDK may read it twice, to sign and to send."""

    def __init__(self, path: Path, on_bytes: Callable[[int], None] | None) -> None:
        self._stream = path.open("rb")
        self._on_bytes = on_bytes
        self._most = 0

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stream.close()

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        at = self._stream.tell()
        if self._on_bytes is not None and at > self._most:
            self._on_bytes(at - self._most)
            self._most = at
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()


class Refused(AnchorError):
    """The server answered, and its answer was no."""


class Bucket:
    """One bucket and the client that speaks to it. ``call`` turns every failure into an AnchorError."""

    def __init__(self, name: str, client: Any, exceptions: Any) -> None:
        self.name = name
        self._client = client
        self._exceptions = exceptions

    def call(self, operation: str, *, accept: tuple[str, ...] = (), **arguments: Any) -> Any:
        """One request. None where the server refuses with one of the codes in ``accept``."""
        try:
            return getattr(self._client, operation)(Bucket=self.name, **arguments)
        except self._exceptions.ClientError as error:
            told = error.response.get("Error", {})
            if told.get("Code") in accept:
                return None
            said = f"{told.get('Code', '?')}: {told.get('Message', '')}".strip(": ")
            raise Refused(f"bucket {self.name} refused {operation}: {said}") from None
        except (self._exceptions.BotoCoreError, OSError, ValueError) as error:
            raise AnchorError(f"bucket {self.name}: {error}") from None

    def read(self, key: str, version: str) -> Iterator[bytes]:
        """The bytes of one version, in blocks."""
        body = self.call("get_object", Key=key, VersionId=version)["Body"]
        try:
            yield from iter(lambda: body.read(_BLOCK), b"")
        except (self._exceptions.BotoCoreError, OSError) as error:
            raise AnchorError(f"{self.name}/{key} cannot be read: {error}") from None
        finally:
            body.close()


def folder_of(anchor: AnchorSettings, origin: str) -> str:
    """What all keys of a trail begin with."""
    return f"{anchor.prefix}{origin}/"


def load_sdk() -> Any:
    """The optional package, or MissingExtra."""
    try:
        return import_module("boto3")
    except ImportError:
        raise MissingExtra("an S3 anchor", "boto3", "s3") from None


def open_bucket(anchor: AnchorSettings) -> Bucket:
    """A client by the usual AWS chain of credentials. Nothing is sent yet."""
    sdk = load_sdk()
    exceptions = import_module("botocore.exceptions")
    config = import_module("botocore.config").Config(
        connect_timeout=anchor.timeout_s,
        read_timeout=anchor.timeout_s,
        retries={"total_max_attempts": 1},
        s3={"addressing_style": "path"} if anchor.endpoint_url else None,
    )
    try:
        client = sdk.session.Session().client(
            "s3", endpoint_url=anchor.endpoint_url, region_name=anchor.region, config=config
        )
    except (exceptions.BotoCoreError, ValueError) as error:
        raise AnchorError(f"bucket {anchor.bucket}: {error}") from None
    return Bucket(anchor.bucket, client, exceptions)
