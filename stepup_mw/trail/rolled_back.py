"""Whether the audit folder is older than what was signed for it: the signer remembers that beside its key, outside the
folder. Asked before the first use, for what else stands in the folder is as old then."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from ..errors import NoteError
from ..note import origin_of
from .memory import Memory
from .recent import backwards, parse

if TYPE_CHECKING:
    from pathlib import Path

    from ..settings import TrailSettings

_LOOKED_AT = 64 << 10
"""Bytes from the end, in which there is a whole line."""


def signed_beyond(settings: TrailSettings, service: str) -> str:
    """What stands for the checkpoint that was signed of more lines than there are now; "" where there is none. What
    cannot be read is the signer's to complain of."""
    if settings.signing_key_file is None:
        return ""
    try:
        kept = Memory(settings.signing_key_file, origin_of(service)).read()
        if kept is None or _lines(settings.path) >= kept.checkpoint.size:
            return ""
    except (OSError, NoteError):
        return ""
    return sha256(kept.note).hexdigest()


def _lines(live: Path) -> int:
    """How many lines there ever were, by the last whole one."""
    for path in (live, *sorted(live.parent.glob("segments/*.jsonl"), reverse=True)[:1]):
        if not path.exists():
            continue
        for text in backwards(path, _LOOKED_AT):
            seq = parse(text).get("seq")
            if isinstance(seq, int):
                return seq + 1
    return 0
