"""``audit reconcile``: a sensitive request of the web server's log that has no line is listed, and is a finding."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Run

COMBINED = """\
203.0.113.9 - - [23/Nov/2026:07:25:00 +0000] "GET /public HTTP/1.1" 200 12 "-" "curl"
203.0.113.9 - alice [23/Nov/2026:07:25:01 +0000] "POST /accounts/42/transfer HTTP/1.1" 200 12 "-" "curl"
"""
JSON_LINES = """\
{"time": "2026-11-23T07:25:00Z", "method": "GET", "uri": "/public", "status": 200}
{"time": "2026-11-23T07:25:01Z", "method": "POST", "uri": "/accounts/42/transfer", "status": 200}
"""


@pytest.mark.parametrize("log", [COMBINED, JSON_LINES], ids=["combined", "json"])
def test_a_sensitive_request_without_a_line_is_a_finding(service: Path, stepup: Run, log: str) -> None:
    assert stepup("enroll alice").code == 0
    (service / "access.log").write_text(log)
    ran = stepup("audit reconcile access.log")
    assert ran.code == 1
    assert ran.out.startswith("✗ 1 without a line, of 1 sensitive request among 2\n")
    told = json.loads(stepup("audit reconcile access.log --json").out)
    assert (told["lines"], told["unread"], told["sensitive"], told["answered"]) == (2, 0, 1, 0)
    (missing,) = told["missing"]
    assert (missing["method"], missing["target"], missing["route"]) == ("POST", "/accounts/42/transfer", "transfer")
