"""The three small apps, served and used over sockets: what is public stays untouched, what matters asks first."""

from __future__ import annotations

from pathlib import Path

from .serving import GUNICORN, PROVED_ONCE, UVICORN, copy_example, enrolled, prove, served


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
        assert client.get("/").json() == ["hello"]
        asked = client.post("/wipe")
        prove(client, asked, example.code())
        assert client.get("/").json() == ["hello"]
        assert client.post("/wipe").status_code == 302
        assert client.get("/").json() == []
    assert example.rows("board.db", "select * from messages") == []
    assert example.story() == PROVED_ONCE


def test_flask_board_is_not_wiped_by_a_made_up_session(tmp_path: Path) -> None:
    example = enrolled(copy_example("flask_board", tmp_path / "app"))
    with served(example, GUNICORN) as app, app.client() as client:
        client.post("/", data={"text": "hello"})
        cookie = {"cookie": "session=eyJ1c2VyIjoiYWxpY2UifQ.aaaaaa.bbbbbbbbbbbb"}
        assert client.post("/wipe", headers=cookie).json()["type"] == "urn:stepup:login-required"
    assert example.rows("board.db", "select * from messages") == [("hello",)]
