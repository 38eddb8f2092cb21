from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from stepup_mw.config import load_config
from stepup_mw.config.init import write_init
from stepup_mw.config.template import CONFIG_FILE, SECRET_FILE, SIGNING_FILE, VKEY_FILE, Proposal
from stepup_mw.errors import ConfigError
from stepup_mw.note import generate_signing_key, parse_signer, parse_vkey

NAMES = [CONFIG_FILE, SECRET_FILE, SIGNING_FILE, VKEY_FILE]


def _seeded(count: int) -> bytes:
    return bytes(range(3, 3 + count))


def test_what_it_writes_starts_as_it_is_without_a_warning(tmp_path: Path) -> None:
    written = write_init(tmp_path, "bank", random=os.urandom)
    assert written == [tmp_path / name for name in NAMES]
    config = load_config(written[0], {})
    assert config.warnings == ()
    assert config.settings.service == "bank"
    assert [rule.name for rule in config.settings.rules] == ["transfer"]
    assert config.settings.trail.signing_key_file == tmp_path / SIGNING_FILE


def test_keys_are_for_the_owner_only(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        write_init(tmp_path, "bank", random=os.urandom)
    finally:
        os.umask(previous)
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in NAMES}
    assert modes == {CONFIG_FILE: 0o644, SECRET_FILE: 0o600, SIGNING_FILE: 0o600, VKEY_FILE: 0o644}


def test_the_public_key_is_that_of_the_signing_key_under_the_name_of_the_trail(tmp_path: Path) -> None:
    write_init(tmp_path, "bank", random=os.urandom)
    signer = parse_signer((tmp_path / SIGNING_FILE).read_bytes(), "bank/stepup-audit")
    line = (tmp_path / VKEY_FILE).read_text()
    assert line.startswith("bank/stepup-audit+")
    assert line.endswith("\n")
    assert parse_vkey(line) == signer.vkey


def test_randomness_is_passed_in(tmp_path: Path) -> None:
    pem = generate_signing_key()
    contents = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        paths = write_init(tmp_path / name, "bank", random=_seeded, make_signing_key=lambda: pem)
        contents.append([path.read_bytes() for path in paths])
    assert contents[0] == contents[1]
    assert contents[0][2] == pem


@pytest.mark.parametrize("name", NAMES)
def test_it_never_writes_over_a_file_and_then_writes_nothing(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(ConfigError) as caught:
        write_init(tmp_path, "bank", random=os.urandom)
    assert str(caught.value) == f"{tmp_path / name}: exists already, and is never written over; nothing was written"
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_it_names_all_the_files_that_exist(tmp_path: Path) -> None:
    write_init(tmp_path, "bank", random=os.urandom)
    with pytest.raises(ConfigError) as caught:
        write_init(tmp_path, "bank", random=os.urandom)
    assert [Path(problem.source).name for problem in caught.value.problems] == NAMES


def test_a_link_to_nowhere_counts_as_a_file(tmp_path: Path) -> None:
    (tmp_path / SECRET_FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="exists already"):
        write_init(tmp_path, "bank", random=os.urandom)
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        write_init(tmp_path / "gone", "bank", random=os.urandom)
    assert str(caught.value) == f"{tmp_path}/gone/{CONFIG_FILE}: cannot be written: No such file or directory"


def test_what_was_begun_is_taken_back_when_a_file_cannot_be_written(tmp_path: Path) -> None:
    def appears(count: int) -> bytes:
        return os.urandom(count)

    def meddle() -> bytes:
        (tmp_path / "sub").mkdir()
        return generate_signing_key()

    with pytest.raises(ConfigError, match="cannot be written"):
        write_init(tmp_path, "bank", random=appears, make_signing_key=meddle, config_name="sub/gone/stepup.toml")
    assert [path.name for path in tmp_path.iterdir()] == ["sub"]


def test_a_file_that_appears_in_the_meantime_is_left_alone(tmp_path: Path) -> None:
    def race() -> bytes:
        (tmp_path / SIGNING_FILE).write_text("mine")
        return generate_signing_key()

    with pytest.raises(ConfigError) as caught:
        write_init(tmp_path, "bank", random=os.urandom, make_signing_key=race)
    assert str(caught.value) == f"{tmp_path / SIGNING_FILE}: cannot be written: File exists"
    assert [path.name for path in tmp_path.iterdir()] == [SIGNING_FILE]
    assert (tmp_path / SIGNING_FILE).read_text() == "mine"


@pytest.mark.parametrize("service", ["", "my bank", "a+b", "x" * 65, "caf\u00e9"])
def test_a_name_that_cannot_stand_in_a_key_is_refused(service: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a service's name is"):
        write_init(tmp_path, service, random=os.urandom)
    assert list(tmp_path.iterdir()) == []


def test_proposed_routes_stand_in_the_file(tmp_path: Path) -> None:
    routes = (Proposal(name="close", path="/accounts/{id:int}", methods=("DELETE",), risk=70),)
    (config, *_) = write_init(tmp_path, "bank", random=os.urandom, routes=routes)
    (rule,) = load_config(config, {}).settings.rules
    assert (rule.name, rule.path, rule.methods, rule.risk) == ("close", "/accounts/{id:int}", frozenset({"DELETE"}), 70)


def test_the_file_is_short_and_no_line_is_long() -> None:
    from stepup_mw.config.template import render_config  # noqa: PLC0415

    lines = render_config("bank").split("\n")
    assert len(lines) < 125
    assert max(map(len, lines)) <= 120
