"""What examples/README.md tells a person to type, typed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .serving import EXAMPLES, UVICORN, copy_example, enrolled, served

README = (EXAMPLES / "README.md").read_text("utf-8")


def test_every_example_is_in_the_table() -> None:
    folders = {path.name for path in EXAMPLES.iterdir() if (path / "stepup.toml").exists()}
    assert folders == set(re.findall(r"^\| `(\w+)` \| [A-Z\[]", README, re.MULTILINE))


@pytest.mark.slow
def test_the_lines_for_a_shell_do_what_they_say(tmp_path: Path) -> None:
    lines = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)[1]
    example = enrolled(copy_example("starlette_notes", tmp_path / "app"))
    with served(example, UVICORN) as app, app.client() as client:
        client.post("/notes", params={"text": "milk"})
        done = subprocess.run(
            ["bash", "-ec", lines.replace("http://127.0.0.1:8000", app.url)],
            cwd=example.folder,
            env=example.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "challenge-required" in done.stdout
    assert "VERIFIED" in done.stdout
    assert example.rows("notes.db", "select text from notes") == []
    assert "access/allowed" in example.story()
