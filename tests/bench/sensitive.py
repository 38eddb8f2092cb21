"""(b) A sensitive request with a grant: CPU before the sync, and with a durable line each."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import uvloop

from stepup_mw.asgi import StepUpMiddleware
from stepup_mw.state import Grant
from stepup_mw.testing.records import put_grant

from .apps import Noop, case, hello, receive, scope_of, send, wrapped
from .rounds import interleave, table

PATH = "/api/v1/area7/t1/users/2/delete"


def granted(middleware: StepUpMiddleware, loop: asyncio.AbstractEventLoop) -> str:
    """Puts a grant for alice into the store, as a passed challenge would; its portable token."""
    services = middleware.assembly.gate.services
    rule, now = services.settings.rules[7], time.time()
    grant = Grant(
        grant_id="bench-" + "A" * 16,
        user="alice",
        session=services.keyring.digest("session", "s-81f2"),
        browser="",
        service="bench",
        scope="route",
        rule=rule.name,
        rule_version=rule.version,
        binding="",
        method="totp",
        flow_id=services.new_id(now),
        challenge_id="bench",
        proved_at=now,
        expires_at=now + 86_400,
        epoch=loop.run_until_complete(services.store.epoch("alice")),
    )
    loop.run_until_complete(put_grant(services.store, grant))
    return services.keyring.sign("grant", grant.grant_id)


class Silent:
    """A trail that takes lines and keeps none: what is left is the gate's own CPU."""

    async def append(self, records: Sequence[bytes], *, wait: bool = True, spooled: bool = False) -> None: ...

    def post(self, records: Sequence[bytes], *, info: bool = False) -> None: ...

    async def unended(self, *, since: float, until: float) -> list[dict[str, Any]]:  # noqa: ARG002
        return []

    async def recent(self, users: Collection[str], *, limit: int) -> list[dict[str, Any]]:  # noqa: ARG002
        return []


def measure(rounds: int) -> str:
    """The CPU of a decision, and the throughput of durable lines with 1, 32 and 128 requests in flight."""
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    durable = wrapped(1_000)
    scope = scope_of(PATH, extra=[(b"step-up-grant", granted(durable, loop).encode())])
    return "\n\n".join(
        [
            "### (b) A sensitive request with a grant",
            _decision(loop, rounds),
            _in_flight(loop, durable, scope, rounds),
        ]
    )


def _decision(loop: asyncio.AbstractEventLoop, rounds: int) -> str:
    silent = wrapped(1_000)
    scope = scope_of(PATH, extra=[(b"step-up-grant", granted(silent, loop).encode())])
    silent.assembly.gate.services.journal._trail = Silent()
    cases = {
        "no-op middleware": case(loop, Noop(hello), scope),
        "decision, access and result line, no file": case(loop, silent, scope),
    }
    results = interleave(cases, rounds=rounds)
    base = results["no-op middleware"]
    rows = [
        [name, f"{found.best / 1000:.1f}", f"{found.median / 1000:.1f}", f"{(found.best - base.best) / 1000:.1f}"]
        for name, found in results.items()
    ]
    return table("CPU of one request, in process | best us | median us | added us (bests)", rows)


def _in_flight(loop: asyncio.AbstractEventLoop, middleware: StepUpMiddleware, scope: Any, rounds: int) -> str:
    rows = []
    for flight in (1, 32, 128):
        taken = sorted(_ratios(loop, middleware, scope, flight, rounds))
        median = taken[len(taken) // 2]
        rows.append([str(flight), *(f"{value:.2f}" for value in (median, taken[0], taken[-1]))])
    return table("requests in flight | durable requests a second : raw write + fdatasync a second | least | most", rows)


def _ratios(
    loop: asyncio.AbstractEventLoop, middleware: StepUpMiddleware, scope: Any, flight: int, rounds: int
) -> list[float]:
    """Requests a second, over what one write and one fdatasync a line would give, in the same round."""

    async def serve(seconds: float) -> float:
        async def one() -> int:
            count, end = 0, time.perf_counter() + seconds
            while time.perf_counter() < end:
                await middleware(scope.copy(), receive, send)
                count += 1
            return count

        begun = time.perf_counter()
        return sum(await asyncio.gather(*(one() for _ in range(flight)))) / (time.perf_counter() - begun)

    with tempfile.TemporaryDirectory() as folder:
        fd = os.open(Path(folder) / "raw", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        found = [loop.run_until_complete(serve(0.3)) / _raw(fd, 0.3) for _ in range(rounds)]
        os.close(fd)
    return found


def _raw(fd: int, seconds: float) -> float:
    line, count, begun = b"x" * 1100 + b"\n", 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        os.write(fd, line)
        os.fdatasync(fd)
        count += 1
    return count / (time.perf_counter() - begun)
