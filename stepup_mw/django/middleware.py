"""``StepUpMiddleware`` for ``MIDDLEWARE``: the same gate, asked by Django's request about Django's user.

Stands after AuthenticationMiddleware, and works in sync and async chains, with views of either kind. Holds no decision.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import Any

from asgiref.sync import markcoroutinefunction

from ..compose import Assembly
from ..demands import required_in
from ..doors.inside import Inside
from ..messages import UNTOUCHED, Pass, Request, Response
from . import configured
from .bodies import is_marked, remember
from .streams import watch
from .translate import add_headers, in_place_of, native_of, place_of, put_flow, request_of, response_of

GetResponse = Callable[[Any], Any]


class StepUpMiddleware:
    """The configuration is ``settings.STEPUP_CONFIG``, a path or a mapping, else ``STEPUP_CONFIG`` of the environment,
    else ``stepup.toml``. ConfigError where it must not start."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.assembly: Assembly = configured.assembly()
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        return self._answer_async(request) if self._is_async else self._answer(request)

    async def aclose(self) -> None:
        """Write what is still to be written and let go of files and connections. Good to be used again after."""
        await self.assembly.aclose()

    def close(self) -> None:
        """As aclose, from a thread without a loop."""
        self.assembly.close()

    def _answer(self, request: Any) -> Any:
        passed = UNTOUCHED
        if self.assembly.concerns(*place_of(request)) or is_marked(request):
            verdict = self.assembly.handle_blocking(_seen(request))
            if isinstance(verdict, Response):
                return response_of(verdict, request.method)
            passed = verdict
            if passed.instead is not None:
                body = self.assembly.driver.call(passed.instead.read_body, 0)
                request = in_place_of(request, passed.instead, body)
        inside = self._inside(request, passed, threaded=True)
        try:
            response = self.get_response(request)
        except BaseException as error:  # noqa: BLE001 - a demand is one; all else is raised again
            return _failed(error, inside, request)
        add_headers(response, passed.headers)
        return self._answered(response, inside, request)

    async def _answer_async(self, request: Any) -> Any:
        passed = UNTOUCHED
        if self.assembly.concerns(*place_of(request)) or is_marked(request):
            self.assembly.start()
            verdict = await self.assembly.gate.handle(_seen_async(request))
            if isinstance(verdict, Response):
                return response_of(verdict, request.method)
            passed = verdict
            if passed.instead is not None:
                request = in_place_of(request, passed.instead, await passed.instead.read_body(0))
        inside = self._inside(request, passed, threaded=False)
        try:
            response = await self.get_response(request)
        except BaseException as error:  # noqa: BLE001 - a demand is one; all else is raised again
            return _failed(error, inside, request)
        add_headers(response, passed.headers)
        return self._answered(response, inside, request)

    def _answered(self, response: Any, inside: Inside, request: Any) -> Any:
        """The view's response, watched to its end; the gate's where the view has caught a demand."""
        if inside.required is not None:
            response.close()
            return _failed(inside.required, inside, request)
        inside.answering = True
        if response.streaming:
            watch(response, inside, self.assembly.left_blocking)
        else:
            inside.end(response.status_code, "completed")
        return response

    def _inside(self, request: Any, passed: Pass, *, threaded: bool) -> Inside:
        remember(request, self.assembly.keeps)
        request.stepup = dict(passed.context) if passed.context is not None else None
        if passed.context is not None:
            put_flow(request, passed.context.get("flow_token"))

        def make(waiting: bool) -> Request:
            return _seen(request) if waiting else _seen_async(request)

        return Inside(self.assembly, native_of(request), make, passed, threaded=threaded)


def _seen(request: Any) -> Request:
    """With its user: loaded here, in the thread whose database connection this is."""
    user = getattr(request, "user", None)
    if user is not None:
        str(user.pk)  # it is lazy until something is asked of it
    return request_of(request, user)


def _seen_async(request: Any) -> Request:
    """With what gives its user, on this loop."""
    ask: Callable[[], Awaitable[Any]] | None = getattr(request, "auser", None)
    return request_of(request, ask if ask is not None else getattr(request, "user", None))


def _failed(error: BaseException, inside: Inside, request: Any) -> Any:
    required = required_in(error)
    if required is None:
        inside.end(None, "failed" if isinstance(error, Exception) else "aborted")
        raise error
    inside.end(required.response.status, "completed")
    return response_of(required.response, request.method)
