"""A store's step, what its bare client takes to send the very same commands, and the plainest step of that client.

All that is compared runs once in a short round, the bare client before the store in every other one. It sends what was
heard a round ago of the store's twin, a store like it that does the same: so every command finds the same state on both
sides, none is sent twice, and nothing that is timed is listened to.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from .bare import Bare, Heard, Step, heard

SLICE_S = 0.005
"""Short, and so many: on a shared machine a long one hides what it is beside."""

TASKS, EACH = 16, 8
"""Of a crowd: so many tasks of one event loop at once, each with so many steps, one after the other."""


@dataclass(kw_only=True)
class Taken:
    """Seconds a step, round by round: the store's, of the same commands by the bare client, of these handed to a thread
    and back, and of its plainest step; and of CPU. ``crowd``: the store's with a crowd of tasks in flight;
    ``crowd_same``: of the same commands by the bare client, which has nothing else to do."""

    store: list[float] = field(default_factory=list)
    store_cpu: list[float] = field(default_factory=list)
    same: list[float] = field(default_factory=list)
    same_cpu: list[float] = field(default_factory=list)
    handed: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)
    crowd: list[float] = field(default_factory=list)
    crowd_same: list[float] = field(default_factory=list)


class Compared(NamedTuple):
    """``twin``: the same step of the store's twin. ``plain``: the one of the bare client that is as plain as can be.
    ``handed``: these commands would stop the event loop. So the bare client is also asked in a thread; and the store by
    a crowd, beside the bare client in place."""

    step: Step
    twin: Step | None = None
    plain: Step | None = None
    handed: bool = False


async def measure(steps: Mapping[str, Compared], one: Bare | None, rounds: int) -> dict[str, Taken]:
    """Every step once a round, so that no hour of the machine's is one step's alone."""
    matches = {name: await _begin(compared, one) for name, compared in steps.items()}
    gc.collect()
    gc.disable()
    try:
        for number in range(rounds):
            for match in matches.values():
                await _round(match, one, sends_first=bool(number % 2))
    finally:
        gc.enable()
    return {name: match.taken for name, match in matches.items()}


@dataclass(kw_only=True)
class _Match:
    """``waiting``: what was heard a round ago, and not sent yet."""

    compared: Compared
    count: int
    waiting: list[Heard]
    taken: Taken = field(default_factory=Taken)


async def _round(match: _Match, one: Bare | None, *, sends_first: bool) -> None:
    taken, compared = match.taken, match.compared
    if sends_first:
        await _send_waiting(match, one)
    _note(await _timed([compared.step] * match.count), taken.store, taken.store_cpu)
    if not sends_first:
        await _send_waiting(match, one)
    if compared.handed:
        await _crowd(match, one, sends_first=sends_first)
    match.waiting = await _heard(one, compared.twin, match.count)
    if compared.plain is not None:
        _note(await _timed([compared.plain] * match.count), taken.plain, [])


async def _send_waiting(match: _Match, one: Bare | None) -> None:
    """Where it is asked in a thread, too, the second half of them is."""
    if one is None:
        return
    taken, here = match.taken, len(match.waiting) // (2 if match.compared.handed else 1)
    _note(await _timed(_sendings(one, match.waiting[:here])), taken.same, taken.same_cpu)
    hand_over = one.hand_over if match.compared.handed else None
    if hand_over is not None:
        _note(await _timed([partial(hand_over, commands) for commands in match.waiting[here:]]), taken.handed, [])


async def _crowd(match: _Match, one: Bare | None, *, sends_first: bool) -> None:
    """Whole: the mean of its steps, as what each waits for is shared by several."""
    if one is None or one.at_once is None:
        return
    taken, step = match.taken, match.compared.step
    said = await _heard(one, match.compared.twin, TASKS * EACH)

    async def several() -> None:
        for _ in range(EACH):
            await step()

    async def asked() -> None:
        begun = time.perf_counter()
        await asyncio.gather(*(several() for _ in range(TASKS)))
        taken.crowd.append((time.perf_counter() - begun) / (TASKS * EACH))

    def sent(at_once: Callable[[Heard], object]) -> None:
        begun = time.perf_counter()
        for commands in said:
            at_once(commands)
        taken.crowd_same.append((time.perf_counter() - begun) / (TASKS * EACH))

    if sends_first:
        sent(one.at_once)
    await asked()
    if not sends_first:
        sent(one.at_once)


async def _begin(compared: Compared, one: Bare | None) -> _Match:
    """How many steps fill one slice; and what was heard of so many, for the bare client to send in the first round. It
    has sent all before that."""
    count, wall = 4, 0.0
    while wall < SLICE_S / 4:
        count *= 2
        begun = time.perf_counter()
        await _timed([compared.step] * count)
        wall = time.perf_counter() - begun
        if one is not None:
            await _timed(_sendings(one, await _heard(one, compared.twin, count)))
    count = max(3, int(count * SLICE_S / wall))
    await _timed([compared.step] * count)
    return _Match(compared=compared, count=count, waiting=await _heard(one, compared.twin, count))


async def _heard(one: Bare | None, twin: Step | None, count: int) -> list[Heard]:
    """What was heard of so many steps of the twin, step by step."""
    said: list[Heard] = []
    if one is None or twin is None:
        return said
    with heard(one.client) as commands:
        await _timed([_hearing(twin, commands, said)] * count)
    assert all(said), "of a step of the store nothing was heard"
    return said


def _hearing(step: Step, commands: Heard, said: list[Heard]) -> Step:
    """A step, and then what was heard of it in ``said``."""

    async def hearing() -> None:
        await step()
        said.append(commands[:])
        commands.clear()

    return hearing


def _sendings(one: Bare | None, said: list[Heard]) -> list[Step]:
    return [] if one is None else [partial(_send, one, commands) for commands in said]


async def _send(one: Bare, commands: Heard) -> None:
    for words in commands:
        await one.send(words)


async def _timed(steps: Sequence[Step]) -> tuple[float, float]:
    """Seconds a step, and seconds of this process's CPU a step. The step that three quarters were no quicker than: what
    else the machine did meanwhile lies in the others."""
    taken, cpu, clock = [], time.process_time(), time.perf_counter
    for step in steps:
        begun = clock()
        await step()
        taken.append(clock() - begun)
    return sorted(taken)[len(taken) // 4], (time.process_time() - cpu) / len(steps)


def _note(timed: tuple[float, float], wall: list[float], cpu: list[float]) -> None:
    wall.append(timed[0])
    cpu.append(timed[1])


def share(mine: Sequence[float], theirs: Sequence[float]) -> str:
    """How many I do in their time: the median of the rounds, and between which two figures half of them lie."""
    if not theirs:
        return "-"
    low, middle, high = statistics.quantiles([its / my for my, its in zip(mine, theirs, strict=True)], n=4)
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"
