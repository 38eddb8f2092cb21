"""A line as a row: readable for every line of the catalogue, in the width there is, and harmless whatever is in it."""

from __future__ import annotations

import re
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw import events
from stepup_mw.cli.rows import SIGNS, format_broken, format_row
from stepup_mw.cli.screen import clip, pad, table, width_of

LINE: dict[str, Any] = {
    "timestamp": "2026-11-23T07:25:00.123456Z",
    "event_type": "step_up",
    "phase": "access",
    "status": "allowed",
    "trigger_reason": "elevated_risk_score",
    "user_id": "alice",
    "action": {"route": "transfer", "method": "POST", "path": "/accounts/42/transfer"},
    "origin": {"ip": "203.0.113.9"},
    "risk": {"score": 80},
    "proof": {"basis": "grant", "method": "totp", "attempt": 2, "age_s": 12},
    "http": {"status": 200, "duration_ms": 12.5},
}

HEAD = "11-23 07:25:00.123  "
ACTION = "alice         POST /accounts/42/transfer (transfer)     "


def other(event_type: str, phase: str, **detail: object) -> dict[str, Any]:
    return {"timestamp": LINE["timestamp"], "event_type": event_type, "phase": phase, "detail": detail}


@pytest.mark.parametrize(
    ("event", "row"),
    [
        (LINE, f"✓ access allowed       {ACTION}grant 12 s old · elevated_risk_score · score 80 · 203.0.113.9"),
        (
            LINE | {"phase": "trigger", "status": "required"},
            f"? trigger required     {ACTION}elevated_risk_score · score 80 · 203.0.113.9",
        ),
        (
            LINE | {"phase": "challenge", "status": "rejected", "detail": "clock_skew"},
            f"✗ challenge rejected   {ACTION}elevated_risk_score · attempt 2 · clock_skew · 203.0.113.9",
        ),
        (
            LINE | {"phase": "outcome", "status": "approved"},
            f"✓ outcome approved     {ACTION}totp · elevated_risk_score · 203.0.113.9",
        ),
        (
            LINE | {"phase": "result", "status": "completed"},
            f"· result completed     {ACTION}200 in 12.5 ms · 203.0.113.9",
        ),
        (
            LINE | {"proof": {"basis": "report_mode"}, "would": "deny", "trigger_reason": "risk_denied"},
            f"✓ access allowed       {ACTION}report_mode, would deny · risk_denied · score 80 · 203.0.113.9",
        ),
        (
            other("audit", "gap", lost=2, refused=1, why="No space left on device"),
            "✗ audit gap            -             2 lines lost, 1 refused: No space left on device",
        ),
        (other("drill", "unheard", by="ops"), "✗ drill unheard        -             by=ops"),
        (other("drill", "begun", scenarios=9), "? drill begun          -             9 scenarios on trails of its own"),
        (other("drill", "ended", verdict="held", report="d.md"), "? drill ended          -             held; d.md"),
        (other("audit", "heartbeat", silent_s=600), "· audit heartbeat      -             nothing happened for 600 s"),
        (other("throttle", "locked", failures=5), "✗ throttle locked      -             after 5 wrong codes in a row"),
    ],
)
def test_rows(event: dict[str, Any], row: str) -> None:
    assert click.unstyle(format_row(event, None)) == HEAD + row


def test_every_phase_of_the_catalogue_has_its_row_and_no_sign_is_for_nothing() -> None:
    known = {(phase, status) for phase, statuses in events.STEP_UP.items() for status in statuses}
    others = {(kind, phase) for kind, phases in events.OTHER.items() for phase in phases}
    assert set(SIGNS) <= known | others
    for phase, status in known:
        assert f" {phase} {status} " in click.unstyle(format_row(LINE | {"phase": phase, "status": status}, None))
    for kind, phase in others:
        assert f" {kind} {phase} " in click.unstyle(format_row(other(kind, phase, by="x"), None))


@pytest.mark.parametrize("width", [40, 60, 80, 100, 140, 200])
def test_a_row_is_no_wider_than_the_terminal_where_that_can_be(width: int) -> None:
    row = format_row(LINE | {"action": {"route": "r" * 80, "method": "POST", "path": "/漢字" * 50}}, width)
    assert width_of(row) <= max(width, len(HEAD) + 40)


@pytest.mark.parametrize(
    ("width", "end"),
    [
        (160, " /accounts/42/transfer (transfer) grant 12 s old · elevated_risk_score · score 80 · 203.0.113.9"),
        (140, " /accounts/42/transfer (transfer) grant 12 s old · score 80 · 203.0.113.9"),
        (125, " /accounts/42/transfer (transfer) grant 12 s old · 203.0.113.9"),
        (110, " /accounts/42/transfer (transfer) grant 12 s old"),
        (90, " /accounts/4… grant 12 s old"),
        (70, " POST /accoun…"),
    ],
)
def test_what_gives_way_in_a_narrow_terminal(width: int, end: str) -> None:
    row = click.unstyle(format_row(LINE, width))
    assert " ".join(row.split()).endswith(end)
    assert width_of(row) <= width


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
HARMFUL = re.compile("[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\n\r\t]")


@given(
    event=st.fixed_dictionaries({}, optional=dict.fromkeys([*LINE, "detail", "would"], JSON)),
    width=st.integers(40, 200),
)
def test_any_line_gives_one_harmless_row(event: dict[str, Any], width: int) -> None:
    for row in (format_row(event, width), format_row(event, None)):
        plain = re.sub("\x1b\\[[0-9]+m", "", row)
        assert HARMFUL.search(plain) is None
        assert "\x1b" not in plain


@given(raw=st.binary(max_size=200))
def test_any_bytes_give_a_harmless_row(raw: bytes) -> None:
    plain = re.sub("\x1b\\[[0-9]+m", "", format_broken(raw, None))
    assert HARMFUL.search(plain) is None
    assert "\x1b" not in plain


@given(text=st.text(max_size=60), width=st.integers(1, 40))
def test_clip_and_pad_keep_the_width(text: str, width: int) -> None:
    assert width_of(clip(text, width)) <= max(width, 1)
    assert width_of(pad(clip("x" + text, width), width)) >= min(width, 1)


def test_table_lines_up_wide_characters_and_colors() -> None:
    shown = table(("name", "n"), [("漢字", "1"), (click.style("ab", fg="red"), "22")], right=frozenset({"n"}))
    assert click.unstyle(shown) == "name   n\n漢字   1\nab    22"
