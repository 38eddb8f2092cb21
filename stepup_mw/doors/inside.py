"""A request that is inside the app: what the app may still ask, and what is said when it is done.

Every door leaves one of these under ``demands.KEY``, in the ASGI scope or the WSGI environ. It asks the gate and holds
no decision: an answer of the gate becomes StepUpRequired, a Pass becomes Evidence.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, MutableMapping
from time import perf_counter
from typing import Any, Protocol

from anyio import from_thread

from ..demands import KEY, Demand, Evidence, StepUpRequired
from ..errors import AskedTooLate
from ..gate import Gate
from ..messages import UNTOUCHED, Ending, Pass, Request, Response
from .handed import put_flow

Native = MutableMapping[str, Any]
Answer = Callable[[Response], Coroutine[Any, Any, None]]


class Deciding(Protocol):
    """What can be asked of the assembled service from inside."""

    @property
    def gate(self) -> Gate: ...

    @property
    def keeps(self) -> int:
        """Bytes of a body, at most, that can be kept."""
        ...

    def start(self) -> None: ...

    def demand_blocking(self, request: Request, demand: Demand, before: Pass) -> Pass | Response: ...

    def form_token_blocking(self, request: Request, method: str, path: str) -> str: ...


class Inside:
    """``make`` gives the gate's view of the request, when it is needed, and is told whether a thread waits for the
    decision (True) or the request's own loop makes it. ``passed``: by what it came in. ``threaded``:
    the request has no event loop of its own; one that a view was given for the moment is not the gate's. ``answer``:
    gives the gate's answer to the client at once, for a door that does not watch what the app sends."""

    __slots__ = (
        "_answer", "_begun", "_make", "_native", "_running", "_threaded", "answering", "ended", "passed", "required",
    )  # fmt: skip

    def __init__(
        self,
        running: Deciding,
        native: Native,
        make: Callable[[bool], Request],
        passed: Pass,
        *,
        threaded: bool = False,
        answer: Answer | None = None,
    ) -> None:
        self._running = running
        self._threaded = threaded
        self._answer = answer
        self._native = native
        self._make = make
        self._begun = perf_counter()
        self.passed = passed
        self.ended = False
        """How the request has ended is said."""
        self.answering = False
        """The app's answer has begun: nothing can take its place any more."""
        self.required: StepUpRequired | None = None
        """A demand was not met: whatever the app does with that, the answer is the gate's."""
        if passed.context is not None:
            native["stepup"] = dict(passed.context)
            put_flow(native, passed.context.get("flow_token"))
        native[KEY] = self

    async def ask(self, _native: Native, demand: Demand) -> Evidence:
        """Evidence of a proof, or StepUpRequired."""
        if self._threaded:
            return await asyncio.to_thread(self.ask_blocking, _native, demand)
        self._check()
        self._running.start()
        verdict = await self._running.gate.demand(self._make(False), demand, self.passed)
        if isinstance(verdict, Pass):
            return self._evidence(verdict)
        self.required = StepUpRequired(verdict, demand.reason)
        if self._answer is not None:
            await self._answer(verdict)
            self.required.answered = True
        raise self.required

    def ask_blocking(self, _native: Native, demand: Demand) -> Evidence:
        """As ``ask``, from a thread without a loop."""
        self._check()
        verdict = self._running.demand_blocking(self._make(True), demand, self.passed)
        if isinstance(verdict, Pass):
            return self._evidence(verdict)
        self.required = StepUpRequired(verdict, demand.reason)
        if self._answer is not None:
            with contextlib.suppress(RuntimeError):  # another framework's thread: the door answers when it is back
                from_thread.run(self._answer, verdict)
                self.required.answered = True
        raise self.required

    async def form_token(self, native: Native, method: str, path: str) -> str:
        """A token for a form of the app's, "" for none."""
        if self._threaded:
            return await asyncio.to_thread(self.form_token_blocking, native, method, path)
        self._running.start()
        return await self._running.gate.form_token(self._make(False), method, path)

    def form_token_blocking(self, _native: Native, method: str, path: str) -> str:
        """As ``form_token``, from a thread without a loop."""
        return self._running.form_token_blocking(self._make(True), method, path)

    def end(self, status: int | None, how: Ending) -> None:
        """The app is done: say so, once."""
        finish = self.passed.finish
        if finish is None or self.ended:
            return
        self.ended = True
        failed = how == "completed" and (status or 0) >= 500
        finish(status, "failed" if failed else how, perf_counter() - self._begun)

    def leave(self) -> None:
        """The request is over. It holds this, and this held it: let go, so that nothing of it waits for the garbage
        collector."""
        self.answering = self.ended = True
        self._native, self._make, self.passed = {}, _gone, UNTOUCHED

    def _check(self) -> None:
        if self.answering:
            raise AskedTooLate("a proof can be asked for until the answer has begun; this one has")

    def _evidence(self, passed: Pass) -> Evidence:
        context = passed.context or {}
        self.passed = Pass(context=context, finish=self.passed.finish or passed.finish, admitted=passed.admitted)
        self._native.setdefault("stepup", dict(context))
        return Evidence(**context)


def _gone(_waiting: bool) -> Request:
    raise AskedTooLate("the request is over")


class FirstAsked:
    """What a door leaves where no rule concerns a request, the same for all of them: what an untouched request pays
    is one entry in a mapping. ``asked``: some request has, and from then on the door watches every one, to know the
    status of its answer."""

    __slots__ = ("_inside", "asked")

    def __init__(self, inside: Callable[[Native], Inside]) -> None:
        self._inside = inside
        self.asked = False

    async def ask(self, native: Native, demand: Demand) -> Evidence:
        """As ``Inside.ask``."""
        self.asked = True
        return await self._inside(native).ask(native, demand)

    def ask_blocking(self, native: Native, demand: Demand) -> Evidence:
        """As ``Inside.ask_blocking``."""
        self.asked = True
        return self._inside(native).ask_blocking(native, demand)

    async def form_token(self, native: Native, method: str, path: str) -> str:
        """As ``Inside.form_token``; nothing is watched for it."""
        return await self._for_a_moment(native).form_token(native, method, path)

    def form_token_blocking(self, native: Native, method: str, path: str) -> str:
        """As ``Inside.form_token_blocking``; nothing is watched for it."""
        return self._for_a_moment(native).form_token_blocking(native, method, path)

    def _for_a_moment(self, native: Native) -> Inside:
        left = native[KEY]
        try:
            return self._inside(native)
        finally:
            native[KEY] = left


def end_first(native: Native, how: Ending) -> None:
    """The end of the request that was the first to ask: its status is not known."""
    inside = native.get(KEY)
    if isinstance(inside, Inside):
        inside.end(None, how)
