"""The greeting at several widths: nothing is cut, all that a person needs is there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import pytest

from stepup_mw.cli.screen import width_of
from stepup_mw.demo.welcome import Facts, rule, shell_blocks, welcome

FACTS = Facts(
    url="http://127.0.0.1:8787",
    user="alice",
    password="open-sesame",
    secret="GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
    uri="otpauth://totp/linden-bank:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=linden-bank",
    recovery_codes=("AAAA-BBBB-CCCC-DDDD",),
    folder=Path("/tmp/stepup demo"),
    audit=Path("/tmp/stepup demo/audit/stepup.jsonl"),
)


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_it_says_where_who_and_how(width: int) -> None:
    text = click.unstyle(welcome(FACTS, width, qr=True, color=False))
    wanted = ("http://127.0.0.1:8787", "alice / open-sesame", "GEZD GNBV GY3T QOJQ", "AAAA-BBBB-CCCC-DDDD", "█▄▄▄▄▄▄▄█")
    assert [part for part in wanted if part not in text] == []


def test_the_picture_stands_beside_the_text_where_there_is_room() -> None:
    wide = welcome(FACTS, 120, qr=True, color=False).split("\n")
    narrow = welcome(FACTS, 80, qr=True, color=False).split("\n")
    assert len(wide) + 15 < len(narrow)
    assert max(width_of(line) for line in wide[:24]) <= 120
    assert max(width_of(line) for line in narrow[:42]) <= 80


def test_the_lines_for_a_shell_fit_a_usual_terminal() -> None:
    assert [line for _, block in shell_blocks(FACTS) for line in block if width_of(line) > 116] == []
    assert shell_blocks(FACTS)[0][1] == ["cd '/tmp/stepup demo'"]


def test_what_was_shown_or_changed_before_is_not_shown_as_if_it_held() -> None:
    text = click.unstyle(welcome(replace(FACTS, password="", recovery_codes=()), 120, qr=True, color=False))
    assert "the one you have set" in text
    assert "were shown at the first start" in text


def test_without_a_picture_the_secret_is_still_there() -> None:
    text = click.unstyle(welcome(FACTS, 120, qr=False, color=False))
    assert "█" not in text
    assert "GEZD GNBV GY3T QOJQ" in text


@pytest.mark.parametrize("width", [40, 80, 300])
def test_a_heading_keeps_to_the_screen(width: int) -> None:
    assert width_of(rule("Audit trail", width)) <= min(width, 100)
