"""What a demand may say: points, ages, fields, another rule, a proof of its own; and what comes of one not met."""

from __future__ import annotations

import decimal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

import stepup_mw
from stepup_mw.demands import MAX_REASON, make_demand
from stepup_mw.errors import AskedTooLate, BadDemand, NotWrapped

from .apps import bare_asgi, starlette
from .site import CONFIG, SECRET, Site, verify


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPUP_SECRET_KEY", SECRET)


class Stand:
    """A site whose one handler is the test's, on every path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sites: list[Site] = []

    def serving(self, handler: Callable[[Request], Any], config: str = CONFIG) -> Site:
        routes = [Route(path, handler, methods=["GET", "POST"]) for path in ("/y", "/{rest:path}")]
        site = Site(self.folder, Starlette(routes=routes), "asgi", config=config)
        self.sites.append(site)
        return site


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    made = Stand(tmp_path)
    yield made
    for site in made.sites:
        site.close()


def asking(**demand: Any) -> Callable[[Request], Any]:
    async def handler(request: Request) -> Response:
        given = await stepup_mw.require(request, **{"reason": "to be sure", **demand})
        return JSONResponse({"basis": given.basis, "score": given.risk_score, "seen": request.scope["stepup"]["basis"]})

    return handler


def prove(site: Site, client: Any, path: str) -> None:
    """Enroll, be asked, answer."""
    authenticator = site.enroll()
    assert verify(client, client.post(path), site.code(authenticator)).status_code == 200


def test_evidence_has_the_names_that_the_scope_has(stand: Stand) -> None:
    site = stand.serving(asking())
    answer = site.client(step_up_code=site.code(site.enroll())).get("/x")
    assert answer.json() == {"basis": "inline", "score": 0, "seen": "inline"}


@pytest.mark.parametrize(
    ("path", "points", "status", "score"),
    [("/x", 30, 401, 30), ("/x", 90, 403, 90), ("/rename", 79, 401, 89), ("/rename", 80, 403, 90)],
)
def test_points_add_to_the_score_and_deny_at_holds(
    stand: Stand, path: str, points: int, status: int, score: int
) -> None:
    site = stand.serving(asking(points=points))
    site.enroll()
    answer = site.client().post(path)
    assert answer.status_code == status
    line = next(line for line in site.lines() if line["phase"] == "trigger")
    told = {401: ("required", "app_required"), 403: ("denied", "risk_denied")}[status]
    assert (line["status"], line["trigger_reason"]) == told
    assert line["risk"]["score"] == score
    assert line["risk"]["signals"]["app"] == points


def test_even_a_right_code_does_not_help_at_deny_at(stand: Stand) -> None:
    site = stand.serving(asking(points=95))
    assert site.client(step_up_code=site.code(site.enroll())).get("/x").status_code == 403


def test_a_proof_with_fields_counts_for_these_fields_only(stand: Stand) -> None:
    async def handler(request: Request) -> Response:
        await stepup_mw.require(request, reason="a payment", action={"amount": request.query_params["amount"]})
        return Response("paid")

    site = stand.serving(handler)
    client = site.client()
    prove(site, client, "/x?amount=10")
    assert client.post("/x?amount=10").text == "paid"
    assert client.post("/x?amount=10&more=1").text == "paid"
    assert client.post("/x?amount=10000").status_code == 401


def test_a_proof_of_its_own_is_used_once_and_covers_the_request(stand: Stand) -> None:
    site = stand.serving(asking(grant="request"))
    authenticator, client = site.enroll(), site.client()
    verify(client, client.post("/x?to=bob"), site.code(authenticator))
    assert client.post("/x?to=eve").status_code == 401
    assert client.post("/y?to=bob").status_code == 401
    assert client.post("/x?to=bob").json()["basis"] == "grant"
    assert client.post("/x?to=bob").status_code == 401


@pytest.mark.parametrize(("grant", "status"), [(None, 200), ("route", 200), ("request", 401)])
def test_a_grant_of_the_door_is_not_a_proof_of_its_own(stand: Stand, grant: str | None, status: int) -> None:
    site = stand.serving(asking(grant=grant))
    authenticator, client = site.enroll(), site.client()
    verify(client, client.post("/transfer"), site.code(authenticator))
    assert client.post("/transfer").status_code == status


def test_a_proof_for_the_very_request_at_the_door_is_one(stand: Stand) -> None:
    site = stand.serving(asking(grant="request", action={"amount": 5}))
    authenticator, client = site.enroll(), site.client()
    verify(client, client.post("/wire"), site.code(authenticator))
    assert client.post("/wire").json()["basis"] == "grant"
    assert client.post("/wire").status_code == 401


def test_what_is_asked_on_one_route_opens_no_other(stand: Stand) -> None:
    site = stand.serving(asking())
    client = site.client()
    prove(site, client, "/x")
    assert client.post("/x").status_code == 200
    assert client.post("/y").status_code == 401
    assert client.get("/x").status_code == 401
    assert client.post("/transfer").status_code == 401


def test_a_grant_of_the_service_opens_what_the_app_asks_for(stand: Stand) -> None:
    site = stand.serving(asking())
    client = site.client()
    prove(site, client, "/payroll")
    assert client.post("/x").json()["basis"] == "grant"


def test_the_path_below_a_mount_is_part_of_the_route(tmp_path: Path) -> None:
    route = Route("/pay", asking(), methods=["POST"])
    site = Site(tmp_path, Starlette(routes=[Mount("/a", routes=[route]), Mount("/b", routes=[route])]), "asgi")
    client = site.client()
    prove(site, client, "/a/pay")
    assert client.post("/a/pay").status_code == 200
    assert client.post("/b/pay").status_code == 401
    site.close()


def test_a_rule_by_its_name_judges_with_its_score(stand: Stand) -> None:
    """An app that dispatches on something else than the path asks by the rule of what it is about to do."""

    async def handler(request: Request) -> Response:
        given = await stepup_mw.require(request, reason="by name", rule=request.query_params["rule"])
        return Response(given.basis)

    site = stand.serving(handler)
    client = site.client()
    assert client.post("/graphql?rule=rename").text == "below_threshold"
    assert client.post("/graphql?rule=watch").text == "report_mode"
    prove(site, client, "/graphql?rule=transfer")
    assert client.post("/graphql?rule=transfer").text == "grant"
    assert client.post("/transfer?rule=transfer").text == "grant"
    last = site.lines()[-2]["detail"]
    assert (last["route"], last["reason"]) == ("transfer", "by name")


def test_an_unknown_rule_is_the_programs_mistake(stand: Stand) -> None:
    site = stand.serving(asking(rule="trasnfer"))
    with pytest.raises(BadDemand, match="there is no route of that name"):
        site.client().post("/x")


def test_code_is_not_on_trial_where_a_rule_only_reports(stand: Stand) -> None:
    site = stand.serving(asking())
    site.enroll()
    assert site.client().post("/watch").status_code == 401


def test_two_demands_in_one_request_have_one_access_line(stand: Stand) -> None:
    async def handler(request: Request) -> Response:
        await stepup_mw.require(request, reason="the first", points=10)
        given = await stepup_mw.require(request, reason="the second", points=10)
        return Response(str(given.risk_score))

    site = stand.serving(handler)
    assert site.client(step_up_code=site.code(site.enroll())).get("/x").text == "20"
    assert site.story()[-3:] == [
        "access/allowed app_required inline",
        "grant/accepted inline",
        "result/completed app_required inline",
    ]
    assert site.lines()[-2]["detail"]["reason"] == "the second"


def test_a_changed_age_in_the_code_is_the_age_that_counts(stand: Stand) -> None:
    age = ["5m"]

    async def handler(request: Request) -> Response:
        return Response((await stepup_mw.require(request, reason="sure", max_age=age[0])).basis)

    site = stand.serving(handler)
    client = site.client()
    prove(site, client, "/x")
    site.skew = 30
    assert client.post("/x").text == "grant"
    age[0] = "10s"
    assert client.post("/x").status_code == 401


def test_a_browser_sees_reason_and_fields_escaped_and_goes_back(stand: Stand) -> None:
    browser = {"accept": "text/html", "sec-fetch-mode": "navigate", "sec-fetch-site": "same-origin"}
    site = stand.serving(asking(reason="more than <b>10k</b>", action={"to": "<i>bob</i>", "amount": 20000}))
    authenticator, client = site.enroll(), site.client()
    sent = client.get("/x?a=1", headers=browser)
    assert sent.status_code == 303
    page = client.get(sent.headers["location"], headers=browser)
    assert "more than &lt;b&gt;10k&lt;/b&gt;" in page.text
    assert "<dt>to</dt><dd>&lt;i&gt;bob&lt;/i&gt;</dd>" in page.text
    assert "<dt>amount</dt><dd>20000</dd>" in page.text
    url = f"{sent.headers['location']}/verify"
    back = client.post(url, data={"code": site.code(authenticator)}, headers=browser)
    assert (back.status_code, back.headers["location"]) == (303, "/x?a=1")
    assert client.get("/x?a=1", headers=browser).status_code == 200


def test_a_bearer_gets_the_challenge_of_rfc_9470_with_the_age_asked_for(stand: Stand) -> None:
    site = stand.serving(asking(max_age="2m"))
    site.enroll()
    answer = site.client(authorization="Bearer abc").get("/x")
    assert 'error="insufficient_user_authentication"' in answer.headers["www-authenticate"]
    assert 'max_age="120"' in answer.headers["www-authenticate"]


def test_after_the_answer_has_begun_it_is_too_late(stand: Stand) -> None:
    async def handler(request: Request) -> Response:
        async def pieces() -> Any:
            yield b"one"
            await stepup_mw.require(request, reason="late")
            yield b"two"

        return StreamingResponse(pieces())

    site = stand.serving(handler)
    site.enroll()
    with pytest.raises(AskedTooLate):
        site.client().post("/rename")


def test_what_catches_a_demand_changes_nothing(stand: Stand) -> None:
    async def handler(request: Request) -> Response:
        try:
            await stepup_mw.require(request, reason="caught")
        except BaseException:  # noqa: BLE001 - what is tried
            return Response("let through")
        return Response("proved")

    site = stand.serving(handler)
    site.enroll()
    assert [site.client().post(path).status_code for path in ("/rename", "/rename")] == [401, 401]


def test_without_the_middleware_there_is_nobody_to_ask() -> None:
    client = TestClient(Starlette(routes=[Route("/", asking())]))
    with pytest.raises(NotWrapped, match="StepUpMiddleware"):
        client.get("/")
    with pytest.raises(NotWrapped, match="no request"):
        stepup_mw.require_sync(object(), reason="x")


def test_a_store_that_fails_lets_nothing_on(tmp_path: Path) -> None:
    runs: list[str] = []
    site = Site(tmp_path, bare_asgi(runs), "asgi", config=CONFIG.replace("memory://", "sqlite:///stepup.db"))
    site.enroll()
    site.close()
    for path in tmp_path.glob("stepup.db*"):
        path.unlink()
        path.mkdir()
    answer = site.client().post("/pay?amount=20000")
    site.close()
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:stepup:unavailable")
    assert runs == ["began"]


def test_a_websocket_is_refused_before_it_opens_and_closed_after(tmp_path: Path) -> None:
    async def early(socket: WebSocket) -> None:
        await stepup_mw.require(socket, reason="to listen")
        await socket.accept()

    async def late(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text("hello")
        await stepup_mw.require(socket, reason="to go on")

    site = Site(tmp_path, Starlette(routes=[WebSocketRoute("/early", early), WebSocketRoute("/late", late)]), "asgi")
    client = site.client()
    site.enroll()
    assert isinstance(client, TestClient)
    for status in (None, 401):  # the first is not watched yet, the second is
        with pytest.raises(WebSocketDisconnect) as closed, client.websocket_connect("/early"):
            pass
        assert getattr(closed.value, "status_code", None) == status or getattr(closed.value, "code", None) == 4401
        with client.websocket_connect("/late") as socket:
            assert socket.receive_text() == "hello"
            with pytest.raises(WebSocketDisconnect) as closed:
                socket.receive_text()
            assert closed.value.code == 4401
    assert site.story() == ["trigger/required app_required", "challenge/issued app_required"] * 4
    site.close()


def test_middleware_with_a_broad_except_is_answered_over_from_the_first_time(tmp_path: Path) -> None:
    """Starlette's BaseHTTPMiddleware makes a RuntimeError of whatever ends its task, and the app catches that."""
    site = Site(tmp_path, starlette([]), "asgi")
    site.enroll()
    for _ in range(2):
        assert site.client().post("/pay?amount=20000").status_code == 401
    site.close()


@pytest.mark.parametrize(
    ("demand", "message"),
    [
        pytest.param({"reason": ""}, "reason: found ''", id="no reason"),
        pytest.param({"points": 101}, "points: found 101; allowed is a whole number from 0 to 100", id="points"),
        pytest.param({"points": True}, "points: found True", id="a flag is no number"),
        pytest.param({"max_age": "5 minutes"}, "max_age: found '5 minutes'", id="a duration in words"),
        pytest.param({"max_age": 0}, "max_age: found 0", id="no age"),
        pytest.param({"max_age": 1.5}, "max_age: found 1.5", id="half a second"),
        pytest.param({"grant": "service"}, "grant: found 'service'", id="too wide a grant"),
        pytest.param({"action": {"a b": 1}}, "the name 'a b'", id="a name with a space"),
        pytest.param({"action": {"new_password": "x"}}, "new_password is the name of a secret", id="a password"),
        pytest.param({"action": {"api-token": "x"}}, "api-token is the name of a secret", id="a token"),
        pytest.param({"action": {"to": ["a"]}}, "to is a list", id="a list"),
        pytest.param({"action": {str(i).join("ab"): 1 for i in range(9)}}, "at most 8 fields", id="many fields"),
    ],
)
def test_what_cannot_be_asked_for(demand: dict[str, Any], message: str) -> None:
    with pytest.raises(BadDemand) as error:
        make_demand(**{"reason": "x", **demand})
    assert message in str(error.value)


def test_fields_and_reason_are_bounded_and_plain() -> None:
    made = make_demand(
        reason="a\nb" * 500,
        action={"text": "x" * 5000, "big": 2**80, "money": decimal.Decimal("1.10"), "off": False, "none": None},
    )
    assert len(made.reason) <= MAX_REASON + 5 * MAX_REASON
    assert "\n" not in made.reason
    assert made.fields is not None
    assert made.fields["money"] == "1.10"
    assert len(str(made.fields["text"])) == 128
    assert (made.fields["big"], made.fields["off"], made.fields["none"]) == (str(2**80), False, None)
