"""When an access token is a proof: a table of what it says against what a rule wants."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw.assertion import DEFAULT_AMR, LEEWAY_S, Assertion, Demand, default_acr, judge

NOW = 1_795_418_700.0
MFA, ANY, BOTH = (
    Demand(("urn:mfa", "phr"), (), 300),
    Demand((), ("otp", "hwk"), 300),
    Demand(("urn:mfa",), ("otp",), 300),
)
OURS = Demand(default_acr(("totp", "recovery_code")), DEFAULT_AMR, 300)


def said(acr: str | None = None, *amr: str, ago: float | None = 60) -> Assertion:
    return Assertion(acr=acr, amr=amr, auth_time=None if ago is None else NOW - ago)


@pytest.mark.parametrize(
    ("assertion", "demand", "lack"),
    [
        (said("urn:mfa"), MFA, ""),
        (said("phr"), MFA, ""),
        (said("urn:pwd", "otp"), MFA, "acr"),
        (said(None, "otp"), MFA, "acr"),
        (said("URN:MFA"), MFA, "acr"),
        (said(None, "pwd", "otp"), ANY, ""),
        (said("urn:pwd", "hwk"), ANY, ""),
        (said("urn:mfa", "pwd"), ANY, "amr"),
        (said("urn:mfa"), ANY, "amr"),
        (said("urn:mfa", "otp"), BOTH, ""),
        (said("urn:mfa", "pwd"), BOTH, "amr"),
        (said("urn:pwd", "otp"), BOTH, "acr"),
        (said("urn:stepup:totp", "otp"), OURS, ""),
        (said("urn:stepup:totp", "mfa"), OURS, ""),
        (said("urn:stepup:totp", "pwd"), OURS, "amr"),
        (said("urn:stepup:totp"), OURS, "amr"),
        (said("urn:mfa", "otp"), OURS, "acr"),
        (said("urn:mfa", "otp"), Demand((), (), 300), "acr"),
        (said(None), Demand((), (), 300), "acr"),
        (said("urn:mfa", ago=None), MFA, "auth_time"),
        (said("urn:mfa", ago=0), MFA, ""),
        (said("urn:mfa", ago=299.9), MFA, ""),
        (said("urn:mfa", ago=300), MFA, "stale"),
        (said("urn:mfa", ago=NOW), MFA, "stale"),
        (said("urn:mfa", ago=-LEEWAY_S), MFA, ""),
        (said("urn:mfa", ago=-LEEWAY_S - 1), MFA, "future"),
        (said("urn:mfa", ago=-1e9), MFA, "future"),
    ],
)
def test_what_is_a_proof_and_what_it_lacks(assertion: Assertion, demand: Demand, lack: str) -> None:
    assert judge(assertion, demand, NOW).lack == lack


@pytest.mark.parametrize(
    ("assertion", "demand", "method"),
    [
        (said("urn:mfa", "pwd", "hwk", "otp"), ANY, "hwk"),
        (said("urn:mfa", "pwd", "otp"), MFA, "pwd otp"),
        (said("urn:mfa"), MFA, None),
        (said("urn:mfa", "a\x1b[2J" * 30), MFA, None),
    ],
    ids=["first-that-counts", "all", "none", "odd"],
)
def test_the_method_that_the_line_names(assertion: Assertion, demand: Demand, method: str | None) -> None:
    judged = judge(assertion, demand, NOW)
    assert (judged.lack, judged.proved_at, judged.age_s) == ("", NOW - 60, 60)
    if any("\x1b" in name for name in assertion.amr):
        assert judged.method is not None
        assert judged.method.isprintable()
        assert len(judged.method) < 400
    else:
        assert judged.method == method


texts = st.none() | st.sampled_from(["urn:mfa", "urn:pwd", "otp", "hwk", ""])


@given(
    acr=texts,
    amr=st.lists(st.sampled_from(["otp", "pwd", "hwk"]), max_size=3),
    auth_time=st.none() | st.floats(NOW - 900, NOW + 900),
    wanted=st.tuples(st.lists(st.just("urn:mfa"), max_size=1), st.lists(st.just("otp"), max_size=1)),
)
def test_nothing_is_a_proof_that_lacks_a_claim_or_is_not_recent(
    acr: str | None, amr: list[str], auth_time: float | None, wanted: tuple[list[str], list[str]]
) -> None:
    judged = judge(Assertion(acr=acr, amr=tuple(amr), auth_time=auth_time), Demand(*wanted, 300), NOW)
    if judged.lack:
        return
    assert wanted != ([], [])
    assert not wanted[0] or acr == "urn:mfa"
    assert not wanted[1] or "otp" in amr
    assert auth_time is not None
    assert -LEEWAY_S <= NOW - auth_time < 300
