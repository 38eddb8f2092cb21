"""The URLs of servers: what is read from each, and that no refusal shows a password."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw.errors import Unsupported
from stepup_mw.stores import open_store
from stepup_mw.stores.postgres import PostgresStore
from stepup_mw.stores.postgres import location as postgres
from stepup_mw.stores.redis import RedisStore
from stepup_mw.stores.redis import location as redis
from stepup_mw.stores.redis.names import Names, digest, member, parse_member
from stepup_mw.stores.redis.scripts import script, script_names

READ: list[tuple[str, dict[str, Any]]] = [
    ("redis://cache", {"topology": "server", "tls": False, "hosts": (("cache", 6379),), "db": 0, "password": None}),
    ("redis://:p%40ss@cache:7/3", {"hosts": (("cache", 7),), "db": 3, "user": None, "password": "p@ss"}),
    ("rediss://u:p@[::1]:7/", {"tls": True, "hosts": (("::1", 7),), "user": "u", "password": "p"}),
    ("redis://[::1]", {"hosts": (("::1", 6379),)}),
    ("rediss://c?ca_file=/ca.pem&cert_file=/c.pem&key_file=/k.pem", {"ca_file": "/ca.pem", "key_file": "/k.pem"}),
    ("redis://c?timeout=0.25&prefix=bank&wait=2&connections=4", {"timeout_s": 0.25, "prefix": "bank", "wait": 2}),
    ("redis+sentinel://a,b:1/main/2", {"topology": "sentinel", "name": "main", "db": 2}),
    ("redis+sentinel://a,b:1/main", {"hosts": (("a", 26379), ("b", 1)), "db": 0}),
    ("rediss+cluster://a,b:1", {"topology": "cluster", "tls": True, "hosts": (("a", 6379), ("b", 1))}),
    ("redis://c?password_file=/run/secrets/redis", {"password_file": "/run/secrets/redis", "password": None}),
]
REFUSED = [
    "redis:cache", "redis://", "redis://a b", "redis://a/0#x", "redis://a:0", "redis://a:99999", "redis://a:x",
    "redis://a/1/2", "redis://a/-1", "redis://a,b/0", "redis://a?x=1", "redis://a?timeout", "redis://a?timeout=0.01",
    "redis://a?timeout=11", "redis://a?timeout=nan", "redis://a?prefix={x}", "redis://a?prefix=", "redis://a?wait=10",
    "redis://a?connections=0", "redis://a?ca_file=/x", "rediss://a?ca_file=x", "redis://a?sentinel_user=u",
    "redis://:p@a?password_file=/x", "redis+sentinel://a", "redis+sentinel://a/{x}", "redis+cluster://a/1",
    "redis+cluster://a?wait=1", "redis+cluster://a,,b", "redis://a/\x00", "redis://[zz]", "redis+unix://a",
]  # fmt: skip
POSTGRES_REFUSED = [
    "postgresql:a/b", "postgresql://a", "postgresql://a/", "postgresql://a/b#c", "postgresql://a/b c",
    "postgresql://a/b?schema=A", "postgresql://a/b?schema=pg_x", "postgresql://a/b?schema=a-b",
    "postgresql://a/b?timeout=0", "postgresql://a/b?connections=65", "postgresql://a/b?x", "mysql://a/b",
]  # fmt: skip


@pytest.mark.parametrize(("url", "wanted"), READ, ids=lambda value: value if isinstance(value, str) else "")
def test_a_url_is_read(url: str, wanted: dict[str, Any]) -> None:
    found = redis.parse_location(url)
    assert {name: getattr(found, name) for name in wanted} == wanted
    assert isinstance(open_store(url), RedisStore)


@pytest.mark.parametrize("url", REFUSED)
def test_a_url_that_says_something_else_is_refused(url: str) -> None:
    with pytest.raises(Unsupported):
        redis.parse_location(url)


@pytest.mark.parametrize("url", POSTGRES_REFUSED)
def test_a_url_of_postgresql_that_says_something_else_is_refused(url: str) -> None:
    with pytest.raises(Unsupported):
        postgres.parse_location(url)


def test_what_is_not_ours_is_left_to_libpq() -> None:
    url = "postgres://u:p@a:1,b/bank?sslmode=require&timeout=2&schema=x_1&connections=3&target_session_attrs=any"
    found = postgres.parse_location(url)
    assert found.conninfo == "postgresql://u:p@a:1,b/bank?sslmode=require&target_session_attrs=any"
    assert (found.timeout_s, found.schema, found.connections) == (2.0, "x_1", 3)
    assert isinstance(open_store(url), PostgresStore)


@given(st.sampled_from([*redis.SCHEMES, *postgres.SCHEMES]), st.text(max_size=40), st.text(max_size=20))
def test_whatever_stands_in_a_url_its_reading_ends_in_a_value_or_a_refusal(scheme: str, rest: str, tail: str) -> None:
    for url in (f"{scheme}://{rest}", f"{scheme}://:hunter2-secret@{rest}/{tail}"):
        assert "hunter2" not in _said(scheme, url)


def _said(scheme: str, url: str) -> str:
    """What is shown of a URL, read or refused."""
    try:
        found = (redis if scheme in redis.SCHEMES else postgres).parse_location(url)
    except Unsupported as refusal:
        return str(refusal)
    return f"{found} {found!r}"


def test_opening_loads_the_client_of_its_own_kind_only() -> None:
    for url, there, absent in (
        ("memory://", "asyncio", "redis psycopg"),
        ("redis://a", "redis", "psycopg"),
        ("postgresql://a/b", "psycopg", "redis"),
    ):
        code = (
            f"import sys; from stepup_mw.stores import open_store; open_store({url!r}); "
            f"assert {there!r} in sys.modules; assert not set({absent.split()!r}) & set(sys.modules)"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("url", "package", "extra"), [("redis://a", "redis", "redis"), ("postgresql://a/b", "psycopg", "postgres")]
)
def test_a_client_that_is_not_installed_is_named_with_its_extra(url: str, package: str, extra: str) -> None:
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from stepup_mw.errors import MissingExtra\n"
        "from stepup_mw.stores import open_store\n"
        f"try: open_store({url!r})\n"
        f"except MissingExtra as error: assert {f'stepup-mw[{extra}]'!r} in str(error); sys.exit(3)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 3


@given(st.text(), st.text())
def test_names_of_two_users_are_apart_and_those_of_one_together(one: str, other: str) -> None:
    names = Names("stepup")
    keys = {names.user(one), names.grants(one), *names.challenges(one)}
    assert {key.split("}")[0] for key in keys} == {names.tag(one)[:-1]}
    assert (names.tag(one) == names.tag(other)) == (one == other)
    assert digest("user", one) != digest("address", one)


def test_a_member_of_a_shelf_is_read_as_it_was_made() -> None:
    tag = Names("bank").tag("alice")
    assert parse_member(member(17, tag, "x" * 32).encode()) == (tag, "x" * 32)
    with pytest.raises(ValueError, match="tag"):
        parse_member(b"0000000000000017")


def test_every_script_has_its_parts_and_a_name_of_its_own() -> None:
    found = [script(name) for name in script_names()]
    assert len({each.sha for each in found}) == len(found) >= 25
    for each in found:
        assert each.text.startswith("--")
        for late in ("HEXPIRE", "GETEX", "FUNCTION", "'SINTERCARD'", "LPOS", "EXPIRETIME"):
            assert late not in each.text
