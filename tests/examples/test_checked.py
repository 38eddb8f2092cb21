"""``stepup check --app`` on the examples: what changes state has a rule, asks itself, or is said to be public."""

from __future__ import annotations

from pathlib import Path

import pytest

from .serving import copy_example

pytestmark = pytest.mark.slow

APPS = [
    ("starlette_notes", "app:app"),
    ("fastapi_payments", "app:app"),
    ("flask_board", "app:app"),
    ("litestar_orders", "app:app"),
    ("spa_payments", "app:app"),
    ("django_club", "asgi:app"),
    ("django_club", "wsgi:app"),
]


@pytest.mark.parametrize(("name", "target"), APPS)
def test_an_example_has_no_gap(name: str, target: str, tmp_path: Path) -> None:
    example = copy_example(name, tmp_path / "app")
    said = example.python("-m", "stepup_mw", "check", "--app", target, "--spellings", "200")
    assert "no gap found" in said
    assert "cannot be read" not in said
