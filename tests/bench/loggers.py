"""(l) What one would write audit lines with otherwise: lines a second of the same event, whether a line is durable when
the call returns, and whether the package's own verifier notices that the last lines were cut off."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from stepup_mw import events
from stepup_mw.chain import Tip, extend
from stepup_mw.errors import TrailUnavailable
from stepup_mw.trail import verify_trail

from ..trail.parts import trail, vkey
from .appending import FLIGHT, folder, lines_in
from .audit_peers import EVENT, Peer, chained, plain
from .rounds import table
from .verifying import sample

SPAN_S = 0.3
CUT = 5


def measure(rounds: int) -> str:
    with folder() as place, peers(place) as found:
        subject = trail(place / "many")
        name = f"stepup_mw, {FLIGHT} in flight"
        cases = {peer.name: partial(lines_in, SPAN_S, peer.write) for peer in found}
        cases[name] = partial(in_flight, subject)
        ratios = {case: list[float]() for case in cases}
        floor = Floor(place)
        for number in range(max(3, rounds // 2)):
            for case in Random(number).sample(list(cases), len(cases)):  # what one leaves to the disk slows the next
                alone = lines_in(SPAN_S, floor.write)
                ratios[case].append(cases[case]() / alone)
        subject.close()
        floor.close()
        told = {peer.name: [peer.durable, notices(peer)] for peer in found}
        told[name] = ["yes", notices_ours(place)]
    rows = [
        [case, f"{median(seen):.3f}", f"{min(seen):.3f} to {max(seen):.3f}", *told[case]]
        for case, seen in ratios.items()
    ]
    head = "the same event | lines/s, of the floor | in all rounds | durable | notices a cut"
    return "\n\n".join(["### (l) Beside other audit logs; the floor: encode, chain, write, no sync", table(head, rows)])


class Floor:
    """The least that a chained line takes: spelt, hashed, written by one call, and left to the kernel."""

    def __init__(self, place: Path) -> None:
        self._fd = os.open(place / "floor", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._tip = Tip()

    def write(self) -> None:
        data, self._tip = extend([encode()], self._tip, b"}")
        os.write(self._fd, data)

    def close(self) -> None:
        os.close(self._fd)


def synced(fd: int, line: bytes) -> None:
    os.write(fd, line)
    os.fdatasync(fd)


def encode() -> bytes:
    return events.encode(EVENT)


def in_flight(subject: Any) -> float:
    """Each event is made, and waited for, by one of so many requests of one event loop."""

    async def request(until: float) -> int:
        count = 0
        while time.perf_counter() < until:
            await subject.append([encode()])
            count += 1
        return count

    async def whole() -> float:
        begun = time.perf_counter()
        counts = await asyncio.gather(*(request(begun + SPAN_S) for _ in range(FLIGHT)))
        return sum(counts) / (time.perf_counter() - begun)

    return asyncio.run(whole())


@contextmanager
def peers(place: Path) -> Iterator[list[Peer]]:
    with contextlib.ExitStack() as stack:
        one, written = trail(place / "one"), trail(place / "written", durability="async")
        stack.callback(one.close)
        stack.callback(written.close)
        fd = os.open(place / "raw", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        stack.callback(os.close, fd)
        yield [
            Peer(name="one write and fdatasync, unchained", write=partial(synced, fd, sample() + b"\n"), durable="yes"),
            Peer(name="stepup_mw, one at a time", write=lambda: one.append_blocking([encode()]), durable="yes"),
            Peer(name='stepup_mw, durability = "async"', write=lambda: queued(written)),
            *plain(place, stack),
            *chained(place, stack),
        ]


def queued(subject: Any) -> None:
    """A full queue refuses: wait as a busy service would have to."""
    while True:
        try:
            subject.append_blocking([encode()])
        except TrailUnavailable:
            time.sleep(0.001)
        else:
            return


def notices(peer: Peer) -> str:
    """Whether ``verify`` finds the whole file right, and the file without its last lines wrong."""
    if peer.path is None or peer.verify is None:
        return ""
    if not peer.verify():
        return "does not verify its own file"
    cut(peer.path)
    try:
        return "no" if peer.verify() else "yes"
    except Exception as error:  # noqa: BLE001 - whatever it raises, it noticed
        return f"yes ({type(error).__name__})"


def cut(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-CUT]))


def notices_ours(place: Path) -> str:
    (place / "signed").mkdir()
    subject = trail(place / "signed", signed=True)
    for _ in range(20):
        subject.append_blocking([encode()])
    subject.close()
    whole = verify_trail(place / "signed" / "audit", vkey=vkey(place / "signed")).verdict
    cut(place / "signed" / "audit" / "stepup.jsonl")
    after = verify_trail(place / "signed" / "audit", vkey=vkey(place / "signed")).verdict
    return f"yes ({whole}, then {after})"
