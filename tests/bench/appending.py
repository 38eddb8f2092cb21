"""(g) Durable lines a second: beside a raw write and fdatasync of as many bytes, beside one sync a line, and in four
processes beside one."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import median

from stepup_mw.chain import Tip, link
from stepup_mw.settings import TrailSettings
from stepup_mw.trail import Trail

from .rounds import Case, interleave, table
from .verifying import TAIL, sample

BATCHES = (8, 32, 128)
FLIGHT = 128
SPAN_S = 1.5

Worker = Callable[[Path, Barrier], int]
"""What a process does in a folder for ``SPAN_S`` once all are ready: how many lines it has made durable."""


def measure(rounds: int) -> str:
    return "\n\n".join(["### (g) Durable lines", batches(rounds), flight(rounds), processes(rounds)])


@contextmanager
def folder() -> Iterator[Path]:
    """On the disk of the working directory: a temporary folder may be in memory, where a sync costs nothing."""
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as name:
        yield Path(name)


def open_trail(place: Path) -> Trail:
    settings = TrailSettings(path=place / "audit" / "stepup.jsonl", rotate_size=None, rotate_every_s=None)
    return Trail(settings, service="bank", clock=time.time)


def batches(rounds: int) -> str:
    """The same lines: written by the trail, and as ready bytes in one write and one fdatasync."""
    rows = []
    for size in BATCHES:
        with folder() as place:
            trail, records = open_trail(place), [sample()] * size
            fd = os.open(place / "raw", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            bodies = [record[1:-1] + TAIL + b"%d}}" % 12345 for record in records]
            data, _ = link(bodies, Tip(10**6))

            def raw(count: int, fd: int = fd, data: bytes = data) -> None:
                for _ in range(count):
                    os.write(fd, data)
                    os.fdatasync(fd)

            def ours(count: int, trail: Trail = trail, records: list[bytes] = records) -> None:
                for _ in range(count):
                    trail.append_blocking(records)

            cases: dict[str, Case] = {"raw": raw, "ours": ours}
            found = interleave(cases, rounds=rounds, slice_s=0.2)
            trail.close()
            os.close(fd)
            rate = size / found["ours"].median * 1e9
            rows.append(
                [
                    str(size),
                    f"{size / found['raw'].median * 1e9:,.0f}",
                    f"{rate:,.0f}",
                    f"{1 / found['ours'].ratio:.2f}",
                ]
            )
    return table("lines a batch | raw write + fdatasync, lines/s | trail, lines/s | ratio", rows)


def flight(rounds: int) -> str:
    """128 requests of one event loop that each wait for their own line, beside one thread that syncs each line."""
    with folder() as place:
        trail, record = open_trail(place), sample()
        fd = os.open(place / "raw", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        ratios, rates = [], []
        for _ in range(max(3, rounds // 2)):
            alone = lines_in(SPAN_S, lambda: sync_one(fd, record))
            together = flight_of(SPAN_S, trail, record)
            rates.append(together)
            ratios.append(together / alone)
        trail.close()
        os.close(fd)
    return table(
        "in flight | lines/s | times one sync a line", [[str(FLIGHT), f"{median(rates):,.0f}", f"{median(ratios):.1f}"]]
    )


def sync_one(fd: int, record: bytes) -> None:
    os.write(fd, record + b"\n")
    os.fdatasync(fd)


def lines_in(span_s: float, write: object) -> float:
    assert callable(write)
    begun, count = time.perf_counter(), 0
    while time.perf_counter() - begun < span_s:
        write()
        count += 1
    return count / (time.perf_counter() - begun)


def flight_of(span_s: float, trail: Trail, record: bytes) -> float:
    """As in a service: so many requests of one event loop, each of which goes on when its line is durable."""

    async def request(until: float) -> int:
        count = 0
        while time.perf_counter() < until:
            await trail.append([record])
            count += 1
        return count

    async def whole() -> float:
        begun = time.perf_counter()
        counts = await asyncio.gather(*(request(begun + span_s) for _ in range(FLIGHT)))
        return sum(counts) / (time.perf_counter() - begun)

    return asyncio.run(whole())


def processes(rounds: int) -> str:
    """Four processes into one file, beside one, each appending 32 lines at a time."""
    ratios, rates = [], []
    for _ in range(max(3, rounds // 2)):
        one, four = together(1, keep_appending), together(4, keep_appending)
        rates.append(four)
        ratios.append(four / one)
    return table("processes | lines/s | times one process", [["4", f"{median(rates):,.0f}", f"{median(ratios):.2f}"]])


def together(count: int, keep_on: Worker) -> float:
    """Lines a second that so many processes of this kind come to in one folder; each says how many it has written."""
    with folder() as place:
        context = multiprocessing.get_context("fork")
        ready, told = context.Barrier(count), context.SimpleQueue()
        processes = [context.Process(target=lambda: told.put(keep_on(place, ready))) for _ in range(count)]
        for process in processes:
            process.start()
        lines: int = sum(told.get() for _ in processes)
        for process in processes:
            process.join()
    return lines / SPAN_S


def keep_appending(place: Path, ready: Barrier, *, size: int = 32) -> int:
    trail, records, lines = open_trail(place), [sample()] * size, 0
    trail.append_blocking(records)
    ready.wait()
    until = time.perf_counter() + SPAN_S
    while time.perf_counter() < until:
        trail.append_blocking(records)
        lines += size
    trail.close()
    return lines
