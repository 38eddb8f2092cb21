"""Joining an access log with the trail: every sensitive request needs a line of its own."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw.encoding import format_timestamp
from stepup_mw.policy import Policy, Rule
from stepup_mw.trail.access_log import Access, parse_access
from stepup_mw.trail.reconcile import Missing, Tally, reconcile

POLICY = Policy(
    [
        Rule(name="transfer", path="/accounts/{account}/transfer", methods=frozenset({"POST"}), version="v"),
        Rule(name="mail", path="/settings/email", version="v"),
    ],
    "/_stepup",
)
T = 1_795_418_700.0
PATH = "/accounts/1/transfer"


def combined(at: float, target: str = PATH, *, method: str = "POST", status: int = 200) -> bytes:
    time = datetime.fromtimestamp(at, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'10.0.0.1 - alice [{time}] "{method} {target} HTTP/1.1" {status} 12 "-" "curl/8"\n'.encode()


def event(at: float, path: str = PATH, *, request: str = "r1", phase: str = "access", **more: Any) -> dict[str, Any]:
    action = {"route": "x", "method": more.pop("method", "POST"), "path": path}
    return {
        "event_type": "step_up",
        "phase": phase,
        "timestamp": format_timestamp(at),
        "request_id": request,
        "action": action,
        **more,
    }


def join(accesses: list[bytes], events: list[dict[str, Any]], **options: Any) -> tuple[list[Missing], Tally]:
    tally = Tally()
    return list(reconcile(accesses, events, POLICY, tally, **options)), tally


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (combined(T), (T, "POST", PATH, 200)),
        (b'::1 - - [23/Nov/2026:08:25:00 +0100] "GET /x?a=1 HTTP/2.0" 304 0\n', (T, "GET", "/x?a=1", 304)),
        (b'h - "a b" [23/Nov/2026:07:25:00 +0000] "GET /%22x HTTP/1.1" 200 - "-" "-"', (T, "GET", "/%22x", 200)),
        (b'{"time":"2026-11-23T07:25:00Z","method":"PUT","path":"/x","status":201}', (T, "PUT", "/x", 201)),
        (b'{"msec":"1795418700.000","request":"PUT /x HTTP/1.1","status":"201"}', (T, "PUT", "/x", 201)),
        (b'{"ts":1795418700,"verb":"GET","uri":"/x"}', (T, "GET", "/x", 0)),
        (
            b'{"time_local":"23/Nov/2026:07:25:00 +0000","request_method":"GET","request_uri":"/","status":200}',
            (T, "GET", "/", 200),
        ),
        (
            b'{"ts":1795418700.0,"request":{"method":"GET","uri":"/x?a","headers":{}},"status":200}',
            (T, "GET", "/x?a", 200),
        ),
        (
            b'{"StartUTC":"2026-11-23T07:25:00Z","time":"x","RequestMethod":"GET","RequestPath":"/","OriginStatus":404}',
            (T, "GET", "/", 404),
        ),
        (b'{"ts":1,"request":{}}', None),
        (b"", None),
        (b"{", None),
        (b"[]", None),
        (b'{"time":"now","method":"GET","path":"/"}', None),
        (b'{"time":1,"method":"GET","path":"/","status":"x"}', None),
        (b'h - - [99/Nov/2026:07:25:00 +0000] "GET / HTTP/1.1" 200 1', None),
        (b'h - - [23/Nov/2026:07:25:00 +0000] "\\x16\\x03" 400 1', None),
    ],
)
def test_lines_of_access_logs(raw: bytes, found: tuple[float, str, str, int] | None) -> None:
    access = parse_access(raw, 1)
    assert access == (
        None if found is None else Access(number=1, time=found[0], method=found[1], target=found[2], status=found[3])
    )


@given(st.binary(max_size=120))
def test_any_bytes_are_a_request_or_none(raw: bytes) -> None:
    for line in (raw, b"{" + raw):
        access = parse_access(line, 7)
        assert access is None or access.number == 7


def test_each_request_with_its_line_is_answered() -> None:
    accesses = [combined(T + n) for n in range(5)] + [combined(T + 6, "/public"), combined(T + 7, PATH, method="GET")]
    missing, tally = join(accesses, [event(T + n, request=f"r{n}") for n in range(5)])
    assert missing == []
    assert (tally.lines, tally.sensitive, tally.answered, tally.unread) == (7, 5, 5, 0)


def test_one_line_answers_for_one_request() -> None:
    """Also where a request has several lines of its own."""
    events = [event(T, phase=phase) for phase in ("trigger", "challenge", "access", "result")]
    missing, tally = join([combined(T), combined(T)], events)
    assert [item.access.number for item in missing] == [2]
    assert (tally.sensitive, tally.answered) == (2, 1)
    assert missing[0].rule == "transfer"


@pytest.mark.parametrize(
    "events",
    [
        [],
        [event(T, "/accounts/2/transfer")],
        [event(T, method="PUT")],
        [event(T - 61)],
        [event(T + 3)],
        [event(T, phase="outcome")],
        [{"event_type": "audit", "phase": "start", "timestamp": format_timestamp(T)}],
        [event(T), event(T, phase="result", http={"status": 500})],
    ],
    ids=["none", "another path", "another method", "too early", "too late", "no request", "of the trail", "status"],
)
def test_a_request_without_a_line_is_listed(events: list[dict[str, Any]]) -> None:
    missing, _ = join([combined(T)], events)
    assert [item.access.target for item in missing] == [PATH]
    assert missing[0].near == (500 if len(events) == 2 else None)


def test_the_line_of_the_same_status_is_taken_first() -> None:
    events = [event(T, request="a"), event(T, request="b"), event(T, request="b", phase="result", http={"status": 200})]
    events += [event(T, request="a", phase="result", http={"status": 500})]
    missing, _ = join([combined(T, status=500), combined(T, status=200)], events)
    assert missing == []


@pytest.mark.parametrize("target", ["/accounts/1/transfer?x=1", "/accounts/%31/transfer", "/accounts/1/transfer/"])
def test_a_target_is_read_as_the_policy_reads_it(target: str) -> None:
    missing, tally = join([combined(T, target)], [])
    assert (len(missing), tally.sensitive) == (1, 1)


@pytest.mark.parametrize(("root", "sensitive"), [("/bank", 1), ("", 0), ("/shop", 0)])
def test_an_app_that_is_mounted_elsewhere(root: str, sensitive: int) -> None:
    """Rules leave the mount out; access logs and lines do not."""
    missing, tally = join([combined(T, f"/bank{PATH}")], [event(T, f"/bank{PATH}")], root=root)
    assert (tally.sensitive, tally.answered, missing) == (sensitive, sensitive, [])
    assert len(join([combined(T, f"/bank{PATH}")], [event(T)], root=root)[0]) == sensitive


def test_a_long_log_takes_little_memory() -> None:
    """Ten thousand requests over a day: what is kept stays small, and each finds its own line."""
    from stepup_mw.trail.reconcile import _Lines  # noqa: PLC0415 - its room is what is measured

    count = 12_000
    events = (event(T + n * 8, f"/accounts/{n}/transfer", request=f"r{n}") for n in range(count))
    lines = _Lines(events, 60.0)
    most = 0
    for n in range(count):
        path = f"/accounts/{n}/transfer"
        assert lines.take(Access(number=n, time=T + n * 8 + 1, method="POST", target=path, status=200), path)[0]
        most = max(most, len(lines._known), len(lines._open))
    assert most < 9000


def test_log_lines_that_cannot_be_read_are_counted() -> None:
    _, tally = join([b"what is this\n", b"\n", combined(T), json.dumps({"a": 1}).encode()], [event(T)])
    assert (tally.lines, tally.unread, tally.answered) == (3, 2, 1)
