from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw.gate.replay import Message, open_message, pack_message
from stepup_mw.gate.sent import read_sent

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
PARTS = "multipart/form-data; boundary=x"


def parts(*each: str) -> bytes:
    return "".join(f"--x\r\n{part}\r\n" for part in each).encode() + b"--x--\r\n"


def field(name: str, value: str, file: str = "") -> str:
    named = f'; filename="{file}"' if file else ""
    return f'Content-Disposition: form-data; name="{name}"{named}\r\n\r\n{value}'


@pytest.mark.parametrize(
    ("kind", "body", "show", "fields", "more", "files"),
    [
        (FORM, b"to=bob&amount=1&x=&y", ["amount", "to"], [("amount", "1"), ("to", "bob")], 2, 0),
        (FORM, b"to=bob&to=eve", ["to"], [("to", "bob, eve")], 0, 0),
        (FORM, b"to=" + b"&to=".join(b"%d" % n for n in range(8)), ["to"], [("to", "0, 1, 2, 3, 4, +3")], 0, 0),
        (FORM, b"to=" + b"x" * 500, ["to"], [("to", "x" * 199 + "…")], 0, 0),
        (FORM, b"a=1&_stepup=token", [], [], 1, 0),
        (PARTS, parts(field("to", "bob"), field("why", "1")), ["to"], [("to", "bob")], 1, 0),
        (PARTS, parts(field("f", "\0bytes", "a.pdf"), field("g", "x", "b.pdf")), ["f"], [("f", "a.pdf")], 0, 1),
        (JSON, b'{"to": "bob", "amount": {"value": 12.5, "of": [1, 2]}}', ["amount.value", "amount.of"],
         [("amount.value", "12.5"), ("amount.of", "1, 2")], 1, 0),
        (JSON, b'{"rows": [{"id": 1}, {"id": true}], "none": null}', ["rows.1.id", "none"],
         [("rows.1.id", "true"), ("none", "null")], 1, 0),
        ("application/vnd.api+json", b'{"a": 1}', ["a"], [("a", "1")], 0, 0),
        ("", b"", ["a"], [], 0, 0),
    ],
    ids=["form", "twice", "often", "long", "our own", "multipart", "files", "json", "json rows", "+json", "nothing"],
)  # fmt: skip
def test_the_chosen_fields_are_shown_and_the_rest_is_counted(
    kind: str, body: bytes, show: list[str], fields: list[tuple[str, str]], more: int, files: int
) -> None:
    assert read_sent(kind, body, show) == (tuple(fields), more, files, True)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (FORM, b"to=\xff\xfe"),
        (FORM, b"&".join([b"a=1"] * 1001)),
        (JSON, b'{"to": "bob", "to": "eve"}'),
        (JSON, b'{"a": {"to": "bob", "to": "eve"}}'),
        (JSON, b"[" * 100_000),
        (JSON, b"{"),
        (JSON, json.dumps(list(range(1001))).encode()),
        (PARTS, b"no parts at all"),
        (PARTS, b"--x\r\nContent-Disposition: form-data\r\n\r\nbob\r\n--x--\r\n"),
        ("multipart/form-data", b"--x\r\n"),
        (PARTS, parts("Content-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\nz\r\n--y--")),
    ],
    ids=[
        "no text",
        "too many",
        "twice",
        "twice inside",
        "deep",
        "cut",
        "long",
        "none",
        "no name",
        "no bound",
        "nested",
    ],
)
def test_what_can_be_read_in_more_than_one_way_is_not_shown(kind: str, body: bytes) -> None:
    found = read_sent(kind, body, ["to"])
    assert (found.fields, found.readable) == ((), False)


@given(st.sampled_from([FORM, JSON, PARTS, 'multipart/form-data; boundary="', "x"]), st.binary(max_size=200))
def test_whatever_is_sent_there_is_an_answer(kind: str, body: bytes) -> None:
    assert read_sent(kind, body, ["a"]).more >= 0


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
HEADERS = st.lists(st.tuples(st.just(b"accept"), st.binary(max_size=20)), max_size=3).map(tuple)


@given(
    st.builds(
        Message, method=TEXT, path=TEXT, root_path=TEXT, raw_path=st.none() | st.binary(max_size=20), inside=TEXT,
        query=st.binary(max_size=20), headers=HEADERS, body=st.binary(max_size=50),
    )
)  # fmt: skip
def test_what_is_kept_comes_back_byte_for_byte(message: Any) -> None:
    assert open_message(pack_message(message)) == message
