"""The service behind the ASGI door, as it is and as an app with a root path of its own sees it."""

from __future__ import annotations

from typing import Protocol

from ..demands import Demand
from ..gate import Gate
from ..messages import Pass, Request, Response
from .inside import Deciding


class Running(Deciding, Protocol):
    """What a door needs of the assembled service."""

    def concerns(self, path: str, root_path: str, raw_path: bytes | None) -> bool: ...

    async def aclose(self) -> None: ...

    def close(self) -> None: ...


class Rooted:
    """The running service, for an app with a root path of its own: paths are read as that app reads them."""

    def __init__(self, running: Running, own_root: str) -> None:
        self._running = running
        self._own_root = own_root

    @property
    def gate(self) -> Gate:
        return self._running.gate

    @property
    def keeps(self) -> int:
        return self._running.keeps

    def concerns(self, path: str, _root_path: str, raw_path: bytes | None) -> bool:
        return self._running.concerns(path, self._own_root, raw_path)

    def start(self) -> None:
        self._running.start()

    def demand_blocking(self, request: Request, demand: Demand, before: Pass) -> Pass | Response:
        return self._running.demand_blocking(request, demand, before)

    def form_token_blocking(self, request: Request, method: str, path: str) -> str:
        return self._running.form_token_blocking(request, method, path)

    async def aclose(self) -> None:
        await self._running.aclose()

    def close(self) -> None:
        self._running.close()
