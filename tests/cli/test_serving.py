"""``serve``: the user's app, unchanged, on real sockets; and what is refused before anything listens."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import pyotp
import pytest

from .conftest import CONFIG, Run, run, write_service
from .server import FLASK, STARLETTE, Served, clean_environ, free_port, serving

pytestmark = pytest.mark.slow

SPOOFED = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "Script-Name": "/x"}


@pytest.fixture
def apps(service: Path) -> Path:
    (service / "star.py").write_text(STARLETTE)
    (service / "flasky.py").write_text(FLASK)
    (service / "broken.py").write_text("import json\n\njson.loads('{')\n")
    (service / "quits.py").write_text("import os\n\nos._exit(7)\n")
    (service / "needy.py").write_text("import no_such_package\n")
    return service


LINES = [
    ("trigger", "required"),
    ("challenge", "issued"),
    ("outcome", "approved"),
    ("access", "allowed"),
    ("result", "completed"),
    ("trigger", "required"),
    ("challenge", "issued"),
    ("challenge", "replayed"),
]


def step_up_lines(server: Served) -> list[tuple[str, str]]:
    return [(line["phase"], line["status"]) for line in server.lines() if line["event_type"] == "step_up"]


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        pytest.param(("star:app",), "ASGI", id="starlette"),
        pytest.param(("star:create", "--factory", "--workers", "2"), "ASGI", id="starlette-factory-2-workers"),
        pytest.param(("flasky:app", "--workers", "2"), "WSGI", id="flask-2-workers"),
    ],
)
def test_serve_wraps_the_app_unchanged(apps: Path, words: tuple[str, ...], kind: str) -> None:
    with serving(apps, *words) as server:
        assert server.ask("GET", "/", SPOOFED) == (200, {"user": None, "seen": ["127.0.0.1", "http", ""]})
        who = {"X-Auth-User": "alice"}
        assert run("enroll alice").code == 0
        status, problem = server.ask("POST", "/accounts/42/transfer", who)
        assert (status, problem["type"]) == (401, "urn:stepup:challenge-required")
        code = json.loads(run("code alice --json").out)["code"]
        status, answer = server.ask("POST", "/accounts/42/transfer", {**who, "Step-Up-Code": code})
        assert (status, answer.get("user")) == (200, "alice"), answer
        await_true(lambda: ("result", "completed") in step_up_lines(server))
        assert server.ask("POST", "/accounts/42/transfer", {**who, "Step-Up-Code": code})[0] == 401
        ended, said = server.stop()
    assert ended in (0, -signal.SIGTERM), said  # uvicorn ends by the signal it was sent
    assert f"({kind})" in said
    assert "Traceback" not in said
    assert step_up_lines(server) == LINES
    assert run("verify").code == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_warnings_of_a_configuration_are_shown_once_also_for_an_app_that_is_wrapped(
    apps: Path, workers: str
) -> None:
    own = "\nfrom stepup_mw.asgi import StepUpMiddleware\n\napp = StepUpMiddleware(app)\n"
    (apps / "wrapped.py").write_text(STARLETTE + own)
    with serving(apps, "wrapped:app", "--workers", workers) as server:
        assert server.ask("GET", "/", {})[0] == 200
        _, said = server.stop()
    assert said.count("cookie.secure") == 1, said


def test_a_changed_policy_is_in_force_after_sighup(apps: Path) -> None:
    with serving(apps, "star:app") as server:
        assert server.ask("GET", "/", {"X-Auth-User": "alice"})[0] == 200
        write_service(apps, CONFIG.replace('path = "/rename"\nmethods = ["POST"]', 'path = "/"'))
        server.process.send_signal(signal.SIGHUP)
        await_true(lambda: "reloaded" in phases(server))
        assert server.ask("GET", "/", {})[0] == 401
        write_service(apps, CONFIG + "\nmistake = 1\n")
        server.process.send_signal(signal.SIGHUP)
        await_true(lambda: "reload_failed" in phases(server))
        assert server.ask("GET", "/", {})[0] == 401
        ended, said = server.stop(signal.SIGINT)
    assert "stepup.toml:30:1: audit.mistake: unknown key" in said, said
    assert ended in (0, 130), said


def phases(server: Served) -> list[str]:
    return [line["phase"] for line in server.lines()]


def await_true(check: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not check():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("star", "'star' is not MODULE:APP; write for example bank.main:app"),
        ("nowhere:app", "there is no module 'nowhere' here"),
        ("needy:app", "needy needs 'no_such_package', which is not installed"),
        ("star:nope", "star has no 'nope'; it has app"),
        ("star:create", "star:create takes no arguments: a factory? then say --factory"),
        ("star:number", "star:number looks neither like ASGI nor like WSGI"),
        ("star:Starlette", "star:Starlette is a class"),
        ("star:number --factory", "star:number is no factory: it cannot be called"),
        ("broken:app", "importing broken failed: JSONDecodeError at decoder.py:"),
        ("quits:app", "importing quits:app ended the process (exit code 7)"),
        ("star:app --workers 0", "invalid value for '--workers'"),
        ("star:app --port 70000", "invalid value for '--port'"),
    ],
)
def test_what_cannot_be_served_is_told_in_a_sentence(apps: Path, stepup: Run, arguments: str, message: str) -> None:
    ran = stepup(f"serve {arguments}")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"error: {message}")
    assert "Traceback" not in ran.err


def test_a_bad_configuration_is_refused_before_the_app_is_imported(apps: Path, stepup: Run) -> None:
    write_service(apps, CONFIG.replace("risk = 60", "risk = 600"))
    ran = stepup("serve quits:app")
    assert ran.code == 2
    assert ran.err.startswith("error: 1 problem\nstepup.toml:16:8: routes[0].risk: found 600")


def test_memory_with_many_workers_is_refused(apps: Path, stepup: Run) -> None:
    write_service(apps, CONFIG.replace("sqlite:///stepup.db", "memory://"))
    ran = stepup("serve star:app --workers 2")
    assert ran.code == 2
    assert "store.url: memory:// works in one process, and --workers asks for 2" in ran.err


def test_a_taken_port_is_told(apps: Path) -> None:
    with serving(apps, "star:app") as server:
        ran = run(f"serve star:app --port {server.port}")
    assert ran.code == 2
    assert f"uvicorn could not start on 127.0.0.1:{server.port}" in ran.err


def test_demo_is_started_with_its_options(folder: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "stepup_mw", "demo", "--port", str(port), "--folder", "kept"]
    with subprocess.Popen(command, cwd=folder, env=clean_environ(), stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout is not None
        shown = ""
        while f"http://127.0.0.1:{port}" not in shown:
            line = process.stdout.readline()
            assert line, process.communicate()[1]
            shown += line
        await_true(lambda: any(folder.glob("kept/**/*.jsonl")))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode in (0, 130)
    assert "Traceback" not in said


def test_demo_and_serve_tell_a_program_where_they_are(apps: Path) -> None:
    command = [sys.executable, "-m", "stepup_mw", "demo", "--json", "--port", "0", "--folder", "kept"]
    with subprocess.Popen(command, cwd=apps, env=clean_environ(), stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert httpx2.get(told["url"]).status_code == 303
        assert pyotp.TOTP(told["secret"]).verify(told["code"], valid_window=1)
        first = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=20)
    assert (told["user"], told["audit"], first["seq"]) == ("alice", str(apps / "kept/audit/stepup.jsonl"), 0)
    *lines, last = [json.loads(line) for line in rest.splitlines()]
    assert (last["verdict"], last["lines"] > len(lines)) == ("VERIFIED", True)

    command = [sys.executable, "-m", "stepup_mw", "serve", "star:app", "--json", "--port", str(free_port())]
    with subprocess.Popen(command, cwd=apps, env=clean_environ(), stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert (told["app"], told["interface"], told["port"]) == ("star:app", "asgi", int(command[-1]))
