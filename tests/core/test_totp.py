from __future__ import annotations

import base64
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw import totp
from stepup_mw.totp import FAR_STEPS, MAX_DRIFT, Judgement, format_code, judge, learn_drift, parse_code, time_step

RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()
NOW = 1_795_418_700.0
STEP = time_step(NOW)


@pytest.mark.parametrize(
    ("now", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
    ids=str,
)
def test_rfc_6238_appendix_b(now: int, code: str) -> None:
    assert format_code(RFC_SECRET, time_step(now), digits=8) == code
    assert format_code(RFC_SECRET, time_step(now)) == code[2:]


@pytest.mark.parametrize(
    "text",
    [
        "12345",
        "1234567",
        "12345a",
        "123456\n",
        " 123456",
        "123 456",
        "\uff11\uff12\uff13\uff14\uff15\uff16",
        "\u0661\u0662\u0663\u0664\u0665\u0666",
        "12345\u00b2",
        "",
        "\ud800" * 6,
        "1" * 1_000_000,
    ],
    ids=lambda text: ascii(text[:8]),
)
def test_what_is_not_six_ascii_digits_never_reaches_the_comparison(text: str) -> None:
    assert parse_code(text) is None


@given(st.text(st.characters(), max_size=8))
def test_what_is_taken_is_taken_as_it_stands(text: str) -> None:
    assert parse_code(text) in (None, text)
    assert (parse_code(text) is None) == (not (text.isascii() and text.isdigit() and len(text) == 6))


@pytest.mark.parametrize("value", [None, 123456, b"123456", ["123456"]], ids=["None", "int", "bytes", "list"])
def test_another_type_is_an_error_not_a_code(value: object) -> None:
    with pytest.raises(TypeError):
        parse_code(cast("str", value))


@pytest.mark.parametrize("window", [0, 1, 2])
@pytest.mark.parametrize("drift", range(-4, 5))
def test_the_window_is_as_wide_as_it_says(window: int, drift: int) -> None:
    found = judge(RFC_SECRET, format_code(RFC_SECRET, STEP + drift), now=NOW, window=window, last_step=-1)
    assert found == Judgement(kind="fresh" if abs(drift) <= window else "skewed", step=STEP + drift, drift=drift)


@pytest.mark.parametrize("drift", [-FAR_STEPS - 1, FAR_STEPS + 1])
def test_beyond_the_probe_a_code_is_just_wrong(drift: int) -> None:
    code = format_code(RFC_SECRET, STEP + drift)
    assert judge(RFC_SECRET, code, now=NOW, window=1, last_step=-1).kind == "wrong"


@pytest.mark.parametrize(
    ("last", "kind"), [(STEP - 1, "fresh"), (STEP, "replayed"), (STEP + 1, "replayed"), (STEP + 999, "replayed")]
)
def test_a_step_is_fresh_only_after_the_last_one_taken(last: int, kind: str) -> None:
    assert judge(RFC_SECRET, format_code(RFC_SECRET, STEP), now=NOW, window=1, last_step=last).kind == kind


@given(st.integers(0, 200_000), st.integers(0, 2), st.integers(-5, 5))
def test_a_clock_that_steps_back_makes_no_taken_step_fresh(back: int, window: int, drift: int) -> None:
    """Whatever the clock says: nothing at or before the last step taken is fresh."""
    now = NOW - back
    code = format_code(RFC_SECRET, time_step(now) + drift)
    found = judge(RFC_SECRET, code, now=now, window=window, last_step=STEP)
    assert found.kind != "fresh" or found.step > STEP


@given(st.text("0123456789", min_size=6, max_size=6), st.integers(0, 2), st.integers(-1, 100))
def test_a_judgement_is_true(code: str, window: int, last: int) -> None:
    now = 1500.0
    found = judge(RFC_SECRET, code, now=now, window=window, last_step=last)
    near = {step for step in range(50 - window, 50 + window + 1) if format_code(RFC_SECRET, step) == code}
    assert (found.kind == "fresh") == bool({step for step in near if step > last})
    if found.kind != "wrong":
        assert format_code(RFC_SECRET, found.step) == code
        assert found.drift == found.step - 50


TWIN = "AAAAAAAAAAAAAAAAAAAAAAAAAAABR7MI"
"""A secret whose steps 50 and 51 have one code: found by trying 1.6 million."""


def test_one_code_of_two_steps_opens_once() -> None:
    secret, step = TWIN, 50
    code = format_code(secret, step)
    assert code == format_code(secret, step + 1)
    found = judge(secret, code, now=step * 30, window=1, last_step=-1)
    assert found == Judgement(kind="fresh", step=step + 1, drift=1)
    again = judge(secret, code, now=step * 30, window=1, last_step=found.step)
    assert again.kind == "replayed"


def test_before_the_epoch_and_at_it_nothing_breaks() -> None:
    assert judge(RFC_SECRET, format_code(RFC_SECRET, 0), now=0, window=2, last_step=-1).kind == "fresh"
    assert judge(RFC_SECRET, "000000", now=-1e9, window=2, last_step=-1).kind == "wrong"


def test_the_step_is_that_of_the_rfc() -> None:
    assert [time_step(now) for now in (0, 29.999, 30, 59, 60)] == [0, 0, 1, 1, 2]
    assert totp.PERIOD_S == 30


@pytest.mark.parametrize(
    ("window", "learned", "taken"),
    [
        (0, 0, range(1)),
        (0, 2, range(1)),
        (1, 0, range(-1, 2)),
        (1, 1, range(-1, 3)),
        (1, 2, range(-1, 4)),
        (1, -2, range(-3, 2)),
        (2, -1, range(-3, 3)),
        (1, 99, range(-1, 4)),
        (1, -99, range(-3, 2)),
    ],
)
def test_a_learned_drift_widens_the_window_to_its_side_and_no_further(window: int, learned: int, taken: range) -> None:
    found = [
        step
        for step in range(-8, 9)
        if judge(
            RFC_SECRET, format_code(RFC_SECRET, STEP + step), now=NOW, window=window, last_step=-1, drift=learned
        ).kind == "fresh"
    ]  # fmt: skip
    assert found == list(taken)
    assert len(found) <= 2 * window + 1 + MAX_DRIFT


@given(st.lists(st.integers(-FAR_STEPS, FAR_STEPS)))
def test_a_drift_is_learned_a_step_at_a_time_and_never_beyond_its_bound(seen: list[int]) -> None:
    drift = 0
    for offset in seen:
        after = learn_drift(drift, offset)
        assert abs(after - drift) <= 1
        assert abs(after) <= MAX_DRIFT
        assert abs(after - offset) <= abs(drift - offset)
        drift = after


def test_a_clock_that_is_right_again_is_learned_too() -> None:
    drift = 0
    for offset, kept in ((1, 1), (2, 2), (3, 2), (2, 2), (0, 1), (0, 0), (-1, -1)):
        drift = learn_drift(drift, offset)
        assert drift == kept


@given(
    st.lists(st.tuples(st.integers(-400, 400), st.integers(-6, 6)), min_size=1, max_size=40),
    st.integers(0, 2),
)
def test_whatever_the_clock_does_the_steps_taken_rise_and_stay_near(moves: list[tuple[int, int]], window: int) -> None:
    """A server's clock that jumps both ways and an authenticator that is off: what is taken is later each time,
    and never farther from the server's clock than the window and the most that may be learned."""
    now, last, drift = NOW, -1, 0
    for jump, offset in moves:
        now += jump
        code = format_code(RFC_SECRET, time_step(now) + offset)
        found = judge(RFC_SECRET, code, now=now, window=window, last_step=last, drift=drift)
        if found.kind == "fresh":
            assert found.step > last
            assert abs(found.step - time_step(now)) <= (window + MAX_DRIFT if window else 0)
            last, drift = found.step, learn_drift(drift, found.drift)
            again = judge(RFC_SECRET, code, now=now, window=window, last_step=last, drift=drift)
            assert again.kind == "replayed"
