"""Four real processes on one store, racing: what is once, is once over all of them."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.managers import SyncManager
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from .samples import (
    ACCOUNT,
    ADDRESS,
    STORES,
    WIDE,
    keep_grant,
    make_challenge,
    make_factor,
    make_grant,
    try_challenge,
    use,
)

SHARED = [kind for kind in STORES if kind != "memory"]
PROCESSES, ROUNDS, CALLERS = 4, 6, 16


def _race(kind: str, folder: Path, start: Barrier) -> dict[str, Any]:
    """What one process got: every round, all processes want the same things."""

    async def run() -> dict[str, Any]:
        store = STORES[kind](folder)
        won: dict[str, Any] = {name: [] for name in ("step", "code", "settle", "use", "number", "due", "evicted")}
        for turn in range(ROUNDS):
            start.wait(30)
            calls = [
                ("step", turn, store.consume_step("alice", "f1", turn)),
                ("code", turn, store.consume_recovery("alice", f"r{turn}")),
                ("settle", turn, store.settle_challenge(f"settle{turn}", "approved", now=1001.0)),
                ("use", turn, use(store, f"g{turn}")),
            ]
            for (name, value, _), taken in zip(calls, await asyncio.gather(*(c[2] for c in calls)), strict=True):
                won[name] += [value] * taken
            won["number"].append((await try_challenge(store, "count", attempts=99, account=WIDE)).number)
        won["due"] = [c.challenge_id for c in await store.due_challenges(now=9000.0, grace_s=60.0, limit=5)]
        start.wait(30)
        attempts = [store.take_attempt("bob", "ip", now=1000.0, account=ACCOUNT, limit=ADDRESS) for _ in range(CALLERS)]
        won["allowed"] = [(found.failures, found.locks) for found in await asyncio.gather(*attempts) if found.allowed]
        won["hits"] = await asyncio.gather(
            *(store.hits("k", now=1.0, window_s=60, record=True) for _ in range(CALLERS))
        )
        await store.aclose()
        return won

    return asyncio.run(run())


async def _set_the_scene(kind: str, folder: Path) -> None:
    store = STORES[kind](folder)
    await store.put_factor(make_factor(), [f"r{turn}" for turn in range(ROUNDS)])
    await store.open_challenge(make_challenge("count", expires_at=9999.0), keep=999)
    for turn in range(ROUNDS):
        await store.open_challenge(make_challenge(f"settle{turn}", expires_at=9999.0), keep=999)
        await keep_grant(store, make_grant(f"g{turn}", uses_left=1), keep=999)
    for number in range(12):
        await store.open_challenge(make_challenge(f"over{number}"), keep=999)
    await store.aclose()


@pytest.fixture(scope="module", params=SHARED)
def won(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    folder = tmp_path_factory.mktemp("race")
    asyncio.run(_set_the_scene(request.param, folder))
    spawn = multiprocessing.get_context("spawn")
    with SyncManager(ctx=spawn) as manager, ProcessPoolExecutor(PROCESSES, mp_context=spawn) as pool:
        start = manager.Barrier(PROCESSES)
        results = [pool.submit(_race, request.param, folder, start) for _ in range(PROCESSES)]
        found = [result.result() for result in results]
    return {name: [item for each in found for item in each[name]] for name in found[0]}


@pytest.mark.parametrize("name", ["step", "code", "settle", "use"])
def test_one_process_wins_each_round(won: dict[str, list[Any]], name: str) -> None:
    if name == "step":
        assert max(Counter(won[name]).values()) == 1
        assert ROUNDS - 1 in won[name]
    else:
        assert sorted(won[name]) == list(range(ROUNDS))


def test_the_guesses_of_all_processes_have_one_budget(won: dict[str, list[Any]]) -> None:
    assert sorted(won["allowed"]) == [(1, False), (2, False), (3, False), (4, False), (5, True)]


def test_attempts_and_hits_of_all_processes_are_numbered_once(won: dict[str, list[Any]]) -> None:
    assert sorted(won["number"]) == list(range(1, PROCESSES * ROUNDS + 1))
    assert sorted(won["hits"]) == list(range(1, PROCESSES * CALLERS + 1))


def test_each_lost_outcome_is_handed_to_one_process(won: dict[str, list[Any]]) -> None:
    handed = [name for name in won["due"] if name.startswith("over")]
    assert sorted(handed) == sorted(f"over{number}" for number in range(12))
    assert max(Counter(won["due"]).values()) == 1
