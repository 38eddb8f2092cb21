"""A Django site with its own users, log-out and passwords; run as a program, writes down what became of grants.

Each scene keeps a grant, does one thing with Django's own means, and says which grants are left.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django  # type: ignore[import-untyped]  # Django ships no types
from django.conf import settings  # type: ignore[import-untyped]  # as above

FOLDER = Path(sys.argv[1])

settings.configure(
    SECRET_KEY="of the site",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(FOLDER / "site.db")}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["testserver"],
    PASSWORD_HASHERS=[
        "django.contrib.auth.hashers.MD5PasswordHasher",
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    ],
    USE_TZ=True,
)
django.setup()

from django.contrib.auth import get_user_model  # type: ignore[import-untyped]  # noqa: E402
from django.contrib.auth.hashers import make_password  # type: ignore[import-untyped]  # noqa: E402
from django.contrib.auth.views import LogoutView  # type: ignore[import-untyped]  # noqa: E402
from django.core.management import call_command  # type: ignore[import-untyped]  # noqa: E402
from django.test import Client  # type: ignore[import-untyped]  # noqa: E402
from django.urls import path  # type: ignore[import-untyped]  # noqa: E402

from stepup_mw import django_signals  # noqa: E402
from stepup_mw.compose import assemble  # noqa: E402
from tests.logout.service import held, keep, write  # noqa: E402

urlpatterns = [path("logout", LogoutView.as_view(next_page="/"))]


def log_out(user: Any) -> None:
    client = Client()
    client.force_login(user)
    assert client.post("/logout").status_code == 302


def change_password(user: Any) -> None:
    user.set_password("another one")
    user.save()


def forget_to_save(user: Any) -> None:
    user.set_password("another one")


def upgrade_hash(user: Any) -> None:
    type(user).objects.filter(pk=user.pk).update(password=make_password("right", hasher="pbkdf2_sha256"))
    assert Client().login(username=user.username, password="right")
    assert type(user).objects.get(pk=user.pk).password.startswith("md5$")


def rename(user: Any) -> None:
    user.first_name = "Al"
    user.save()


def disable(user: Any) -> None:
    user.is_active = False
    user.save(update_fields=["is_active"])


def delete(user: Any) -> None:
    user.delete()


def connect_twice(user: Any) -> None:
    django_signals.connect(lambda each: f"id:{each.pk}")
    user.set_password("yet another")
    user.save()
    django_signals.connect()


SCENES: dict[str, Callable[[Any], None]] = {
    scene.__name__: scene
    for scene in (log_out, change_password, forget_to_save, upgrade_hash, rename, disable, delete, connect_twice)
}


def main() -> None:
    call_command("migrate", verbosity=0)
    assembly = assemble(write(FOLDER, provider="remote_user", more=""))
    django_signals.connect()
    found = {}
    for name, scene in SCENES.items():
        user = get_user_model().objects.create_user(f"user-{name}", password="right")
        asyncio.run(keep(assembly, user.username, name))
        asyncio.run(keep(assembly, "bystander", f"{name}-other"))
        scene(user)
        found[name] = held(assembly, f"user-{name}")
    found["bystander"] = held(assembly, "bystander")
    assembly.close()
    (FOLDER / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
