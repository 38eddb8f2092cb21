"""Four worker processes and 64 clients at once: one chain, one line a run, one success a code; and a worker killed."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from ..servers import until
from .doors import CONFIG, Door, is_chain, read_lines, serving
from .steps import TRANSFER, ask, prove, verify

CLIENTS = 64


@pytest.fixture(params=["asgi", "wsgi"])
def many(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Door]:
    with serving(request.param, tmp_path, CONFIG.read_text(), workers=4) as running:
        until(lambda: several_serve(running), within_s=30, what="several workers serve")
        yield running


def several_serve(door: Door) -> bool:
    """Whether a crowd at the door is let in by more than one process: the first that is up may have it to itself."""

    def come(_number: int) -> None:
        with door.client("nobody") as client:
            client.post(TRANSFER)

    with ThreadPoolExecutor(CLIENTS) as threads:
        list(threads.map(come, range(CLIENTS)))
    return len(writers(door, crowd=True)) > 1


def writers(door: Door, *, crowd: bool = False) -> set[int]:
    """The processes that have written lines for requests: those of the test, or those of the crowd before it."""
    lines = [line for line in door.trail() if line["event_type"] == "step_up"]
    return {line["writer"]["pid"] for line in lines if (line["user_id"] == "nobody") is crowd}


def each_run_has_its_line(door: Door) -> None:
    """One access line for each run of the app, written before it; the chain is whole."""
    lines = read_lines(door.folder / "audit" / "stepup.jsonl")
    allowed = Counter(line["request_id"] for line in lines if line.get("status") == "allowed")
    runs = Counter(run["stepup"]["request_id"] for run in door.runs())
    assert max(runs.values()) == 1
    assert max(allowed.values()) == 1
    assert runs.keys() <= allowed.keys()
    assert all(run["on_record"] for run in door.runs())
    assert is_chain(door.folder / "audit" / "stepup.jsonl")


def test_one_success_for_each_code(many: Door) -> None:
    people = [many.enroll(f"user{number}") for number in range(8)]
    codes = {enrolled.user: many.code(enrolled) for enrolled in people}

    def inline(number: int) -> tuple[str, int]:
        user = people[number % len(people)].user
        with many.client(user, **{"Step-Up-Code": codes[user]}) as client:
            return user, client.post(TRANSFER).status_code

    with ThreadPoolExecutor(CLIENTS) as threads:
        answers = list(threads.map(inline, range(CLIENTS)))
    successes = Counter(user for user, status in answers if status == 200)
    assert successes == {enrolled.user: 1 for enrolled in people}
    assert {status for _, status in answers} <= {200, 401, 410, 429}
    assert len(writers(many)) > 1
    for enrolled in people:
        assert many.story(enrolled.user).count("access/allowed route_policy inline") == 1
        assert many.story(enrolled.user).count("outcome/approved route_policy") == 1
    each_run_has_its_line(many)


def test_one_winner_for_each_challenge(many: Door) -> None:
    """The same challenge answered by two codes at once, in several workers: one approval, one grant."""
    enrolled = many.enroll("alice")
    with many.client("alice") as client:
        challenge = ask(client)

    def answer(number: int) -> int:
        with many.client("alice") as one:
            return verify(one, challenge, many.code(enrolled, steps=number % 2)).status_code

    with ThreadPoolExecutor(16) as threads:
        statuses = list(threads.map(answer, range(16)))
    assert statuses.count(200) == 1
    assert many.story("alice").count("outcome/approved route_policy") == 1


def test_every_wrong_guess_counts_over_all_workers(many: Door) -> None:
    """However many guess at once, five codes are looked at, and then the account is locked."""
    enrolled = many.enroll("alice")
    wrong = many.wrong(enrolled)

    def guess(number: int) -> int:
        with many.client("alice", session=f"s{number}", **{"Step-Up-Code": wrong}) as client:
            return client.post(TRANSFER).status_code

    with ThreadPoolExecutor(CLIENTS) as threads:
        statuses = Counter(threads.map(guess, range(32)))
    assert statuses == {401: 5, 429: 27}
    assert many.story("alice").count("challenge/rejected route_policy") == 5
    assert is_chain(many.folder / "audit" / "stepup.jsonl")


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_thirty_times_all_four_workers_are_killed_under_load(tmp_path: Path) -> None:
    """What was acknowledged to a client is on record, once; so is every run of the app, whoever heard of it."""
    chance, rounds = random.Random(30), 30
    with serving("wsgi", tmp_path, CONFIG.read_text(), workers=4, options=["--preload"]) as door:
        enrolled = door.enroll("alice")
        with door.client("alice") as client:
            grant = prove(client, door.code(enrolled))["grant"]
        done = threading.Event()

        def load() -> list[str]:
            acknowledged = []
            while not done.is_set():
                with (
                    contextlib.suppress(httpx2.TransportError),
                    door.client("alice", **{"Step-Up-Grant": grant}) as one,
                ):
                    while not done.is_set():
                        answer = one.post(TRANSFER)
                        acknowledged.append(answer.json()["stepup"]["request_id"])
            return acknowledged

        with ThreadPoolExecutor(8) as threads:
            running = [threads.submit(load) for _ in range(8)]
            try:
                for _ in range(rounds):
                    until(served_more(door, len(door.runs()) + 5), within_s=20, what="the workers serve")
                    for worker in chance.sample(children(door.process.pid), 4):
                        time.sleep(chance.random() * 0.1)
                        os.kill(worker, signal.SIGKILL)
                    until(lambda: len(children(door.process.pid)) == 4, within_s=20, what="four workers again")
            finally:
                done.set()
            acknowledged = Counter(name for one in running for name in one.result())
        each_run_has_its_line(door)
        allowed = {line["request_id"] for line in door.trail() if line.get("status") == "allowed"}
        assert len(acknowledged) > 5 * rounds
        assert max(acknowledged.values()) == 1
        assert acknowledged.keys() <= {run["stepup"]["request_id"] for run in door.runs()} <= allowed


def served_more(door: Door, runs: int) -> Callable[[], bool]:
    return lambda: len(door.runs()) > runs


def children(pid: int) -> list[int]:
    """The child processes that are alive."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    alive = []
    for child in map(int, text.split()):
        with contextlib.suppress(FileNotFoundError):
            if "State:\tZ" not in Path(f"/proc/{child}/status").read_text():
                alive.append(child)
    return alive


def test_a_worker_killed_under_load(many: Door) -> None:
    enrolled = many.enroll("alice")
    with many.client("alice") as client:
        grant = prove(client, many.code(enrolled))["grant"]
        cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    ends = time.monotonic() + 2.5

    def load(number: int) -> Counter[int]:
        statuses: Counter[int] = Counter()
        token = {"Step-Up-Grant": grant} if number % 2 else {"Cookie": cookies}
        while time.monotonic() < ends:
            try:
                with many.client("alice", **token) as one:
                    for _ in range(20):
                        statuses[one.post(TRANSFER).status_code] += 1
            except httpx2.TransportError:
                statuses[0] += 1
        return statuses

    with ThreadPoolExecutor(16) as threads:
        running = [threads.submit(load, number) for number in range(16)]
        time.sleep(0.8)
        killed = max(writers(many) - {os.getpid()})
        os.kill(killed, signal.SIGKILL)
        statuses = sum((one.result() for one in running), Counter[int]())
    with many.client("alice", **{"Step-Up-Grant": grant}) as client:
        assert client.post(TRANSFER).status_code == 200
    assert statuses[200] > 50
    assert set(statuses) <= {0, 200}
    assert len(many.runs()) >= statuses[200]
    each_run_has_its_line(many)
    lines = read_lines(many.folder / "audit" / "stepup.jsonl")
    last = max(line["seq"] for line in lines if line["writer"]["pid"] == killed)
    assert last < lines[-1]["seq"]
