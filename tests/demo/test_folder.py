"""The demo's folder: made whole, used again, never written over, private."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from stepup_mw.config import load_config
from stepup_mw.demo.folder import open_home
from stepup_mw.errors import ConfigError


def test_a_new_folder_has_a_configuration_that_starts(tmp_path: Path) -> None:
    home = open_home(tmp_path / "new" / "demo")
    settings = load_config(home.config, {}).settings
    assert settings.service == "linden-bank"
    assert [rule.name for rule in settings.rules] == ["export", "transfer", "api-transfer", "password", "close-account"]
    assert settings.trail.signing_key_file == home.folder / "stepup-audit.key"
    assert home.keys.token in (home.folder / "api").read_text()


@pytest.mark.parametrize("name", ["bank.json", "api", "stepup.secret", "stepup-audit.key"])
def test_what_is_secret_is_for_its_owner_only(tmp_path: Path, name: str) -> None:
    home = open_home(tmp_path / "demo")
    assert stat.S_IMODE((home.folder / name).stat().st_mode) == 0o600


def test_a_folder_is_used_again_as_it_is(tmp_path: Path) -> None:
    first = open_home(tmp_path / "demo")
    first.config.write_text(first.config.read_text().replace("risk = 35", "risk = 36"))
    second = open_home(tmp_path / "demo")
    assert second == first
    assert "risk = 36" in second.config.read_text()


def test_a_configuration_that_is_not_the_demos_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "stepup.toml").write_text("service = 'mine'\n")
    with pytest.raises(ConfigError, match="exists already"):
        open_home(tmp_path)
    assert (tmp_path / "stepup.toml").read_text() == "service = 'mine'\n"
    assert not (tmp_path / "stepup.secret").exists()


@pytest.mark.parametrize("text", ["", "[]", '{"session": 1, "token": "x"}', "{"])
def test_keys_that_are_none_are_refused_by_name(tmp_path: Path, text: str) -> None:
    open_home(tmp_path / "demo")
    (tmp_path / "demo" / "bank.json").write_text(text)
    with pytest.raises(ConfigError, match=r"bank\.json"):
        open_home(tmp_path / "demo")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be used"):
        open_home(tmp_path / "file")
