"""Writes to one file take turns in one thread: each whole, in order, and never one that nobody waits for any more."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable

import pytest

from stepup_mw.stores.sqlite.turns import Turns


def _slow(begun: threading.Event, seconds: float = 0.2) -> Callable[[], str]:
    def step() -> str:
        begun.set()
        time.sleep(seconds)
        return "done"

    return step


def test_who_comes_first_is_first_and_each_has_its_own_answer() -> None:
    seen: list[tuple[int, str]] = []

    def step(number: int) -> int:
        seen.append((number, threading.current_thread().name))
        return number

    async def scene() -> list[int]:
        turns = Turns(2.0)
        found = await asyncio.gather(*(turns.take(lambda number=number: step(number)) for number in range(200)))  # type: ignore[misc]
        turns.end()
        return found

    assert asyncio.run(scene()) == list(range(200))
    assert seen == [(number, "stepup-sqlite") for number in range(200)]


def test_what_a_step_raises_is_raised_and_the_next_one_runs() -> None:
    def broken() -> None:
        raise LookupError("gone")

    async def scene() -> None:
        turns = Turns(2.0)
        with pytest.raises(LookupError, match="gone"):
            await turns.take(broken)
        assert await turns.take(lambda: 7) == 7
        turns.end()

    asyncio.run(scene())


def test_a_step_that_waits_too_long_is_given_up_and_never_begun() -> None:
    begun, ran = threading.Event(), []

    async def scene() -> None:
        turns = Turns(0.1)
        first = asyncio.create_task(turns.take(_slow(begun, 0.4)))
        await asyncio.to_thread(begun.wait)
        with pytest.raises(TimeoutError):
            await turns.take(lambda: ran.append(1))
        assert await first == "done", "which had begun"
        assert await turns.take(lambda: "next") == "next"
        turns.end()

    asyncio.run(scene())
    assert ran == []


def test_who_goes_before_its_turn_is_left_out_and_who_goes_after_it_began_is_not() -> None:
    begun, ran = threading.Event(), []

    async def scene() -> None:
        turns = Turns(2.0)

        def counted() -> None:
            _slow(begun)()
            ran.append("first")

        tasks = [asyncio.create_task(turns.take(step)) for step in (counted, lambda: ran.append("second"))]
        await asyncio.to_thread(begun.wait)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await turns.take(lambda: ran.append("third"))
        turns.end()

    asyncio.run(scene())
    assert ran == ["first", "third"]


def test_a_loop_that_ends_while_its_step_runs_is_in_nobodys_way() -> None:
    turns, begun = Turns(2.0), threading.Event()

    async def leave() -> None:
        task = asyncio.create_task(turns.take(_slow(begun)))
        await asyncio.to_thread(begun.wait)
        task.cancel()

    async def next_one() -> int:
        return await turns.take(lambda: 7)

    asyncio.run(leave())
    assert asyncio.run(next_one()) == 7
    turns.end()


def test_loops_of_several_threads_share_the_turns() -> None:
    turns, inside, most = Turns(5.0), [], [0]

    def step() -> None:
        inside.append(1)
        most[0] = max(most[0], len(inside))
        time.sleep(0.001)
        inside.pop()

    async def some() -> None:
        await asyncio.gather(*(turns.take(step) for _ in range(20)))

    threads = [threading.Thread(target=lambda: asyncio.run(some())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    turns.end()
    assert most == [1]


def test_the_thread_ends_with_the_turns_and_begins_again_with_the_next_step() -> None:
    turns = Turns(2.0)
    first = asyncio.run(turns.take(threading.current_thread))
    turns.end()
    first.join(5)
    assert not first.is_alive()
    second = asyncio.run(turns.take(threading.current_thread))
    assert second is not first
    del turns
    gc.collect()
    second.join(5)
    assert not second.is_alive(), "of turns that are forgotten"
