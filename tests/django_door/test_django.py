"""The middleware in Django's own chain, sync and async, with views of either kind: one gate, one trail."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pyotp
import pytest

from stepup_mw.compose import assemble
from stepup_mw.enrollment import enroll
from tests.http.doors import SECRET, free_port, read_lines, told
from tests.servers import until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
KINDS = ["sync", "async"]
ASKED = ["trigger/required route_policy", "challenge/issued route_policy"]
PROVED = [*ASKED, "outcome/approved route_policy"]
APP_ASKED = ["trigger/required app_required", "challenge/issued app_required"]
APP_PROVED = [
    *APP_ASKED,
    "outcome/approved app_required",
    "access/allowed app_required grant",
    "result/completed app_required grant 200",
]
FLOW_KEY = "sharing-is-caring-0123456789-abcdefgh"
LOW = "below_threshold below_threshold"


def environ(folder: Path, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        **more,
        "STEPUP_TEST_FOLDER": str(folder),
        "STEPUP_SECRET_KEY": SECRET,
        "STEPUP_FLOW_KEY": FLOW_KEY,
        "PYTHONPATH": str(ROOT),
    }


def run(folder: Path, *arguments: str, **more: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", *arguments],
        env=environ(folder, **more), cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    played: dict[str, Any] = json.loads(run(tmp_path_factory.mktemp("site"), "tests.django_door.scenes"))
    return played


@pytest.mark.parametrize("kind", KINDS)
def test_two_steps_by_the_users_of_django(scenes: dict[str, Any], kind: str) -> None:
    scene = scenes[f"{kind} two_steps"]
    asked, proved, seen, cookies = scene["came"]
    assert (asked, proved, cookies) == (401, 200, ["stepup"])
    assert (seen["stepup"]["user_id"], seen["stepup"]["basis"]) == ("alice", "grant")
    assert seen["same"]
    assert seen["body"] == '{"amount": 1}'
    assert scene["lines"] == [*PROVED, "access/allowed route_policy grant", "result/completed route_policy grant 200"]
    assert scene["ran"] == ["transfer POST"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_async_view(scenes: dict[str, Any], kind: str) -> None:
    assert scenes[f"{kind} async_view"]["came"] == [401, "alice"]
    assert scenes[f"{kind} async_view"]["ran"] == ["atransfer POST"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_proof_for_the_very_request_and_its_body(scenes: dict[str, Any], kind: str) -> None:
    assert scenes[f"{kind} bound"]["came"] == [401, 200, 401]
    assert scenes[f"{kind} bound"]["ran"] == ["transfer POST"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_view_that_no_rule_concerns_is_untouched(scenes: dict[str, Any], kind: str) -> None:
    assert scenes[f"{kind} untouched"] == {"came": [200, None, '{"a": 1}'], "lines": [], "ran": ["transfer POST"]}


@pytest.mark.parametrize("kind", KINDS)
def test_every_ending_is_told(scenes: dict[str, Any], kind: str) -> None:
    """A status, an exception that Django makes a page of, a stream, and one that breaks off."""
    ends = ["completed", "failed", "failed", "completed", "failed"]
    statuses = [200, 503, 500, 200, 200]
    pairs = [
        (f"access/allowed {LOW}", f"result/{end} {LOW} {status}") for end, status in zip(ends, statuses, strict=True)
    ]
    assert scenes[f"{kind} endings"]["lines"] == [line for pair in pairs for line in pair]


@pytest.mark.parametrize("kind", KINDS)
def test_require_in_a_view_rolls_back_what_came_before_it(scenes: dict[str, Any], kind: str) -> None:
    """ATOMIC_REQUESTS: two requests were paid, and two that were asked left nothing; no middleware swallowed them."""
    scene = scenes[f"{kind} in_the_view"]
    assert scene["came"] == [200, 401, "amount over 10k", {"amount": 20000}, "paid", 2]
    assert scene["lines"] == [*APP_ASKED, *APP_PROVED]
    assert scene["ran"] == ["paid by grant"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scene", ["in_the_async_view", "by_decorator"])
def test_a_view_asks_for_itself(scenes: dict[str, Any], kind: str, scene: str) -> None:
    assert scenes[f"{kind} {scene}"]["came"][0] == 401
    assert scenes[f"{kind} {scene}"]["lines"] == APP_PROVED


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_is_decorated_whole_or_by_method(scenes: dict[str, Any], kind: str) -> None:
    came = scenes[f"{kind} by_classes"]["came"]
    assert came == {key: [401, "by class"] for key in ("class", "dispatch", "method", "aclass", "amethod")}


@pytest.mark.parametrize("kind", KINDS)
def test_a_decorator_with_fields_of_the_view(scenes: dict[str, Any], kind: str) -> None:
    assert scenes[f"{kind} by_async_decorator"]["came"] == [401, {"item": "7"}, 60, 200, 401]
    assert scenes[f"{kind} by_async_decorator"]["lines"] == [*APP_PROVED, *APP_ASKED]


@pytest.mark.parametrize("kind", KINDS)
def test_a_form_of_a_browser_reaches_the_view_after_the_code(scenes: dict[str, Any], kind: str) -> None:
    """As a request of Django's own, with its token checked, its user known, and the proof as a cookie beside."""
    scene = scenes[f"{kind} resumed"]
    assert scene["came"][:3] == [303, 200, "sent"]
    assert "stepup" in scene["came"][3]
    assert scene["ran"] == ["form bob by alice resume"]
    assert scene["lines"][-2:] == ["access/allowed route_policy resume", "result/completed route_policy resume 200"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_form_that_the_view_interrupts_is_sent_once_after_the_code(scenes: dict[str, Any], kind: str) -> None:
    """No rule names it; Django's own check of the form's token has read it before the view asks."""
    scene = scenes[f"{kind} kept_in_the_view"]
    assert scene["came"] == [
        [303, True, file, f"{path}?_stepup_challenge", 200, "paid"]
        for path, file in (("/pay-form", False), ("/pay-form", True), ("/apay-form", True))
    ]
    assert scene["ran"] == [f"paid 20000 to bob with {size} by resume" for size in (0, 20_000, 1)]
    asked, done = "app_required", "app_required resume"
    assert scene["lines"] == 3 * [
        f"trigger/required {asked}", f"challenge/issued {asked}", f"outcome/approved {asked}",
        f"access/allowed {done}", "grant/accepted", f"result/completed {done} 200",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_is_sent_to_sign_in(scenes: dict[str, Any], kind: str) -> None:
    assert scenes[f"{kind} nobody"]["came"] == ["urn:stepup:login-required", 303, "/login"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_spelling_of_a_method(scenes: dict[str, Any], kind: str) -> None:
    assert scenes[f"{kind} method_spellings"]["came"] == [401, 401, 401]
    assert scenes[f"{kind} method_spellings"]["ran"] == []


@pytest.mark.parametrize("kind", KINDS)
def test_no_spelling_of_the_path_reaches_the_view_unproved(scenes: dict[str, Any], kind: str) -> None:
    """Beside Django without the middleware: what reaches the view there is asked for here."""
    reached = 0
    for target, status, guarded, bare in scenes[f"{kind} path_spellings"]["came"]:
        assert guarded == 0, target
        assert not bare or status == 401, target
        reached += bare
    assert reached >= 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_log_out_ends_every_proof(scenes: dict[str, Any], kind: str) -> None:
    assert scenes[f"{kind} log_out"]["came"] == [200, 401]
    assert "grant/revoked" in scenes[f"{kind} log_out"]["lines"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_view_hands_on_the_flow_that_is_signed_and_no_other(scenes: dict[str, Any], kind: str) -> None:
    """Also where a middleware before ours has read the headers already."""
    by_name, by_meta, told, headers = scenes[f"{kind} handed_on"]["came"]
    assert by_name == by_meta == told == headers["Step-Up-Flow"] != "forged"


@pytest.mark.parametrize("kind", KINDS)
def test_a_script_name_by_force_opens_no_other_way_in(scenes: dict[str, Any], kind: str) -> None:
    """FORCE_SCRIPT_NAME: whatever reaches the view of the bare site is asked for here."""
    came = scenes[f"{kind} forced_script_name"]["came"]
    assert [target for target, status, guarded, bare in came if guarded or (bare and status != 401)] == []
    reached = {target for target, _, _, bare in came if bare}
    assert reached == {"sync": {"/transfer"}, "async": {"/transfer", "/bank/transfer", "/bank%2ftransfer"}}[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_a_session_that_is_the_cookie_itself(scenes: dict[str, Any], kind: str) -> None:
    """It is written anew by each view that changes it: the proof goes on, till the password or the person goes."""
    assert scenes[f"{kind} signed_cookies"]["came"] == [401, 200, 200, 401, "urn:stepup:login-required"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("engine", ["plain_door", "plain_door_and_cookies"])
def test_the_users_of_django_in_the_plain_doors(scenes: dict[str, Any], kind: str, engine: str) -> None:
    came = scenes[f"{kind} {engine}"]["came"]
    nobody, asked = "login-required", "challenge-required"
    assert came[:4] == [404, nobody, asked, 200]
    told, body = came[4]
    assert (told["user_id"], told["basis"], body) == ("alice", "grant", "a")
    assert came[5:] == [nobody, nobody, nobody, asked, nobody]


def test_the_checks(tmp_path: Path) -> None:
    said: dict[str, list[str]] = json.loads(run(tmp_path, "tests.django_door.checked"))
    found = {name: [text.split(" ", 1)[0] for text in texts] for name, texts in said.items()}
    plain = "stepup_mw.W004"  # cookie.secure = false, said by --deploy
    assert found == {
        "good": [plain],
        "not installed": ["stepup_mw.W001", plain],
        "before the user is known": ["stepup_mw.W002", plain],
        "behind a cache": ["stepup_mw.W003", plain],
        "no file": ["stepup_mw.E001"],
        "a mistake": ["stepup_mw.E001"],
        "user by a header": [plain],
    }
    assert "nowhere.toml" in said["no file"][0]
    assert "routes" in said["a mistake"][0]


# Real servers

SERVERS = {
    "gunicorn": ["gunicorn", "tests.django_door.project:wsgi", "--workers", "2", "--log-level", "error", "--bind"],
    "uvicorn": [
        "uvicorn", "tests.django_door.project:asgi", "--workers", "2", "--log-level", "warning", "--no-proxy-headers",
        "--lifespan", "off", "--port",
    ],
}  # fmt: skip


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def served(folder: Path, name: str, **more: str) -> Iterator[str]:
    port = free_port()
    where = f"127.0.0.1:{port}" if name == "gunicorn" else str(port)
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *SERVERS[name], where],
            env=environ(folder, **more),
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:
        until(lambda: answers(port), within_s=60, what=(folder / "server.log").read_text())
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize("name", SERVERS)
def test_two_workers_of_a_real_server(tmp_path: Path, name: str) -> None:
    run(tmp_path, "tests.django_door.project", "prepare")
    config = run(tmp_path, "tests.django_door.show")
    os.environ |= {"STEPUP_SECRET_KEY": SECRET, "STEPUP_FLOW_KEY": FLOW_KEY}
    assembly = assemble(json.loads(config))
    authenticator = pyotp.TOTP(anyio.run(enroll, assembly.gate.services, "alice").secret)
    assembly.close()
    with served(tmp_path, name) as url, httpx2.Client(base_url=url, timeout=20) as client:
        assert client.get("/sign-in/alice").text == "in"
        asked = client.post("/transfer")
        assert asked.status_code == 401, asked.text
        assert client.post(asked.json()["verify_url"], json={"code": authenticator.now()}).status_code == 200
        for _ in range(6):
            assert client.post("/transfer", content=b"a").json()["body"] == "a"
        assert client.post("/pay?amount=20000").status_code == 401
        assert client.get("/rename/stream").text == "onetwo"
        long = {"gunicorn": "/rename/for-ever", "uvicorn": "/rename/async?for-ever"}[name]
        with client.stream("GET", long) as stream:
            next(stream.iter_bytes())
        until(lambda: b'result","status":"aborted' in (tmp_path / "audit" / "stepup.jsonl").read_bytes())
    lines = [line for line in read_lines(tmp_path / "audit" / "stepup.jsonl") if line["event_type"] == "step_up"]
    story = [told(line) for line in lines]
    assert story.count("result/aborted below_threshold below_threshold") == 1
    assert story.count("access/allowed route_policy grant") == story.count("result/completed route_policy grant") == 6
    assert story.count(f"result/completed {LOW}") == 1
    assert (tmp_path / "ran").read_text().splitlines().count("transfer POST") == 6


@pytest.mark.parametrize(("name", "status"), [("gunicorn", 401), ("uvicorn", 400)])
def test_two_spellings_of_an_identity_header(tmp_path: Path, name: str, status: int) -> None:
    """gunicorn drops the one with underscores, uvicorn hands on both: then nobody knows who it is."""
    run(tmp_path, "tests.django_door.project", "prepare")
    os.environ |= {"STEPUP_SECRET_KEY": SECRET, "STEPUP_FLOW_KEY": FLOW_KEY}
    header = {"STEPUP_TEST_PROVIDER": "header"}
    assembly = assemble(json.loads(run(tmp_path, "tests.django_door.show", **header)))
    anyio.run(enroll, assembly.gate.services, "alice")
    assembly.close()
    with served(tmp_path, name, **header) as url, httpx2.Client(base_url=url, timeout=20) as client:
        assert client.post("/transfer", headers={"X-Auth-User": "alice"}).json()["type"].endswith("challenge-required")
        both = client.post("/transfer", headers=[("X-Auth-User", "alice"), ("X_Auth_User", "bob")])
        assert both.status_code == status, both.text
        for method in ("post", "Post", "POST"):
            assert client.request(method, "/transfer", headers={"X-Auth-User": "alice"}).status_code in (400, 401)
    assert not (tmp_path / "ran").exists()
