"""The whole demo, as a person meets it: in a browser, from a shell, on a terminal, and at its end."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
import threading
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from stepup_mw.trail.verify import verify_trail

from .running import RUN, Demo, running, wait


def story(demo: Demo) -> list[str]:
    """``phase/status route`` of every step-up line, after the trail has been checked with its key."""
    trail = demo.folder / "audit" / "stepup.jsonl"
    report = verify_trail(trail, vkey=str(demo.folder / "stepup-audit.vkey"))
    assert report.verdict == "VERIFIED", report.message
    lines = [json.loads(line) for line in trail.read_text().splitlines()]
    steps = [line for line in lines if line["event_type"] == "step_up"]
    return [f"{line['phase']}/{line['status']} {line['action']['route']}" for line in steps]


def proved(route: str) -> list[str]:
    ends = ["trigger/required", "challenge/issued", "outcome/approved", "access/allowed", "result/completed"]
    return [f"{end} {route}" for end in ends]


def answer(client: httpx2.Client, page: httpx2.Response, code: str) -> httpx2.Response:
    """Type a code into the challenge page, and go where it leads."""
    action = re.search(r'action="([^"]+/verify)"', page.text)
    assert action is not None, page.text
    return client.post(action[1], data={"code": code}, headers={"sec-fetch-site": "same-origin"})


def balance(demo: Demo, account: str) -> int:
    with closing(sqlite3.connect(demo.folder / "bank.db")) as db:
        return int(db.execute("select cents from accounts where id = ?", (account,)).fetchone()[0])


def test_a_person_clicks_through_the_bank(tmp_path: Path) -> None:
    with running(tmp_path / "demo") as demo, demo.browser() as client:
        codes = demo.codes()
        assert "passes untouched" in client.get("/rates").text
        asked = client.get("/statement.csv")
        assert "Something about this request is unusual" in asked.text
        sheet = answer(client, asked, codes[0])
        assert sheet.headers["content-type"].startswith("text/csv")
        assert "Northside Market" in sheet.text
        assert client.get("/statement.csv").text == sheet.text
        form = {"from": "everyday", "to": "Bob <b>", "amount": "120.50", "note": "Rent"}
        before = balance(demo, "everyday")
        review = answer(client, client.post("/transfer", data=form), codes[1])
        assert "Send this?" in review.text
        assert "Bob &lt;b&gt;" in review.text
        assert balance(demo, "everyday") == before
        assert "Sent: 120.50 to Bob &lt;b&gt;." in client.post("/transfer/send", data=form).text
        assert balance(demo, "everyday") == before - 12_050
        page = answer(client, client.get("/password"), codes[2])
        assert "New password" in page.text
        assert "is changed" in client.post("/password", data={"new": "long enough"}).text
        told = answer(client, client.post("/accounts/holiday/close"), demo.recovery_code)
        assert "send it once more" in told.text
        assert "The account is closed." in client.post("/accounts/holiday/close").text
        assert demo.end() == 0
    assert story(demo) == [
        *proved("export"),
        *("access/allowed export", "result/completed export"),
        *proved("transfer"),
        *("access/allowed transfer", "result/completed transfer"),
        *proved("password"),
        *("access/allowed password", "result/completed password"),
        *proved("close-account"),
    ]


def test_a_large_amount_from_an_unknown_browser_is_refused(tmp_path: Path) -> None:
    form = {"from": "savings", "to": "Mallory", "amount": "9,000", "note": ""}
    with running(tmp_path / "demo") as demo, demo.browser() as client:
        assert client.post("/transfer", data=form).status_code == 403
        assert client.post("/transfer/send", data=form).status_code == 403
        assert demo.end() == 0
    assert story(demo) == ["trigger/denied transfer", "trigger/denied transfer"]
    assert balance(demo, "savings") == 1_815_000


def test_mistakes_are_said_before_a_code_is_asked_for(tmp_path: Path) -> None:
    with running(tmp_path / "demo") as demo, demo.browser() as client:
        for wrong in ({"amount": "one"}, {"amount": "99999"}, {"to": " "}, {"from": "nowhere"}):
            form = {"from": "everyday", "to": "Bob", "amount": "20", "note": ""} | wrong
            page = client.post("/transfer", data=form)
            assert (page.status_code, 'class="error"' in page.text) == (400, True), wrong
        assert client.post("/accounts/everyday/close").status_code == 200
        assert client.get("/nowhere").status_code == 404
        assert client.post("/login", data={"user": "alice", "password": "wrong"}).status_code == 401
        with httpx2.Client(base_url=demo.url) as stranger:
            assert stranger.get("/").headers["location"] == "/login"
            assert stranger.get("/api/accounts").status_code == 401
            assert stranger.get("/api/accounts", headers={"authorization": "Bearer made-up"}).status_code == 401
        assert client.post("/logout").url.path == "/login"
        assert demo.end() == 0


def shell(demo: Demo, lines: list[str]) -> str:
    """What bash prints for these lines, as they stand in the greeting."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {key: value for key, value in os.environ.items() if key != "STEPUP_CONFIG"} | {"PATH": path}
    done = subprocess.run(
        ["bash", "-ec", "\n".join(lines)], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, (lines, done.stdout, done.stderr, demo.said())
    return done.stdout


def test_the_lines_for_a_shell_do_what_they_say(tmp_path: Path) -> None:
    with running(tmp_path / "demo", COLUMNS="200") as demo:
        begin = balance(demo, "everyday")
        printed = demo.said().partition("The same from a shell")[2].partition("── Audit trail")[0]
        lines = [line.strip() for line in printed.split("\n") if line.strip()]
        folder, pay, inline, *two_steps, tail, verify = [line for line in lines if not line.startswith("#")]
        assert '"amount":"25.00"' in shell(demo, [folder, pay, inline])
        assert balance(demo, "everyday") == begin - 2_500
        shell(demo, [folder, "stepup enroll alice --force"])
        said = shell(demo, [folder, pay, *two_steps])
        assert "urn:stepup:challenge-required" in said
        assert '"status":"approved"' in said
        assert balance(demo, "everyday") == begin - 5_000
        assert "access allowed" in shell(demo, [folder, tail])
        assert "VERIFIED" in shell(demo, [folder, verify])
        assert demo.end() == 0
    # curl keeps no cookie, so that each of its requests comes from a browser nobody knows
    assert story(demo) == proved("api-transfer") * 2


def test_rows_follow_and_the_end_says_where_things_are(tmp_path: Path) -> None:
    with running(tmp_path / "demo") as demo, demo.browser() as client:
        demo.wait_for(r"Code \d{3} \d{3}  .* s   another: stepup code alice")
        answer(client, client.get("/password"), "000000")
        demo.wait_for(r"challenge rejected +alice +GET /password")
        assert demo.end() == 0
    said = demo.said()
    assert "\033" not in said
    assert re.search(r"Verdict +VERIFIED", said)
    assert f"stepup verify --config {demo.folder}/stepup.toml" in said
    assert f"stepup demo --folder {demo.folder}" in said


def test_a_kept_folder_goes_on_with_the_same_person(tmp_path: Path) -> None:
    with running(tmp_path / "demo") as first:
        secret = first.secret
        assert first.end() == 0
    with running(tmp_path / "demo") as second, second.browser() as client:
        assert second.secret == secret
        assert "were shown at the first start" in second.said()
        assert "New password" in answer(client, client.get("/password"), second.codes()[1]).text
        client.post("/password", data={"new": "long enough"})
        assert second.end() == 0
    with running(tmp_path / "demo") as third:
        assert "the one you have set" in third.said()
        third.process.send_signal(signal.SIGTERM)
        assert third.process.wait(15) == 0
    assert story(third)[:3] == ["trigger/required password", "challenge/issued password", "outcome/approved password"]


def test_on_a_terminal_the_code_stays_below_and_ctrl_c_ends_it(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    environ = os.environ | {"TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-c", RUN, str(tmp_path / "demo"), "0"]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ, close_fds=True)
    os.close(theirs)
    heard = bytearray()
    reader = threading.Thread(target=_listen, args=(ours, heard), daemon=True)
    reader.start()

    def said() -> str:
        return heard.decode("utf-8", "replace")

    wait(lambda: re.search(r"\r\x1b\[2K.*Code.*\d{3} \d{3}.*Ctrl-C ends", said()), said)
    url = re.search(r"http://127\.0\.0\.1:\d+", said())
    assert url is not None
    assert "\033[97;40m" in said()
    httpx2.post(f"{url[0]}/api/transfers", json={"to": "Bob", "amount": 1})
    wait(lambda: re.search(r"trigger anonymous.*\r\n.*Ctrl-C ends", said(), re.DOTALL), said)
    process.send_signal(signal.SIGINT)
    assert process.wait(15) == 0
    reader.join(5)
    assert "VERIFIED" in said().rpartition("Ended")[2]


def _listen(terminal: int, heard: bytearray) -> None:
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # EIO: the other end has gone
            return
        if not data:
            return
        heard.extend(data)


@pytest.mark.parametrize(
    ("prelude", "port", "error"),
    [
        ("sys.modules['uvicorn'] = None", "0", "pip install 'stepup-mw[demo]'"),
        (
            "import socket; taken = socket.create_server(('127.0.0.1', 0)); sys.argv[2] = taken.getsockname()[1]",
            "0",
            "cannot be had",
        ),
        ("", "99999", "cannot be had"),
    ],
    ids=["no server", "port taken", "no port"],
)
def test_what_cannot_start_says_why(tmp_path: Path, prelude: str, port: str, error: str) -> None:
    text = f"""
import sys
from pathlib import Path
{prelude}
from stepup_mw.demo import run
from stepup_mw.errors import StepUpError
try:
    run(port=int(sys.argv[2]), folder=Path(sys.argv[1]), echo=print)
except StepUpError as error:
    sys.exit(str(error))
"""
    command = [sys.executable, "-c", text, str(tmp_path / "demo"), port]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert error in done.stderr
    assert "Traceback" not in done.stderr
