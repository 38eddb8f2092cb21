"""However method and target are spelt: what a router below could take for a guarded handler never runs unseen.

The witness has no router and answers every path, so a run of it without a context is a request that passed unseen.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stepup_mw.enrollment import Enrolled

from .doors import CONFIG, Door, serving
from .steps import ASKED, TRANSFER, prove

pytestmark = pytest.mark.slow

SERVERS = {
    "uvicorn-h11": ("asgi", ["--http", "h11"]),
    "uvicorn-httptools": ("asgi", ["--http", "httptools"]),
    "gunicorn": ("wsgi", []),
}


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """Each server hands spellings on in its own way."""
    name, options = SERVERS[request.param]
    with serving(name, tmp_path_factory.mktemp("spelling"), CONFIG.read_text(), options=options) as running:
        yield running


def send(door: Door, user: str, method: bytes, target: bytes, more: bytes = b"") -> bytes:
    """The status of the answer to a request in exactly this spelling."""
    answer = door.raw(
        method + b" " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n"
        b"X-Auth-User: " + user.encode() + b"\r\nX-Auth-Session: s1\r\n" + more + b"\r\n"
    )
    return answer[9:12]


def unseen(door: Door) -> list[str]:
    return [f"{run['method']} {run['path']}" for run in door.runs() if run["stepup"] is None]


TARGETS = [
    b"//accounts/42/transfer", b"///accounts/42/transfer", b"/accounts//42/transfer", b"/accounts/42//transfer",
    b"/%2faccounts/42/transfer", b"/accounts%2f42%2ftransfer", b"/accounts/42%2Ftransfer",
    b"/accounts/42/transfer%0a", b"/accounts/42/transfer%0A", b"/accounts/42/transfer/",
    b"/accounts/42/transfer;x=1", b"/accounts;x/42/transfer", b"/accounts/42\\transfer", b"/accounts/42%5ctransfer",
    b"/./accounts/42/transfer", b"/x/../accounts/42/transfer", b"/accounts/42/./transfer", b"/%2e/accounts/42/transfer",
    b"/accounts/42/x/../transfer", b"/%61ccounts/42/transfer", b"/accounts/42/%74ransfer",
    b"/%2561ccounts/42/transfer", b"/accounts/42/transfer?x=1",
    b"/accounts/42/transfer%00", b"/accounts/42/transfer%3b",
    b"http://evil.example/accounts/42/transfer", b"http://evil.example//accounts/42/transfer",
    b"/accounts/%ff/transfer", b"/accounts/" + b"x" * 9000 + b"/transfer",
    b"/" + b"%2f" * 100 + b"accounts/42/transfer", b"/" + b"a/../" * 50 + b"accounts/42/transfer",
]  # fmt: skip


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target[:40].decode())
def test_a_target_in_another_spelling(server: Door, user: str, target: bytes) -> None:
    server.enroll(user)
    status = send(server, user, b"POST", target)
    assert status in (b"400", b"401", b"404", b"413", b"414"), status
    assert [run for run in unseen(server) if run.startswith("POST")] == []
    assert server.reached(user) == []


@pytest.mark.parametrize(
    "method", [b"post", b"Post", b"pOST", b"POST ", b"FOO", b"PUT", b"GET", b"PO\xc5\xbfT"], ids=repr
)
def test_a_method_in_another_spelling(server: Door, user: str, method: bytes) -> None:
    """Django runs ``post`` as POST; a method that no rule names meets no rule, whatever it looks like."""
    server.enroll(user)
    before = unseen(server)
    status = send(server, user, method, TRANSFER.encode())
    assert status in (b"400", b"401", b"404", b"405", b"501", b"200", b""), status
    if method.upper().strip() == b"POST":
        assert unseen(server) == before
        assert status != b"200"


@pytest.mark.parametrize("header", [b"X-HTTP-Method-Override", b"X-HTTP-Method", b"X-Method-Override"])
@pytest.mark.parametrize("value", [b"POST", b"post", b" POST "])
def test_a_method_by_an_override(server: Door, user: str, header: bytes, value: bytes) -> None:
    server.enroll(user)
    before = unseen(server)
    assert send(server, user, b"GET", TRANSFER.encode(), header + b": " + value + b"\r\n") == b"401"
    assert unseen(server) == before


@pytest.mark.parametrize("target", [b"/_stepup", b"/_stepup/", b"/%5fstepup/status", b"/_stepup/x/../../public"])
def test_what_lies_under_the_prefix_is_never_the_apps(server: Door, user: str, target: bytes) -> None:
    before = unseen(server)
    assert send(server, user, b"GET", target) in (b"400", b"404")
    assert unseen(server) == before


def test_a_script_name_from_the_client(server: Door, user: str) -> None:
    """gunicorn believes it from its own peers; below it the rule is met all the same."""
    server.enroll(user)
    before = unseen(server)
    for target in (b"/zz" + TRANSFER.encode(), TRANSFER.encode()):
        send(server, user, b"POST", target, b"SCRIPT_NAME: /zz\r\nScript-Name: /zz\r\n")
    assert [run for run in unseen(server) if not run.startswith("POST /zz/")] == before
    assert server.reached(user) == []


def test_a_grant_opens_its_route_in_any_spelling_or_none_but_on_record(
    door: Door, user: str, enrolled: Enrolled
) -> None:
    with door.client(user) as client:
        prove(client, door.code(enrolled))
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items()).encode()
    for target in TARGETS:
        send(door, user, b"POST", target, b"Cookie: " + cookie + b"\r\n")
    allowed = [line["request_id"] for line in door.lines(user) if line.get("status") == "allowed"]
    assert [run["stepup"]["request_id"] for run in door.reached(user)] == allowed
    assert not [run for run in unseen(door) if "transfer" in run]


def test_the_line_names_the_path_without_controls_and_query(door: Door, user: str, enrolled: Enrolled) -> None:
    assert send(door, user, b"POST", b"/accounts/%e2%80%ae%0d%1b/transfer?secret=1") == b"401"
    assert door.story(user) == ASKED
    path = door.lines(user)[-1]["action"]["path"]
    assert path.startswith("/accounts/")
    assert path.isprintable()
    assert "secret" not in path


def test_very_many_odd_targets_write_one_line_each_at_most(door: Door, user: str, enrolled: Enrolled) -> None:
    before = len(door.lines(None)) + len(door.lines(user))
    for _ in range(5):
        send(door, user, b"POST", b"/accounts/" + b"%25" * 500 + b"/transfer")
    after = len(door.lines(None)) + len(door.lines(user))
    assert after - before <= 10
