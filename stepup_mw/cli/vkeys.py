"""Where the verifier keys of a trail come from: the configuration's side, never the audit folder."""

# ruff: noqa: PLC0415 (the help of a command must not load cryptography)

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError, NoteError
from . import service
from .failure import CANNOT_VERIFY, CommandError
from .screen import safe

if TYPE_CHECKING:
    from ..config import Config
    from ..trail.trusted import Held

VKEY_FILE = "stepup-audit.vkey"


def find_keys(config: Config, path: Path) -> str | None:
    """The verifier keys, one a line: those in ``stepup-audit.vkey`` beside the configuration, where older ones are,
    and that of the signing key. None where neither is there. NoteError for a key file that holds none."""
    from ..note import format_vkey, origin_of, parse_signer

    lines = _kept_keys(path.parent / VKEY_FILE, config.settings.trail.path.parent)
    pem = _signing_key(config.settings.trail.signing_key_file, needed=not lines)
    if pem is not None:
        lines.append(format_vkey(parse_signer(pem, origin_of(config.settings.service)).vkey))
    return "\n".join(dict.fromkeys(lines)) or None


def is_own(path: Path | None, live: Path) -> bool:
    """Whether PATH is the configured trail itself, and not a copy or an export of some time."""
    return path is None or path.resolve() in (live.resolve(), live.parent.resolve())


def name_key(key: str, path: Path | None, config: Path) -> str:
    """The key given; for the configured trail as a key of its service, too. `stepup init` named the key, and the
    service may have been named since. The signature is by the same key either way."""
    from ..note import Vkey, format_vkey, origin_of
    from ..trail.notes import read_vkeys

    if not config.exists():
        return key
    try:
        settings, given = service.read(config, secret=False).settings, read_vkeys(key)
    except (ConfigError, NoteError):
        return key  # what is wrong with the key is said where it is used
    if not is_own(path, settings.trail.path):
        return key
    named = [Vkey(name=origin_of(settings.service), public=each.public) for each in given]
    return "\n".join(dict.fromkeys(map(format_vkey, (*given, *named))))


def _kept_keys(file: Path, audit_folder: Path) -> list[str]:
    if not file.is_file() or file.parent.resolve() == audit_folder.resolve():
        return []
    lines = [line.strip() for line in file.read_text("utf-8", "replace").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _signing_key(file: Path | None, *, needed: bool) -> bytes | None:
    """The private key in PEM; an auditor need not be able to read it where the verifier key is at hand."""
    try:
        return file.read_bytes() if file is not None else None
    except OSError as error:
        if needed:
            raise NoteError(f"{file}: {error.strerror}; --key gives the verifier key") from None
        return None


def refuse_key_inside(target: Path, key: str | None) -> None:
    """Whoever changes lines can change what lies beside them. A pack has no folder of its own."""
    from ..trail.views import is_pack

    if key is None or "\n" in key or not Path(key).is_file() or is_pack(target):
        return
    folder = (target if target.is_dir() else target.parent).resolve()
    if folder in Path(key).resolve().parents:
        message = f"{safe(key)} lies in the audit folder: whoever changed the lines could have changed the key"
        raise CommandError(message, CANNOT_VERIFY)


def find_held(config: Config) -> list[Held]:
    """What the signer keeps beside its key; nothing where that cannot be read, as by an auditor."""
    from ..note import origin_of
    from ..trail.trusted import signer_memory

    settings = config.settings
    try:
        kept = (
            signer_memory(settings.trail.signing_key_file, origin_of(settings.service))
            if settings.trail.signing_key_file
            else None
        )
    except NoteError:
        kept = None
    return [kept] if kept is not None else []
