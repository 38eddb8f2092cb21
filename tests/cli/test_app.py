"""``check --app`` on the examples as they are, each in a process of its own, and on an app that wraps itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .server import clean_environ

pytestmark = pytest.mark.slow
EXAMPLES = Path(__file__).parents[2] / "examples"
SECRET = "correct-horse-battery-staple-0123456789"

APPS = {
    "starlette_notes": ("app:app", "starlette", {"empty"}),
    "fastapi_payments": ("app:app", "fastapi", {"pay"}),
    "flask_board": ("app:app", "flask", {"wipe"}),
    "django_admin": ("asgi:app", "django", {"change"}),
}


def check(folder: Path, *words: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "stepup_mw", "check", "--json", *words]
    environ = clean_environ() | {"STEPUP_SECRET_KEY": SECRET, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=100)
    found: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, found


@pytest.mark.parametrize("example", APPS)
def test_an_example_is_read_and_no_spelling_gets_past(example: str, tmp_path: Path) -> None:
    app, framework, routes = APPS[example]
    folder = tmp_path / example
    shutil.copytree(EXAMPLES / example, folder)
    code, found = check(folder, "--app", app, "--spellings", "500")
    assert found["app"]["framework"] == framework
    assert {rule for route in found["app"]["routes"] for rule in route["rules"]} >= routes
    assert [problem for problem in found["findings"] if problem["kind"] != "uncovered"] == []
    assert code == (1 if found["findings"] else 0)
    assert found["spellings"]["held"] > 50


FORCED = """\
from django.conf import settings
settings.configure(ROOT_URLCONF=__name__, FORCE_SCRIPT_NAME="/api", SECRET_KEY="x" * 50, ALLOWED_HOSTS=["*"])
import django
django.setup()
from django.core.asgi import get_asgi_application
from django.http import HttpResponse
from django.urls import path
from django.views.decorators.http import require_POST
urlpatterns = [path("pay", require_POST(lambda request: HttpResponse()))]
app = get_asgi_application()
"""

CONFIG = """\
service = "shop"
identity = { provider = "remote_user" }
[[routes]]
name = "pay"
path = "/pay"
methods = ["POST"]
challenge = "always"
"""


def test_an_app_with_a_forced_script_name_is_held_under_both_names(tmp_path: Path) -> None:
    (tmp_path / "forced.py").write_text(FORCED)
    (tmp_path / "stepup.toml").write_text(CONFIG)
    code, found = check(tmp_path, "--app", "forced:app")
    assert (code, found["findings"], found["app"]["root_path"]) == (0, [], "/api")


def test_a_framework_that_is_not_installed_never_matters(tmp_path: Path) -> None:
    """Only the app's own framework is imported."""
    (tmp_path / "shop.py").write_text(
        "import sys\nfor name in ('flask', 'django', 'litestar', 'quart', 'fastapi'): sys.modules[name] = None\n"
        "from starlette.applications import Starlette\nfrom starlette.routing import Route\n"
        "async def pay(request): ...\napp = Starlette(routes=[Route('/pay', pay, methods=['POST'])])\n"
    )
    (tmp_path / "stepup.toml").write_text(CONFIG)
    assert check(tmp_path, "--app", "shop:app")[0] == 0
