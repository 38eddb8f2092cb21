"""What the anchors prove about a trail: which checkpoint each holds, since when, and how that is known.

Cosignatures and time stamps prove themselves, wherever they are kept. What a bucket holds is known from this host's own
receipt, which proves nothing, until the bucket is asked.
"""

from __future__ import annotations

import contextlib
import re
from base64 import b64decode
from binascii import Error as Base64Error
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ..errors import AnchorError, MissingExtra, NoteError
from ..note import Checkpoint, Note, Vkey, origin_of, parse_checkpoint, parse_note, verify_note
from ..trail.files import Layout
from ..trail.notes import last_checkpoint
from .bucket import list_bucket
from .receipt import Shelf, read_receipt
from .rfc3161 import check_token, load_client
from .s3 import folder_of, open_bucket
from .witness import ask_size, parse_witness_key, verify_cosignature

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..settings import AnchorSettings, TrailSettings

_STAMP = re.compile(r"([0-9]{1,19})-[0-9a-f]{16}\.tsr", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one anchor has. ``checkpoint``: the last one it holds, since ``at`` (Unix seconds). ``how`` says how that is
    known. ``seen``: the lines it says it saw. ``problem``: why it proves nothing."""

    anchor: AnchorSettings
    checkpoint: Checkpoint | None = None
    at: float | None = None
    how: str = ""
    seen: int = 0
    problem: str = ""


def gather(settings: TrailSettings, service: str, keys: Sequence[Vkey], *, online: bool) -> list[Evidence]:
    """The evidence of every anchor, in their order. ``online``: ask those that can be asked. Raises nothing: what
    cannot be had is a ``problem``."""
    return [_of(anchor, Layout(settings.path), origin_of(service), keys, online=online) for anchor in settings.anchors]


def _of(anchor: AnchorSettings, layout: Layout, origin: str, keys: Sequence[Vkey], *, online: bool) -> Evidence:
    shelf = Shelf(layout, anchor)
    try:
        if anchor.kind == "witness":
            return _cosigned(shelf, online=online)
        if anchor.kind == "rfc3161":
            return _stamped(shelf)
        if anchor.kind == "s3" and online:
            return _locked(anchor, origin, keys)
        return _receipt(shelf, origin)
    except (AnchorError, NoteError, MissingExtra, OSError) as error:
        return Evidence(anchor=anchor, problem=str(error))


def _cosigned(shelf: Shelf, *, online: bool) -> Evidence:
    anchor, found = shelf.anchor, last_checkpoint(shelf.kept / "cosigned.note")
    at = verify_cosignature(found[0], parse_witness_key(anchor.key))[1] if found is not None else None
    signed = last_checkpoint(shelf.layout.notes) if online else None
    seen = ask_size(anchor, signed[0]) if signed is not None else 0
    how = "cosigned" + (f", and it has seen {seen} lines" if online else "")
    return Evidence(anchor=anchor, checkpoint=found[1] if found is not None else None, at=at, how=how, seen=seen)


def _stamped(shelf: Shelf) -> Evidence:
    names = [match for path in shelf.kept.glob("*.tsr") if (match := _STAMP.fullmatch(path.name))]
    if not names:
        return Evidence(anchor=shelf.anchor)
    token = shelf.kept / max(names, key=lambda match: int(match[1]))[0]
    note = token.with_suffix(".note").read_bytes()
    at = check_token(load_client(), shelf.anchor, token.read_bytes(), note, nonce=None)
    return Evidence(
        anchor=shelf.anchor, checkpoint=parse_checkpoint(parse_note(note).text), at=at, how="time stamp checked"
    )


def _receipt(shelf: Shelf, origin: str) -> Evidence:
    receipt = read_receipt(shelf.receipt)
    if not receipt.size:
        return Evidence(anchor=shelf.anchor)
    try:
        root = b64decode(receipt.root, validate=True)
    except (Base64Error, ValueError):
        root = b""
    if len(root) != 32:
        return Evidence(anchor=shelf.anchor, problem=f"the receipt {shelf.receipt} is damaged")
    made = Checkpoint(origin=origin, size=receipt.size, root=root)
    how = "receipt of this host; --anchors asks" if shelf.anchor.acknowledges else "printed, which proves nothing"
    return Evidence(anchor=shelf.anchor, checkpoint=made, at=receipt.at, how=how)


def _locked(anchor: AnchorSettings, origin: str, keys: Sequence[Vkey]) -> Evidence:
    """The checkpoint over the most lines in the bucket that one of ``keys`` signed, if there are any."""
    bucket = open_bucket(anchor)
    listing = list_bucket(bucket, folder_of(anchor, origin))
    for item in sorted(listing.notes, key=lambda item: item.size, reverse=True):
        head = bucket.call("head_object", Key=item.key, VersionId=item.version)
        try:
            note = parse_note(b"".join(bucket.read(item.key, item.version)))
            made = parse_checkpoint(note.text)
            if keys and not _is_signed(note, keys):
                continue
        except NoteError:
            continue
        until, mode = head.get("ObjectLockRetainUntilDate"), head.get("ObjectLockMode")
        if mode != "COMPLIANCE" or not isinstance(until, datetime):
            return Evidence(anchor=anchor, problem=f"{anchor.bucket}/{item.key} is not locked")
        how = f"read back, locked until {until:%Y-%m-%d}"
        return Evidence(anchor=anchor, checkpoint=made, at=item.when, how=how, seen=made.size)
    return Evidence(anchor=anchor)


def _is_signed(note: Note, keys: Sequence[Vkey]) -> bool:
    for key in keys:
        with contextlib.suppress(NoteError):
            verify_note(note, key)
            return True
    return False
