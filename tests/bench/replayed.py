"""A store's step, what its bare client takes to send the very same commands, and the plainest step of that client.

All that is compared runs once in a short round, the bare client before the store in every other one; it sends what was
heard of the store a round ago, so that every command finds the same state on both sides, and none is sent twice.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

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


async def measure(steps: Mapping[str, tuple[Step, Step | None]], one: Bare | None, rounds: int) -> dict[str, Taken]:
    """Every step once a round, so that no hour of the machine's is one step's alone. With each the step of ``one`` that
    is as plain as can be."""
    matches = {name: await _begin(step, plain, one) for name, (step, plain) in steps.items()}
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

    step: Step
    plain: Step | None
    count: int
    waiting: list[Heard]
    taken: Taken = field(default_factory=Taken)


async def _round(match: _Match, one: Bare | None, *, sends_first: bool) -> None:
    taken, sendings, said = match.taken, _sendings(one, match.waiting), list[Heard]()
    if sends_first and one is not None:
        _note(await _timed(sendings), taken.same, taken.same_cpu)
    with heard(one.client if one is not None else "") as commands:
        _note(await _timed([_hearing(match.step, commands, said)] * match.count), taken.store, taken.store_cpu)
    if not sends_first and one is not None:
        _note(await _timed(sendings), taken.same, taken.same_cpu)
    match.waiting = said
    if match.plain is not None:
        _note(await _timed([match.plain] * match.count), taken.plain, [])


async def _begin(step: Step, plain: Step | None, one: Bare | None) -> _Match:
    """How many steps fill one slice; and what was heard of so many, for the bare client to send in the first round. It
    has sent all before that."""
    client, count, wall = (one.client if one is not None else ""), 4, 0.0
    while wall < SLICE_S / 4:
        count *= 2
        wall, said = await _heard(client, step, count)
        if one is not None:
            assert all(said), "of a step of the store nothing was heard"
            await _timed(_sendings(one, said))
    count = max(3, int(count * SLICE_S / wall))
    return _Match(step=step, plain=plain, count=count, waiting=(await _heard(client, step, count))[1])


async def _heard(client: str, step: Step, count: int) -> tuple[float, list[Heard]]:
    said: list[Heard] = []
    begun = time.perf_counter()
    with heard(client) as commands:
        await _timed([_hearing(step, commands, said)] * count)
    return time.perf_counter() - begun, said


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
