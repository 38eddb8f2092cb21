"""``explain`` of a user without an authenticator, as ``challenge.enroll`` has it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import CONFIG, Run, write_service


@pytest.mark.parametrize(
    ("enroll", "decision", "would", "why"),
    [
        ("admin", "not_enrolled", None, "stepup enroll"),
        ("self", "not_enrolled", None, "the enroll page"),
        ("grace until 2999-01-01", "allow", "challenge", "grace lasts until 2999-01-01T00:00:00Z"),
        ("grace until 2020-01-01", "not_enrolled", None, "stepup enroll"),
    ],
)
def test_what_meets_a_user_without_one(
    folder: Path, stepup: Run, enroll: str, decision: str, would: str | None, why: str
) -> None:
    write_service(folder, CONFIG + f'\n[challenge]\nenroll = "{enroll}"\n')
    said = json.loads(stepup("explain POST /accounts/1/transfer --user alice --json").out)
    assert said["decision"] == decision
    assert said.get("would") == would
    assert why in said["why"]


JWT = """
[identity]
provider = "jwt"
jwks = "https://id.example/jwks"
issuer = "https://id.example"
audience = "https://bank.example"
acr = ["urn:mfa"]
"""


def test_where_tokens_are_read_it_says_which_would_pass(folder: Path, stepup: Run) -> None:
    before, _, rest = CONFIG.partition("[identity]")
    write_service(folder, before + JWT + "[" + rest.partition("\n[")[2])
    said = json.loads(stepup("explain POST /accounts/1/transfer --user alice --json").out)
    assert (said["decision"], said["status"]) == ("challenge", 401)
    assert "an access token with acr urn:mfa and an auth_time at most 5m ago passes as it is" in said["notes"]
    assert any("may take acr_values for a wish and never raise acr" in note for note in said["notes"])
