"""A view that runs only with a fresh proof: ``require`` in its first line, as a decorator. The frameworks' own
``stepup_required`` say where the request is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, wraps
from inspect import iscoroutinefunction
from typing import Any, Literal, overload

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


class Decorator:
    """``@stepup_required`` of a framework, with or without arguments, on views sync or async. ``find`` gives the
    request, from what the view is called with; ``is_async`` tells a view that is to be awaited.

    The arguments are those of ``stepup_mw.require``. action: also a callable, which is given what the view is and
    returns the fields. BadDemand where the decorator stands, if it cannot be asked for.
    """

    def __init__(
        self, find: Callable[[tuple[Any, ...]], Any], is_async: Callable[[Any], bool] = iscoroutinefunction
    ) -> None:
        self._find = find
        self._is_async = is_async

    @overload
    def __call__(self, view: View) -> View: ...

    @overload
    def __call__(
        self,
        view: None = None,
        *,
        reason: str = REASON,
        points: int = 0,
        max_age: int | str | None = None,
        action: Action | None = None,
        rule: str | None = None,
        grant: Literal["request", "route"] | None = None,
    ) -> Callable[[View], View]: ...

    def __call__(self, view: View | None = None, **terms: Any) -> View | Callable[[View], View]:
        wanting = Wanting(**terms)
        return self._decorated(wanting, view) if view is not None else partial(self._decorated, wanting)

    def _decorated(self, wanting: Wanting, view: View) -> View:
        if self._is_async(view):

            @wraps(view)
            async def asked(*args: Any, **kwargs: Any) -> Any:
                await ask(self._find(args), wanting.demand(*args, **kwargs))
                return await view(*args, **kwargs)

            return asked

        @wraps(view)
        def asked_sync(*args: Any, **kwargs: Any) -> Any:
            ask_sync(self._find(args), wanting.demand(*args, **kwargs))
            return view(*args, **kwargs)

        return asked_sync
