"""``@stepup_required`` for Django: a view that runs only with a fresh proof."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, overload

from ..decorating import REASON, Action, View, Wanting, decorate


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


def stepup_required(view: View | None = None, **terms: Any) -> View | Callable[[View], View]:
    """Decorate a view, sync or async, with or without arguments; a method by ``method_decorator``.

    The arguments are those of ``stepup_mw.require``. action: also a callable, which is given what the view is and
    returns the fields. BadDemand where the decorator stands, if it cannot be asked for.
    """
    wanting = Wanting(**terms)

    def wrapped(inner: View) -> View:
        return decorate(inner, wanting, lambda args: args[0])

    return wrapped if view is None else wrapped(view)
