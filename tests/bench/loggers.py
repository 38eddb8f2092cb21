"""(l) What one would write audit lines with otherwise: lines a second of the same event, whether a line is durable when
the call returns, and whether the package's own verifier notices that the last lines were cut off."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import awdit
import orjson
import structlog
from auditchain import AuditLog, JsonlBackend
from immutable_logging import IntegrityRotatingFileHandler, verify_log_integrity
from loguru import logger as loguru_logger
from pythonjsonlogger.json import JsonFormatter
from pythonjsonlogger.orjson import OrjsonFormatter
from rust_py_audit import AuditLogger
from tamperlog import AppendOnlyLog, JSONLStorage
from trailproof import Trailproof

from stepup_mw import events
from stepup_mw.errors import TrailUnavailable
from stepup_mw.trail import verify_trail

from ..trail.parts import trail, vkey
from .appending import FLIGHT, folder, lines_in
from .rounds import table
from .verifying import sample

SPAN_S = 0.3
CUT = 5
EVENT: dict[str, Any] = orjson.loads(sample())


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """``write`` one event; ``verify`` says whether ``path`` is whole, or there is no such thing; ``durable``: what the
    call returns after."""

    name: str
    write: Callable[[], object]
    path: Path | None = None
    verify: Callable[[], bool] | None = None
    durable: str = "no"


def measure(rounds: int) -> str:
    with folder() as place, peers(place) as found:
        fd = os.open(place / "raw", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        base, ratios = sample() + b"\n", {peer.name: list[float]() for peer in found}
        cases = [(peer.name, partial(lines_in, SPAN_S, peer.write)) for peer in found]
        subject = trail(place / "many")
        name = f"stepup_mw, {FLIGHT} in flight"
        ratios[name] = []
        cases.append((name, partial(in_flight, subject)))
        for number in range(max(3, rounds // 2)):
            turn = number % len(cases)
            for case, rate in cases[turn:] + cases[:turn]:
                alone = lines_in(SPAN_S, partial(synced, fd, base))
                ratios[case].append(rate() / alone)
        subject.close()
        os.close(fd)
        told = {peer.name: [peer.durable, notices(peer)] for peer in found}
        told[name] = ["yes", notices_ours(place)]
    rows = [
        [case, f"{median(seen):.2f}", f"{min(seen):.2f} to {max(seen):.2f}", *told[case]]
        for case, seen in ratios.items()
    ]
    head = "the same event | times one write and fdatasync a line | in all rounds | durable | notices a cut"
    return "\n\n".join(["### (l) Beside other audit logs", table(head, rows)])


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
        yield [
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


def plain(place: Path, stack: contextlib.ExitStack) -> list[Peer]:
    """Loggers: they have no verifier."""
    stream = stack.enter_context((place / "structlog").open("wb"))
    bound = structlog.wrap_logger(
        structlog.BytesLogger(stream),
        processors=[
            structlog.processors.TimeStamper(fmt="iso", key="at"),
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        wrapper_class=structlog.BoundLogger,
        cache_logger_on_first_use=True,
    ).bind()
    loguru_logger.remove()
    loguru_logger.add(place / "loguru", serialize=True)
    slow = logger("json", logging.FileHandler(place / "json"), JsonFormatter())
    fast = logger("orjson", logging.FileHandler(place / "orjson"), OrjsonFormatter())
    fields = {key: value for key, value in EVENT.items() if key != "event"}
    return [
        Peer(name="python-json-logger", write=lambda: slow.warning("audit", extra={"audit": EVENT})),
        Peer(name="python-json-logger (orjson)", write=lambda: fast.warning("audit", extra={"audit": EVENT})),
        Peer(name="structlog (orjson)", write=lambda: bound.info("audit", **fields)),
        Peer(name="loguru, serialize", write=lambda: loguru_logger.bind(**EVENT).info("audit")),
    ]


def logger(name: str, handler: logging.Handler, formatter: logging.Formatter) -> logging.Logger:
    """Of its own: the root of the benchmarks is silent."""
    found = logging.Logger(f"peer-{name}")
    found.manager = logging.Manager(logging.RootLogger(logging.INFO))
    handler.setFormatter(formatter)
    found.addHandler(handler)
    return found


def chained(place: Path, stack: contextlib.ExitStack) -> list[Peer]:
    """Packages that chain their lines or put them in a tree."""
    immutable = logger("immutable", IntegrityRotatingFileHandler(place / "immutable"), JsonFormatter())
    proof = Trailproof(store="jsonl", path=str(place / "trailproof"), default_tenant_id="t")
    tree = AppendOnlyLog(JSONLStorage(str(place / "tamperlog")))
    return [
        rust(place, synced=True),
        rust(place, synced=False),
        Peer(
            name="trailproof",
            write=lambda: proof.emit(event_type="a.b", actor_id="u", payload=EVENT),
            path=place / "trailproof",
            verify=lambda: bool(
                Trailproof(store="jsonl", path=str(place / "trailproof"), default_tenant_id="t").verify().intact
            ),
        ),
        auditchain(place, stack),
        Peer(
            name="immutable-logging",
            write=lambda: immutable.warning("audit", extra={"audit": EVENT}),
            path=place / "immutable",
            verify=lambda: bool(verify_log_integrity(str(place / "immutable")).passed),
        ),
        Peer(
            name="tamperlog",
            write=lambda: tree.append_json(EVENT),
            path=place / "tamperlog",
            verify=lambda: intact(place / "tamperlog"),
        ),
        Peer(
            name="awdit, from empty",
            write=lambda: awdit.append(str(place / "awdit"), "x", **EVENT),
            path=place / "awdit",
            verify=lambda: bool(awdit.verify(str(place / "awdit")).ok),
            durable="the line, not its anchor",
        ),
    ]


def rust(place: Path, *, synced: bool) -> Peer:
    path = place / f"rust-{synced}"
    subject = AuditLogger(app_name="bank", file_path=str(path), fsync=synced)
    return Peer(
        name=f"rust-py-audit, fsync={synced}",
        write=lambda: subject.log(actor_id="u", action="A", resource="r", resource_id="1", metadata=EVENT),
        path=path,
        verify=lambda: bool(AuditLogger(app_name="bank", file_path=str(path)).verify()["valid"]),
        durable="yes" if synced else "no",
    )


def auditchain(place: Path, stack: contextlib.ExitStack) -> Peer:
    path, runner = place / "auditchain", stack.enter_context(asyncio.Runner())
    subject = AuditLog(JsonlBackend(str(path)))
    runner.run(subject.init())

    async def verify() -> bool:
        found = AuditLog(JsonlBackend(str(path)))
        await found.init()
        return bool((await found.verify()).ok)

    return Peer(
        name="auditchain",
        write=lambda: runner.run(subject.append("u", "delete", "user", metadata=EVENT)),
        path=path,
        verify=lambda: runner.run(verify()),
    )


def intact(path: Path) -> bool:
    AppendOnlyLog(JSONLStorage(str(path))).verify_all_entries()
    return True


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
