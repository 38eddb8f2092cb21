"""The key file under a running process: followed when it changes, changed in one step, its own words kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stepup_mw.config.keyfile import KeyFile, add_entries
from stepup_mw.config.secret import format_digest_key, parse_digest_key, read_secrets
from stepup_mw.keyring import make_digest_key

from .samples import KEY

OTHER = "f2e95dbd6a0c41b7a8c3f7e04b1c9d8860a7b3c2d1e4f5a6"
DIGEST = format_digest_key(make_digest_key(KEY.encode()))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "stepup.secret"
    path.write_text(f"# One key a line.\n\n  # indented\n{KEY}\n")
    path.chmod(0o600)
    return path


def test_an_entry_comes_back_as_it_was() -> None:
    assert parse_digest_key(DIGEST.removeprefix("digest:")) == make_digest_key(KEY.encode())


def test_lines_are_added_and_the_rest_stays(file: Path) -> None:
    add_entries(file, first=DIGEST, last=OTHER)
    assert file.read_text() == f"# One key a line.\n\n{DIGEST}\n  # indented\n{KEY}\n{OTHER}\n"
    assert file.stat().st_mode & 0o777 == 0o600
    found = read_secrets({}, file)
    assert (found.keys, found.digest_key) == ((KEY.encode(), OTHER.encode()), make_digest_key(KEY.encode()))
    assert (found.flaws, found.cautions, found.file) == ((), (), file)
    assert [path.name for path in file.parent.iterdir()] == ["stepup.secret"]


def test_a_last_line_without_its_end_is_not_run_into(file: Path) -> None:
    file.write_text(KEY)
    add_entries(file, first=None, last=OTHER)
    assert file.read_text() == f"{KEY}\n{OTHER}\n"


def test_a_link_stays_a_link(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(file)
    add_entries(link, first=None, last=OTHER)
    assert link.is_symlink()
    assert OTHER in file.read_text()


def test_what_cannot_be_written_is_left_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        add_entries(tmp_path / "none", first=None, last=OTHER)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "entry",
    ["digest:", "digest:short", DIGEST[:-1], DIGEST + "A", DIGEST.replace(DIGEST[9], "!"), f"{DIGEST}\n{DIGEST}"],
    ids=["empty", "short", "cut", "long", "changed", "two"],
)
def test_a_damaged_digest_key_is_refused(file: Path, entry: str) -> None:
    file.write_text(f"{entry}\n{KEY}\n")
    found = read_secrets({}, file)
    assert "digest:" in found.flaws[0]
    assert entry[7:] == "" or entry[7:] not in found.flaws[0]


def test_a_digest_key_alone_is_no_key(file: Path) -> None:
    file.write_text(DIGEST + "\n")
    assert "holds no key" in read_secrets({}, file).flaws[0]


def test_the_environment_takes_the_entry_too() -> None:
    found = read_secrets({"STEPUP_SECRET_KEY": f"{DIGEST}, {KEY},{OTHER}"}, None)
    assert (found.keys, found.digest_key) == ((KEY.encode(), OTHER.encode()), make_digest_key(KEY.encode()))


def test_a_change_is_told_once_and_nonsense_never(file: Path) -> None:
    follow = KeyFile(file)
    first = follow()
    assert first is not None
    assert first.secret_keys == (KEY.encode(),)
    assert follow() is None
    add_entries(file, first=DIGEST, last=OTHER)
    second = follow()
    assert second is not None
    assert (second.secret_keys, second.digest_key) == ((KEY.encode(), OTHER.encode()), make_digest_key(KEY.encode()))
    assert follow() is None
    for nonsense in ("", "short\n", DIGEST + "\n"):
        file.write_text(nonsense)
        assert follow() is None
    file.unlink()
    assert follow() is None
    file.write_text(f"{OTHER}\n")
    file.chmod(0o602)
    assert follow() is None, "anybody could have written it"
    file.chmod(0o600)
    os.utime(file, ns=(1, 1))
    third = follow()
    assert third is not None
    assert third.secret_keys == (OTHER.encode(),)


def test_keys_are_never_shown(file: Path) -> None:
    add_entries(file, first=DIGEST, last=OTHER)
    shown = repr(KeyFile(file)())
    assert KEY not in shown
    assert OTHER not in shown
