"""``stepup store``: whether the store lost what it knew, and an operator's word that it was seen to."""

from __future__ import annotations

import json
from pathlib import Path

from .conftest import Run
from .test_keys import enroll


def test_a_store_that_is_what_it_was_is_said_to_be(service: Path, stepup: Run) -> None:
    enroll(stepup, "alice")
    shown = stepup("store status")
    assert (shown.code, "is what it was" in shown.out) == (0, True)
    assert json.loads(stepup("store status --json").out) == {"lost": False, "found": None, "found_at": None}
    refused = stepup("store accept")
    assert (refused.code, "nothing to accept" in refused.err) == (1, True)


def test_a_store_that_was_lost_is_told_and_accepted_on_record(service: Path, stepup: Run) -> None:
    enroll(stepup, "alice")
    for file in service.glob("**/*.db*"):
        if not file.name.endswith("-life"):
            file.unlink()
    shown = stepup("store status")
    assert shown.code == 1
    assert "It was found empty" in shown.out
    assert "stepup store accept" in shown.out
    found = json.loads(stepup("store status --json").out)
    assert (found["lost"], found["found"]) == (True, "empty")
    assert json.loads(stepup("store accept --json").out) == {"accepted": True}
    assert stepup("store status").code == 0
    lines = [json.loads(line) for line in (service / "audit" / "stepup.jsonl").read_text().splitlines()]
    assert [line["detail"] for line in lines if line["phase"] == "store_accepted"] == [{"by": "operator"}]
