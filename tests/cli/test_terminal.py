"""What a person at a terminal sees more: colours, a QR code, a question before something is replaced, a narrow row."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import Run
from .server import clean_environ


def at_terminal(folder: Path, *words: str, typed: str = "", environ: dict[str, str] | None = None) -> tuple[int, str]:
    """Run the command on a pseudo-terminal of 80 columns; ``typed`` is sent once it asks."""
    parent, child = pty.openpty()
    environment = {**clean_environ(), "COLUMNS": "80", "TERM": "xterm", **(environ or {})}
    command = [sys.executable, "-m", "stepup_mw", *words]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=child, stdout=child, stderr=child, start_new_session=True
    ) as process:
        os.close(child)
        shown = _read(parent, process, typed)
        process.wait(timeout=10)
    os.close(parent)
    return process.returncode, shown.replace("\r\n", "\n")


def _read(terminal: int, process: subprocess.Popen[bytes], typed: str) -> str:
    shown, end = b"", time.monotonic() + 20
    while time.monotonic() < end:
        ready, _, _ = select.select([terminal], [], [], 0.2)
        try:
            chunk = os.read(terminal, 65536) if ready else b""
        except OSError:  # Linux says EIO when the other end is closed
            break
        shown += chunk
        if typed and b"[y/N]" in shown:
            os.write(terminal, typed.encode())
            typed = ""
        if not chunk and process.poll() is not None:
            break
    return shown.decode()


def test_enroll_shows_a_qr_code(service: Path) -> None:
    code, shown = at_terminal(service, "enroll", "alice")
    assert code == 0
    assert shown.count("\x1b[97;40m█") > 15
    assert "\x1b[32m" in shown


def test_no_color_is_honoured_on_a_terminal(service: Path) -> None:
    code, shown = at_terminal(service, "enroll", "alice", environ={"NO_COLOR": "1"})
    assert code == 0
    assert "\x1b" not in shown
    assert "███" in shown


@pytest.mark.parametrize(
    ("typed", "code", "said"), [("y\n", 0, "has a new authenticator"), ("n\n", 1, "nothing was changed")]
)
def test_a_person_is_asked_before_a_factor_is_replaced(
    service: Path, stepup: Run, typed: str, code: int, said: str
) -> None:
    assert stepup("enroll alice").code == 0
    ended, shown = at_terminal(service, "enroll", "alice", typed=typed)
    assert ended == code, shown
    assert "alice has an authenticator. Replace it" in shown
    assert said in shown


def test_rows_fit_the_terminal(service: Path, stepup: Run) -> None:
    assert stepup("enroll", "a-user-with-a-rather-long-name@example.com").code == 0
    code, shown = at_terminal(service, "tail", environ={"NO_COLOR": "1"})
    assert code == 0
    assert "a-user-with…" in shown
    assert all(len(line) <= 80 for line in shown.splitlines())


def test_json_on_a_terminal_is_indented(service: Path) -> None:
    code, shown = at_terminal(service, "check", "--json")
    assert code == 0
    assert shown.startswith('{\n  "valid": true,\n')


def test_verify_leaves_no_progress_bar_behind(service: Path, stepup: Run) -> None:
    assert stepup("enroll alice").code == 0
    code, shown = at_terminal(service, "verify")
    assert code == 0
    assert "verifying" in shown
    assert "VERIFIED" in shown.split("\x1b[K")[-1]
