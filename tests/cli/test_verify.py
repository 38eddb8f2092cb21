"""``verify``: a verdict, its exit code, the place of the first bad line, and where the key may come from."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stepup_mw.note import Checkpoint, format_checkpoint, format_note, format_vkey, generate_signing_key, parse_signer
from stepup_mw.settings import TrailSettings
from stepup_mw.trail import Trail
from stepup_mw.trail.report import EXIT_CODES

from ..trail.parts import second_opinion
from .conftest import Run

ORIGIN = "bank/stepup-audit"


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


def fork(path: Path) -> None:
    """A second root for lines that one was signed for, by the same key."""
    signer = parse_signer((path.parents[1] / "stepup-audit.key").read_bytes(), ORIGIN)
    text = format_checkpoint(Checkpoint(origin=ORIGIN, size=path.read_bytes().count(b"\n"), root=bytes(32)))
    with path.with_name("checkpoints.note").open("ab") as notes:
        notes.write(format_note(text, [signer.sign(text)]))


def behead(path: Path) -> None:
    """The first segment is removed by hand."""
    rotate(path)
    next(path.with_name("segments").iterdir()).unlink()


def rotate(path: Path) -> None:
    trail = Trail(settings(path), service="bank", clock=time.time)
    trail.rotate_now()
    trail.close()


def lose(path: Path) -> None:
    """What happened, and could not be written."""
    trail = Trail(settings(path), service="bank", clock=time.time)
    trail.post([b"no record"])
    trail.close()


def outgrow(path: Path) -> None:
    """More lines than may be under no checkpoint, written without the key."""
    config = path.parents[1] / "stepup.toml"
    config.write_text(config.read_text().replace("[audit]\n", "[audit]\nmax_unanchored = { lines = 1 }\n"))
    trail = Trail(TrailSettings(path=path), service="bank", clock=time.time)
    trail.rotate_now()
    trail.close()


def disown(path: Path) -> None:
    """The auditor holds the key of another log."""
    vkey = format_vkey(parse_signer(generate_signing_key(), ORIGIN).vkey)
    config = path.parents[1] / "stepup.toml"
    config.write_text(config.read_text().replace("signing_key_file", "# signing_key_file"))
    (path.parents[1] / "stepup-audit.vkey").write_text(vkey + "\n")


def settings(path: Path) -> TrailSettings:
    return TrailSettings(path=path, signing_key_file=path.parents[1] / "stepup-audit.key")


HARMS = [
    (edit, 2, "TAMPERED", 2),
    (swap, 2, "TAMPERED", 1),
    (cut, 2, "SHRUNK", None),
    (fork, 2, "FORK", None),
    (behead, 2, "PRUNED_UNRECORDED", None),
    (disown, 2, "WRONG_KEY", None),
    (tear, 3, "TORN_TAIL", 7),
    (lose, 3, "GAP", None),
    (forget, 3, "NO_INTEGRITY_DATA", None),
    (outgrow, 4, "UNANCHORED_TAIL", None),
    (empty, 5, "EMPTY", None),
    (link, 5, "UNREADABLE", None),
]


def test_every_verdict_is_shown_here() -> None:
    """VERIFIED_FROM too: in ``scripts/upkeep.txt``."""
    assert {verdict for _, _, verdict, _ in HARMS} == EXIT_CODES.keys() - {"VERIFIED", "VERIFIED_FROM"}


@pytest.mark.parametrize(("harm", "code", "verdict", "line"), HARMS)
def test_verdicts(
    trail: Path, stepup: Run, harm: Callable[[Path], None], code: int, verdict: str, line: int | None
) -> None:
    assert stepup("verify").code == 0
    harm(trail)
    told = json.loads(stepup("verify --json").out)
    assert (told["verdict"], told["exit_code"], told["verified"]) == (verdict, code, False)
    assert told["first_bad"]["verdict"] == verdict
    if verdict != "UNANCHORED_TAIL":  # which hangs on the configuration
        assert second_opinion(trail, (trail.parents[1] / "stepup-audit.vkey").read_text()) == code
    ran = stepup("verify")
    assert ran.code == code
    assert ran.out.startswith(f"✗ {verdict}  ")
    if line is not None:
        assert told["first_bad"]["line"] == line
        assert f"{trail}:{line}" in ran.out


def test_checkpoints_that_were_not_reached_are_not_said_to_be_gone(trail: Path, stepup: Run) -> None:
    edit(trail)
    ran = stepup("verify")
    assert "none before the line that is wrong" in ran.out
    assert [item["verdict"] for item in json.loads(stepup("verify --json").out)["findings"]] == ["TAMPERED"]


def test_another_key_does_not_verify(trail: Path, stepup: Run, folder: Path) -> None:
    other = folder / "other.vkey"
    other.write_text(format_vkey(parse_signer(generate_signing_key(), ORIGIN).vkey) + "\n")
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


def test_a_service_that_was_named_after_init_still_verifies_with_the_key_of_init(folder: Path, stepup: Run) -> None:
    assert stepup("init --service first").code == 0
    config = folder / "stepup.toml"
    config.write_text(config.read_text().replace('service = "first"', 'service = "bank"'))
    assert stepup("enroll alice").code == 0
    for words in ("", "audit/stepup.jsonl ", "audit "):
        ran = stepup(f"verify {words}--key stepup-audit.vkey")
        assert (ran.code, ran.out.split()[1]) == (0, "VERIFIED"), words
    shutil.copytree(folder / "audit", folder / "copy")  # of which nobody says whose trail it is
    assert stepup("verify copy --key stepup-audit.vkey").code == 2
    (folder / "other.vkey").write_text(
        format_vkey(parse_signer(generate_signing_key(), "first/stepup-audit").vkey) + "\n"
    )
    assert stepup("verify --key other.vkey").code == 2


def test_an_auditor_needs_no_secret_key(trail: Path, folder: Path, stepup: Run) -> None:
    (folder / "stepup.secret").unlink()
    assert stepup("verify").code == 0
    shown = stepup("tail --user alice")
    assert (shown.code, "alice" in shown.out) == (0, True)
    assert stepup("users").code == 2
    edit(trail)
    assert stepup("verify").code == 2


@pytest.mark.parametrize(
    ("words", "where"),
    [
        ("--line x", "--line has no meaning without --proof"),
        ("--proof x audit", "a PATH has no meaning with --proof"),
        ("--proof x --from y", "--from has no meaning with --proof"),
        ("s3://bucket/bank/ --from y", "--from has no meaning with a bucket"),
        ("s3://bucket/bank/ --save y", "--save has no meaning with a bucket"),
    ],
)
def test_what_would_not_be_looked_at_is_refused(words: str, where: str, trail: Path, stepup: Run) -> None:
    """Or who gave a checkpoint, and is told VERIFIED, would think that it was compared."""
    done = stepup(f"verify {words}")
    assert done.code == 5
    assert where in done.err


def test_what_cannot_be_saved_is_not_said_of_the_trail(trail: Path, stepup: Run, folder: Path) -> None:
    done = stepup("verify --save nowhere/held")
    assert done.code == 5
    assert "all is well, but nowhere/held cannot be written: No such file or directory" in done.out
