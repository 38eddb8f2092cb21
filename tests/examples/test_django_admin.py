"""Django's admin, wrapped unchanged, on gunicorn and on uvicorn from the same settings."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from .serving import GUNICORN, PROVED_ONCE, UVICORN, Example, copy_example, enrolled, prove_on_page, served

pytestmark = pytest.mark.slow

DOORS = [pytest.param(GUNICORN, "wsgi:app", id="wsgi"), pytest.param(UVICORN, "asgi:app", id="asgi")]
NEW = "correct-horse-battery"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Example:
    """A site with its tables, the administrator alice and an authenticator for her."""
    example = copy_example("django_admin", tmp_path_factory.mktemp("django") / "site")
    example.python("manage.py", "migrate", "--verbosity", "0")
    account = ("createsuperuser", "--noinput", "--username", "alice", "--email", "a@example.org")
    example.python("manage.py", *account, DJANGO_SUPERUSER_PASSWORD="open-sesame")
    add = "from django.contrib.auth.models import User; User.objects.create(username='bob', password='!none')"
    example.python("manage.py", "shell", "--verbosity", "0", "-c", add)
    return enrolled(example)


@pytest.fixture
def site(prepared: Example, tmp_path: Path) -> Example:
    shutil.copytree(prepared.folder, tmp_path / "site", ignore=shutil.ignore_patterns("audit", "*.lock"))
    return replace(prepared, folder=tmp_path / "site")


def csrf_of(page: httpx2.Response) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert found is not None, page.text[:500]
    return found[1]


def sign_in(client: httpx2.Client) -> None:
    page = client.get("/admin/login/")
    login = {"username": "alice", "password": "open-sesame", "csrfmiddlewaretoken": csrf_of(page)}
    assert client.post("/admin/login/?next=/admin/", data=login).status_code == 302


@pytest.mark.parametrize(("server", "target"), DOORS)
def test_setting_a_password_asks_on_the_form_and_then_happens(
    site: Example, server: Sequence[str], target: str
) -> None:
    with served(site, server, target) as app, app.client(accept="text/html") as client:
        sign_in(client)
        assert client.get("/admin/auth/user/2/change/").status_code == 200
        back = prove_on_page(client, client.get("/admin/auth/user/2/password/"), site.code())
        assert back.headers["location"] == "/admin/auth/user/2/password/"
        form = {"password1": NEW, "password2": NEW, "usable_password": "true"}
        page = client.get("/admin/auth/user/2/password/")
        sent = client.post("/admin/auth/user/2/password/", data=form | {"csrfmiddlewaretoken": csrf_of(page)})
        assert sent.status_code == 302, sent.text
    assert site.rows("site.db", "select password from auth_user where id = 2")[0][0].startswith("pbkdf2_sha256$")
    assert site.story() == [*PROVED_ONCE, "access/allowed", "result/completed"]


@pytest.mark.parametrize(("server", "target"), DOORS)
def test_deleting_from_the_list_is_kept_from_the_app_until_proved(
    site: Example, server: Sequence[str], target: str
) -> None:
    """The list's own action, which is a POST to the list and names no object in its path."""
    with served(site, server, target) as app, app.client(accept="text/html") as client:
        sign_in(client)
        token = csrf_of(client.get("/admin/auth/user/"))
        delete = {"action": "delete_selected", "_selected_action": "2", "post": "yes", "csrfmiddlewaretoken": token}
        asked = client.post("/admin/auth/user/", data=delete)
        assert site.rows("site.db", "select count(*) from auth_user") == [(2,)]
        assert "send it once more" in prove_on_page(client, asked, site.code()).text
        assert client.post("/admin/auth/user/", data=delete).status_code == 302
    assert site.rows("site.db", "select username from auth_user") == [("alice",)]
    assert site.story() == PROVED_ONCE


def test_an_anonymous_browser_goes_to_the_admins_own_login(site: Example) -> None:
    with served(site, GUNICORN, "wsgi:app") as app, app.client(accept="text/html") as client:
        sent = client.post("/admin/auth/user/2/delete/", headers={"cookie": "sessionid=made-up"})
        assert (sent.status_code, sent.headers["location"]) == (303, "/admin/login/")
    assert site.story() == ["trigger/anonymous"]
