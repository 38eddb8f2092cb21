from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw.recovery import COUNT, format_code, new_codes, parse_code

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def test_codes_are_ten_different_ones_of_80_bits() -> None:
    asked: list[int] = []

    def random(size: int) -> bytes:
        asked.append(size)
        return os.urandom(size)

    codes = new_codes(random)
    assert len(set(codes)) == COUNT == 10
    assert asked == [10] * COUNT
    assert all(len(code) == 19 and code.count("-") == 3 for code in codes)


@given(st.text(LETTERS, min_size=16, max_size=16))
def test_a_code_is_read_as_it_is_shown(code: str) -> None:
    assert parse_code(format_code(code)) == code


@given(st.text(LETTERS, min_size=16, max_size=16), st.lists(st.integers(0, 16), max_size=8), st.booleans())
def test_a_code_is_read_however_people_type_it(code: str, gaps: list[int], lower: bool) -> None:
    typed = code.lower() if lower else code
    for gap in sorted(gaps, reverse=True):
        typed = typed[:gap] + "- "[gap % 2] + typed[gap:]
    assert parse_code(typed) == code


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ABCD-EFGH-IJKL-MNO",
        "ABCD-EFGH-IJKL-MNOPQ",
        "ABCD-EFGH-IJKL-MNO1",
        "ABCD-EFGH-IJKL-MNO0",
        "ABCD_EFGH_IJKL_MNOP",
        "ABCDEFGHIJKLMNOP\n",
        "ABCDEFGH\u0131JKLMNOP",
        "ABCDEFGHIJKLMNO\u017f",
        "\uff21BCDEFGHIJKLMNOP",
        "\ud800",
        "A" * 100_000,
    ],
    ids=lambda text: ascii(text[:22]),
)
def test_what_is_no_code_is_none(text: str) -> None:
    assert parse_code(text) is None


@given(st.text(st.characters(), max_size=24))
def test_any_text_is_a_code_or_none(text: str) -> None:
    code = parse_code(text)
    assert code is None or (len(code) == 16 and set(code) <= set(LETTERS))
