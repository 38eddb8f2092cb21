"""The chain of lines: splicing, hashing, and what a line may look like."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw import chain, events
from stepup_mw.errors import LineError

TAIL = b',"writer":{"host":"h","pid":1,"boot":"b"}}'


def test_a_line_has_its_place_in_front_and_its_writer_at_the_end() -> None:
    line = chain.splice(b'{"timestamp":"t","x":1}', 17, bytes(32), TAIL)
    assert (
        line
        == b'{"prev":"' + b"A" * 43 + b'=","seq":17,"timestamp":"t","x":1,"writer":{"host":"h","pid":1,"boot":"b"}}'
    )
    assert chain.leaf_hash(line) == sha256(b"\0" + line).digest()


def test_each_line_names_the_leaf_of_the_line_before() -> None:
    data, tip = chain.extend([b'{"a":%d}' % n for n in range(5)], chain.Tip(), TAIL)
    lines = data.split(b"\n")
    assert lines.pop() == b""
    prev = b64encode(bytes(32)).decode()
    for seq, line in enumerate(lines):
        event = json.loads(line)
        assert (event["seq"], event["prev"], event["a"]) == (seq, prev, seq)
        prev = b64encode(chain.leaf_hash(line)).decode()
    assert tip == chain.Tip(5, chain.leaf_hash(lines[-1]))


@given(seq=st.integers(0, 10**15), prev=st.binary(min_size=32, max_size=32))
def test_an_opening_is_read_back(seq: int, prev: bytes) -> None:
    line = chain.splice(b'{"a":1}', seq, prev, TAIL)
    assert chain.parse_opening(line) == chain.Tip(seq, prev)
    assert line.startswith(chain.opening(seq, prev))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b'{"prev":"' + b"A" * 42 + b'B=","seq":1,"a":1}',
        b'{"prev":"' + b"A" * 43 + b'=","seq":01,"a":1}',
        b'{"prev":"' + b"A" * 43 + b'=","seq":-1,"a":1}',
        b' {"prev":"' + b"A" * 43 + b'=","seq":1,"a":1}',
    ],
)
def test_what_does_not_begin_like_a_line(line: bytes) -> None:
    assert chain.parse_opening(line) is None


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"a":1,"a":2}', "a name twice"),
        (b'{"a":{"b":1,"b":1}}', "a name twice"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":-Infinity}', "Infinity"),
        (b'{"a":1e999}', "out of range"),
        (b'{"a":9007199254740993}', r"beyond 2\^53"),
        (b'{"a":' + b"9" * 5000 + b"}", r"beyond 2\^53"),
        (b'{"a":"\xff"}', "not UTF-8"),
        (b'{"a":"\\ud800"}', "surrogate"),
        (b'{"a":"\x7f"}', "U\\+007F"),
        (b'{"a":\t1}', "U\\+0009"),
        ('{"a":"\u202e"}'.encode(), "U\\+202E"),
        ('{"a":"\u2028"}'.encode(), "U\\+2028"),
        ('{"a":"\x85"}'.encode(), "U\\+0085"),
        (b"[1]", "not a JSON object"),
        (b'{"a":1', "not JSON"),
        (b'{"a":1}x', "not JSON"),
        (b'{"a":' + b"[" * 8000, "deep|not JSON"),
        (b'{"a":"' + b"x" * 17000 + b'"}', "longer than"),
        (b"", "not JSON"),
    ],
)
def test_what_no_line_may_have(line: bytes, why: str) -> None:
    with pytest.raises(LineError, match=why):
        chain.parse_line(line)


@pytest.mark.parametrize(
    "line",
    [b'{"a":1}', b'{ "a" : 1.50 }', b'{"a":"\\u00e4\\ud83d\\ude00"}', '{"a":"ä"}'.encode(), b'{"a":9007199254740992}'],
)
def test_what_a_line_may_be(line: bytes) -> None:
    assert chain.parse_line(line) == json.loads(line)


@given(st.binary(max_size=300))
def test_parsing_ends_in_an_object_or_a_line_error(line: bytes) -> None:
    try:
        value = chain.parse_line(line)
    except LineError:
        return
    assert isinstance(value, dict)


@given(
    st.dictionaries(
        st.text(max_size=8), st.text(max_size=40) | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False)
    )
)
def test_every_record_the_catalogue_spells_is_a_line(event: dict[str, object]) -> None:
    clean = json.loads(json.dumps(event).encode("utf-8", "replace"))
    try:
        data = events.encode(clean)
    except TypeError:  # a lone surrogate, which the gate never lets into an event
        return
    assert isinstance(chain.parse_line(data), dict)


@pytest.mark.parametrize(
    ("record", "fits"),
    [
        (b'{"a":1}', True),
        (b"{}", False),
        (b"[1]", False),
        (b'{"a":1\n}', False),
        (b'{"a":"' + b"x" * 16000 + b'"}', False),
    ],
)
def test_what_is_a_record(record: bytes, fits: bool) -> None:
    assert chain.is_record(record, 512) is fits
