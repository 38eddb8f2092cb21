"""Notices as people get them: each kind from the requests that raise it, through both doors, and never in their way."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ..couriers.inbox import KEY_TEXT, Inbox, receiving
from .doors import CONFIG, Door, serving
from .steps import ask, prove, verify


@contextmanager
def noticing(name: str, folder: Path, *answers: int, more: str = "") -> Iterator[tuple[Door, Inbox]]:
    folder.mkdir(exist_ok=True)
    (folder / "hook.key").write_text(KEY_TEXT)
    (folder / "hook.key").chmod(0o600)
    with receiving(*answers) as inbox:
        table = f'\n[notices]\nwebhook = "{inbox.url}"\nwebhook_key_file = "hook.key"\n{more}'
        with serving(name, folder, CONFIG.read_text() + table) as door:
            yield door, inbox


def kinds(sent: list[dict[str, Any]]) -> list[str]:
    return [notice["type"].removeprefix("step_up.") for notice in sent]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["asgi", "wsgi"])
def test_each_kind_reaches_its_person(name: str, tmp_path: Path) -> None:
    with noticing(name, tmp_path) as (door, inbox):
        enrolled = door.enroll("alice")  # by an operator, in this process
        assert inbox.notices(1)[0]["data"]["change"] == "enrolled"
        with door.client("alice") as laptop:
            prove(laptop, door.code(enrolled))
            again = verify(laptop, ask(laptop, "/payroll"), door.code(enrolled))
            assert again.status_code == 401
        assert kinds(inbox.notices(2))[1:] == ["duplicate_code"]  # the first device of all is no news
        with door.client("alice", **{"User-Agent": "Phone"}) as phone:
            assert verify(phone, ask(phone), enrolled.recovery_codes[0]).status_code == 200
        used, new = inbox.notices(4)[2:]
        assert kinds([used, new]) == ["recovery_code_used", "new_device"]
        assert used["data"]["left"] == len(enrolled.recovery_codes) - 1
        assert (new["data"]["user_agent"], new["data"]["ip"]) == ("Phone", "127.0.0.1")
        with door.client("alice", **{"User-Agent": "Tablet"}) as thief:
            for _ in range(5):
                thief.post("/_stepup/enroll", json={"action": "recovery_codes", "current_code": door.wrong(enrolled)})
        (locked,) = inbox.notices(5)[4:]
        assert (kinds([locked]), locked["data"]["failures"]) == (["locked"], 5)
        assert (locked["data"]["user_agent"], locked["data"]["ip"]) == ("Tablet", "127.0.0.1")
        assert all(enrolled.secret.encode() not in body for _, body in inbox.sent)


@pytest.mark.slow
def test_a_webhook_that_fails_is_in_nobodys_way_and_on_record(tmp_path: Path) -> None:
    with noticing("asgi", tmp_path, 500) as (door, inbox):
        enrolled = door.enroll("alice")
        with door.client("alice") as client:
            begun = time.monotonic()
            challenges = [ask(client) for _ in range(3)]
            for challenge, code in zip(challenges, enrolled.recovery_codes, strict=False):
                assert verify(client, challenge, code).status_code == 200
            assert time.monotonic() - begun < 3
        until = time.monotonic() + 15
        while not (failed := [line for line in door.trail() if line["phase"] == "notice_failed"]):
            assert time.monotonic() < until
            time.sleep(0.05)
    assert failed[0]["event_type"] == "alert"
    assert failed[0]["detail"]["why"] == "answered 500"
    assert failed[0]["detail"]["tries"] == 3
    assert len(inbox.sent) >= 3


@pytest.mark.slow
def test_an_operator_at_the_shell_tells_the_person_too(tmp_path: Path) -> None:
    with noticing("asgi", tmp_path) as (door, inbox):
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "stepup_mw",
                "enroll",
                "bob",
                "--json",
                "--config",
                str(door.folder / "stepup.toml"),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(done.stdout)["user"] == "bob"
        (told,) = inbox.notices(1)
        assert (told["data"]["user_id"], told["data"]["by"]) == ("bob", "operator")
