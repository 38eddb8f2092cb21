"""A running service with an anchor that dies, hangs and comes back: requests go on, the trail says so, unless told
otherwise."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from stepup_mw.config.init import write_init
from stepup_mw.note import origin_of, parse_vkey
from stepup_mw.trail import verify_trail

from ..http.doors import CONFIG, Door
from ..http.doors import serving as service
from ..servers import until
from .cosigner import Cosigner
from .http import serving

QUICK = 'signing_key_file = "stepup-audit.key"\ncheckpoint = { lines = 1, every = "1s" }\n'


class Anchor:
    """A witness that can be taken down (``500``), made to hang, and brought back."""

    def __init__(self, cosigner: Cosigner) -> None:
        self.cosigner = cosigner
        self.up = True
        self.hang = threading.Event()
        self.release = threading.Event()
        self.tries = 0

    def answer(self, path: str, body: bytes) -> tuple[int, str, bytes]:
        self.tries += 1
        if self.hang.is_set():
            self.release.wait(20)
        if not self.up or self.hang.is_set():
            return 500, "text/plain", b"down\n"
        return self.cosigner.answer(path, body)


@contextlib.contextmanager
def anchored(name: str, folder: Path, *, up: bool = True, limit: str = "") -> Iterator[tuple[Door, Anchor]]:
    """A service whose checkpoints go to a witness."""
    folder.mkdir()
    vkey = folder / write_init(folder, "bank", random=lambda size: bytes(range(size)))[-1].name
    anchor = Anchor(Cosigner(origin_of("bank"), parse_vkey(vkey.read_text().strip().splitlines()[-1]).public))
    anchor.up = up
    with serving(anchor.answer) as url:
        text = f'{QUICK}{limit}\n[[audit.anchor]]\nkind = "witness"\nurl = "{url}/w"\nkey = "{anchor.cosigner.vkey}"\n'
        with service(name, folder, CONFIG.read_text() + text + 'timeout = "1s"\n') as door:
            try:
                yield door, anchor
            finally:
                anchor.release.set()


def _marks(door: Door, phase: str) -> list[dict[str, Any]]:
    return [line["detail"] for line in door.trail() if line["phase"] == phase]


def _rename(door: Door) -> httpx2.Response:
    with door.client("alice") as client:
        return client.post("/rename")


@pytest.fixture(params=["asgi", "wsgi"])
def door_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_checkpoints_reach_the_anchor_while_requests_go_on(door_name: str, tmp_path: Path) -> None:
    with anchored(door_name, tmp_path / "s") as (door, anchor):
        for _ in range(3):
            assert _rename(door).status_code == 200
        lines = [line["seq"] for line in door.trail() if line["phase"] != "checkpoint"]  # which asks for no other
        until(lambda: anchor.cosigner.seen[0] > lines[-1], what="all lines under a cosigned checkpoint")
        assert _marks(door, "sink_failed") == []
    assert verify_trail(tmp_path / "s" / "audit", vkey=str(tmp_path / "s" / "stepup-audit.vkey")).exit_code == 0


def test_an_anchor_that_is_down_stops_nothing_and_stands_in_the_trail(tmp_path: Path) -> None:
    with anchored("wsgi", tmp_path / "s", up=False) as (door, _):
        until(lambda: _rename(door).status_code == 200 and bool(_marks(door, "sink_failed")), within_s=20)
        (failed,) = _marks(door, "sink_failed")
        assert failed["sink"].startswith("witness-")
        assert (failed["from_seq"], "answered 500" in failed["why"]) == (0, True)
        assert _rename(door).status_code == 200


def test_an_anchor_that_hangs_keeps_no_request_waiting(tmp_path: Path) -> None:
    with anchored("asgi", tmp_path / "s") as (door, anchor):
        assert _rename(door).status_code == 200
        anchor.hang.set()
        tries = anchor.tries
        _rename(door)
        until(lambda: anchor.tries > tries, what="the anchor is asked, and hangs")
        slowest = 0.0
        for _ in range(10):
            begun = time.monotonic()
            assert _rename(door).status_code == 200
            slowest = max(slowest, time.monotonic() - begun)
        assert slowest < 1.0


def test_beyond_the_limit_an_alert_stands_in_the_trail_and_requests_go_on(tmp_path: Path) -> None:
    limit = 'max_unanchored = { lines = 10, then = "alert" }'
    with anchored("asgi", tmp_path / "s", up=False, limit=limit) as (door, _):
        until(lambda: _rename(door).status_code == 200 and bool(_marks(door, "unanchored")), within_s=20)
        (told,) = _marks(door, "unanchored")
        assert told["lines"] > 10
        assert "10 are allowed" in told["why"]
        assert _rename(door).status_code == 200


def test_told_to_deny_it_refuses_beyond_the_limit_and_recovers_by_itself(door_name: str, tmp_path: Path) -> None:
    limit = 'max_unanchored = { lines = 12, then = "deny" }'
    with anchored(door_name, tmp_path / "s", up=False, limit=limit) as (door, anchor):
        answers = [_rename(door) for _ in range(4)]
        until(lambda: answers.append(_rename(door)) or answers[-1].status_code == 503, within_s=20)  # type: ignore[func-returns-value]
        refused = answers[-1]
        assert refused.json()["type"] == "urn:stepup:unavailable"
        assert refused.headers["retry-after"]
        reached = len(door.reached("alice"))
        for _ in range(3):
            assert _rename(door).status_code == 503
        assert len(door.reached("alice")) == reached
        with door.client("alice") as client:
            assert client.get("/").status_code != 503
        refusals = [line for line in door.trail() if line["phase"] == "access" and line["status"] == "refused"]
        assert {line["detail"] for line in refusals} == {"trail_unavailable"}
        anchor.up = True
        until(lambda: _rename(door).status_code == 200, within_s=20, what="let through again")


def test_lines_older_than_the_limit_are_refused_too(tmp_path: Path) -> None:
    limit = 'max_unanchored = { seconds = 2, then = "deny" }'
    with anchored("asgi", tmp_path / "s", up=False, limit=limit) as (door, anchor):
        assert _rename(door).status_code == 200
        until(lambda: _rename(door).status_code == 503, within_s=20)
        anchor.up = True
        until(lambda: _rename(door).status_code == 200, within_s=20)


def test_several_workers_ship_once(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    vkey = folder / write_init(folder, "bank", random=lambda size: bytes(range(size)))[-1].name
    made = Cosigner(origin_of("bank"), parse_vkey(vkey.read_text().strip().splitlines()[-1]).public)
    with serving(made.answer) as url:
        text = f'{QUICK}[[audit.anchor]]\nkind = "witness"\nurl = "{url}/w"\nkey = "{made.vkey}"\n'
        with service("wsgi", folder, CONFIG.read_text() + text, workers=3) as door:
            for _ in range(30):
                assert _rename(door).status_code == 200
            until(lambda: made.seen[0] >= len(door.trail()) - 5, within_s=20)
            assert _marks(door, "sink_failed") == []
    assert set(made.requests) == {200}
