from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.authentication import BaseUser, SimpleUser, UnauthenticatedUser

from stepup_mw.errors import AmbiguousRequest, IdentityUnavailable, StepUpError
from stepup_mw.identity import MAX_USER, Identity, Provider, checked
from stepup_mw.identity.call import CallProvider
from stepup_mw.identity.header import HeaderProvider
from stepup_mw.identity.remote_user import RemoteUserProvider
from stepup_mw.identity.scope_user import ScopeUserProvider
from stepup_mw.identity.session import SessionProvider
from stepup_mw.messages import Request
from stepup_mw.origin import Networks

from .samples import make_request

TRUSTED = Networks(["127.0.0.1"])
HEADER = HeaderProvider(user="X-Auth-User", session="X-Auth-Session", trusted=TRUSTED)


def ask(provider: Provider, request: Request) -> Identity | None:
    async def found() -> Identity | None:
        answer = provider(request)
        return checked(await answer if inspect.isawaitable(answer) else answer)

    return asyncio.run(found())


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ([], None),
        ([("x-auth-user", "")], None),
        ([("x-auth-user", "  ")], None),
        ([("x-auth-session", "s")], None),
        ([("x-auth-user", "alice")], ("alice", None)),
        ([("x-auth-user", " alice\t")], ("alice", None)),
        ([("x-auth-user", "alice"), ("x-auth-session", "s1")], ("alice", "s1")),
        ([("x-auth-user", "alice"), ("x-auth-user", "alice")], ("alice", None)),
        ([("x-auth-user", "b\xc3\xa9a")], ("b\u00e9a", None)),
        ([("x-auth-user", "b\xe9a")], ("b\u00e9a", None)),
        ([("x-auth-users", "eve")], None),
        ([("x_auth_users", "eve")], None),
    ],
)
def test_the_header_says_who(headers: list[tuple[str, str]], found: tuple[str, str | None] | None) -> None:
    expected = None if found is None else Identity(user=found[0], session=found[1])
    assert ask(HEADER, make_request(headers=headers)) == expected


@pytest.mark.parametrize(
    "headers",
    [
        [("x-auth-user", "alice"), ("x-auth-user", "eve")],
        [("x-auth-user", "alice"), ("x_auth_user", "alice")],
        [("x-auth-user", "alice"), ("x-auth_user", "eve")],
        [("x_auth_user", "alice")],
        [("x-auth-user", "alice,eve")],
        [("x-auth-user", "alice"), ("x-auth-user", "")],
        [("x-auth-user", "alice"), ("x-auth-session", "a"), ("x-auth-session", "b")],
        [("x-auth-user", "alice"), ("x_auth_session", "a")],
        [("x-auth-user", "al\x1bice")],
        [("x-auth-user", "al\x7fice")],
        [("x-auth-user", "alice\xc2\xa0")],
        [("x-auth-user", "alice\xe2\x80\xae")],
        [("x-auth-user", "a" * (MAX_USER + 1))],
        [("x-auth-user", "alice"), ("x-auth-session", "s" * 5000)],
    ],
    ids=[
        "two values",
        "an underscore beside",
        "half an underscore",
        "an underscore alone",
        "joined by a comma",
        "one of them empty",
        "two sessions",
        "a session with an underscore",
        "escape",
        "delete",
        "no-break space",
        "bidi",
        "too long",
        "a session too long",
    ],
)
def test_whatever_an_app_could_take_for_another_is_refused(headers: list[tuple[str, str]]) -> None:
    with pytest.raises(AmbiguousRequest) as refused:
        ask(HEADER, make_request(headers=headers))
    assert refused.value.reason == "identity"


@pytest.mark.parametrize("peer", ["203.0.113.9", None, "", "unix:", "::1", "127.0.0.2"])
def test_an_untrusted_peer_is_nobody_whatever_it_says(peer: str | None) -> None:
    assert ask(HEADER, make_request(peer=peer, headers={"x-auth-user": "alice"})) is None
    assert ask(HEADER, make_request(peer=peer, headers=[("x-auth-user", "alice"), ("x-auth-user", "eve")])) is None


@given(st.lists(st.tuples(st.sampled_from(["x-auth-user", "x_auth_user", "x-auth_user", "X-Auth-User"]),
                          st.text(st.characters(max_codepoint=255), max_size=6)), max_size=3))  # fmt: skip
def test_who_the_header_names_is_named_by_every_spelling_of_it(headers: list[tuple[str, str]]) -> None:
    try:
        found = ask(HEADER, make_request(headers=headers))
    except AmbiguousRequest:
        return
    if found is None:
        assert not any(value.strip(" \t") for _, value in headers)
    else:
        assert len({value for _, value in headers}) == 1
        assert {name.lower() for name, _ in headers} == {"x-auth-user"}


@given(st.text(st.characters(), max_size=300))
def test_a_user_id_stands_in_a_line_as_it_is_or_is_refused(user: str) -> None:
    try:
        found = checked(Identity(user=user))
    except AmbiguousRequest:
        return
    assert (found is None) == (user == "")
    if found is not None:
        assert found.user == user
        assert user.isprintable()
        user.encode("utf-8")


@dataclass
class Person:
    """An app's user object, with ``is_authenticated`` as a value or a method."""

    is_authenticated: Any
    username: Any = "alice"
    session_key: Any = None


class Nameless(BaseUser):
    @property
    def is_authenticated(self) -> bool:
        return True

    @property
    def display_name(self) -> str:
        return "alice"


@pytest.mark.parametrize(
    ("person", "user", "found"),
    [
        (None, "", None),
        (UnauthenticatedUser(), "", None),
        (SimpleUser("alice"), "", "alice"),
        (Nameless(), "", "alice"),
        (Person(True), "", "alice"),
        (Person(False), "", None),
        (Person(lambda: False), "", None),
        (Person(lambda: True), "", "alice"),
        (Person(True, username=7), "username", "7"),
        (Person(True, username=""), "username", None),
        (Person(True, username=None), "username", None),
        (Person(True, username=lambda: "alice"), "username", None),
        (Person(True), "email", None),
        (object(), "", None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_scope_user_is_who_the_app_says(person: object, user: str, found: str | None) -> None:
    native = {} if person is None else {"user": person}
    identity = ask(ScopeUserProvider(user=user, session=None), make_request(native=native))
    assert (identity.user if identity else None) == found


def test_the_session_of_a_scope_user_is_an_attribute_or_in_the_apps_session() -> None:
    provider = ScopeUserProvider(user="username", session="session_key")
    native: dict[str, Any] = {"user": Person(True, session_key="s1"), "session": {"session_key": "s2"}}
    assert ask(provider, make_request(native=native)) == Identity(user="alice", session="s1")
    native["user"] = Person(True)
    assert ask(provider, make_request(native=native)) == Identity(user="alice", session="s2")
    assert ask(provider, make_request(native={"user": Person(True)})) == Identity(user="alice")


@pytest.mark.parametrize(
    ("native", "found"),
    [
        ({}, None),
        ({"session": None}, None),
        ({"session": "user_id=alice"}, None),
        ({"session": {}}, None),
        ({"session": {"user_id": "alice"}}, Identity(user="alice")),
        ({"session": {"user_id": 42, "sid": 7}}, Identity(user="42", session="7")),
        ({"session": {"user_id": 0}}, Identity(user="0")),
        ({"session": {"user_id": ""}}, None),
        ({"session": {"user_id": None}}, None),
        ({"session": {"user_id": True}}, None),
        ({"session": {"user_id": ["alice"]}}, None),
        ({"session": {"user_id": {"name": "alice"}}}, None),
        ({"beaker.session": {"user_id": "alice"}}, Identity(user="alice")),
        ({"werkzeug.session": {"user_id": "alice", "sid": "s"}}, Identity(user="alice", session="s")),
    ],
)
def test_the_apps_session_says_who(native: dict[str, Any], found: Identity | None) -> None:
    assert ask(SessionProvider(user="user_id", session="sid"), make_request(native=native)) == found


@pytest.mark.parametrize(
    ("door", "native", "found"),
    [
        ("wsgi", {"REMOTE_USER": "alice"}, Identity(user="alice")),
        ("wsgi", {"REMOTE_USER": "alice", "SESSION_ID": "s"}, Identity(user="alice", session="s")),
        ("wsgi", {"REMOTE_USER": ""}, None),
        ("wsgi", {"REMOTE_USER": b"alice"}, None),
        ("wsgi", {"HTTP_REMOTE_USER": "eve"}, None),
        ("wsgi", {"remote_user": "eve"}, None),
        ("wsgi", {}, None),
        ("asgi", {"remote_user": "alice"}, Identity(user="alice")),
        ("asgi", {"state": {"remote_user": "alice", "session_id": "s"}}, Identity(user="alice", session="s")),
        ("asgi", {"state": None}, None),
        ("asgi", {"headers": [(b"remote-user", b"eve"), (b"remote_user", b"eve")]}, None),
    ],
)
def test_remote_user_is_the_servers_word(door: Any, native: dict[str, Any], found: Identity | None) -> None:
    request = make_request(door=door, native=native, headers={"remote-user": "eve", "remote_user": "eve"})
    assert ask(RemoteUserProvider(session="SESSION_ID"), request) == found


def _sync(scope: Any) -> Any:
    return scope["answer"]


async def _async(scope: Any) -> Any:
    return scope["answer"]


class _Object:
    async def __call__(self, scope: Any) -> Any:
        return scope["answer"]


def _late(scope: Any) -> Any:
    return _async(scope)


CALLS = pytest.mark.parametrize("call", [_sync, _async, _Object(), _late], ids=["sync", "async", "object", "late"])


@CALLS
@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (None, None),
        ("", None),
        ("alice", Identity(user="alice")),
        (("alice", None), Identity(user="alice")),
        (("alice", "s"), Identity(user="alice", session="s")),
        (("alice", 7), Identity(user="alice", session="7")),
        (Identity(user="alice", session="s"), Identity(user="alice", session="s")),
    ],
)
def test_a_callable_of_yours_says_who(call: Any, answer: Any, found: Identity | None) -> None:
    assert ask(CallProvider(call), make_request(native={"answer": answer})) == found


@CALLS
@pytest.mark.parametrize(
    "answer", [7, b"alice", ["alice", "s"], ("alice",), ("alice", "s", 1), (7, "s"), {"user": "alice"}, True, False]
)
def test_a_callable_that_gives_something_else_lets_nobody_in(call: Any, answer: Any) -> None:
    with pytest.raises(IdentityUnavailable, match="allowed are str, a pair, None"):
        ask(CallProvider(call), make_request(native={"answer": answer}))


@CALLS
def test_a_callable_that_raises_lets_nobody_in(call: Any) -> None:
    with pytest.raises(IdentityUnavailable, match="KeyError"):
        ask(CallProvider(call), make_request(native={}))


def test_a_callable_may_say_itself_what_is_wrong() -> None:
    def doubtful(scope: Any) -> str:
        raise AmbiguousRequest("identity", "two tokens")

    with pytest.raises(StepUpError, match="two tokens"):
        ask(CallProvider(doubtful), make_request())
