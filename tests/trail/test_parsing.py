"""Lines read many at a time: the same answer, and the same told, as line by line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw.chain import Tip, leaf_hash, link, parse_line
from stepup_mw.errors import LineError
from stepup_mw.trail.blocks import hash_lines, is_chain, split_lines
from stepup_mw.trail.parsing import Parser, find_marks
from stepup_mw.trail.told import Told

if TYPE_CHECKING:
    from collections.abc import Sequence

CLOSING = b'"policy":{"version":"sha256:00","mode":"enforce"},"trace":null,"writer":{"pid":1,"life":"a1","n":%d}}'


def usual(n: int, *, start: bytes = b'"timestamp":"2026-11-23T07:25:00.000000Z","event_type":"step_up",') -> bytes:
    """A line as the gate makes them, without its LF, prev and seq."""
    return b"{" + start + CLOSING % n


def read(lines: Sequence[bytes]) -> tuple[bool, Told]:
    told, data = Told(), b"".join(line + b"\n" for line in lines)
    return Parser(told).read(data, split_lines(data), 0), told


def read_singly(lines: Sequence[bytes]) -> tuple[bool, Told]:
    told = Told()
    try:
        for seq, line in enumerate(lines):
            told.line(parse_line(line), seq)
    except LineError:
        return False, Told()
    return True, told


CLIENT = b'"user_id":"u","origin":{"ip":"::1","agent":"x"},"risk":{"score":1},"proof":null,'
"""As the gate describes a client: what stands from ``origin`` to ``proof`` was read before in most lines."""

ODD = {
    "a client": b"{" + CLIENT + CLOSING % 3,
    "another client": b"{" + CLIENT.replace(b"::1", b"::2") + CLOSING % 3,
    "origin twice": b'{"origin":1,' + CLIENT + CLOSING % 3,
    "origin twice, once after": b"{" + CLIENT + b'"origin":{},' + CLOSING % 3,
    "risk twice": b"{" + CLIENT + b'"risk":{"score":1},' + CLOSING % 3,
    "proof twice": b"{" + CLIENT + b'"proof":null,' + CLOSING % 3,
    "a nested client": b'{"x":{' + CLIENT[:-1] + b"}," + CLOSING % 3,
    "origin twice, nested": b'{"origin":1,"x":{"origin":1,' + CLIENT[:-1] + b"}," + CLOSING % 3,
    "a client across": (b"{" + CLIENT + CLOSING % 3)
    .replace(b'"x"},"risk":{', b'"x","risk":{')
    .replace(b":1}", b":1}}"),
    "a client in a string": b'{"y":"' + CLIENT[:-1] + b'",' + CLOSING % 3,
    "a client in an array": b"{[" + CLIENT[:-1] + b"]," + CLOSING % 3,
    "a client with a space": (b"{" + CLIENT + CLOSING % 3).replace(b'"ip":', b'"ip": '),
    "a client with a name twice": (b"{" + CLIENT + CLOSING % 3).replace(b'"agent"', b'"ip"'),
    "a mark within": (b"{" + CLIENT + CLOSING % 3).replace(b'"risk"', b'"event_type":"audit","phase":"stop","risk"'),
    "a mark at the end": b'{"x":1,' + (CLOSING % 3).replace(b'"trace"', b'"event_type":"audit","phase":"stop","trace"'),
    "a writer within": (b"{" + CLIENT + CLOSING % 3).replace(b'"risk"', b'"writer":{"life":"c3","n":1},"risk"'),
    "policy in the middle": b'{"x":1,' + (CLOSING % 3).replace(b'"policy":{', b'"policy":{"policy":1,'),
    "policy twice": b'{"policy":1,' + CLOSING % 3,
    "writer twice": b'{"writer":{},' + CLOSING % 3,
    "trace twice": b'{"trace":1,' + CLOSING % 3,
    "another name twice": b'{"x":1,"x":1,' + CLOSING % 3,
    "nested twice": b'{"x":{"a":1,"a":1},' + CLOSING % 3,
    "closed too early": b'{"y":1},' + CLOSING % 3,
    "not closed": b'{"y":{"a":1,' + CLOSING % 3,
    "two objects": b'{"y":1}{' + CLOSING % 3,
    "in a string": b'{"y":"x,' + CLOSING % 3,
    "a space": b'{ "x":1,' + CLOSING % 3,
    "an escape that need not be": b'{"x":"\\u0061",' + CLOSING % 3,
    "a number beyond": b'{"x":9007199254740993,' + CLOSING % 3,
    "nan": b'{"x":NaN,' + CLOSING % 3,
    "a leading zero": (b'{"x":1,' + CLOSING % 3).replace(b'"n":3', b'"n":03'),
    "no number": (b'{"x":1,' + CLOSING % 3).replace(b'"n":3', b'"n":"3"'),
    "a fraction": (b'{"x":1,' + CLOSING % 3).replace(b'"n":3', b'"n":3.0'),
    "an array": b'["x",' + CLOSING % 3,
    "raw bytes": b'{"x":"\xff",' + CLOSING % 3,
    "a separator": b'{"x":"\xe2\x80\xa8",' + CLOSING % 3,
    "an umlaut": b'{"x":"\xc3\xa4",' + CLOSING % 3,
    "a raw DEL": b'{"x":"\x7f",' + CLOSING % 3,
    "own line": b'{"event_type":"audit","phase":"gap","detail":{"lost":2},"writer":{"life":"a1","after":2}}',
    "numbered own line": b'{"event_type":"audit","phase":"checkpoint","detail":{"size":7},' + CLOSING % 3,
    "another writer": (b'{"x":1,' + CLOSING % 9).replace(b'"a1"', b'"b2"'),
    "a jump": b'{"x":1,' + CLOSING % 30,
    "nothing": b"{}",
    "unbalanced": b'{"x":{"policy":{"a":1},"q":2},"writer":{"pid":1,"life":"a1","n":3}}',
    "with a trace": (b'{"x":1,' + CLOSING % 3).replace(b"null", b'{"trace_id":"00"}'),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_line_among_usual_ones_is_read_as_if_alone(name: str) -> None:
    """Also twice, so that whatever is learnt from the first is applied to the second."""
    for lines in (
        [usual(1), usual(2), ODD[name], usual(4)],
        [ODD[name], usual(1), usual(2), ODD[name].replace(b'"x":1', b'"x":2')],
        [ODD[name], ODD[name], b'{"y":1,"q":2},"writer":{"pid":1,"life":"a1","n":4}}'],
    ):
        good, told = read(lines)
        expected, alone = read_singly(lines)
        assert good == expected
        if good:
            assert told == alone


@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.sampled_from([*ODD.values(), usual(0)]), st.sampled_from(["a1", "b2", "c3"])),
        max_size=12,
    )
)
def test_any_lines_are_read_as_if_alone(picked: list[tuple[int, bytes, str]]) -> None:
    lines = [
        line.replace(b'"n":3', b'"n":%d' % (number + n)).replace(b'"a1"', b'"%b"' % life.encode())
        for number, (n, line, life) in enumerate(picked)
    ]
    good, told = read(lines)
    assert (good, told if good else Told()) == read_singly(lines)


def made(count: int, seq: int) -> list[bytes]:
    """``count`` lines of a chain, each with its LF, from number ``seq`` on."""
    bodies = [b'"timestamp":"2026-11-23T07:25:00.000000Z","n":%d}' % number for number in range(count)]
    return split_lines(link(bodies, Tip(seq, b"\7" * 32))[0])


@pytest.mark.parametrize("seq", [0, 1, 9, 99, 990, 999, 1000, 1001, 9995, 99_999, 123_456, 999_999_999_995])
def test_a_chain_is_one_wherever_its_numbers_grow_a_digit(seq: int) -> None:
    lines = made(2100, seq)
    tip = Tip(seq, b"\7" * 32)
    leaves = hash_lines(lines)
    assert leaves == [leaf_hash(line[:-1]) for line in lines]
    assert is_chain(lines, leaves, tip)
    assert not is_chain(lines, leaves, Tip(seq + 1, tip.leaf))
    assert not is_chain(lines, leaves, Tip(seq, bytes(32)))
    assert not is_chain([lines[0], *lines[2:]], [leaves[0], *leaves[2:]], tip)


@pytest.mark.parametrize("seq", [0, 997, 4321])
def test_every_byte_of_every_opening_counts(seq: int) -> None:
    lines = made(7, seq)
    tip, leaves = Tip(seq, b"\7" * 32), hash_lines(lines)
    for place, line in enumerate(lines):
        for at in range(line.index(b',"timestamp"') + 2):
            changed = bytearray(line)
            changed[at] ^= 1
            assert not is_chain([*lines[:place], bytes(changed), *lines[place + 1 :]], leaves, tip), (place, at)


@pytest.mark.parametrize("short", [b"\n", b"{}\n", b'{"prev":"\n'])
def test_lines_too_short_to_be_any_are_no_chain(short: bytes) -> None:
    lines = [*made(3, 5000), short]
    assert not is_chain(lines, hash_lines(lines), Tip(5000, b"\7" * 32))


def test_marks_are_found_without_reading_the_rest() -> None:
    own: list[dict[str, Any]] = [
        {
            "timestamp": "2026-11-23T07:25:00.000000Z",
            "event_type": "audit",
            "phase": "checkpoint",
            "detail": {"size": 9},
        },
        {"timestamp": "2026-11-23T07:25:00.000000Z", "event_type": "audit", "phase": "gap", "detail": {"lost": 3}},
    ]
    bodies = [json.dumps(item, separators=(",", ":")).encode()[1:] for item in own]
    usual_bodies = [b'"timestamp":"2026-11-23T07:25:00.000000Z","event_type":"step_up"}'] * 3
    lines = split_lines(link([*usual_bodies, *bodies], Tip(7))[0])
    told = Told()
    find_marks(lines, 7, told)
    assert (told.checkpoint, told.gap, dict(told.events)) == (9, (11, 3), {"checkpoint": 1, "gap": 1})
