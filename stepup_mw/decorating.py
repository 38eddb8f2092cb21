"""A view that runs only with a fresh proof: ``require`` in its first line, as a decorator. The frameworks' own
``stepup_required`` say where the request is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

from .demands import Demand, make_demand
from .required import ask, ask_sync

View = Callable[..., Any]
Action = Mapping[str, Any] | Callable[..., Mapping[str, Any]]

REASON = "This step needs a fresh proof that it is really you."


class Wanting:
    """What a decorator, a dependency or a guard was told to ask for. BadDemand where that cannot be asked for."""

    def __init__(self, *, reason: str = REASON, action: Action | None = None, **terms: Any) -> None:
        self._terms = {"reason": reason, **terms}
        self._action = action if callable(action) else None
        self._made = make_demand(action=None if callable(action) else action, **self._terms)

    def demand(self, *args: Any, **kwargs: Any) -> Demand:
        """The demand of one call; where ``action`` is a callable, with the fields that it gives for the arguments."""
        if self._action is None:
            return self._made
        return make_demand(action=self._action(*args, **kwargs), **self._terms)


def decorate(view: View, wanting: Wanting, find: Callable[[tuple[Any, ...]], Any]) -> View:
    """``find`` gives the request, from what the view is called with."""
    if iscoroutinefunction(view):

        @wraps(view)
        async def asked(*args: Any, **kwargs: Any) -> Any:
            await ask(find(args), wanting.demand(*args, **kwargs))
            return await view(*args, **kwargs)

        return asked

    @wraps(view)
    def asked_sync(*args: Any, **kwargs: Any) -> Any:
        ask_sync(find(args), wanting.demand(*args, **kwargs))
        return view(*args, **kwargs)

    return asked_sync
