from __future__ import annotations

import asyncio
import threading
import time

import pytest

from stepup_mw.stores.loops import Deadlines, PerLoop


def test_what_is_late_is_a_time_out_and_what_is_not_is_not() -> None:
    done: list[str] = []

    async def scene() -> None:
        with Deadlines(5.0).begin():
            await asyncio.sleep(0)
        begun = time.monotonic()
        with pytest.raises(TimeoutError), Deadlines(0.05).begin(lambda: done.append("before")):
            await asyncio.sleep(5)
        assert time.monotonic() - begun < 1
        await asyncio.sleep(0.01)

    asyncio.run(scene())
    assert done == ["before"]


def test_a_cancellation_from_outside_is_no_time_out() -> None:
    async def slow() -> None:
        with Deadlines(5.0).begin():
            await asyncio.sleep(5)

    async def scene() -> None:
        task = asyncio.create_task(slow())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await slow()
        with pytest.raises(TimeoutError), Deadlines(0.02).begin():
            await slow()

    asyncio.run(scene())


def test_each_of_a_crowd_has_its_own_time_by_one_timer() -> None:
    deadlines, ended = Deadlines(0.1), dict[str, float]()

    async def step(name: str, begins_s: float, takes_s: float) -> None:
        await asyncio.sleep(begins_s)
        begun = time.monotonic()
        try:
            with deadlines.begin():
                await asyncio.sleep(takes_s)
        except TimeoutError:
            ended[name] = time.monotonic() - begun

    async def scene() -> int:
        steps = (step("first", 0, 5), step("quick", 0.02, 0), step("second", 0.06, 5), step("both", 0.06, 5))
        running = asyncio.gather(*steps)
        await asyncio.sleep(0.08)
        timers = sum(not timer.cancelled() for timer in asyncio.get_running_loop()._scheduled)  # type: ignore[attr-defined]
        await running
        return timers - 3  # those of the three sleeps inside

    assert asyncio.run(scene()) == 1
    assert sorted(ended) == ["both", "first", "second"]
    assert all(0.1 <= taken < 0.4 for taken in ended.values()), ended
    ended.clear()
    asyncio.run(step("in another loop", 0, 5))
    assert 0.1 <= ended["in another loop"] < 0.4


def _slow_mistake() -> None:
    time.sleep(0.02)
    raise KeyError


def test_an_error_inside_stays_the_error_it_is() -> None:
    async def scene() -> None:
        with pytest.raises(KeyError), Deadlines(0.01).begin():
            _slow_mistake()

    asyncio.run(scene())


class _Shop:
    """Opens things and notes who closed them, and in which thread."""

    def __init__(self) -> None:
        self.opened = 0
        self.closed: list[tuple[int, str]] = []
        self.held = PerLoop(self._open, self._close, timeout_s=1.0)

    def _open(self) -> int:
        self.opened += 1
        return self.opened

    async def _close(self, number: int) -> None:
        await asyncio.sleep(0)
        self.closed.append((number, threading.current_thread().name))


def test_a_loop_keeps_what_it_opened_and_closes_it_at_its_end() -> None:
    shop = _Shop()

    async def scene() -> list[int]:
        return [await shop.held.get() for _ in range(3)]

    assert asyncio.run(scene()) == [1, 1, 1]
    assert asyncio.run(scene()) == [2, 2, 2]
    assert shop.closed == [(1, "MainThread"), (2, "MainThread")]


def test_closing_closes_in_every_loop_and_the_next_use_opens_anew() -> None:
    shop, there, over = _Shop(), threading.Event(), threading.Event()

    async def elsewhere() -> None:
        await shop.held.get()
        there.set()
        while not over.is_set():  # noqa: ASYNC110 - set by another thread
            await asyncio.sleep(0.005)

    async def scene() -> None:
        await asyncio.to_thread(there.wait, 5)
        assert await shop.held.get() == 2
        await shop.held.aclose()
        assert sorted(shop.closed) == [(1, "other"), (2, "MainThread")]
        assert await shop.held.get() == 3

    thread = threading.Thread(target=lambda: asyncio.run(elsewhere()), name="other")
    thread.start()
    asyncio.run(scene())
    over.set()
    thread.join()
    assert len(shop.closed) == 3


def test_a_close_that_fails_or_hangs_ends_the_loop_all_the_same() -> None:
    async def hang(number: int) -> None:
        await asyncio.sleep(60 if number else 0)
        raise OSError

    begun = time.monotonic()
    for number in (0, 1):
        held = PerLoop(lambda number=number: number, hang, timeout_s=0.1)  # type: ignore[misc]
        asyncio.run(held.get())
    assert time.monotonic() - begun < 2
