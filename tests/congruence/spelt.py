"""Spellings for property tests, and the way to run a bank in this process: which handler does a request run?"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

from stepup_mw.congruence.operators import OPERATORS
from stepup_mw.congruence.spelling import Spelling, plain
from stepup_mw.congruence.wire import Native, handed

from .banks import RAN, Bank

SEEDS = [
    plain("POST", "/accounts/42/transfer"),
    plain("POST", "/admin/transfer"),
    plain("DELETE", "/items/7/delete"),
    plain("GET", "/files/a/b.txt"),
    plain("POST", "/m/inner/transfer"),
    plain("POST", "/acme/t/pay"),
    plain("POST", "/t/pay"),
    plain("POST", "/admin/transfer/"),
    plain("POST", "/acme/t/pay/"),
    plain("DELETE", "/keys/12345678-1234-5678-1234-567812345678"),
    plain("POST", "/kasse/stra\u00dfe"),
    plain("GET", "/live/7", kind="websocket"),
    plain("GET", "/public/7"),
    plain("GET", "/"),
]


@st.composite
def spellings(draw: st.DrawFn, most: int = 3) -> Spelling:
    """A plain request, and a few operators on it in any order."""
    spelling = draw(st.sampled_from(SEEDS))
    for operator in draw(st.lists(st.sampled_from(OPERATORS), max_size=most)):
        variants = list(operator.apply(spelling))
        if variants:
            spelling = draw(st.sampled_from(variants))
    return spelling


def singles() -> list[Spelling]:
    """Every variant of every operator on every plain request."""
    return [*SEEDS, *(other for seed in SEEDS for operator in OPERATORS for other in operator.apply(seed))]


class Runner:
    """Runs apps, one request after the other."""

    def __init__(self) -> None:
        self._loop = asyncio.Runner()

    def ran(self, app: Any, native: Native) -> str | None:
        """The name of the handler that ran, whatever came of it."""
        RAN.clear()
        try:
            if "wsgi.version" in native:
                self._wsgi(app, native)
            else:
                self._loop.run(asyncio.wait_for(self._asgi(app, native), 10))
        except Exception:  # noqa: BLE001 - the app fails before a handler, or the handler has run
            assert len(RAN) < 2
        return RAN[0] if RAN else None

    def bank(self, bank: Bank, app: Any, spelling: Spelling) -> dict[str, str | None]:
        """By the server that hands the spelling on."""
        return {server: self.ran(app, native) for server, native in handed(spelling, bank.interface)}

    def close(self) -> None:
        self._loop.close()

    def run(self, work: Any) -> None:
        self._loop.run(work)

    @staticmethod
    async def _asgi(app: Any, native: Native) -> None:
        first = "http.request" if native["type"] == "http" else "websocket.connect"
        messages: list[dict[str, Any]] = [{"type": first, "body": b"", "more_body": False}]
        answered = asyncio.Event()

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop()
            with contextlib.suppress(TimeoutError):  # a client that stays until it has its answer
                async with asyncio.timeout(5):  # which lets a cancellation through, as ``wait_for`` may not
                    await answered.wait()
            return {"type": first.partition(".")[0] + ".disconnect", "code": 1000}

        async def send(message: Any) -> None:
            ends = {"websocket.close": True, "http.response.body": not message.get("more_body")}
            if ends.get(message["type"]):
                answered.set()

        await app(native, receive, send)

    @staticmethod
    def _wsgi(app: Any, native: Native) -> None:
        body: Iterable[bytes] = app(native, lambda *_: lambda _: None)
        list(body)
        getattr(body, "close", lambda: None)()
