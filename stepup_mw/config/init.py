"""What ``stepup init`` puts into a folder: a configuration, a secret key, a signing key and its public half.

Never writes over a file: either all four are new, or none is written.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import ConfigError, ConfigProblem
from ..note import format_vkey, generate_signing_key, origin_of, parse_signer
from .forms import read_service
from .template import CONFIG_FILE, SECRET_FILE, SIGNING_FILE, VKEY_FILE, Proposal, render_config

_SECRET_BYTES = 32


def write_init(
    folder: Path,
    service: str,
    *,
    random: Callable[[int], bytes],
    make_signing_key: Callable[[], bytes] = generate_signing_key,
    routes: Sequence[Proposal] = (),
    public: Sequence[tuple[str, str]] = (),
    config_name: str = CONFIG_FILE,
) -> list[Path]:
    """Write the four files and return their paths, the configuration first.

    ``random(n)`` gives n random bytes; ``make_signing_key()`` an Ed25519 key in PKCS#8 PEM. ConfigError, with nothing
    written, if one of the files exists, the service's name is none, or the folder cannot be written to.
    """
    _refuse_existing([folder / name for name in (config_name, SECRET_FILE, SIGNING_FILE, VKEY_FILE)])
    files = _contents(service, random, make_signing_key, render_config(service, routes, public), config_name)
    paths = {folder / name: content for name, content in files.items()}
    written: list[Path] = []
    try:
        for path, content in paths.items():
            _write_new(path, content, mode=0o600 if path.name in {SECRET_FILE, SIGNING_FILE} else 0o644)
            written.append(path)
    except OSError as error:
        for done in written:
            done.unlink(missing_ok=True)
        raise _failure(path, f"cannot be written: {error.strerror or 'unknown error'}") from None
    return written


def _contents(
    service: str,
    random: Callable[[int], bytes],
    make_signing_key: Callable[[], bytes],
    config: str,
    config_name: str,
) -> dict[str, str]:
    try:
        read_service(service)
    except ValueError:
        message = "a service's name is 1 to 64 letters, digits, dots, dashes or underscores"
        raise ConfigError((ConfigProblem(source="stepup init", key="service", message=message),)) from None
    pem = make_signing_key()
    vkey = parse_signer(pem, origin_of(service)).vkey
    secret = base64.b64encode(random(_SECRET_BYTES)).decode("ascii")
    return {
        config_name: config,
        SECRET_FILE: f"# One key a line, the newest last: it signs, the older ones still open.\n{secret}\n",
        SIGNING_FILE: pem.decode("ascii"),
        VKEY_FILE: format_vkey(vkey) + "\n",
    }


def _refuse_existing(paths: list[Path]) -> None:
    existing = [path for path in paths if os.path.lexists(path)]
    if existing:
        message = "exists already, and is never written over; nothing was written"
        raise ConfigError(tuple(ConfigProblem(source=str(path), key="", message=message) for path in existing))


def _write_new(path: Path, content: str, mode: int) -> None:
    """O_EXCL: no file and no link of that name is followed or replaced, whoever came first."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink()
        raise


def _failure(path: Path, message: str) -> ConfigError:
    return ConfigError((ConfigProblem(source=str(path), key="", message=message),))
