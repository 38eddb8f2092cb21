"""Datasette, wrapped unchanged: its own sign-in, its own CSRF token, its own spellings of a path."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2
import pytest

from .serving import PROVED_ONCE, UVICORN, Served, copy_example, enrolled, prove, prove_on_page, served

pytestmark = pytest.mark.slow


def sign_in(app: Served, client: httpx2.Client) -> None:
    """As root, by the link that Datasette makes."""
    link = re.search(r"/-/auth-token\?token=\w+", app.said.read_text())
    assert link is not None
    assert client.get(link[0]).status_code == 302


def csrf_of(client: httpx2.Client) -> str:
    form = re.search(r'name="csrftoken" value="([^"]+)"', client.get("/notes/add_note").text)
    assert form is not None
    return form[1]


SPELLINGS = ["/notes/add_note", "/notes/add~5Fnote", "/notes/add_note.json"]


def test_a_write_asks_for_a_code_however_its_name_is_spelt(tmp_path: Path) -> None:
    example = enrolled(copy_example("datasette_writes", tmp_path / "app"), "root")
    with served(example, UVICORN) as app, app.client() as client:
        sign_in(app, client)
        assert client.get("/notes/notes.json").json()["rows"] == []
        token = {"x-csrftoken": csrf_of(client), "accept": "application/json"}
        for count, path in enumerate(SPELLINGS):
            asked = client.post(path, data={"text": path}, headers=token)
            assert len(example.rows("notes.db", "select text from notes")) == count
            prove(client, asked, example.recovery_codes[count])
            assert client.post(path, data={"text": path}, headers=token).json()["ok"] is True
    assert example.rows("notes.db", "select text from notes") == [(path,) for path in SPELLINGS]
    assert example.story() == PROVED_ONCE * len(SPELLINGS)


def test_a_form_in_a_browser_is_kept_from_the_app_until_proved(tmp_path: Path) -> None:
    example = enrolled(copy_example("datasette_writes", tmp_path / "app"), "root")
    with served(example, UVICORN) as app, app.client(accept="text/html") as client:
        sign_in(app, client)
        form = {"text": "milk", "csrftoken": csrf_of(client)}
        asked = client.post("/notes/add_note", data=form)
        assert example.rows("notes.db", "select text from notes") == []
        assert prove_on_page(client, asked, example.code()).status_code == 200
        assert client.post("/notes/add_note", data=form).status_code == 302
    assert example.rows("notes.db", "select text from notes") == [("milk",)]
    assert example.story() == PROVED_ONCE


def test_a_visitor_reads_and_does_not_write(tmp_path: Path) -> None:
    example = copy_example("datasette_writes", tmp_path / "app")
    with served(example, UVICORN) as app, app.client() as client:
        assert client.get("/notes/notes.json").status_code == 200
        assert client.post("/notes/add_note", data={"text": "milk"}).json()["type"] == "urn:stepup:login-required"
    assert example.rows("notes.db", "select text from notes") == []
    assert example.story() == ["trigger/anonymous"]
