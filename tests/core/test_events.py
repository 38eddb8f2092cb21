from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stepup_mw import events
from stepup_mw.chain import parse_line
from stepup_mw.events import MAX_LINE, Facts

ROOM = 512
NAMES = [
    "timestamp",
    "event_type",
    "phase",
    "status",
    "trigger_reason",
    "user_id",
    "session_id",
    "flow_id",
    "request_id",
    "event_id",
    "service",
    "action",
    "origin",
    "risk",
    "proof",
    "http",
    "would",
    "detail",
    "policy",
    "trace",
]
NOW = 1_795_418_700.123456


def make_facts(**changes: Any) -> Facts:
    values: dict[str, Any] = {
        "user_id": "alice",
        "session_id": None,
        "flow_id": "f",
        "request_id": "r",
        "service": "bank",
        "action": {"route": "transfer", "method": "POST", "template": "/t", "path": "/t"},
        "origin": {"ip": "203.0.113.9"},
        "risk": None,
        "policy": None,
        "trace": None,
    }
    return Facts(**{**values, **changes})


def step_up(facts: Facts, **changes: Any) -> bytes:
    values: dict[str, Any] = {"phase": "access", "status": "allowed", "now": NOW, "event_id": "e"}
    return events.step_up(facts, **{**values, **changes})


def check(record: bytes) -> dict[str, Any]:
    """The record as an object, if it is fit for a line."""
    assert len(record) <= MAX_LINE - ROOM
    assert all(0x20 <= byte < 0x7F for byte in record)
    parsed = parse_line(record)
    assert json.loads(record) == parsed
    return parsed


PAIRS = [(phase, status) for phase, statuses in events.STEP_UP.items() for status in sorted(statuses)]


@pytest.mark.parametrize(("phase", "status"), PAIRS, ids=lambda value: value)
def test_every_phase_and_status_has_the_same_names_in_the_same_order(phase: str, status: str) -> None:
    line = check(step_up(make_facts(), phase=phase, status=status, reason="route_policy"))
    assert list(line) == NAMES
    assert (line["event_type"], line["phase"], line["status"]) == ("step_up", phase, status)
    assert line["timestamp"] == "2026-11-23T07:25:00.123456Z"


def test_the_catalogue_is_the_contracts() -> None:
    assert {phase: sorted(statuses) for phase, statuses in events.STEP_UP.items()} == {
        "trigger": ["anonymous", "denied", "not_enrolled", "required"],
        "challenge": ["issued", "locked", "rejected", "replayed"],
        "outcome": ["abandoned", "approved", "denied", "error", "expired", "locked"],
        "access": ["allowed", "refused"],
        "result": ["aborted", "completed", "failed"],
    }


OTHERS = [(kind, phase) for kind, phases in events.OTHER.items() for phase in sorted(phases)]


@pytest.mark.parametrize(("kind", "phase"), OTHERS, ids=lambda value: value)
def test_every_other_event_type_has_the_same_names_too(kind: str, phase: str) -> None:
    record = events.other(kind, phase, now=NOW, event_id="e", service="bank", detail={"a": 1})
    line = check(record)
    assert list(line) == ["timestamp", "event_type", "phase", "user_id", "event_id", "service", "detail"]
    assert (line["event_type"], line["phase"]) == (kind, phase)


HOSTILE = st.text(st.characters(), max_size=30) | st.text(
    '\ud800\udfff\x00\x1b\x7f\x85\u2028\u202e"\\\n\U0001f600', max_size=30
)
LONG = HOSTILE.flatmap(lambda text: st.integers(0, 900).map(lambda times: text * times))
SCALAR = HOSTILE | st.integers() | st.floats() | st.booleans() | st.none()
TREE = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(HOSTILE, inner, max_size=3), max_leaves=8
)
PART = st.none() | st.dictionaries(HOSTILE, TREE | LONG, max_size=4)


@given(
    st.builds(make_facts, user_id=st.none() | LONG, session_id=HOSTILE, action=PART),
    PART,
    LONG,
)
@example(make_facts(action={str(i): "x" * 4000 for i in range(40)}), None, "")
@example(make_facts(action={str(i): ["x" * 400] * 4 for i in range(40)}), None, "")
@example(make_facts(user_id="\U0001f600" * 9000), None, "\ud800" * 9000)
def test_whatever_goes_in_a_line_comes_out(facts: Facts, proof: Mapping[str, Any] | None, detail: str) -> None:
    line = check(step_up(facts, proof=proof, detail=detail))
    assert [name for name in line if name != "truncated"] == NAMES
    assert (line["phase"], line["status"], line["flow_id"]) == ("access", "allowed", "f")


@given(PART)
def test_whatever_goes_in_a_notice_comes_out(detail: Mapping[str, Any] | None) -> None:
    line = check(events.other("config", "loaded", now=NOW, event_id="e", service="bank", detail=detail))
    assert line["phase"] == "loaded"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=100))
def test_text_that_fits_is_kept_exactly(text: str) -> None:
    line = check(step_up(make_facts(user_id=text)))
    assert line["user_id"] == text
    assert "truncated" not in line


def test_a_line_too_long_says_so_and_keeps_who_and_what() -> None:
    line = check(step_up(make_facts(action={"path": "/" + "é" * 5000}), detail="d" * 5000))
    assert line["truncated"] is True
    assert line["user_id"] == "alice"
    assert line["action"]["path"].endswith("…")


@pytest.mark.parametrize(
    ("value", "spelt"),
    [
        ("\ud800", "\\ud800"),
        (2**53 - 1, 2**53 - 1),
        (2**53, "0x20000000000000"),
        (-(2**63), "-0x8000000000000000"),
        (10**400, hex(10**400)),
        (float("nan"), None),
        (float("inf"), None),
        (True, True),
    ],
    ids=["lone surrogate", "53 bits", "54 bits", "least of 64 bits", "no bound", "NaN", "infinity", "bool"],
)
def test_what_json_readers_disagree_about_is_spelt_out(value: object, spelt: object) -> None:
    line = check(events.other("alert", "unavailable", now=NOW, event_id="e", service="bank", detail={"it": value}))
    assert line["detail"]["it"] == spelt
