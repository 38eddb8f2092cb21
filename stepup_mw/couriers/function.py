"""Notices to a function of the app's own, sync or async: ``notices.on_notice = "bank.mail:send"``.

An async one runs in a loop of the courier's thread, not in the app's: it must not use what belongs to that.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from ..errors import NoticeError
from ..notices import Notice


class Function:
    """``timeout_s`` bounds an async function. A sync one that hangs holds up the notices after it, and nothing else."""

    def __init__(self, call: Callable[[Notice], Any], *, timeout_s: float) -> None:
        self.name = "on_notice"
        self._call = call
        self._timeout_s = timeout_s

    def deliver(self, notice: Notice) -> None:
        """The function's own exceptions are its failure, told by their type: what they say may hold anything."""
        try:
            result = self._call(notice)
            if inspect.isawaitable(result):
                asyncio.run(self._within(result))
        except TimeoutError:
            raise NoticeError(f"took longer than {self._timeout_s:g} s", passing=False) from None
        except Exception as error:
            raise NoticeError(type(error).__name__, passing=False) from error

    async def _within(self, result: Any) -> None:
        async with asyncio.timeout(self._timeout_s):
            await result
