"""How often a request of the whole service goes to a real server of its store, counted on the wire in between.

A round trip is a turn: the service speaks after the server had the last word. So what is sent together counts once,
and what is asked one after the other as often as it is asked.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ..invariants.backups import url_of
from ..invariants.world import Answer, StoreKind, World

README = Path(__file__).parents[2] / "README.md"

TRIPS = {
    "a request with a grant": 1,
    "the same from a browser with its cookie": 1,
    "with several grants in its cookie": 1,
    "with a grant for this one request": 1,
    "with that from a browser with its cookie": 1,
    "a challenge": 1,
    "a challenge for a browser with its cookie": 2,
    "a code sent for it": 4,
    "a recovery code sent for it": 7,
    "a code sent with the request": 5,
}
ROUTES = [
    {"name": "transfer", "path": "/transfer", "methods": ["POST"], "challenge": "always"},
    {"name": "payroll", "path": "/payroll", "methods": ["POST"], "challenge": "always"},
    {"name": "wire", "path": "/wire", "methods": ["POST"], "challenge": "always", "grant": "request"},
]
SIGNALS = {"burst": {"points": 5, "limit": 3, "window": "1m"}, "recent_failures": 5, "new_network": 5}
"""Each asks the store once."""


class Wire:
    """Stands between a service and its server, hands all on, and counts the turns."""

    def __init__(self, port: int) -> None:
        self.turns = 0
        self._server = port
        self._lock = threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client = self._listening.accept()[0]
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._server))
            last = ["server"]
            for ends in ((client, server, "client"), (server, client, "server")):
                threading.Thread(target=self._hand_on, args=(*ends, last), daemon=True).start()

    def _hand_on(self, source: socket.socket, target: socket.socket, speaker: str, last: list[str]) -> None:
        try:
            while data := source.recv(65536):
                with self._lock:
                    self.turns += speaker == "client" and last[0] == "server"
                    last[0] = speaker
                target.sendall(data)
        except OSError:
            pass
        finally:
            source.close()
            target.close()


@pytest.fixture(params=["valkey-8", "redis-6.2", "postgres"])
def served(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[[dict[str, object]], tuple[World, Wire]]]:
    made: list[tuple[World, Wire]] = []
    kind: StoreKind = request.param

    def make(signals: dict[str, object]) -> tuple[World, Wire]:
        url = url_of(kind, tmp_path)
        port = re.search(r":(\d+)/", url)
        assert port is not None
        wire = Wire(int(port[1]))
        store = {"url": url.replace(port[0], f":{wire.port}/")}
        world = World(
            folder=tmp_path, store=kind, changes={"store": store, "routes": ROUTES, "risk": {"signals": signals}}
        )
        made.append((world, wire))
        world.enroll("alice")
        return world, wire

    yield make
    for world, wire in made:
        world.close()
        wire.close()


def _trips(world: World, wire: Wire) -> tuple[dict[str, int], dict[str, int]]:
    """The round trips that each kind of request takes, and the steps of the store."""
    trips, steps = dict[str, int](), dict[str, int]()
    store = world.stage.faulty_store

    def counted(what: str, status: int, ask: Callable[[], Answer]) -> Answer:
        before, store.fail_after = wire.turns, 100
        answer = ask()
        assert answer.status == status, answer.body
        trips[what], steps[what] = wire.turns - before, 100 - store.fail_after
        store.fail_after = None
        return answer

    device, held = dict[str, str](), list[str]()

    def granted(path: str, **headers: str) -> str:
        world.clock.now += 31
        what = "a challenge for a browser with its cookie" if headers else "a challenge"
        asked = counted(what, 401, lambda: world.post("alice", path, b"", **headers))
        code = world.code("alice")
        given = counted("a code sent for it", 200, lambda: world.verify("alice", asked, code))
        held.append(given.cookies["stepup"])
        device.setdefault("Cookie", f"stepup-device={asked.cookies.get('stepup-device')}")
        return str(given.json["grant"])

    world.clock.now += 301
    grant = granted("/transfer")
    counted("a request with a grant", 200, lambda: world.post("alice", "/transfer", Step_Up_Grant=grant))
    counted(
        "the same from a browser with its cookie",
        200,
        lambda: world.post("alice", "/transfer", b"", Step_Up_Grant=grant, **device),
    )
    single = granted("/wire")
    counted("with a grant for this one request", 200, lambda: world.post("alice", "/wire", Step_Up_Grant=single))
    single = granted("/wire", **device)
    counted(
        "with that from a browser with its cookie",
        200,
        lambda: world.post("alice", "/wire", b"", Step_Up_Grant=single, **device),
    )
    granted("/payroll")
    several = {"Cookie": f"{device['Cookie']}; stepup={'~'.join(held)}"}
    counted("with several grants in its cookie", 200, lambda: world.post("alice", "/payroll", b"", **several))
    world.clock.now += 301
    asked, code = world.post("alice", "/transfer"), world.recovery["alice"].pop()
    counted("a recovery code sent for it", 200, lambda: world.verify("alice", asked, code))
    world.clock.now += 301
    code = world.code("alice")
    counted("a code sent with the request", 200, lambda: world.post("alice", "/transfer", Step_Up_Code=code))
    return trips, steps


@pytest.mark.slow
def test_a_step_is_one_round_trip_and_no_request_takes_more_than_the_readme_says(
    served: Callable[[dict[str, object]], tuple[World, Wire]],
) -> None:
    world, wire = served({})
    _trips(world, wire)  # connects, and teaches the server its scripts
    assert _trips(world, wire) == (TRIPS, TRIPS)


@pytest.mark.slow
def test_a_signal_that_asks_the_store_takes_one_more(
    served: Callable[[dict[str, object]], tuple[World, Wire]],
) -> None:
    world, wire = served(SIGNALS)
    _trips(world, wire)
    found, _ = _trips(world, wire)
    assert found["a request with a grant"] == TRIPS["a request with a grant"] + len(SIGNALS)
    assert found["a challenge"] == TRIPS["a challenge"] + len(SIGNALS)
    several = "with several grants in its cookie"
    assert found[several] == TRIPS[several] + len(SIGNALS), "the device is asked about with the grants"
    one_use = "with that from a browser with its cookie"
    assert found[one_use] == TRIPS[one_use] + len(SIGNALS) + 1, "what is known of it is weighed before a use is taken"


def test_the_readme_says_so() -> None:
    rows = README.read_text(encoding="utf-8").splitlines()
    assert [f"| {what} | {number} |" for what, number in TRIPS.items() if f"| {what} | {number} |" not in rows] == []
