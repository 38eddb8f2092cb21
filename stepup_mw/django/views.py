"""``@stepup_required``: a view that runs only with a fresh proof. The same as ``require`` in its first line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, Literal, overload

from ..demands import make_demand
from ..required import ask, ask_sync

View = Callable[..., Any]
Action = Mapping[str, Any] | Callable[..., Mapping[str, Any]]

REASON = "This step needs a fresh proof that it is really you."


@overload
def stepup_required(view: View) -> View: ...


@overload
def stepup_required(
    view: None = None,
    *,
    reason: str = REASON,
    points: int = 0,
    max_age: int | str | None = None,
    action: Action | None = None,
    rule: str | None = None,
    grant: Literal["request", "route"] | None = None,
) -> Callable[[View], View]: ...


def stepup_required(
    view: View | None = None, *, reason: str = REASON, action: Action | None = None, **terms: Any
) -> View | Callable[[View], View]:
    """Decorate a view, sync or async, with or without arguments; a method by ``method_decorator``.

    The arguments are those of ``stepup_mw.require``. action: also a callable, which is given what the view is and
    returns the fields. BadDemand where the decorator stands, if it cannot be asked for.
    """
    made = make_demand(reason=reason, action=None if callable(action) else action, **terms)

    def told(request: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not callable(action):
            return made
        return make_demand(reason=reason, action=action(request, *args, **kwargs), **terms)

    def decorate(inner: View) -> View:
        if iscoroutinefunction(inner):

            @wraps(inner)
            async def asked(request: Any, *args: Any, **kwargs: Any) -> Any:
                await ask(request, told(request, args, kwargs))
                return await inner(request, *args, **kwargs)

            return asked

        @wraps(inner)
        def asked_sync(request: Any, *args: Any, **kwargs: Any) -> Any:
            ask_sync(request, told(request, args, kwargs))
            return inner(request, *args, **kwargs)

        return asked_sync

    return decorate if view is None else decorate(view)
