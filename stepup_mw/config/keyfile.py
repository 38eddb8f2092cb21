"""The file of secret keys, as a running process and a rotation see it: has it changed, and one more key in it."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from ..keyring import Keyring, KeySet
from ..settings import Settings
from .secret import read_secrets


class KeyFile:
    """``keyfile()`` gives the keys at first and where the file has changed since, else None. One look at the file's
    inode a call; a file that is gone, or holds no good key, changes nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int, int] | None = None

    def __call__(self) -> KeySet | None:
        found = self._look()
        if found is None or found == self._seen:
            return None
        secrets = read_secrets({}, self._path)
        if secrets.flaws:
            return None
        self._seen = found
        return KeySet(secret_keys=secrets.keys, digest_key=secrets.digest_key)

    def _look(self) -> tuple[int, int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def open_keyring(settings: Settings, random: Callable[[int], bytes]) -> Keyring:
    """The keys of a configuration, which follow the key file where they come from one."""
    digest_key, file = settings.digest_key, settings.secret_key_file
    if file is None:
        return Keyring(settings.secret_keys, random, digest_key=digest_key)
    return Keyring(settings.secret_keys, random, digest_key=digest_key, reread=KeyFile(file))


def add_entries(path: Path, *, first: str | None, last: str) -> None:
    """Put one line before all keys (unless None) and one after them, in one step: whoever reads the file meanwhile
    sees it as it was or as it is then. Comments, mode and owner stay. OSError, with nothing changed."""
    real = path.resolve(strict=True)
    before = real.stat()
    text = real.read_text(encoding="utf-8")
    lines = [line + "\n" for line in text.splitlines()]
    at = next((index for index, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines))
    whole = "".join([*lines[:at], *([first + "\n"] if first is not None else []), *lines[at:], last + "\n"])
    handle, name = tempfile.mkstemp(prefix=f".{real.name}.", dir=real.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode))
            if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), before.st_uid, before.st_gid)
            file.write(whole)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(real)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync_folder(real.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
