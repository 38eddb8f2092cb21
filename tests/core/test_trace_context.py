"""Trace Context is read to the letter of https://www.w3.org/TR/trace-context/, and everything else is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw.gate.visit import trace_of
from stepup_mw.messages import Request
from stepup_mw.trace_context import MAX_STATE, parse_traceparent, parse_tracestate

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    ("text", "good"),
    [
        (GOOD, True),
        (f"00-{TRACE}-{SPAN}-00", True),
        (f"00-{TRACE}-{SPAN}-ff", True),
        (f"01-{TRACE}-{SPAN}-01", True),
        (f"cc-{TRACE}-{SPAN}-01-what-comes-later", True),
        (f"cc-{TRACE}-{SPAN}-01-", True),
        ("", False),
        (GOOD + "-", False),
        (GOOD + "-more", False),
        (GOOD + "\n", False),
        (" " + GOOD, False),
        (GOOD.upper(), False),
        (f"00-{TRACE[:-1]}G-{SPAN}-01", False),
        (f"0X-{TRACE}-{SPAN}-01", False),
        (f"ff-{TRACE}-{SPAN}-01", False),
        (f"00-{'0' * 32}-{SPAN}-01", False),
        (f"00-{TRACE}-{'0' * 16}-01", False),
        (f"00-{TRACE}-{SPAN}", False),
        (f"00-{TRACE}-{SPAN}-1", False),
        (f"cc-{TRACE}-{SPAN}-01.more", False),
        (f"cc-{TRACE}-{SPAN}-011", False),
        (f"00-{TRACE[:-1]}-{SPAN}-01", False),
        (f"00-{TRACE}a-{SPAN}-01", False),
        (f"{GOOD},{GOOD}", False),
        ("00-" + TRACE.replace("4", "\u0664") + f"-{SPAN}-01", False),
        (f"cc-{TRACE}-{SPAN}-01-" + "a" * 9000, False),
    ],
)
def test_a_traceparent_is_to_the_letter_or_none(text: str, good: bool) -> None:
    assert parse_traceparent(text) == ((TRACE, SPAN) if good else None)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("rojo=00f067aa0ba902b7", "rojo=00f067aa0ba902b7"),
        ("rojo=1,congo=t61rcWkgMzE", "rojo=1,congo=t61rcWkgMzE"),
        (" rojo=1 ,\t,congo=2,", "rojo=1,congo=2"),
        ("fw529a3039@dt=FfffFff", "fw529a3039@dt=FfffFff"),
        ("a=b c", "a=b c"),
        ("a-_*/1=x", "a-_*/1=x"),
        ("1a=x", None),
        ("1a@vendor=x", "1a@vendor=x"),
        ("a@1=x", None),
        ("", None),
        (",,", None),
        ("rojo", None),
        ("rojo=", None),
        ("Rojo=1", None),
        ("rojo=1=2", None),
        ("rojo=\x7f", None),
        ("rojo=é", None),
        ("rojo=1,rojo=2", None),
        ("rojo=1;congo=2,x", None),
        (",".join(f"k{number}=v" for number in range(32)), ",".join(f"k{number}=v" for number in range(32))),
        (",".join(f"k{number}=v" for number in range(33)), None),
        ("a=" + "v" * 256, "a=" + "v" * 256),
        ("a=" + "v" * 257, None),
        (f"a={'v' * 250},b={'v' * 250},c={'v' * 250}", f"a={'v' * 250},b={'v' * 250}"),
        ("a" * 9000, None),
    ],
)
def test_a_tracestate_is_to_the_letter_or_none(text: str, kept: str | None) -> None:
    assert parse_tracestate(text) == kept


@given(st.text(max_size=80))
def test_whatever_is_sent_ends_in_a_bounded_answer(text: str) -> None:
    assert parse_traceparent(text) is None or len(text) >= 55
    assert len(parse_tracestate(text) or "") <= MAX_STATE


def request(*headers: tuple[bytes, bytes]) -> Request:
    return Request(method="GET", path="/", headers=headers)


PARENT = (b"traceparent", GOOD.encode())
SHOWN = {"trace_id": TRACE, "span_id": SPAN, "request_id": None}
NOTHING = {"trace_id": None, "span_id": None, "request_id": "r-1"}


@pytest.mark.parametrize(
    ("headers", "shown"),
    [
        ((), None),
        ((PARENT,), SHOWN),
        ((PARENT, (b"x-request-id", b"r-1")), {**SHOWN, "request_id": "r-1"}),
        (((b"x-request-id", b"r-1"),), NOTHING),
        (((b"x-request-id", b"r-1"), (b"traceparent", b"00-0-0-00")), NOTHING),
        (((b"x-request-id", b"a\x1b[2J"),), {**NOTHING, "request_id": "a\\u001b[2J"}),
        (((b"x-request-id", b"r" * 500),), {**NOTHING, "request_id": "r" * 127 + "…"}),
        ((PARENT, PARENT), None),
        ((PARENT, (b"tracestate", b"rojo=1")), {**SHOWN, "state": "rojo=1"}),
        ((PARENT, (b"tracestate", b"rojo=1"), (b"tracestate", b"congo=2")), {**SHOWN, "state": "rojo=1,congo=2"}),
        ((PARENT, (b"tracestate", b"ROJO=1")), SHOWN),
        (((b"traceparent", b"00-x"), (b"tracestate", b"rojo=1")), None),
    ],
    ids=[
        "none", "parent", "both", "id", "id-beside-garbage", "id-with-controls", "long-id", "parent-twice", "state",
        "state-in-two", "bad-state", "state-without-parent",
    ],
)  # fmt: skip
def test_the_trace_of_a_line(headers: tuple[tuple[bytes, bytes], ...], shown: dict[str, str] | None) -> None:
    assert trace_of(request(*headers)) == shown
