"""The folder that a demo lives in: the bank's data, the configuration, the keys and the audit trail.

A folder that was made before is used again as it is; nothing in it is written over.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

from ..config.init import write_init
from ..errors import ConfigError, ConfigProblem

SERVICE = "linden-bank"
USER = "alice"
_NAME = "Alice"
_PASSWORD = "open-sesame"  # noqa: S105 - shown on the login page of a demo that listens on this machine only
_CURL_OPTIONS = """\
# Options for curl -K: who asks, quietly, a line feed after the answer.
header = "Authorization: Bearer @token@"
silent
write-out = "\\n"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What the bank itself keeps secret: its session cookies' key and the token of its one API client."""

    session: str
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    folder: Path
    keys: Keys
    user: str = USER
    name: str = _NAME
    password: str = _PASSWORD

    @property
    def config(self) -> Path:
        return self.folder / "stepup.toml"

    @property
    def bank(self) -> Path:
        return self.folder / "bank.db"


def open_home(folder: Path | None) -> Home:
    """The demo's folder, made where it is not there yet; without a name, a new one among the temporary files.

    ConfigError if it cannot be made or holds other things.
    """
    try:
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="stepup-demo-"))
        folder.mkdir(parents=True, exist_ok=True)
        folder = folder.resolve()
        if not (folder / "bank.json").exists():
            _furnish(folder)
        return Home(folder=folder, keys=_read_keys(folder / "bank.json"))
    except OSError as error:
        raise _unusable(folder, f"cannot be used: {error.strerror or 'unknown error'}") from None


def _furnish(folder: Path) -> None:
    config, *_ = write_init(folder, SERVICE, random=os.urandom)
    config.write_text(files(__package__).joinpath("stepup.toml").read_text("utf-8"), "utf-8")
    keys = Keys(session=secrets.token_urlsafe(32), token=f"linden-{secrets.token_hex(8)}")
    _write_private(folder / "api", _CURL_OPTIONS.replace("@token@", keys.token))
    _write_private(folder / "bank.json", json.dumps(asdict(keys)) + "\n")


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _read_keys(path: Path) -> Keys:
    try:
        found = json.loads(path.read_text("utf-8"))
    except ValueError:
        found = None
    if not isinstance(found, Mapping) or not all(isinstance(found.get(key), str) for key in ("session", "token")):
        raise _unusable(path, "is not the demo's; begin with another --folder")
    return Keys(session=found["session"], token=found["token"])


def _unusable(path: Path | None, message: str) -> ConfigError:
    return ConfigError((ConfigProblem(source=str(path or "the folder for temporary files"), key="", message=message),))
