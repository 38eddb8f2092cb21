"""Four processes on one file, each with many steps in flight; and a process that is killed with groups of them."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from stepup_mw.stores.sqlite import SqliteStore

from ..contract.samples import keep_grant, make_factor, make_grant
from ..servers import until

LANES, CODES, USES = 16, 30, 100

_RACER = f"""
import asyncio, json, sys
from pathlib import Path
from stepup_mw.stores.sqlite import SqliteStore
from stepup_mw.testing.records import ACCOUNT, ADDRESS, use
from stepup_mw.settings import AccountThrottle
NEVER = AccountThrottle(failures=10**8, lock_s=30, grow=2.0, max_lock_s=100, ceiling=10**9)
store = SqliteStore(Path(sys.argv[1]), wait_s=20)
won = {{"steps": [], "codes": [], "uses": 0, "counted": 0, "locked": 0}}
async def lane(number):
    user = f"u{{number}}"
    for step in range(1, {CODES} + 1):
        if await store.consume_step(user, "f1", step):
            won["steps"].append([user, step])
        if await store.consume_recovery(user, f"r{{step}}"):
            won["codes"].append([user, step])
        tried = [
            ("uses", await use(store)),
            ("counted", (await store.take_attempt("bob", "", now=1000.0, account=NEVER, limit=ADDRESS)).allowed),
            ("locked", (await store.take_attempt("carol", "", now=1000.0, account=ACCOUNT, limit=ADDRESS)).allowed),
        ]
        for name, done in tried:
            won[name] += done
async def all_lanes():
    await asyncio.gather(*map(lane, range({LANES})))
print("ready", flush=True)
sys.stdin.readline()
asyncio.run(all_lanes())
print(json.dumps(won))
"""


def _started(code: str, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *words]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _all_at_once(code: str, *words: str, of: int) -> list[Any]:
    """What each of so many processes says at its end, as JSON."""
    processes = [_started(code, *words) for _ in range(of)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    return [json.loads(process.communicate()[0]) for process in processes]


def test_four_processes_with_groups_keep_every_once_and_every_budget(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store = SqliteStore(path, wait_s=20)

    async def fill() -> None:
        for lane in range(LANES):
            recovery = [f"r{number}" for number in range(1, CODES + 1)]
            await store.put_factor(make_factor(f"u{lane}"), recovery)
        await keep_grant(store, make_grant(uses_left=USES))

    asyncio.run(fill())
    said = _all_at_once(_RACER, str(path), of=4)
    steps = [(user, step) for each in said for user, step in each["steps"]]
    codes = [(user, step) for each in said for user, step in each["codes"]]
    assert len(steps) == len(set(steps)), "a step was taken twice"
    assert {(f"u{lane}", CODES) for lane in range(LANES)} <= set(steps), "nobody took the last one"
    assert sorted(codes) == sorted((f"u{lane}", step) for lane in range(LANES) for step in range(1, CODES + 1))
    assert sum(each["uses"] for each in said) == USES
    assert sum(each["counted"] for each in said) == 4 * LANES * CODES
    assert asyncio.run(store.failures("bob"))[0] == 4 * LANES * CODES
    assert sum(each["locked"] for each in said) == asyncio.run(store.failures("carol"))[0] == 5
    asyncio.run(store.aclose())


_BUSY = """
import asyncio, json, sys, time
from pathlib import Path
from stepup_mw.errors import StoreUnavailable
from stepup_mw.stores.sqlite import SqliteStore
store = SqliteStore(Path(sys.argv[1]))
said = {"taken": 0, "refused": 0, "longest": 0.0}
async def lane(until):
    while (begun := time.monotonic()) < until:
        try:
            await store.raise_epoch("alice")
            said["taken"] += 1
        except StoreUnavailable:
            said["refused"] += 1
        said["longest"] = max(said["longest"], time.monotonic() - begun)
async def all_lanes():
    await asyncio.gather(*(lane(time.monotonic() + 5) for _ in range(128)))
print("ready", flush=True)
sys.stdin.readline()
asyncio.run(all_lanes())
print(json.dumps(said))
"""


@pytest.mark.slow
def test_no_process_waits_long_for_the_groups_of_the_others(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "state.db")
    said = _all_at_once(_BUSY, str(tmp_path / "state.db"), of=4)
    assert all(each["taken"] for each in said)
    assert sum(each["refused"] for each in said) == 0, said
    assert max(each["longest"] for each in said) < 1.5, said


_KILLED = """
import asyncio, os, sys
from pathlib import Path
from stepup_mw.state import Factor
from stepup_mw.stores.sqlite import SqliteStore
store = SqliteStore(Path(sys.argv[1]))
answers = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
async def lane(name):
    number = 0
    while True:
        number += 1
        user = f"{name}-{number}"
        await store.put_factor(Factor(user=user, factor_id="f1", sealed=b"x", created_at=1.0), ["r1", "r2", "r3"])
        os.write(answers, f"{user} put\\n".encode())
        assert await store.consume_step(user, "f1", 7)
        os.write(answers, f"{user} taken\\n".encode())
async def all_lanes():
    await asyncio.gather(*(lane(f"{sys.argv[3]}-{number}") for number in range(32)))
asyncio.run(all_lanes())
"""


def _kill_amid(path: Path, name: str, after_s: float) -> set[str]:
    """What it had been answered: noted in a file, as it would wait for who reads a pipe."""
    answers = path.with_name(f"{name}.answers")
    process = _started(_KILLED, str(path), str(answers), name)
    until(lambda: answers.exists() and answers.stat().st_size > 0)
    time.sleep(after_s)
    process.kill()
    process.communicate()
    return set(answers.read_text().splitlines())


async def _steps(store: SqliteStore, users: Iterable[str]) -> set[int]:
    return {factor.last_step for user in users for factor in await store.factors(user)}


@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_a_killed_process_leaves_what_it_was_answered_and_nothing_by_half(tmp_path: Path, rounds: int) -> None:
    path, answered = tmp_path / "state.db", set[str]()
    for number in range(rounds):
        said = _kill_amid(path, f"r{number}", random.uniform(0.05, 0.4))
        answered |= said
        store = SqliteStore(path)
        there = {user.user: (user.factors, user.recovery_codes) for user in asyncio.run(store.users())}
        assert set(there.values()) <= {(1, 3)}, "a step was there by half"
        assert {line.split()[0] for line in answered} <= set(there)
        assert asyncio.run(_steps(store, (line.split()[0] for line in said if line.endswith("taken")))) <= {7}
        assert asyncio.run(store.loss()) is None
        asyncio.run(store.aclose())
    assert len(answered) > 10 * rounds
