"""A form or a ``fetch`` that code of the app interrupts is not lost: kept, shown, and sent once after the code."""

from __future__ import annotations

import html
import re
import sqlite3
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pyotp
import pytest
from litestar import Litestar
from litestar import Request as LitestarRequest
from litestar import get as litestar_get
from litestar import post as litestar_post
from litestar import put as litestar_put
from litestar.config.csrf import CSRFConfig
from litestar.middleware.session.client_side import CookieBackendConfig
from litestar.testing import TestClient as LitestarClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import stepup_mw
from stepup_mw.enrollment import enroll
from stepup_mw.litestar import StepUpPlugin

from .forms import APPS, RAW, Paid, seal
from .site import CONFIG, SECRET, Client, Site, verify

BROWSER = {
    "accept": "text/html",
    "sec_fetch_mode": "navigate",
    "sec_fetch_site": "same-origin",
    "referer": "http://testserver/form",
}
FETCH = {"accept": "application/json", "sec_fetch_mode": "cors", "sec_fetch_site": "same-origin"}
FORM = {"to": "bob", "amount": "20000"}
ASKED = ["trigger/required app_required", "challenge/issued app_required"]
APPROVED = [*ASKED, "outcome/approved app_required"]
RESUMED = [
    "access/allowed app_required resume",
    "grant/accepted resume",
    "result/completed app_required resume",
]
BELOW = ["access/allowed below_threshold below_threshold", "result/completed below_threshold below_threshold"]


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPUP_SECRET_KEY", SECRET)


@pytest.fixture
def paid() -> Paid:
    return []


Serve = Callable[..., Site]


@pytest.fixture
def serve(tmp_path: Path, paid: Paid) -> Iterator[Serve]:
    sites: list[Site] = []

    def serving(app: Any, door: str = "", *, size: int = 0, **more: Any) -> Site:
        if isinstance(app, str):
            door, make = (APPS | RAW)[app]
            app = make(paid)
        sites.append(Site(tmp_path, app, door or "asgi", **more))
        if size and sites[-1].door == "asgi":
            sites[-1].around = lambda whole: InPieces(whole, size)
        return sites[-1]

    yield serving
    for site in sites:
        site.close()


def shown(client: Client, asked: Any) -> str:
    """The page that a browser is sent to."""
    assert asked.status_code == 303, asked.text
    return str(client.get(asked.headers["location"]).text)


def send(client: Any, page: str, code: str, **fields: str) -> Any:
    """The page's own form, to where it says, with all its hidden fields."""
    places = set(re.findall(r'<form method="post" action="([^"]*)" autocomplete', page))
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page))
    (place,) = places
    return client.post(html.unescape(place), data={**hidden, "code": code, **fields})


class InPieces:
    """A server that hands the body on in pieces of so many bytes, each when it is asked for."""

    def __init__(self, app: Any, size: int) -> None:
        self.app = app
        self.size = size

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        left: list[dict[str, Any]] = []

        async def pieces() -> Any:
            if not left:
                message = await receive()
                if message["type"] != "http.request" or message.get("more_body"):
                    return message
                body = message["body"]
                ends = range(0, len(body) or 1, self.size)
                left.extend({**message, "body": body[at : at + self.size], "more_body": True} for at in ends)
                left[-1]["more_body"] = False
            return left.pop(0)

        await self.app(scope, pieces, send)


def details(site: Site) -> list[str]:
    found = [line["detail"] for line in site.lines() if line["event_type"] == "step_up"]
    return [detail for detail in found if detail and detail.startswith(("kept", "unkept", "resume"))]


EVERY_DAY = ("starlette", "flask")
FRAMEWORKS = [pytest.param(app, marks=() if app in EVERY_DAY else (pytest.mark.slow,)) for app in APPS]
RULED = [pytest.param("/pay", id="no rule"), pytest.param("/rename", id="a rule", marks=pytest.mark.slow)]


@pytest.mark.parametrize("path", ["/pay?a=%2F&b", "/rename"], ids=["no rule", "a rule"])
@pytest.mark.parametrize("app", FRAMEWORKS)
def test_a_form_is_read_by_the_app_once_more_after_the_code(app: str, path: str, serve: Serve, paid: Paid) -> None:
    site = serve(app)
    code, client = site.code(site.enroll()), site.client(**BROWSER)
    page = shown(client, client.post(path, data=FORM))
    for said in ("amount over 10k", "20000", f"POST {path.partition('?')[0]}", "and 2 more fields"):
        assert said in page
    assert paid == []
    assert send(client, page, code).text == "paid"
    assert paid == [{**FORM, "file": seal(b"")}]
    ruled = BELOW if path == "/rename" else []
    begun = [*ruled[:1], *ASKED, *ruled[1:]]
    assert site.story() == [*begun, "outcome/approved app_required", *RESUMED]
    assert details(site) == ["kept"]
    lines = site.lines()[len(begun) :]
    assert {line["action"]["reason"] for line in lines if line["event_type"] == "step_up"} == {"amount over 10k"}
    assert len({line["flow_id"] for line in lines if line["event_type"] == "step_up"}) == 1


@pytest.mark.parametrize("app", [param for param in FRAMEWORKS if param.values[0] != "fastapi_sync"])
def test_a_form_with_a_file(app: str, serve: Serve, paid: Paid) -> None:
    file = bytes(range(256)) * 100
    site = serve(app)
    code, client = site.code(site.enroll()), site.client(**BROWSER)
    page = shown(client, client.post("/pay", data=FORM, files={"file": ("a.bin", file)}))
    assert "and 1 file" in page
    assert send(client, page, code).text == "paid"
    assert paid == [{**FORM, "file": seal(file)}]


@pytest.mark.parametrize("app", RAW)
@pytest.mark.parametrize("path", ["/pay?a=%2F&b", "/rename?a=%2F&b"], ids=["no rule", "a rule"])
def test_the_very_same_bytes_also_where_the_app_had_not_read_them_all(
    app: str, path: str, serve: Serve, paid: Paid
) -> None:
    body = b"to=bob&memo=%00%ff+a%20b&&x=" + b"y" * 60_000
    kind = "application/x-www-form-urlencoded; charset=utf-8"
    site = serve(app, size=25_000)
    code, client = site.code(site.enroll()), site.client(**BROWSER)
    page = shown(client, client.post(path, content=body, headers={"content-type": kind}))
    done = send(client, page, code)
    assert (done.status_code, done.text) == (200, "paid")
    assert paid == [{"method": "POST", "query": "a=%2F&b", "kind": kind, "body": body}]


@pytest.mark.parametrize("app", RAW)
@pytest.mark.parametrize(("method", "body"), [("PUT", b'{"to": "bob"}'), ("DELETE", b"")], ids=["json", "no body"])
def test_a_fetch_waits_behind_the_page_that_its_401_names(
    app: str, method: str, body: bytes, serve: Serve, paid: Paid
) -> None:
    site = serve(app)
    code, client = site.code(site.enroll()), site.client(**FETCH)
    kind = {"content-type": "application/json"} if body else {}
    asked = client.request(method, "/pay", content=body, headers=kind)
    assert asked.status_code == 401
    browser = site.client(**BROWSER)
    browser.cookies.update(client.cookies)
    assert send(browser, str(browser.get(asked.json()["page_url"]).text), code).text == "paid"
    assert [(run["method"], run["body"]) for run in paid] == [(method, body)]
    assert site.story() == [*APPROVED, *RESUMED]


def test_a_fetch_in_litestar_finds_its_own_route_and_session(tmp_path: Path, paid: Paid) -> None:
    """Litestar has found a route before the gate is asked: that of the page of the code."""
    sessions = CookieBackendConfig(secret=b"of the test, 16.")

    @litestar_post("/sign-in")
    async def sign_in(request: LitestarRequest[Any, Any, Any]) -> None:
        request.session["user"] = "alice"

    @litestar_put("/profile", media_type="text/plain")
    async def profile(request: LitestarRequest[Any, Any, Any]) -> str:
        paid.append(await request.json())
        request.session["times"] = request.session.get("times", 0) + 1
        return f"{request.session['user']} {request.session['times']}"

    settings = tomllib.loads(CONFIG) | {"identity": {"provider": "session", "user": "user"}}
    settings["audit"] = {"path": str(tmp_path / "audit" / "stepup.jsonl")}
    settings["routes"] = [{"name": "profile", "path": "/profile", "methods": ["PUT"], "risk": 60}]
    plugin = StepUpPlugin(settings)
    app = Litestar([sign_in, profile], plugins=[plugin], middleware=[sessions.middleware])
    secret = anyio.run(enroll, plugin.assembly.gate.services, "alice").secret
    named, fetching = [{name.replace("_", "-"): text for name, text in kind.items()} for kind in (BROWSER, FETCH)]
    with LitestarClient(app) as client:
        client.post("/sign-in")
        asked = client.put("/profile", json={"name": "x"}, headers=fetching)
        client.headers.update(named)
        page = client.get(asked.json()["page_url"]).text
        done = send(client, page, pyotp.TOTP(secret).now())
        again = client.put("/profile", json={"name": "y"})
    assert (asked.status_code, done.text, again.text) == (401, "alice 1", "alice 2")
    assert paid == [{"name": "x"}, {"name": "y"}]


@pytest.mark.parametrize("path", ["/pay", "/rename"], ids=["no rule", "a rule"])
def test_a_form_in_litestar_with_its_own_csrf_protection(path: str, tmp_path: Path, paid: Paid) -> None:
    """The form that is kept has Litestar's token; the page that sends it after the code has no need of one."""
    sessions = CookieBackendConfig(secret=b"of the test, 16.")

    @litestar_post("/sign-in", exclude_from_csrf=True)
    async def sign_in(request: LitestarRequest[Any, Any, Any]) -> None:
        request.session["user"] = "alice"

    @litestar_get("/form", media_type="text/plain")
    async def form(request: LitestarRequest[Any, Any, Any]) -> str:
        return str(request.scope.get("_csrf_token", ""))

    @litestar_post(path, media_type="text/plain")
    async def pay(request: LitestarRequest[Any, Any, Any]) -> str:
        sent = await request.form()
        if path == "/pay":
            await stepup_mw.require(request, reason="a payment")
        paid.append({"to": sent["to"]})
        return "paid"

    settings = tomllib.loads(CONFIG) | {"identity": {"provider": "session", "user": "user"}}
    settings["audit"] = {"path": str(tmp_path / "audit" / "stepup.jsonl")}
    settings["routes"] = [{"name": "rename", "path": "/rename", "methods": ["POST"], "risk": 60}]
    plugin = StepUpPlugin(settings)
    app = Litestar(
        [sign_in, form, pay],
        plugins=[plugin],
        middleware=[sessions.middleware],
        csrf_config=CSRFConfig(secret="a secret of the test"),
    )
    secret = anyio.run(enroll, plugin.assembly.gate.services, "alice").secret
    named = {name.replace("_", "-"): text for name, text in BROWSER.items()}
    with LitestarClient(app) as client:
        client.post("/sign-in")
        client.headers.update(named)
        client.get("/form")
        token = client.cookies["csrftoken"]
        page = client.post(path, data={"to": "bob", "_csrf_token": token}).text
        done = send(client, page, pyotp.TOTP(secret).now())
        forged = client.post(path, data={"to": "mallory"})
    assert (done.status_code, done.text, forged.status_code) == (201, "paid", 403)
    assert paid == [{"to": "bob"}]


def test_who_verifies_by_program_makes_the_call_again_by_itself(serve: Serve, paid: Paid) -> None:
    site = serve("asgi")
    code, client = site.code(site.enroll()), site.client(**FETCH)
    asked = client.post("/pay", json={"to": "bob"})
    assert verify(client, asked, code).status_code == 200
    assert client.post("/pay", json={"to": "bob"}).text == "paid"
    assert len(paid) == 1
    page = site.client(**BROWSER).get(asked.json()["page_url"])
    assert page.status_code == 410


def test_below_a_mount(serve: Serve, paid: Paid) -> None:
    for app in ("starlette", "flask_mounted"):
        site = serve(app)
        code, client = site.code(site.enroll()), site.client(**BROWSER)
        assert send(client, shown(client, client.post("/inner/pay", data=FORM)), code).text == "paid"
        site.close()
    assert len(paid) == 2


def test_the_apps_answer_stands_under_its_own_address(serve: Serve, paid: Paid) -> None:
    """Where no rule holds for it, the query names the challenge; the app never sees that."""
    site = serve("asgi")
    authenticator, client = site.enroll(), site.client(**BROWSER)
    page = shown(client, client.post("/pay?a=1", data=FORM))
    (place,) = set(re.findall(r'<form method="post" action="([^"]*)" autocomplete', page))
    assert place.startswith("/pay?a=1&amp;_stepup_challenge=")
    wrong = send(client, page, "000000")
    done = send(client, wrong.text, site.code(authenticator))
    again = send(client, wrong.text, site.code(authenticator))
    assert [answer.status_code for answer in (wrong, done, again)] == [401, 200, 410]
    assert [run["query"] for run in paid] == ["a=1"]


# Two demands, and what is asked for in the meantime


def asking(*amounts: list[str], paid: Paid) -> Starlette:
    """Asks for each amount, as they are when the request comes."""

    async def pay(request: Request) -> Response:
        form = await request.form()
        for amount in amounts[0]:
            await stepup_mw.require(request, reason="a payment", action={"amount": amount})
        paid.append({"to": form["to"]})
        return JSONResponse(request.scope["stepup"])

    return Starlette(routes=[Route("/pay", pay, methods=["POST"])])


def test_what_is_proved_is_what_the_page_said(serve: Serve, paid: Paid) -> None:
    """The price has changed while the person was looking for the phone: they are asked about the new one."""
    amounts = ["10"]
    site = serve(asking(amounts, paid=paid))
    authenticator, client = site.enroll(), site.client(**BROWSER)
    page = shown(client, client.post("/pay", data=FORM))
    amounts[0] = "20"
    asked = send(client, page, site.code(authenticator))
    assert paid == []
    assert asked.status_code == 303
    page = shown(client, asked)
    assert ("20" in page, "and 2 more fields" in page) == (True, True)
    site.skew = 30
    done = send(client, page, site.code(authenticator))
    assert done.json()["basis"] == "resume"
    assert paid == [{"to": "bob"}]


def test_two_demands_are_two_pages_and_one_run(serve: Serve, paid: Paid) -> None:
    site = serve(asking(["10", "20"], paid=paid))
    authenticator, client = site.enroll(), site.client(**BROWSER)
    page = shown(client, client.post("/pay", data=FORM))
    second = send(client, page, site.code(authenticator))
    site.skew = 30
    assert send(client, shown(client, second), site.code(authenticator)).status_code == 200
    assert paid == [{"to": "bob"}]


def test_a_proof_of_its_own_is_for_this_request_alone(serve: Serve, paid: Paid) -> None:
    async def pay(request: Request) -> Response:
        form = await request.form()
        await stepup_mw.require(request, reason="a payment", grant="request")
        paid.append({"to": form["to"]})
        return Response("paid")

    site = serve(Starlette(routes=[Route("/pay", pay, methods=["POST"])]))
    code, client = site.code(site.enroll()), site.client(**BROWSER)
    assert send(client, shown(client, client.post("/pay", data=FORM)), code).text == "paid"
    assert client.post("/pay", data=FORM).status_code == 303
    assert paid == [{"to": "bob"}]
    assert site.story() == [*APPROVED, *RESUMED, *ASKED]


@pytest.mark.parametrize(("rule", "told"), [("transfer", "resume"), ("rename", "below_threshold")])
def test_by_a_rule_of_another_name(serve: Serve, paid: Paid, rule: str, told: str) -> None:
    async def run(request: Request) -> Response:
        form = await request.form()
        given = await stepup_mw.require(request, reason="by name", rule=rule)
        paid.append({"to": form["to"]})
        return Response(given.basis)

    site = serve(Starlette(routes=[Route("/graphql", run, methods=["POST"])]))
    code, client = site.code(site.enroll()), site.client(**BROWSER)
    first = client.post("/graphql", data=FORM)
    done = send(client, shown(client, first), code) if told == "resume" else first
    assert (done.text, paid) == (told, [{"to": "bob"}])


def test_in_the_middle_of_a_loop_nothing_waits_for_itself(serve: Serve, paid: Paid) -> None:
    """``require_sync`` on the loop that would have to receive the rest: then it is not kept, and the page says so."""

    async def pay(scope: Any, receive: Any, send_: Any) -> None:
        first = await receive()
        stepup_mw.require_sync(scope, reason="a payment")
        paid.append({"more": first.get("more_body")})
        await send_({"type": "http.response.start", "status": 200, "headers": []})
        await send_({"type": "http.response.body", "body": b"paid"})

    site = serve(pay, size=9)
    code, client = site.code(site.enroll()), site.client(**BROWSER)
    head = {"content-type": "application/x-www-form-urlencoded"}
    page = shown(client, client.post("/pay", content=b"to=bob&amount=1", headers=head))
    assert "is not kept" in page
    assert details(site) == ["unkept_app"]
    whole = shown(client, client.post("/pay", content=b"to=bob", headers=head))
    assert "and 1 more field" in whole
    assert send(client, whole, code).text == "paid"


# What is refused


@pytest.mark.parametrize("path", RULED)
@pytest.mark.parametrize("app", RAW)
@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {},
    ],
    ids=["cross-site", "same-site", "typed", "other origin", "null origin", "nothing said"],
)
def test_a_planted_form(app: str, path: str, headers: dict[str, str], serve: Serve, paid: Paid) -> None:
    site = serve(app)
    code, client = site.code(site.enroll()), site.client(accept="text/html")
    page = shown(client, client.post(path, data=FORM, headers=headers))
    client.headers["sec-fetch-site"] = "same-origin"
    done = send(client, page, code)
    assert "If you did not begin this, cancel" in page
    assert "bob" not in page
    assert (done.status_code, paid) == (200, [])
    assert details(site) == ["unkept_elsewhere"]


@pytest.mark.parametrize("app", RAW)
def test_another_origin_cannot_answer_for_it(app: str, serve: Serve, paid: Paid) -> None:
    site = serve(app)
    code, client = site.code(site.enroll()), site.client(**BROWSER)
    page = shown(client, client.post("/pay", data=FORM))
    client.headers["sec-fetch-site"] = "cross-site"
    send(client, page, code)
    assert [run for run in paid if b"bob" in run["body"]] == []
    assert site.story().count("outcome/approved app_required") == 0


def test_a_second_submit(serve: Serve, paid: Paid) -> None:
    site = serve("asgi")
    code, client = site.code(site.enroll()), site.client(**BROWSER)
    page = shown(client, client.post("/pay", data=FORM))
    assert [send(client, page, code).status_code for _ in range(2)] == [200, 410]
    assert len(paid) == 1
    assert site.story()[-1] == "access/refused app_required"
    assert details(site) == ["kept", "resume_gone"]


@pytest.mark.parametrize("who", ["browser", "session", "user"])
def test_another(who: str, serve: Serve, paid: Paid) -> None:
    site = serve("asgi")
    authenticator = site.enroll()
    site.enroll("mallory")
    mine, other = site.client(**BROWSER), site.client("mallory" if who == "user" else "alice", **BROWSER)
    if who == "session":
        other.headers["x-auth-session"] = "s2"
    page = shown(mine, mine.post("/pay", data=FORM))
    if who != "browser":
        other.cookies.set("stepup-device", mine.cookies["stepup-device"])
    assert send(other, page, site.code(authenticator)).status_code == 404
    assert paid == []
    assert details(site)[-1] == "resume_foreign"


def test_a_body_that_was_changed_in_between(serve: Serve, paid: Paid) -> None:
    site = serve("asgi", config=CONFIG.replace("memory://", "sqlite:///stepup.db"))
    code, client = site.code(site.enroll()), site.client(**BROWSER)
    shown(client, client.post("/pay", data={"to": "evelyn"}))
    page = shown(client, client.post("/pay", data=FORM))
    with closing(sqlite3.connect(site.folder / "stepup.db", isolation_level=None)) as db:
        sealed = [row for (row,) in db.execute("SELECT sealed FROM kept ORDER BY length(sealed)")]
        db.execute("UPDATE kept SET sealed = ?", (sealed[0],))
    done = send(client, page, code)
    assert (done.status_code, paid) == (409, [])
    assert details(site)[-1] == "resume_changed"


def test_what_the_page_did_not_show(serve: Serve, paid: Paid) -> None:
    site = serve("asgi")
    code, client = site.code(site.enroll()), site.client(**BROWSER)
    page = shown(client, client.post("/pay", data=FORM))
    assert (send(client, page, code, seen="h:00").status_code, paid) == (409, [])
    assert details(site)[-1] == "resume_unseen"


@pytest.mark.parametrize("path", RULED)
@pytest.mark.parametrize("told", [True, False], ids=["length", "chunks"])
@pytest.mark.parametrize("app", RAW)
def test_what_is_over_the_cap_is_said_and_passes_when_sent_again(
    app: str, told: bool, path: str, serve: Serve, paid: Paid
) -> None:
    body = b"to=bob&memo=" + b"x" * 70_000
    site = serve(app, size=9_000)
    code, client = site.code(site.enroll()), site.client(**BROWSER)

    head = {"content-type": "application/x-www-form-urlencoded"}

    def post() -> Any:
        return client.post(path, content=body if told or app == "wsgi" else iter([body]), headers=head)

    page = shown(client, post())
    assert "too large to be kept (64KiB at most)" in page
    done = send(client, page, code)
    assert (done.status_code, "Back to the form" in done.text, paid) == (200, True, [])
    assert details(site) == ["unkept_too_large"]
    assert post().text == "paid"
    assert [run["body"] for run in paid] == [body]


def test_risk_that_is_too_high_by_now(serve: Serve, paid: Paid) -> None:
    config = CONFIG + '\n[risk.signals]\nburst = { points = 95, limit = 2, window = "1m" }\n'
    site = serve("asgi", config=config)
    code, client = site.code(site.enroll()), site.client(**BROWSER)
    page = shown(client, client.post("/pay", data=FORM))
    for _ in range(3):
        client.post("/pay", data=FORM)
    assert (send(client, page, code).status_code, paid) == (409, [])
    assert details(site)[-1] == "resume_denied"
