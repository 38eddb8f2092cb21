"""Identity from your own callable, ``provider = "package.module:callable"``, sync or async.

It is called with the ASGI scope or the WSGI environ and gives the user id (a string), a pair of user id and
session id, an Identity, or None. A sync callable runs in a thread, for it may ask a database. An exception in it
is IdentityUnavailable: nobody is let in on a doubt.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from anyio import to_thread

from ..errors import IdentityUnavailable, StepUpError
from ..messages import Request
from . import Identity


class CallProvider:
    def __init__(self, call: Callable[[Any], Any]) -> None:
        self._call = call
        self._is_async = inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(
            getattr(call, "__call__", None)  # noqa: B004 - an object with an async __call__ counts
        )

    async def __call__(self, request: Request) -> Identity | None:
        try:
            found = await self._ask(request)
        except StepUpError:
            raise
        except Exception as error:
            raise IdentityUnavailable(f"the identity provider raised {type(error).__name__}") from error
        return _identity(found)

    async def _ask(self, request: Request) -> Any:
        if self._is_async:
            return await self._call(request.native)
        found = await to_thread.run_sync(self._call, request.native)
        return await found if inspect.isawaitable(found) else found


def _identity(found: Any) -> Identity | None:
    if found is None or isinstance(found, Identity):
        return found
    if isinstance(found, str):
        return Identity(user=found)
    if isinstance(found, tuple) and len(found) == 2 and isinstance(found[0], str):
        user, session = found
        return Identity(user=user, session=str(session) if session is not None else None)
    raise IdentityUnavailable(f"the identity provider gave {type(found).__name__}; allowed are str, a pair, None")
