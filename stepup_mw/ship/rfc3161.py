"""RFC 3161 time stamps over the bytes of each checkpoint's note, kept as ``<size>-<root>.tsr`` beside the note itself.

Any tool checks them: ``openssl ts -verify -data 17-….note -in 17-….tsr -CAfile ca.pem``. A stamp shows that the note
existed at a time; it does not stop a second history before that.
"""

from __future__ import annotations

import contextlib
import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..errors import AnchorError, MissingExtra
from ..trail.files import create, make_folder, sync_folder, write_whole
from .exchange import post

if TYPE_CHECKING:
    from pathlib import Path

    from ..settings import AnchorSettings
    from .sink import Parcel, Piece

MAX_TOKEN = 64 * 1024


class TimestampSink:
    """Asks a time-stamp authority, checks what it says against ``ca_file``, and keeps it in ``folder``."""

    newest_only = False

    def __init__(self, anchor: AnchorSettings, folder: Path) -> None:
        self._anchor = anchor
        self._folder = folder
        self._client = load_client()

    def send(self, parcel: Parcel) -> None:
        if (self._folder / f"{parcel.stem}.tsr").exists():
            return
        client, anchor = self._client, self._anchor
        algorithm = client.HashAlgorithm[anchor.hash.upper()]
        request = client.TimestampRequestBuilder().data(parcel.note).hash_algorithm(algorithm).build()
        answer = post(
            anchor.url,
            request.as_bytes(),
            "application/timestamp-query",
            timeout_s=anchor.timeout_s,
            limit=MAX_TOKEN,
        )
        if answer.status != 200:
            raise AnchorError(f"{anchor.url} answered {answer.status}")
        check_token(self._client, anchor, answer.body, parcel.note, nonce=request.nonce)
        make_folder(self._folder)
        _keep(self._folder / f"{parcel.stem}.note", parcel.note)
        _keep(self._folder / f"{parcel.stem}.tsr", answer.body)
        sync_folder(self._folder)

    def send_segment(self, piece: Piece) -> None:
        raise AnchorError(f"a time-stamp authority takes no segments: {piece.path.name}")


def load_client() -> Any:
    """The optional package, or MissingExtra."""
    try:
        return import_module("rfc3161_client")
    except ImportError:
        raise MissingExtra("an RFC 3161 anchor", "rfc3161-client", "timestamp") from None


def check_token(client: Any, anchor: AnchorSettings, token: bytes, note: bytes, *, nonce: int | None) -> float:
    """The time, in Unix seconds, that the authority vouches for. AnchorError if the token is about other bytes, has
    another nonce, or leads to none of the certificates in ``ca_file``."""
    from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415 - slow, and only anchors of this kind need it

    if anchor.ca_file is None:
        raise AnchorError("no ca_file to check the time stamp with")
    try:
        builder = client.VerifierBuilder()
        for certificate in load_pem_x509_certificates(anchor.ca_file.read_bytes()):
            builder = builder.add_root_certificate(certificate)
        if nonce is not None:
            builder = builder.nonce(nonce)
        response = client.decode_timestamp_response(token)
        builder.build().verify_message(response, note)
        stamped: float = response.tst_info.gen_time.timestamp()
    except client.VerificationError as error:
        raise AnchorError(f"the time stamp of {anchor.url} does not hold: {error}") from None
    except (ValueError, TypeError, OSError) as error:
        raise AnchorError(f"no time stamp from {anchor.url}: {error}") from None
    return stamped


def _keep(path: Path, data: bytes) -> None:
    """Whole or not at all; what stands there is the same already."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()
    fd = create(draft)
    try:
        write_whole(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)
    draft.rename(path)
