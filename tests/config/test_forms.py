"""Single values as they are written: what is read, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from stepup_mw.config import forms
from stepup_mw.config.kinds import REFUSED, Kind, duration, found, size, suggest, whole

READERS: list[tuple[Callable[[str], object], list[str], list[str]]] = [
    (
        forms.read_service,
        ["bank", "a.b-c_d", "x" * 64],
        ["", "-bank", "a/b", "a+b", "a b", "x" * 65, "b\u00e4nk", "a\n"],
    ),
    (forms.read_rule_name, ["transfer", "Geld senden", "x" * 64], ["", " a", "a ", "a\nb", "x" * 65, "a\u202eb"]),
    (forms.read_token, ["X-Auth-User", "x_auth_user"], ["", "X Auth", "X:Auth", "\u00fcser", "a\n"]),
    (forms.read_user_key, ["user_id", "https://idp.example/claims/sub"], ["", " id", "a\x00b", "x" * 129]),
    (
        forms.read_method,
        ["POST", "MKCOL", "QUERY", "ZAPPED"],
        ["post", "PSOT", "DELET", "GET POST", "", "zapped", "G\u00cbT"],
    ),
    (
        forms.read_prefix,
        ["/_stepup", "/a/b.c"],
        ["", "/", "a", "/a/", "//a", "/a/../b", "/.", "/a?b", "/a b", "/a\n", "/{a}"],
    ),
    (
        forms.read_login_url,
        ["/login", "/login?next=/", "https://id.example/in"],
        [
            "",
            "login",
            "//evil.example",
            "/\\evil.example",
            "/a b",
            "http://a.example",
            "https://",
            "https://a:b@c.example",
            "javascript:alert(1)",
            "/a\n",
            "/" + "x" * 2000,
        ],
    ),
    (
        forms.read_network,
        ["127.0.0.1", "::1", "10.0.0.0/8", "2001:db8::/32"],
        [
            "",
            "*",
            "localhost",
            "0.0.0.0/0",
            "::/0",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "::ffff:10.0.0.1",
            "127.1",
            "fe80::1%eth0/64",
        ],
    ),
    (
        forms.read_hours,
        ["22:00-06:00", "00:00-23:59"],
        ["", "22-6", "24:00-06:00", "08:00-08:00", "8:00-9:00", "08:00-09:00\n"],
    ),
    (
        forms.read_timezone,
        ["UTC", "Europe/Berlin"],
        ["", "Europe/Berln", "../etc/passwd", "/etc/localtime", "a\0b", "x" * 5000],
    ),
    (
        forms.read_call,
        ["a:b", "bank.risk:Large.amount"],
        ["", "a", "a:", ":b", "a.:b", "a:b:c", "a b:c", "a.class:b", "1a:b"],
    ),
    (forms.read_file_name, ["a", "/a/b", "../a", "caf\u00e9"], ["", "a/", "a\0b", "a\nb", "x" * 4001]),
    (
        forms.read_store_url,
        [
            "memory://",
            "sqlite:///a.db",
            "sqlite:////srv/a.db",
            "redis://a",
            "rediss://u:p%40@a:6380/1?timeout=0.5&wait=1",
            "redis+sentinel://a,b:26380/main/2",
            "redis+cluster://a:1,b:2",
            "postgresql://u:p@a:5433,b/bank?sslmode=require&schema=bank",
            "postgres://a/bank",
        ],
        [
            "",
            "sqlite://a",
            "sqlite:///",
            "sqlite:///:memory:",
            "sqlite:///a?mode=ro",
            "mysql://a",
            "redis://",
            "redis://a:0",
            "redis://a,b",
            "redis://a/x",
            "redis://a?retry=9",
            "redis+sentinel://a",
            "redis+cluster://a/1",
            "postgresql://a",
            "postgresql://a/b?timeout=0",
            "memory://x",
            "sqlite:///a\0b",
        ],
    ),
]
GOOD = [(reader, value) for reader, good, _ in READERS for value in good]
BAD = [(reader, value) for reader, _, bad in READERS for value in bad]


@pytest.mark.parametrize(("reader", "value"), GOOD)
def test_a_good_value_is_read(reader: Callable[[str], object], value: str) -> None:
    assert reader(value)


@pytest.mark.parametrize(("reader", "value"), BAD)
def test_a_bad_value_is_refused(reader: Callable[[str], object], value: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - refusals carry their words in the error of pydantic
        reader(value)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("x" * 100, '"' + "x" * 59 + '\u2026"'),
        ("\x1b[2J", '"\\u001b[2J"'),
        (True, "true"),
        (10**40, "a huge number"),
        (-1.5, "-1.5"),
        ([], "an empty list"),
        ({"a": 1}, "a table"),
        (None, "nothing"),
        (b"x", "a value of type bytes"),
    ],
)
def test_values_are_shown_short_and_safe(value: object, shown: str) -> None:
    assert found(value) == shown


@pytest.mark.parametrize(
    ("word", "hint"),
    [("alwys", ' Did you mean "always"?'), ("ALWAYS", ' Did you mean "always"?'), ("red", ""), (5, ""), ("", "")],
)
def test_a_hint_is_given_where_one_is_close(word: object, hint: str) -> None:
    assert suggest(word, ("auto", "always", "never")) == hint


@pytest.mark.parametrize(
    ("kind", "value", "end"),
    [
        (duration("1s", "1h"), 300, 'from "1s" to "1h". Did you mean "5m"?'),
        (duration("1s", "1h"), "10 Sec", 'from "1s" to "1h". Did you mean "10s"?'),
        (duration("1s", "1h"), "2h", 'from "1s" to "1h"'),
        (duration("1s", "1h", never=True), "nevr", 'from "1s" to "1h", or "never"'),
        (size("1KiB", "1MiB"), 65536, 'from "1KiB" to "1MiB". Did you mean "64KiB"?'),
        (size("1KiB", "1MiB"), "64 kb", 'from "1KiB" to "1MiB". Did you mean "64KB"?'),
        (size("1KiB", "1MiB"), "1GiB", 'from "1KiB" to "1MiB"'),
        (whole(0, 2), 2.0, "a whole number from 0 to 2"),
    ],
)
def test_a_refusal_guesses_only_what_would_be_accepted(kind: Kind, value: object, end: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Annotated[Any, kind]).validate_python(value)
    (error,) = caught.value.errors()
    ((_, message),) = error["ctx"]["flaws"]
    assert error["type"] == REFUSED
    assert message.endswith(end)
