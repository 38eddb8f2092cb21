"""What one would write audit lines with otherwise: loggers, and packages that chain their lines, each with the same
event."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
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

from .verifying import sample

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
