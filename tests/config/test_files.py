"""Files that cannot be a configuration, and the key files that one names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stepup_mw.config import load_config
from stepup_mw.errors import ConfigError
from stepup_mw.note import generate_signing_key

from .samples import CONTRACT, ENVIRON, MINIMAL


@pytest.fixture(name="bank")
def _bank(tmp_path: Path) -> Path:
    """A folder with the contract's sample, without what comes later."""
    (tmp_path / "stepup-audit.key").write_bytes(generate_signing_key())
    (tmp_path / "stepup-audit.key").chmod(0o600)
    (tmp_path / "stepup.toml").write_text(CONTRACT)
    return tmp_path


def _said(source: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(source, ENVIRON)
    return str(caught.value)


def test_a_missing_file_is_told_about_init(tmp_path: Path) -> None:
    file = tmp_path / "stepup.toml"
    assert _said(file) == f"{file}: there is no such file; `stepup init` writes one to start from"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert _said(str(tmp_path)) == f"{tmp_path}: this is a folder; the path of a TOML file is needed"


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    loop = tmp_path / "loop.toml"
    loop.symlink_to(loop)
    assert _said(loop).startswith(f"{loop}: cannot be read: ")
    assert _said("a\0b") == "a\\u0000b: cannot be read: not a path"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\xef\xbb\xbf" + MINIMAL.encode(), ":1:1: begins with a byte order mark; save it as UTF-8 without one"),
        (MINIMAL.encode("utf-16"), ":1:1: begins with a byte order mark; save it as UTF-8 without one"),
        (b'service = "bank"\n# caf\xe9\n', ":2:6: byte 0xe9 is not UTF-8; save the file as UTF-8"),
        (b"#" * (16 * 1024 * 1024 + 1), ": larger than 16 MiB: this is no configuration"),
    ],
    ids=["bom", "utf16", "latin1", "huge"],
)
def test_a_file_in_another_encoding_is_refused(data: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "stepup.toml"
    file.write_bytes(data)
    assert _said(file) == f"{file}{said}"


def test_lines_are_counted_right_with_dos_line_ends(tmp_path: Path) -> None:
    file = tmp_path / "stepup.toml"
    file.write_bytes((MINIMAL + 'challenge = "alway"\n').replace("\n", "\r\n").encode())
    assert f"{file}:11:13: routes[0].challenge" in _said(file)


def test_an_empty_file_lists_what_it_needs(tmp_path: Path) -> None:
    file = tmp_path / "stepup.toml"
    file.write_text("")
    said = _said(file).split("\n")
    assert [line.split(": ")[1] for line in said] == ["service", "identity", "routes"]


def test_relative_paths_start_at_the_file_wherever_one_stands(bank: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (bank / "elsewhere").mkdir()
    monkeypatch.chdir(bank / "elsewhere")
    settings = load_config("../stepup.toml", ENVIRON).settings
    assert settings.trail.path == bank / "audit" / "stepup.jsonl"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no key\n", "not an unencrypted private key in PKCS#8 PEM; `stepup init` writes an Ed25519 key"),
        (b"", "not an unencrypted private key in PKCS#8 PEM; `stepup init` writes an Ed25519 key"),
    ],
)
def test_a_signing_key_file_without_a_key_is_refused(content: bytes, said: str, bank: Path) -> None:
    (bank / "stepup-audit.key").write_bytes(content)
    assert _said(bank / "stepup.toml").endswith(f"audit.signing_key_file: {said}")


def test_a_signing_key_that_anybody_can_replace_is_refused(bank: Path) -> None:
    (bank / "stepup-audit.key").chmod(0o622)
    assert _said(bank / "stepup.toml").endswith("anybody can write to the file; chmod 600")


def test_a_signing_key_is_not_hidden_in_the_audit_folder_by_a_link(bank: Path) -> None:
    (bank / "audit").mkdir()
    (bank / "stepup-audit.key").rename(bank / "audit" / "real.key")
    (bank / "stepup-audit.key").symlink_to(bank / "audit" / "real.key")
    assert "lies inside the audit folder" in _said(bank / "stepup.toml")


def test_an_audit_folder_that_is_a_link_hides_no_key_either(bank: Path) -> None:
    (bank / "trail").mkdir()
    (bank / "audit").symlink_to(bank / "trail")
    (bank / "stepup-audit.key").rename(bank / "trail" / "stepup-audit.key")
    (bank / "stepup.toml").write_text(CONTRACT.replace('"stepup-audit.key"', '"trail/stepup-audit.key"'))
    assert "lies inside the audit folder" in _said(bank / "stepup.toml")


def test_a_trail_beside_the_key_is_refused_too(bank: Path) -> None:
    (bank / "stepup.toml").write_text(CONTRACT.replace('"audit/stepup.jsonl"', '"stepup.jsonl"'))
    assert "lies inside the audit folder" in _said(bank / "stepup.toml")


def test_a_folder_in_the_place_of_the_trail_is_refused(bank: Path) -> None:
    (bank / "audit" / "stepup.jsonl").mkdir(parents=True)
    assert 'audit.path: found "audit/stepup.jsonl", a folder' in _said(bank / "stepup.toml")
