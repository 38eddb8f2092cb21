"""``verify``: a verdict, its exit code, the place of the first bad line, and where the key may come from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from stepup_mw.note import format_vkey, generate_signing_key, parse_signer

from .conftest import Run


@pytest.fixture
def trail(folder: Path, stepup: Run) -> Path:
    """A service with a signing key and a few lines, all under a checkpoint."""
    assert stepup("init --service bank").code == 0
    for user in ("alice", "bob"):
        assert stepup(f"enroll {user}").code == 0
    return folder / "audit" / "stepup.jsonl"


def edit(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"user_id":"alice"', b'"user_id":"mally"', 1))


def cut(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))


def swap(path: Path) -> None:
    first, second, *rest = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([second, first, *rest]))


def tear(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b'{"prev":"AAAA')


def forget(path: Path) -> None:
    path.with_name("checkpoints.note").unlink()


def empty(path: Path) -> None:
    shutil.rmtree(path.parent)
    path.parent.mkdir()
    path.touch()


def link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


@pytest.mark.parametrize(
    ("harm", "code", "verdict", "line"),
    [
        (edit, 2, "TAMPERED", 2),
        (swap, 2, "TAMPERED", 1),
        (cut, 2, "SHRUNK", None),
        (tear, 3, "TORN_TAIL", 7),
        (forget, 3, "NO_INTEGRITY_DATA", None),
        (empty, 5, "EMPTY", None),
        (link, 5, "UNREADABLE", None),
    ],
)
def test_verdicts(
    trail: Path, stepup: Run, harm: Callable[[Path], None], code: int, verdict: str, line: int | None
) -> None:
    assert stepup("verify").code == 0
    harm(trail)
    told = json.loads(stepup("verify --json").out)
    assert (told["verdict"], told["exit_code"], told["verified"]) == (verdict, code, False)
    assert told["first_bad"]["verdict"] == verdict
    ran = stepup("verify")
    assert ran.code == code
    assert ran.out.startswith(f"✗ {verdict}  ")
    if line is not None:
        assert told["first_bad"]["line"] == line
        assert f"{trail}:{line}" in ran.out


def test_another_key_does_not_verify(trail: Path, stepup: Run, folder: Path) -> None:
    other = folder / "other.vkey"
    other.write_text(format_vkey(parse_signer(generate_signing_key(), "bank/stepup-audit").vkey) + "\n")
    ran = stepup(f"verify --key {other}")
    assert ran.code == 2
    assert ran.out.startswith("✗ WRONG_KEY  ")
    assert stepup("verify", "--key", (folder / "stepup-audit.vkey").read_text().strip()).code == 0


def test_the_key_never_comes_from_the_audit_folder(trail: Path, stepup: Run, folder: Path) -> None:
    inside = trail.with_name("stepup-audit.vkey")
    shutil.copy(folder / "stepup-audit.vkey", inside)
    ran = stepup(f"verify --key {inside}")
    assert (ran.code, ran.out) == (5, "")
    assert "lies in the audit folder" in ran.err
    told = json.loads(stepup("verify audit --config nowhere.toml --json").out)
    assert (told["key"], told["signed"]) == (False, False)


@pytest.mark.parametrize("gone", ["stepup-audit.key", "stepup-audit.vkey"])
def test_either_key_file_is_enough(trail: Path, stepup: Run, folder: Path, gone: str) -> None:
    (folder / gone).rename(folder / "gone")
    if gone == "stepup-audit.key":
        text = (folder / "stepup.toml").read_text()
        (folder / "stepup.toml").write_text(text.replace("signing_key_file", "# signing_key_file"))
    told = json.loads(stepup("verify --json").out)
    assert (told["verdict"], told["key"], told["signed"]) == ("VERIFIED", True, True)


def test_a_key_file_without_a_key_cannot_verify(trail: Path, stepup: Run, folder: Path) -> None:
    (folder / "stepup-audit.vkey").write_text("bank+00000000+AAAA\n")
    ran = stepup("verify")
    assert ran.code == 5
    assert "VERIFIED" not in ran.out.split()
