"""Steps take turns in one thread: those that wait together as one group, in order, and never one that nobody waits for
any more."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable
from sqlite3 import Connection
from typing import TypeVar, cast

import pytest

from stepup_mw.stores.sqlite.groups import MOST, Group
from stepup_mw.stores.sqlite.turns import Turns

T = TypeVar("T")
NOWHERE = cast("Connection", None)


class Threads(Turns):
    """Turns whose steps need no database. ``sizes``: of the groups."""

    def __init__(self, wait_s: float = 5.0, *, breaks_at: int = 0) -> None:
        super().__init__(wait_s)
        self.sizes: list[int] = []
        self._breaks_at = breaks_at

    async def do(self, step: Callable[[], T]) -> T:
        return await self.take(lambda _: step(), self._write)

    def _write(self, group: Group) -> None:
        while group.another() is not None:
            pass
        self.sizes.append(len(group.turns))
        for turn in group.turns:
            Group(turn).run(lambda alone: alone.turns[0].run(NOWHERE))
        if len(self.sizes) == self._breaks_at:
            raise LookupError("not committed")


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
        turns = Threads()
        found = await asyncio.gather(*(turns.do(lambda number=number: step(number)) for number in range(200)))  # type: ignore[misc]
        turns.end()
        return found

    assert asyncio.run(scene()) == list(range(200))
    assert seen == [(number, "stepup-sqlite") for number in range(200)]


def test_what_a_step_raises_is_raised_and_the_next_one_runs() -> None:
    def broken() -> None:
        raise LookupError("gone")

    async def scene() -> None:
        turns = Threads()
        calls = (turns.do(step) for step in (lambda: 6, broken, lambda: next(iter([])), lambda: 7))
        six, gone, stopped, seven = await asyncio.gather(*calls, return_exceptions=True)
        assert (six, seven) == (6, 7)
        assert isinstance(gone, LookupError)
        assert isinstance(stopped, RuntimeError), "no future takes a StopIteration, and all are told"
        turns.end()

    asyncio.run(scene())


def test_a_step_that_waits_too_long_is_given_up_and_never_begun() -> None:
    begun, ran = threading.Event(), []

    async def scene() -> None:
        turns = Threads(0.1)
        first = asyncio.create_task(turns.do(_slow(begun, 0.4)))
        await asyncio.to_thread(begun.wait)
        with pytest.raises(TimeoutError):
            await turns.do(lambda: ran.append(1))
        assert await first == "done", "which had begun"
        assert await turns.do(lambda: "next") == "next"
        turns.end()

    asyncio.run(scene())
    assert ran == []


def test_who_goes_before_its_turn_is_left_out_and_who_goes_after_it_began_is_not() -> None:
    begun, ran = threading.Event(), []

    async def scene() -> None:
        turns = Threads()

        def counted() -> None:
            _slow(begun)()
            ran.append("first")

        tasks = [asyncio.create_task(turns.do(step)) for step in (counted, lambda: ran.append("second"))]
        await asyncio.to_thread(begun.wait)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await turns.do(lambda: ran.append("third"))
        turns.end()

    asyncio.run(scene())
    assert ran == ["first", "third"]


def test_a_loop_that_ends_while_its_step_runs_is_in_nobodys_way() -> None:
    turns, begun = Threads(), threading.Event()

    async def leave() -> None:
        task = asyncio.create_task(turns.do(_slow(begun)))
        await asyncio.to_thread(begun.wait)
        task.cancel()

    async def next_one() -> int:
        return await turns.do(lambda: 7)

    asyncio.run(leave())
    assert asyncio.run(next_one()) == 7
    turns.end()


def test_loops_of_several_threads_share_the_turns() -> None:
    turns, inside, most = Threads(), [], [0]

    def step() -> None:
        inside.append(1)
        most[0] = max(most[0], len(inside))
        time.sleep(0.001)
        inside.pop()

    async def some() -> None:
        await asyncio.gather(*(turns.do(step) for _ in range(20)))

    threads = [threading.Thread(target=lambda: asyncio.run(some())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    turns.end()
    assert most == [1]


def test_the_thread_ends_with_the_turns_and_begins_again_with_the_next_step() -> None:
    turns = Threads()
    first = asyncio.run(turns.do(threading.current_thread))
    turns.end()
    first.join(5)
    assert not first.is_alive()
    second = asyncio.run(turns.do(threading.current_thread))
    assert second is not first
    del turns
    gc.collect()
    second.join(5)
    assert not second.is_alive(), "of turns that are forgotten"


async def _behind(turns: Threads, *steps: Callable[[], object]) -> list[object]:
    """They wait together, for one that is run alone."""
    begun = threading.Event()
    first = asyncio.create_task(turns.do(_slow(begun, 0.1)))
    await asyncio.to_thread(begun.wait)
    found = await asyncio.gather(*map(turns.do, steps), return_exceptions=True)
    await first
    return found


def test_those_who_wait_together_are_one_group_and_no_group_is_larger_than_there_may_be() -> None:
    turns = Threads()
    asyncio.run(_behind(turns, *(lambda: None for _ in range(2 * MOST + 3))))
    turns.end()
    assert turns.sizes == [1, MOST, MOST, 3]


def test_a_group_that_fails_is_refused_whole_and_the_next_one_runs() -> None:
    turns = Threads(breaks_at=2)
    found = asyncio.run(_behind(turns, lambda: 1, lambda: 2, lambda: 3))
    assert [str(error) for error in found] == ["not committed"] * 3
    assert asyncio.run(turns.do(lambda: 4)) == 4
    turns.end()


class _Counting(asyncio.SelectorEventLoop):
    woken = 0

    def call_soon_threadsafe(self, *args: object, **kwargs: object) -> asyncio.Handle:
        self.woken += threading.current_thread().name == "stepup-sqlite"
        return super().call_soon_threadsafe(*args, **kwargs)  # type: ignore[arg-type]


def test_a_group_wakes_its_loop_once() -> None:
    turns = Threads()
    with asyncio.Runner(loop_factory=_Counting) as runner:
        runner.run(_behind(turns, *(lambda: None for _ in range(40))))
        loop = runner.get_loop()
        assert isinstance(loop, _Counting)
        assert loop.woken == 2
    turns.end()


def test_an_end_in_the_midst_of_those_who_wait_leaves_none_of_them_behind() -> None:
    turns, before = Threads(), set(threading.enumerate())

    async def scene() -> list[int]:
        begun = threading.Event()
        first = asyncio.create_task(turns.do(_slow(begun, 0.1)))
        await asyncio.to_thread(begun.wait)
        found: list[asyncio.Task[int]] = []
        for number in range(20):
            found.append(asyncio.create_task(turns.do(lambda number=number: number)))  # type: ignore[misc]
            await asyncio.sleep(0)
            if number % 5 == 0:
                turns.end()
        await first
        return await asyncio.gather(*found)

    assert asyncio.run(scene()) == list(range(20))
    turns.end()
    until = time.monotonic() + 5
    while set(threading.enumerate()) - before and time.monotonic() < until:
        time.sleep(0.01)
    assert set(threading.enumerate()) <= before
