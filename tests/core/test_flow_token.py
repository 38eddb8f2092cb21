"""A flow that is handed on: what was signed, for its user and in its time; anything else is nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw.encoding import b64url_encode
from stepup_mw.errors import BadToken
from stepup_mw.flow_token import MAX_TOKEN, Flow, sign_flow, verify_flow

OLD, NEW, OTHER = b"o" * 32, b"n" * 32, b"x" * 32
FLOW = Flow("019ab0c4-7d2e-7f31-8a55-0123456789ab", "bank", 1_795_418_760)
NOW = 1_795_418_700.0


def test_what_is_signed_is_what_is_read() -> None:
    token = sign_flow([OLD, NEW], FLOW, "alice")
    assert verify_flow([NEW], token, user="alice", now=NOW) == FLOW
    assert verify_flow([NEW, OLD], token, user="alice", now=FLOW.expires_at - 0.001) == FLOW
    assert "alice" not in token
    assert len(token) < MAX_TOKEN


@pytest.mark.parametrize(
    ("keys", "user", "now", "reason"),
    [
        ([OTHER], "alice", NOW, "signature"),
        ([OLD], "alice", NOW, "signature"),
        ([NEW], "bob", NOW, "user"),
        ([NEW], "", NOW, "user"),
        ([NEW], "alice\0", NOW, "user"),
        ([NEW], "alice", float(FLOW.expires_at), "expired"),
        ([NEW], "bob", NOW + 1e6, "expired"),
    ],
    ids=["another-key", "an-older-key", "another-user", "nobody", "like-the-user", "expired", "long-ago"],
)
def test_for_another_key_user_or_time_it_is_nothing(keys: list[bytes], user: str, now: float, reason: str) -> None:
    with pytest.raises(BadToken) as refused:
        verify_flow(keys, sign_flow([OLD, NEW], FLOW, "alice"), user=user, now=now)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "token", ["", ".", "a.b", "a", "=.=", f"{b64url_encode(b'[]')}.", "é.é", "a" * (MAX_TOKEN + 1)]
)
def test_what_is_no_token(token: str) -> None:
    with pytest.raises(BadToken):
        verify_flow([NEW], token, user="alice", now=NOW)


@given(st.integers(0, 300), st.characters())
def test_no_change_of_a_character_passes(at: int, character: str) -> None:
    token = sign_flow([NEW], FLOW, "alice")
    changed = token[:at] + character + token[at + 1 :]
    if changed == token:
        return
    with pytest.raises(BadToken):
        verify_flow([NEW], changed, user="alice", now=NOW)


def test_the_key_of_another_purpose_signs_no_flow() -> None:
    """The same bytes as a secret key of the service make another signature."""
    from stepup_mw.keyring import Keyring  # noqa: PLC0415

    keyring = Keyring([NEW], lambda size: b"r" * size)
    payload = sign_flow([NEW], FLOW, "alice").partition(".")[0]
    for purpose in ("grant", "grant_cookie", "device"):
        with pytest.raises(BadToken):
            verify_flow([NEW], keyring.sign(purpose, payload), user="alice", now=NOW)
