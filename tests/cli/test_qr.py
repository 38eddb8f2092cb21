"""The QR code on a terminal holds the very modules of the symbol; without segno a sentence says which extra."""

from __future__ import annotations

import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest
import segno

from stepup_mw.cli.qr import QUIET_ZONE, render_qr

from .server import STARLETTE, clean_environ

URI = "otpauth://totp/bank:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=bank"
LIGHT = {"█": (True, True), "▀": (True, False), "▄": (False, True), " ": (False, False)}


@pytest.mark.parametrize("text", [URI, "x", URI * 3])
def test_the_modules_are_those_of_the_symbol(text: str) -> None:
    rows = [[LIGHT[char] for char in line] for line in render_qr(text, color=False).split("\n")]
    drawn = list(chain.from_iterable(([top for top, _ in row], [bottom for _, bottom in row]) for row in rows))
    symbol = segno.make(text, error="l", micro=False)
    wanted = [[not module for module in row] for row in symbol.matrix_iter(border=QUIET_ZONE)]
    assert drawn[: len(wanted)] == wanted
    assert len(drawn) - len(wanted) in (0, 1)


def test_colors_are_set_and_ended_on_each_line() -> None:
    lines = render_qr(URI).split("\n")
    assert all(line.startswith("\x1b[97;40m") and line.endswith("\x1b[0m") for line in lines)


@pytest.mark.parametrize(
    ("package", "words", "message"),
    [
        ("uvicorn", ["serve", "star:app"], "error: stepup serve (ASGI) needs uvicorn, which is not installed: "),
        ("gunicorn", ["serve", "star:app", "--interface", "wsgi"], "error: stepup serve (WSGI) needs gunicorn, "),
    ],
)
def test_a_missing_extra_is_named(service: Path, package: str, words: list[str], message: str) -> None:
    (service / "star.py").write_text(STARLETTE)
    code = f"import sys; sys.modules[{package!r}] = None; from stepup_mw.cli import main; main()"
    command = [sys.executable, "-c", code, *words]
    ran = subprocess.run(command, cwd=service, env=clean_environ(), capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert ran.stderr.startswith(message)
    assert "pip install 'stepup-mw[serve]'" in ran.stderr
