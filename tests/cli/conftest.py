"""A folder with a small service in it, and the command run in it, in process."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from stepup_mw.cli import program

SECRET = "c3RlcHVwLW13LXRlc3RzLW9ubHktbm90LWEtc2VjcmV0LTE"

CONFIG = """\
service = "bank"
secret_key_file = "stepup.secret"

[identity]
provider = "header"
user = "X-Auth-User"
trusted_proxies = ["127.0.0.1"]

[cookie]
secure = false

[[routes]]
name = "transfer"
path = "/accounts/{account}/transfer"
methods = ["POST"]
risk = 60

[[routes]]
name = "rename"
path = "/rename"
methods = ["POST"]
risk = 10

[store]
url = "sqlite:///stepup.db"

[audit]
path = "audit/stepup.jsonl"
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """What one run of the command gave."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and an environment that says nothing about colours or keys."""
    monkeypatch.chdir(tmp_path)
    for name in ("STEPUP_CONFIG", "STEPUP_SECRET_KEY", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def service(folder: Path) -> Path:
    """The folder with a configuration in it that is valid."""
    write_service(folder)
    return folder


def write_service(folder: Path, config: str = CONFIG) -> None:
    (folder / "stepup.toml").write_text(config)
    secret = folder / "stepup.secret"
    secret.write_text(SECRET + "\n")
    secret.chmod(0o600)


@pytest.fixture
def stepup(folder: Path) -> Run:
    """Runs ``stepup`` with arguments, as a string or as words, in the folder."""
    return run


def run(*words: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Ran:
    """One word alone is split as a shell would."""
    arguments = shlex.split(words[0]) if len(words) == 1 else list(words)
    result = CliRunner().invoke(program, arguments, input=stdin, env=dict(env or {}))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)
