"""An example as a person runs it: a copy of its folder, one command to enroll, one to serve, a real socket."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import pyotp

from stepup_mw.trail.verify import verify_trail

EXAMPLES = Path(__file__).parents[2] / "examples"
UVICORN = ("uvicorn", "--host", "127.0.0.1", "--port", "0", "--no-proxy-headers")
GUNICORN = ("gunicorn", "--bind", "127.0.0.1:0", "--threads", "4")

PROVED_ONCE = ["trigger/required", "challenge/issued", "outcome/approved", "access/allowed", "result/completed"]


@dataclass(frozen=True, kw_only=True)
class Example:
    """One example in a folder of its own; ``secret`` and ``recovery_codes`` are those of its one enrolled user."""

    folder: Path
    environ: dict[str, str]
    secret: str = ""
    recovery_codes: tuple[str, ...] = ()

    def code(self, *, steps: int = 0) -> str:
        return pyotp.TOTP(self.secret).at(time.time() + 30 * steps)

    def rows(self, database: str, query: str) -> list[Any]:
        with closing(sqlite3.connect(self.folder / database)) as db:
            return db.execute(query).fetchall()

    def python(self, *arguments: str, **environ: str) -> str:
        """What ``python …`` in the folder says."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.environ | environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def story(self) -> list[str]:
        """The step-up lines, ``phase/status`` each, after the whole trail has been checked."""
        report = verify_trail(self.folder / "audit" / "stepup.jsonl")
        assert report.verdict == "VERIFIED", report.message
        lines = [json.loads(line) for line in (self.folder / "audit" / "stepup.jsonl").read_text().splitlines()]
        return [f"{line['phase']}/{line['status']}" for line in lines if line["event_type"] == "step_up"]


@dataclass(frozen=True, kw_only=True)
class Served:
    url: str
    said: Path

    def client(self, **headers: str) -> httpx2.Client:
        """A program, or with ``accept`` a browser, that keeps its cookies."""
        return httpx2.Client(base_url=self.url, headers=headers, timeout=20)


def copy_example(name: str, folder: Path) -> Example:
    """The example's files in an empty folder, with a secret key in its environment."""
    shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("__pycache__", "audit", "*.db*"))
    environ = os.environ | {"STEPUP_SECRET_KEY": os.urandom(32).hex(), "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}
    return Example(folder=folder, environ=environ)


def enrolled(example: Example, user: str = "alice") -> Example:
    """The same example with a user enrolled by the command."""
    made = json.loads(example.python("-m", "stepup_mw", "enroll", user, "--json"))
    return replace(example, secret=made["secret"], recovery_codes=tuple(made["recovery_codes"]))


@contextmanager
def served(example: Example, server: Sequence[str], target: str = "app:app") -> Iterator[Served]:
    """The example's app on a server and a port that is free; ended by its process id."""
    said = example.folder / "said.txt"
    with said.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *server, target],
            cwd=example.folder,
            env=example.environ,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        url = _url(process, said)
        httpx2.get(url, timeout=60)  # it listens before its workers have begun: on a busy machine, long before
        yield Served(url=url, said=said)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _url(process: subprocess.Popen[bytes], said: Path) -> str:
    """Where it listens, as the server's own output says."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        found = re.search(r"http://127\.0\.0\.1:\d+", said.read_text())
        if found:
            return found[0]
        assert process.poll() is None, said.read_text()
        time.sleep(0.03)
    raise AssertionError(said.read_text())


def prove(client: httpx2.Client, asked: httpx2.Response, code: str) -> dict[str, Any]:
    """Answer a challenge of an API client; what the answer says."""
    assert asked.status_code == 401, asked.text
    problem = asked.json()
    assert problem["type"] == "urn:stepup:challenge-required"
    answer = client.post(problem["verify_url"], json={"code": code})
    assert answer.status_code == 200, answer.text
    proof: dict[str, Any] = answer.json()
    assert proof["status"] == "approved"
    return proof


def prove_on_page(client: httpx2.Client, asked: httpx2.Response, code: str) -> httpx2.Response:
    """Answer a challenge of a browser by the form on its page; what comes back, not followed."""
    assert asked.status_code == 303, asked.text
    page = client.get(asked.headers["location"])
    assert page.status_code == 200
    action = re.search(r'action="([^"]+/verify)"', page.text)
    assert action is not None, page.text
    same_site = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "navigate"}
    return client.post(action[1], data={"code": code}, headers=same_site)


def send_on_page(client: httpx2.Client, page: str, code: str) -> httpx2.Response:
    """Confirm what the page shows, by the first form on it with all its fields."""
    action = re.search(r'<form method="post" action="([^"]+)"', page)
    assert action is not None, page
    hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page)
    fields = {name: html.unescape(value) for name, value in hidden}
    return client.post(html.unescape(action[1]), data={**fields, "code": code})
