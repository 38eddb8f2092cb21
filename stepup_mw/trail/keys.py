"""Changes the key that signs checkpoints: the old key's last checkpoint vouches for the line that names the new one.

The old key is put aside under another name, for its owner to destroy; nothing needs it any more. A service that runs
reads the new one at its next checkpoint.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import events
from ..encoding import format_uuid7
from ..errors import TrailUnavailable
from ..note import format_vkey, generate_signing_key, origin_of, parse_signer
from .files import create, sync_folder, write_whole
from .notes import read_signer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .trail import Trail


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Both verifier keys, and where the old private key is now."""

    old: str
    new: str
    aside: Path


def change_key(
    path: Path,
    trail: Trail,
    *,
    service: str,
    clock: Callable[[], float],
    random: Callable[[int], bytes],
    publish: Callable[[str], None],
) -> Changed:
    """Replace the signing key at ``path``. ``publish`` gets the new verifier key before anything is signed with it.

    TrailUnavailable, and the old key still there, if the line about it cannot be signed with the old one.
    """
    old = read_signer(path, service)
    pem = generate_signing_key()
    new = parse_signer(pem, origin_of(service))
    now, new_vkey = clock(), format_vkey(new.vkey)
    detail = {"old": old.vkey.key_id.hex(), "new": new.vkey.key_id.hex(), "vkey": new_vkey}
    event_id = format_uuid7(now, random(10))
    trail.append_blocking(
        [events.other("audit", "key_changed", now=now, event_id=event_id, service=service, detail=detail)]
    )
    if trail.checkpoint_now() is None:
        raise TrailUnavailable("the old key could not sign the change (is another process signing?): try again")
    publish(new_vkey)
    aside = path.with_name(f"{path.name}.{old.vkey.key_id.hex()}.old")
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    fd = create(draft)
    try:
        write_whole(fd, pem)
        os.fsync(fd)
    finally:
        os.close(fd)
    os.link(path, aside)
    draft.rename(path)
    sync_folder(path.parent)
    return Changed(old=format_vkey(old.vkey), new=new_vkey, aside=aside)
