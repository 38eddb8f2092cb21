"""The small apps, served and used over sockets: what is public stays untouched, what matters asks first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from .serving import GUNICORN, PROVED_ONCE, UVICORN, copy_example, enrolled, prove, send_on_page, served

pytestmark = pytest.mark.slow


def test_starlette_notes_are_emptied_after_a_code_in_two_steps(tmp_path: Path) -> None:
    example = enrolled(copy_example("starlette_notes", tmp_path / "app"))
    with served(example, UVICORN) as app, app.client() as client:
        client.post("/sign-in/alice")
        assert client.post("/notes", params={"text": "milk"}).json() == ["milk"]
        asked = client.delete("/notes")
        assert asked.headers["www-authenticate"].startswith('StepUp realm="notes"')
        assert example.rows("notes.db", "select text from notes") == [("milk",)]
        prove(client, asked, example.code())
        assert client.delete("/notes").json() == []
    assert example.rows("notes.db", "select text from notes") == []
    assert example.story() == PROVED_ONCE


def test_starlette_notes_of_somebody_not_signed_in_stay(tmp_path: Path) -> None:
    example = copy_example("starlette_notes", tmp_path / "app")
    with served(example, UVICORN) as app, app.client() as client:
        client.post("/notes", params={"text": "milk"})
        assert client.delete("/notes").json()["type"] == "urn:stepup:login-required"
    assert example.rows("notes.db", "select text from notes") == [("milk",)]
    assert example.story() == ["trigger/anonymous"]


def test_fastapi_payment_is_bound_to_its_proof(tmp_path: Path) -> None:
    """``grant = "request"``: the proof opens this very payment, once; the inline code opens another."""
    example = enrolled(copy_example("fastapi_payments", tmp_path / "app"))
    payment = {"to": "bob", "amount": 20}
    with served(example, UVICORN) as app, app.client(authorization="Bearer token-of-alice") as client:
        assert client.get("/payments").json() == []
        asked = client.post("/payments", json=payment)
        assert 'error="insufficient_user_authentication"' in asked.headers["www-authenticate"]
        grant = {"step-up-grant": prove(client, asked, example.code())["grant"]}
        assert client.post("/payments", json=payment | {"amount": 2000}, headers=grant).status_code == 401
        assert client.post("/payments", json=payment, headers=grant).status_code == 201
        assert client.post("/payments", json=payment, headers=grant).status_code == 401
        assert "401" in client.get("/openapi.json").json()["paths"]["/export"]["get"]["responses"]
        assert client.get("/export").json()["reason"] == "all payments, to take with you"
        inline = client.post("/payments", json=payment, headers={"step-up-code": example.code(steps=1)})
        assert inline.status_code == 201
    assert example.rows("payments.db", "select * from payments") == [("bob", 20), ("bob", 20)]
    story = example.story()
    assert story[:2] == PROVED_ONCE[:2]
    assert story.count("access/allowed") == story.count("result/completed") == 2
    assert story.count("outcome/approved") == 2


def test_flask_board_is_wiped_after_a_code(tmp_path: Path) -> None:
    example = enrolled(copy_example("flask_board", tmp_path / "app"))
    with served(example, GUNICORN) as app, app.client() as client:
        client.post("/sign-in/alice")
        client.post("/", data={"text": "hello"})
        assert "<li>hello</li>" in client.get("/").text
        asked = client.post("/wipe")
        prove(client, asked, example.code())
        assert "<li>hello</li>" in client.get("/").text
        assert client.post("/wipe").status_code == 302
        assert "<li>" not in client.get("/").text
    assert example.rows("board.db", "select * from messages") == []
    assert example.story() == PROVED_ONCE


@pytest.mark.slow
def test_flask_board_asks_by_its_decorator_and_in_its_view(tmp_path: Path) -> None:
    example = enrolled(copy_example("flask_board", tmp_path / "app"))
    with served(example, GUNICORN) as app, app.client() as client:
        client.post("/sign-in/alice")
        for text in ("one", "two", "three"):
            client.post("/", data={"text": text})
        asked = client.post("/export")
        assert asked.json()["reason"] == "all messages, to take with you"
        prove(client, asked, example.code())
        assert client.post("/export").json() == ["one", "two", "three"]
        assert client.post("/take-away", data={"count": "1"}).status_code == 302
        asked = client.post("/take-away", data={"count": "3"})
        assert (asked.status_code, asked.json()["action"]) == (401, {"count": 3})
    assert example.rows("board.db", "select text from messages") == [("two",), ("three",)]
    assert example.story()[-2:] == ["trigger/required", "challenge/issued"]


@pytest.mark.slow
@pytest.mark.parametrize(("server", "target"), [(GUNICORN, "wsgi:app"), (UVICORN, "asgi:app")], ids=["wsgi", "asgi"])
def test_django_club_in_its_own_middleware(tmp_path: Path, server: Sequence[str], target: str) -> None:
    example = copy_example("django_club", tmp_path / "app")
    example.python("manage.py", "migrate", "--verbosity", "0")
    example.python("manage.py", "check", "--fail-level", "WARNING")
    example = enrolled(example)
    with served(example, server, target) as app, app.client() as client:
        client.post("/sign-in/alice")
        assert client.post("/members", data={"count": "3"}).json() == {"members": 3}
        many = client.post("/members", data={"count": "20"})
        assert (many.status_code, many.json()["action"]) == (401, {"count": 20})
        asked = client.post("/dissolve")
        prove(client, asked, example.code())
        assert client.get("/members").json() == {"members": 3}
        assert client.post("/dissolve").status_code == 204
        assert client.get("/members").json() == {"members": 0}
        assert client.get("/names").json()["reason"] == "the names of all members"
        named = client.get("/names", headers={"step-up-code": example.code(steps=1)})
        assert named.json() == {"names": []}
    assert example.story()[:2] == PROVED_ONCE[:2]
    assert example.story()[-1] == "result/completed"


@pytest.mark.slow
@pytest.mark.parametrize(("server", "target"), [(GUNICORN, "wsgi:app"), (UVICORN, "asgi:app")], ids=["wsgi", "asgi"])
def test_a_form_that_a_view_of_django_interrupts_is_sent_after_the_code(
    tmp_path: Path, server: Sequence[str], target: str
) -> None:
    """With Django's own CSRF protection on, whose token stands in the form that is kept."""
    example = copy_example("django_club", tmp_path / "app")
    settings = example.folder / "settings.py"
    before = '    "stepup_mw.django.StepUpMiddleware",'
    settings.write_text(
        settings.read_text().replace(before, f'    "django.middleware.csrf.CsrfViewMiddleware",\n{before}')
    )
    example.python("manage.py", "migrate", "--verbosity", "0")
    example = enrolled(example)
    browser = {"accept": "text/html", "sec-fetch-site": "same-origin", "sec-fetch-mode": "navigate"}
    with served(example, server, target) as app, app.client(**browser) as client:
        client.get("/sign-in/alice")
        form = {"count": "20", "csrfmiddlewaretoken": client.cookies["csrftoken"]}
        assert client.post("/members", data={"count": "20"}).status_code == 403
        page = client.get(client.post("/members", data=form).headers["location"]).text
        for said in ("more than ten at once", "POST /members", "20"):
            assert said in page
        sent = send_on_page(client, page, example.code())
        assert (sent.status_code, sent.json()) == (200, {"members": 20})
        assert send_on_page(client, page, example.code()).status_code == 410
        assert client.get("/members").json() == {"members": 20}
    assert example.story() == [*PROVED_ONCE, "access/refused"]


@pytest.mark.slow
def test_litestar_orders_by_its_plugin(tmp_path: Path) -> None:
    example = enrolled(copy_example("litestar_orders", tmp_path / "app"))
    with served(example, UVICORN) as app, app.client() as client:
        client.post("/sign-in/alice")
        assert client.post("/orders", json={"what": "tea", "amount": 5}).status_code == 201
        asked = client.post("/orders", json={"what": "a ship", "amount": 5000})
        assert asked.json()["action"] == {"amount": 5000}
        prove(client, asked, example.code())
        assert client.post("/orders", json={"what": "a ship", "amount": 5000}).status_code == 201
        assert client.get("/who").json()["reason"] == "who ordered what"
        assert client.delete("/orders").status_code == 401
        assert client.delete("/orders", headers={"step-up-code": example.code(steps=1)}).status_code == 204
        assert client.get("/orders").json() == []
    assert example.story().count("access/allowed") == 2


def test_flask_board_is_not_wiped_by_a_made_up_session(tmp_path: Path) -> None:
    example = enrolled(copy_example("flask_board", tmp_path / "app"))
    with served(example, GUNICORN) as app, app.client() as client:
        client.post("/", data={"text": "hello"})
        cookie = {"cookie": "session=eyJ1c2VyIjoiYWxpY2UifQ.aaaaaa.bbbbbbbbbbbb"}
        assert client.post("/wipe", headers=cookie).json()["type"] == "urn:stepup:login-required"
    assert example.rows("board.db", "select * from messages") == [("hello",)]
