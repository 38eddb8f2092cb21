"""A store's step, what its bare client takes to send the very same commands, and the plainest step of that client.

All that is compared runs once in a short round, the bare client before the store in every other one; it sends what was
heard of the store a round ago, so that every command finds the same state on both sides, and none is sent twice.
"""

from __future__ import annotations

import gc
import itertools
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from .bare import Bare, Heard, Step, heard

SLICE_S = 0.005
"""Short, and so many: on a shared machine a long one hides what it is beside."""


@dataclass(kw_only=True)
class Taken:
    """Seconds a step, round by round: the store's, of the same commands by the bare client, and of its plainest step;
    and of CPU."""

    store: list[float] = field(default_factory=list)
    store_cpu: list[float] = field(default_factory=list)
    same: list[float] = field(default_factory=list)
    same_cpu: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)


async def measure(steps: Mapping[str, Step], plain: Step | None, one: Bare | None, rounds: int) -> dict[str, Taken]:
    """Every step in turn. ``plain``: the step of ``one`` that is as plain as can be."""
    found = {}
    gc.collect()
    gc.disable()
    try:
        for name, step in steps.items():
            found[name] = await _one(step, plain, one, rounds)
    finally:
        gc.enable()
    return found


async def _one(step: Step, plain: Step | None, one: Bare | None, rounds: int) -> Taken:
    client, taken = (one.client if one is not None else ""), Taken()
    count, waiting = await _begin(client, step, one)
    for number in range(rounds):
        if number % 2 and one is not None and one.send is not None:
            _note(await _timed(_sending(one, waiting)), count, taken.same, taken.same_cpu)
        with heard(client) as commands:
            _note(await _timed(_times(step, count)), count, taken.store, taken.store_cpu)
        if not number % 2 and one is not None and one.send is not None:
            _note(await _timed(_sending(one, waiting)), count, taken.same, taken.same_cpu)
        waiting = commands
        if plain is not None:
            _note(await _timed(_times(plain, count)), count, taken.plain, [])
    return taken


async def _begin(client: str, step: Step, one: Bare | None) -> tuple[int, Heard]:
    """How often a step is taken in one slice; and what was heard of one slice, for the bare client to send in the first
    round. It has sent all before that."""
    count, wall, heard_lately = 4, 0.0, Heard()
    while wall < SLICE_S / 4:
        count *= 2
        with heard(client) as commands:
            wall, _ = await _timed(_times(step, count))
        heard_lately += commands
    if one is not None and one.send is not None:
        await _sending(one, heard_lately)()
    count = max(2, int(count * SLICE_S / wall))
    with heard(client) as commands:
        await _times(step, count)()
    return count, commands


def _sending(one: Bare, commands: Heard) -> Step:
    send = one.send
    assert send is not None

    async def sending() -> None:
        for words in commands:
            await send(words)

    return sending


def _times(step: Step, count: int) -> Step:
    async def many() -> None:
        for _ in itertools.repeat(None, count):
            await step()

    return many


async def _timed(work: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """Seconds, and seconds of this process's CPU."""
    cpu, wall = time.process_time(), time.perf_counter()
    await work()
    return time.perf_counter() - wall, time.process_time() - cpu


def _note(timed: tuple[float, float], count: int, wall: list[float], cpu: list[float]) -> None:
    wall.append(timed[0] / count)
    cpu.append(timed[1] / count)


def share(mine: Sequence[float], theirs: Sequence[float]) -> str:
    """How many I do in their time: the median of the rounds, and between which two figures half of them lie."""
    if not theirs:
        return "-"
    low, middle, high = statistics.quantiles([its / my for my, its in zip(mine, theirs, strict=True)], n=4)
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"
