from __future__ import annotations

import json
import unicodedata
import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw.encoding import (
    b64url_decode,
    b64url_encode,
    format_duration,
    format_instant,
    format_size,
    format_timestamp,
    format_uuid7,
    parse_duration,
    parse_size,
    parse_timestamp,
    rough_duration,
    safe_text,
)

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@given(st.binary(max_size=80))
def test_base64url_goes_there_and_back(data: bytes) -> None:
    text = b64url_encode(data)
    assert set(text) <= set(ALPHABET)
    assert b64url_decode(text) == data


@given(st.text(ALPHABET + "=+/ \n", max_size=24))
def test_base64url_has_one_spelling_of_a_value(text: str) -> None:
    try:
        data = b64url_decode(text)
    except ValueError:
        return
    assert b64url_encode(data) == text


@given(st.binary(min_size=1, max_size=40), st.integers(0, 63))
def test_base64url_refuses_every_other_last_character_that_means_the_same(data: bytes, other: int) -> None:
    text = b64url_encode(data)
    respelt = text[:-1] + ALPHABET[other]
    if respelt != text:
        with_spare_bits = len(data) % 3 != 0
        try:
            assert b64url_decode(respelt) != data
        except ValueError:
            assert with_spare_bits


@pytest.mark.parametrize("text", ["A", "QQ==", "QR", "Q Q", "QQ\n", "Q+", "Q/", "é", "\ud800", "\uff31\uff31"])
def test_base64url_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="base64url"):
        b64url_decode(text)


@given(st.integers(0, 4_102_444_800_000_000))
def test_timestamps_go_there_and_back_to_the_microsecond(micros: int) -> None:
    text = format_timestamp(micros / 1_000_000)
    assert len(text) == 27
    assert round(parse_timestamp(text) * 1_000_000) == micros


@given(st.floats(0, 4e9), st.floats(0, 4e9))
def test_timestamps_sort_like_the_moments(one: float, two: float) -> None:
    if round(one * 1e6) != round(two * 1e6):
        assert (one < two) == (format_timestamp(one) < format_timestamp(two))


@pytest.mark.parametrize(
    ("seconds", "stamp", "instant"),
    [
        (0, "1970-01-01T00:00:00.000000Z", "1970-01-01T00:00:00Z"),
        (1795418700.123456, "2026-11-23T07:25:00.123456Z", "2026-11-23T07:25:00Z"),
        (59.9999999, "1970-01-01T00:01:00.000000Z", "1970-01-01T00:00:59Z"),
        (951782400, "2000-02-29T00:00:00.000000Z", "2000-02-29T00:00:00Z"),
    ],
    ids=["epoch", "the contract's", "rounds up over a minute", "leap day"],
)
def test_timestamps_are_spelt(seconds: float, stamp: str, instant: str) -> None:
    assert format_timestamp(seconds) == stamp
    assert format_instant(seconds) == instant


@pytest.mark.parametrize("text", ["", "2026-11-23T07:25:00", "2026-11-23", "now", "2026-13-01T00:00:00Z"])
def test_a_timestamp_without_an_offset_or_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_timestamp(text)


def test_a_timestamp_with_another_offset_is_the_same_moment() -> None:
    assert parse_timestamp("2026-11-23T08:25:00+01:00") == parse_timestamp("2026-11-23T07:25:00Z")
    assert parse_timestamp("2026-11-23T07:25:00Z") == datetime(2026, 11, 23, 7, 25, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 seconds"), (1, "1 second"), (119, "119 seconds"), (120, "2 minutes"), (7199, "119 minutes"),
     (7200, "2 hours"), (172_799, "47 hours"), (172_800, "2 days"), (574_193, "6 days")],
)  # fmt: skip
def test_a_duration_for_a_person_is_rough(seconds: int, words: str) -> None:
    assert rough_duration(seconds) == words


@given(st.integers(0, 10**9))
def test_durations_and_sizes_go_there_and_back(number: int) -> None:
    assert parse_duration(format_duration(number)) == number
    assert parse_size(format_size(number)) == number


@pytest.mark.parametrize(
    ("text", "seconds"), [("0s", 0), ("90s", 90), ("5m", 300), ("1h", 3600), ("400d", 34_560_000)], ids=str
)
def test_durations_are_read(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "5", "m", "5 m", "5M", "-5m", "05m", "1.5h", "5m\n", "\u0665m", "\uff15m", "1w", "5ms", "99999999999d"]
)
def test_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a duration is"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"), [("0B", 0), ("64KiB", 65_536), ("256MiB", 2**28), ("10MB", 10_000_000), ("1GB", 10**9)], ids=str
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "64", "KiB", "64 KiB", "64kib", "-1B", "064B", "1.5MB", "64K", "\uff16\uff14B", "1B\n"]
)
def test_sizes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a size is"):
        parse_size(text)


MOMENTS = st.floats(0, 2**40 / 1000, allow_nan=False)


@given(MOMENTS, st.binary(min_size=10, max_size=10))
def test_a_uuid7_is_one_by_the_standard_library(now: float, random: bytes) -> None:
    made = uuid.UUID(format_uuid7(now, random))
    assert str(made) == format_uuid7(now, random)
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert made.int >> 80 == int(now * 1000)


@given(MOMENTS, MOMENTS, st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10))
def test_a_uuid7_sorts_by_its_millisecond(one: float, two: float, a: bytes, b: bytes) -> None:
    if int(one * 1000) < int(two * 1000):
        assert format_uuid7(one, a) < format_uuid7(two, b)


@given(MOMENTS, st.binary(min_size=10, max_size=10), st.integers(0, 73))
def test_all_74_random_bits_of_a_uuid7_count(now: float, random: bytes, bit: int) -> None:
    flipped = bytearray(random)
    flipped[9 if bit >= 72 else bit // 8] ^= 1 << (bit % 8)
    assert format_uuid7(now, bytes(flipped)) != format_uuid7(now, random)


ANY_TEXT = st.text(st.characters(), max_size=60) | st.text("a\x1b\x9b\u202e\u2028\ud800\x00\n\U0001f600", max_size=60)
DANGEROUS = {"Cc", "Cs", "Zl", "Zp"}
BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@given(ANY_TEXT, st.integers(2, 40))
def test_safe_text_is_safe_short_and_one_line(text: str, limit: int) -> None:
    safe = safe_text(text, limit)
    assert not any(unicodedata.category(c) in DANGEROUS or c in BIDI for c in safe)
    assert len(safe) <= 6 * limit
    assert len(safe.splitlines()) <= 1
    assert json.loads(json.dumps(safe).encode("utf-8")) == safe
    safe.encode("utf-8")


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40))
def test_safe_text_leaves_plain_text_alone(text: str) -> None:
    assert safe_text(text, 40) == text


@pytest.mark.parametrize(
    ("text", "limit", "safe"),
    [
        ("\x1b[31mred", 64, "\\u001b[31mred"),
        ("a\u202eb", 64, "a\\u202eb"),
        ("\x9b", 64, "\\u009b"),
        ("\ud800", 64, "\\ud800"),
        ("line\u2028two", 64, "line\\u2028two"),
        ("grüße", 64, "grüße"),
        ("abcdef", 4, "abc…"),
    ],
    ids=["escape", "bidi override", "C1", "lone surrogate", "line separator", "umlauts stay", "cut"],
)
def test_safe_text_shows_what_was_there(text: str, limit: int, safe: str) -> None:
    assert safe_text(text, limit) == safe
