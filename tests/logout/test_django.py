"""Django's own log-out, passwords and users, in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .service import revocations

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[str]]]:
    folder = tmp_path_factory.mktemp("django")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("STEPUP_", "DJANGO_"))}
    program = [sys.executable, "-m", "tests.logout.django_site", str(folder)]
    subprocess.run(program, env=environ, cwd=Path(__file__).parents[2], timeout=60, check=True)
    return folder, json.loads((folder / "found.json").read_text())


@pytest.mark.parametrize("scene", ["log_out", "change_password", "disable", "delete"])
def test_it_voids_the_grants(found: tuple[Path, dict[str, list[str]]], scene: str) -> None:
    assert found[1][scene] == []


@pytest.mark.parametrize("scene", ["forget_to_save", "upgrade_hash", "rename", "connect_twice"])
def test_it_voids_nothing(found: tuple[Path, dict[str, list[str]]], scene: str) -> None:
    assert found[1][scene] == [scene]


def test_nobody_elses_grants_go_and_each_revocation_is_on_record(found: tuple[Path, dict[str, list[str]]]) -> None:
    folder, held = found
    assert len(held["bystander"]) == 8
    users = [line["user_id"] for line in revocations(folder)]
    assert users == ["user-log_out", "user-change_password", "user-disable", "user-delete"]
