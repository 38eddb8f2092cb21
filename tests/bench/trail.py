"""(t) The trail in one table: verifying and appending, every case once a round, each ratio taken inside its round."""

from __future__ import annotations

import gc
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import median

from stepup_mw.chain import Tip, link

from .appending import (
    FLIGHT,
    SPAN_S,
    flight_of,
    folder,
    keep_appending,
    lines_in,
    open_trail,
    sync_one,
    together,
)
from .rounds import table
from .verifying import TAIL, digest, most_memory, sample, verify, write_trail

MEGABYTES = 1024
SMALL_MB, LARGE_MB = 1, 4096
BATCHES = (8, 32, 128)
CALLS = 200

Ratio = Callable[[], float]
"""One round of it: how many times the base we are, more is better."""


def measure(rounds: int) -> str:
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as name:
        path = Path(name) / "stepup.jsonl"
        lines = write_trail(path, MEGABYTES)
        cases = verifying(path) | appending()
        found: dict[str, list[float]] = {name: [] for name in cases}
        for number in range(max(3, rounds // 2)):
            turn = list(cases)[number % len(cases) :] + list(cases)[: number % len(cases)]
            for case in turn:
                gc.collect()
                found[case].append(cases[case][0]())
        rows = [
            [case, f"{median(seen):.2f}", f"{min(seen):.2f} to {max(seen):.2f}", goal]
            for (case, seen), goal in zip(found.items(), (goal for _, goal in cases.values()), strict=True)
        ]
        title = f"### (t) The trail: {path.stat().st_size / 1e6:,.0f} MB, {lines:,} lines to verify"
    return "\n\n".join([title, table("case | ratio | in all rounds | goal", [*rows, memory()])])


def verifying(path: Path) -> dict[str, tuple[Ratio, str]]:
    """Beside ``openssl dgst -sha256`` over the same file, just before each: on one core by the CPU time of both, which
    other work on the machine disturbs least, on two by the clock."""

    def ratio(*, parse: bool, processes: int) -> float:
        measure_s = spent if processes == 1 else timed
        base = measure_s(partial(digest, path, 1))
        return base / measure_s(partial(verify, path, 1, parse=parse, processes=processes))

    name = "verify, of openssl dgst -sha256"
    return {
        f"{name}: chain, one core": (partial(ratio, parse=False, processes=1), "0.45"),
        f"{name}: chain, two cores": (partial(ratio, parse=False, processes=2), "0.8"),
        f"{name}: every line parsed, one core": (partial(ratio, parse=True, processes=1), "0.18"),
        f"{name}: every line parsed, two cores": (partial(ratio, parse=True, processes=2), ""),
    }


def appending() -> dict[str, tuple[Ratio, str]]:
    batches: dict[str, tuple[Ratio, str]] = {
        f"append {size} lines, of a raw write and fdatasync": (partial(batch, size), "0.6") for size in BATCHES
    }
    two: dict[str, tuple[Ratio, str]] = {
        f"append {size} lines, two processes, of {what} that write raw and sync": (partial(workers, size, raw), goal)
        for size in BATCHES
        for raw, what, goal in ((1, "one", "0.6"), (2, "two", ""))
    }
    return {
        **batches,
        **two,
        f"the same by hand, {BATCHES[-1]} lines: closed, chained, one write, one fdatasync": (by_hand, ""),
        f"append, {FLIGHT} in flight, times one sync a line": (in_flight, "12"),
        "append, four processes, times one": (four, "1"),
    }


def batch(size: int) -> float:
    with folder() as place:
        trail, records = open_trail(place), [sample()] * size
        trail.append_blocking(records)
        ratio = beside_raw(place, records, partial(trail.append_blocking, records))
        trail.close()
    return ratio


def workers(size: int, raw: int) -> float:
    """Two processes that each append so many lines at a time, beside ``raw`` that each write and sync as many."""
    base = together(raw, partial(keep_writing, data=chained([sample()] * size), size=size))
    return together(2, partial(keep_appending, size=size)) / base


def keep_writing(place: Path, ready: Barrier, *, data: bytes, size: int) -> int:
    fd = os.open(place / "raw", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    ready.wait()
    rate = lines_in(SPAN_S, lambda: write_synced(fd, data)) * size
    os.close(fd)
    return round(rate * SPAN_S)


def by_hand() -> float:
    """What the chain alone leaves of a raw write: the same lines made and written in the thread that asks, without a
    queue, a lock or a look at what others did."""
    with folder() as place:
        records = [sample()] * BATCHES[-1]
        fd = os.open(place / "by-hand", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        ratio = beside_raw(place, records, lambda: write_synced(fd, chained(records)))
        os.close(fd)
    return ratio


def beside_raw(place: Path, records: list[bytes], ours: Callable[[], None]) -> float:
    fd, data = os.open(place / "raw", os.O_WRONLY | os.O_CREAT | os.O_APPEND), chained(records)
    taken = [(timed(lambda: write_synced(fd, data)), timed(ours)) for _ in range(CALLS)]
    os.close(fd)
    return sum(base for base, _ in taken) / sum(mine for _, mine in taken)


def chained(records: list[bytes]) -> bytes:
    return link([b"%b%b%d}}" % (record[1:-1], TAIL, 12345) for record in records], Tip(10**6))[0]


def write_synced(fd: int, data: bytes) -> None:
    os.write(fd, data)
    os.fdatasync(fd)


def in_flight() -> float:
    with folder() as place:
        trail, record = open_trail(place), sample()
        fd = os.open(place / "raw", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        alone = lines_in(SPAN_S, lambda: sync_one(fd, record))
        many = flight_of(SPAN_S, trail, record)
        trail.close()
        os.close(fd)
    return many / alone


def four() -> float:
    one = together(1, keep_appending)
    return together(4, keep_appending) / one


def memory() -> list[str]:
    small, large = most_memory(SMALL_MB), most_memory(LARGE_MB)
    what = f"memory of verify, {LARGE_MB:,} MB beside {SMALL_MB} MB ({large:.0f} and {small:.0f} MB)"
    return [what, f"{large / small:.2f}", "", "flat"]


def spent(work: Callable[[], object]) -> float:
    """Seconds of CPU, those of children that ended included."""
    begun = sum(os.times()[:4])
    work()
    return sum(os.times()[:4]) - begun


def timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
