"""Datasette, wrapped unchanged: its own sign-in, its own CSRF token, its own spellings of a path."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2
import pytest

from .serving import PROVED_ONCE, UVICORN, Served, copy_example, enrolled, prove, prove_on_page, served


def signed_in(app: Served, **headers: str) -> httpx2.Client:
    """As root, by the link that Datasette makes."""
    client = app.client(**headers)
    link = re.search(r"/-/auth-token\?token=\w+", app.said.read_text())
    assert link is not None
    assert client.get(link[0]).status_code == 302
    return client


def csrf_of(client: httpx2.Client) -> str:
    form = re.search(r'name="csrftoken" value="([^"]+)"', client.get("/notes/add_note").text)
    assert form is not None
    return form[1]


@pytest.mark.parametrize(
    "path",
    ["/notes/add_note", "/notes/add~5Fnote", "/notes/add_note.json", "/notes/add%5Fnote"],
    ids=["plain", "tilde", "format", "percent"],
)
def test_a_write_asks_for_a_code_however_its_name_is_spelt(tmp_path: Path, path: str) -> None:
    example = enrolled(copy_example("datasette_writes", tmp_path / "app"), "root")
    with served(example, UVICORN) as app, signed_in(app) as client:
        assert client.get("/notes/notes.json").json()["rows"] == []
        token = {"x-csrftoken": csrf_of(client), "accept": "application/json"}
        note = {"text": f"by {path}"}
        asked = client.post(path, data=note, headers=token)
        assert client.get("/notes/notes.json").json()["rows"] == []
        prove(client, asked, example.code())
        assert client.post(path, data=note, headers=token).json()["ok"] is True
    assert example.rows("notes.db", "select text from notes") == [(f"by {path}",)]
    assert example.story() == PROVED_ONCE


def test_a_download_in_a_browser_comes_after_the_page(tmp_path: Path) -> None:
    example = enrolled(copy_example("datasette_writes", tmp_path / "app"), "root")
    with served(example, UVICORN) as app, signed_in(app, accept="text/html") as client:
        assert client.get("/notes").status_code == 200
        back = prove_on_page(client, client.get("/notes.db"), example.code())
        assert back.headers["location"] == "/notes.db"
        assert client.get("/notes.db").content.startswith(b"SQLite format 3")
    assert example.story() == PROVED_ONCE
