"""Lines read many at a time: the same answer, and the same told, as line by line."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepup_mw.chain import Tip, leaf_hash, link, parse_line
from stepup_mw.errors import LineError
from stepup_mw.trail.blocks import hash_lines, is_chain, split_lines
from stepup_mw.trail.parsing import Parser, find_marks
from stepup_mw.trail.shapes import KIND, Shapes
from stepup_mw.trail.told import Told

if TYPE_CHECKING:
    from collections.abc import Sequence

CLOSING = b'"policy":{"version":"sha256:00","mode":"enforce"},"trace":null,"writer":{"pid":1,"life":"a1","n":%d}}'


def usual(n: int, *, start: bytes = b'"timestamp":"2026-11-23T07:25:00.000000Z","event_type":"step_up",') -> bytes:
    """A line as the gate makes them, without its LF, prev and seq."""
    return b"{" + start + CLOSING % n


def read(lines: Sequence[bytes], shapes: Shapes | None = None) -> tuple[bool, Told]:
    """``shapes``: by default some that learn from every line."""
    told, data = Told(), b"".join(line + b"\n" for line in lines)
    return Parser(told, shapes or Shapes(every=1)).read(data, split_lines(data), 0), told


def read_singly(lines: Sequence[bytes]) -> tuple[bool, Told]:
    told = Told()
    try:
        for seq, line in enumerate(lines):
            told.line(parse_line(line), seq)
    except LineError:
        return False, Told()
    return True, told


CLIENT = b'"user_id":"u","origin":{"ip":"::1","agent":"x"},"risk":{"score":1},"proof":null,'
"""As the gate describes a client."""

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
    "a life elsewhere": b'{"x":1,"writer":{"pid":1},"y":{"z":0,"life":"a1","n":3}}',
    "a writer that is not the last": b'{"writer":{"pid":1,"life":"a1","n":3},"y":{"pid":1,"life":"b2","n":9}}',
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


LEARNT = (
    b'{"prev":"%b","seq":5,"timestamp":"2026-11-23T07:25:00.000000Z","event_type":"step_up","phase":"access",'
    b'"status":"allowed","user_id":"u","score":12,"share":0.5,"proof":null,"known":true,"list":["a",1],'
    b'"origin":{"ip":"::1","agent":"x"},"writer":{"host":"web","life":"a1","n":1}}'
) % (b"A" * 43 + b"=")

LIKE = {
    "another text": (b'"u"', b"\"another, {of} [some]: 'length'\""),
    "no text": (b'"u"', b'""'),
    "another number": (b":12,", b":-999999999999999,"),
    "a fraction": (b":12,", b":12.25,"),
    "a whole": (b":0.5,", b":1,"),
    "a lie": (b'"known":true', b'"known":false'),
    "another writer": (b'"a1","n":1}', b'"b2","n":17}'),
    "no number": (b'"n":1}', b'"n":0}'),
}
"""Changes of a line that leave its shape as it is."""

UNLIKE = {
    "an escape": (b'"u"', b'"\\u00e4"'),
    "an escaped quote": (b'"u"', b'"\\""'),
    "an umlaut": (b'"u"', b'"\xc3\xa4"'),
    "half an umlaut": (b'"u"', b'"\xc3"'),
    "a raw tab": (b'"u"', b'"\t"'),
    "a raw NUL": (b'"u"', b'"\0"'),
    "a raw DEL": (b'"u"', b'"\x7f"'),
    "a quote": (b'"u"', b'"""'),
    "no quote": (b'"u"', b'"u'),
    "a text more": (b'"u"', b'"u","v"'),
    "a lone surrogate": (b'"u"', b'"\\ud800"'),
    "a null": (b'"u"', b"null"),
    "a number": (b'"u"', b"1"),
    "an integer of 16 digits": (b":12,", b":9007199254740992,"),
    "an integer beyond": (b":12,", b":9007199254740993,"),
    "a leading zero": (b":12,", b":012,"),
    "a sign": (b":12,", b":+12,"),
    "a sign alone": (b":12,", b":-,"),
    "a point at the end": (b":0.5,", b":0.,"),
    "a point in front": (b":0.5,", b":.5,"),
    "an exponent": (b":0.5,", b":5e-1,"),
    "an infinity": (b":0.5,", b":1e999,"),
    "many digits": (b":0.5,", b":0." + b"5" * 40 + b","),
    "another word": (b"null", b"nulL"),
    "a word that is none": (b"true", b"falsetrue"),
    "a number of writer with a zero": (b'"n":1}', b'"n":01}'),
    "a number of writer below zero": (b'"n":1}', b'"n":-1}'),
    "a fraction of writer": (b'"n":1}', b'"n":1.5}'),
    "a text of writer": (b'"n":1}', b'"n":"1"}'),
    "a name more": (b'"score"', b'"age":1,"score"'),
    "a name twice": (b'"score"', b'"user_id"'),
    "another name": (b'"score"', b'"scorn"'),
    "a name twice inside": (b'"agent"', b'"ip"'),
    "a space": (b'"score":', b'"score" :'),
    "a brace more": (b"}}", b"}}}"),
    "a brace less": (b"}}", b"}"),
    "more after it": (b"}}", b"}} "),
    "one of the trail's own": (b'"step_up"', b'"audit"'),
    "one of the trail's own, spelt oddly": (b'"step_up"', b'"\\u0061udit"'),
}


@pytest.mark.parametrize("change", [*LIKE, *UNLIKE])
def test_a_line_beside_one_of_its_shape_is_read_as_if_alone(change: str) -> None:
    line = LEARNT.replace(*{**LIKE, **UNLIKE}[change])
    assert line != LEARNT
    good, told = read([LEARNT, line, LEARNT])
    assert (good, told if good else Told()) == read_singly([LEARNT, line, LEARNT])


def test_numbers_are_counted_in_order_whichever_way_a_line_is_read() -> None:
    lines = [LEARNT.replace(b'"n":1}', b'"n":%d}' % n) for n in (1, 2, 3, 5, 6)]
    lines[2] = lines[2].replace(*UNLIKE["an escape"])
    good, told = read(lines)
    assert (good, told) == read_singly(lines)
    assert told.counters.holes() == 1


def test_a_line_of_the_trail_itself_is_told_though_one_of_its_length_is_not() -> None:
    lines = [LEARNT.replace(b'"step_up"', event_type) for event_type in (b'"grant"', b'"audit"', b'"drill"')]
    good, told = read(lines)
    assert (good, told) == read_singly(lines)
    assert dict(told.events) == {"access": 1}


def matches(shapes: Shapes, line: bytes) -> bool:
    return any(match(line + b"\n") for match in shapes.of_kind[LEARNT[KIND]])


def test_a_line_of_a_known_shape_needs_no_parser() -> None:
    shapes = Shapes(every=1)
    read([LEARNT], shapes)
    for change in LIKE.values():
        assert matches(shapes, LEARNT.replace(*change)), change
    other = LEARNT.replace(*UNLIKE["a null"])
    renamed = LEARNT.replace(*UNLIKE["another name"])
    for line in (other, renamed):
        assert not matches(shapes, line)
        read([line], shapes)
        assert matches(shapes, line)
        assert matches(shapes, LEARNT)
    for ways in product(['"u"', "null"], ['{"ip":"::1","agent":"x"}', '{"ip":"::1"}', "null"]):
        learnt = LEARNT.replace(b'{"ip":"::1","agent":"x"}', ways[1].encode())
        read([learnt], shapes)
        assert matches(shapes, learnt.replace(b'"u"', ways[0].encode()))


@given(
    st.lists(
        st.tuples(
            st.integers(0, len(LEARNT)),
            st.integers(0, 2),
            st.lists(st.sampled_from(b'"\\{}[]:,.-+0123456789eEnultrfas \t\x7f\xc3\xa4'), max_size=3).map(bytes),
        ),
        min_size=1,
        max_size=3,
    )
)
@settings(max_examples=500)
def test_any_change_of_a_line_whose_shape_is_known_is_read_as_if_alone(changes: list[tuple[int, int, bytes]]) -> None:
    line = LEARNT
    for at, cut, put in changes:
        line = line[:at] + put + line[at + cut :]
    good, told = read([LEARNT, line])
    assert (good, told if good else Told()) == read_singly([LEARNT, line])


def test_what_is_learnt_stays_little_whatever_the_lines() -> None:
    shapes = Shapes(every=1)
    for odd in (b"[" * 900 + b"]" * 900, b"[" + b"1," * 5000 + b"1]"):
        assert read([LEARNT.replace(b"null", odd)] * 3, shapes)[0]
    assert not shapes.of_kind
    assert read([LEARNT.replace(b'"score"', b'"a%d"' % number) for number in range(50)], shapes)[0]
    assert len(shapes.of_kind[LEARNT[KIND]]) < 10
    assert read([LEARNT.replace(b'"allowed"', b'"%05d"' % number) for number in range(500)], shapes)[0]
    assert len(shapes.of_kind) < 100


def test_a_shape_is_learnt_from_few_lines_only() -> None:
    """To make an expression takes as long as to read some hundred lines."""
    shapes = Shapes()
    assert read([LEARNT] * 100, shapes)[0]
    assert not shapes.of_kind
    assert read([LEARNT] * 100, shapes)[0]
    assert matches(shapes, LEARNT)
    other = LEARNT.replace(*UNLIKE["a null"])
    assert read([other] * 200, shapes)[0]
    assert not matches(shapes, other)
    assert read([other] * 50, shapes)[0]
    assert matches(shapes, other)


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
