"""The code on the terminal: right, honest about being used, and in one place."""

from __future__ import annotations

import click
import pyotp
import pytest

from stepup_mw.demo.codes import LiveLine, code_at, fit, live_line, show_code

SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


@pytest.mark.parametrize(("now", "left_s"), [(59.9, 1), (60.0, 30), (1_111_111_109, 1), (1_234_567_890, 30)])
def test_it_is_the_authenticators_code_with_the_seconds_left(now: float, left_s: int) -> None:
    code = code_at(SECRET, now, -1)
    assert (code.digits, code.left_s, code.used) == (pyotp.TOTP(SECRET).at(now), left_s, False)


@pytest.mark.parametrize(("last_step", "used"), [(0, False), (1, True), (2, True)])
def test_a_code_that_was_taken_is_said_to_be_used(last_step: int, used: bool) -> None:
    code = code_at(SECRET, 59, last_step)
    assert code.used is used
    assert ("used" in click.unstyle(show_code(code))) is used


def test_a_live_line_is_written_over_and_gives_way() -> None:
    written: list[str] = []
    line = LiveLine(written.append, lambda: None)
    line.show("one")
    line.show("one")
    line.show("two")
    line.clear()
    line.clear()
    assert "".join(written) == "\r\033[2Kone\r\033[2Ktwo\r\033[2K"


def test_there_is_no_live_line_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert live_line() is None
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("width", "shown"), [(3, "one"), (9, "one"), (10, "one   two"), (17, "one   two"), (80, "one   two   three")]
)
def test_a_line_never_wraps_when_something_can_be_left_out(width: int, shown: str) -> None:
    assert fit(["one", "two", "three"], width) == shown
