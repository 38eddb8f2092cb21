"""``[check]``: what ``stepup check --app`` may take for granted about the app. Nothing here decides about a request."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ..errors import PatternError
from ..patterns import compile_pattern
from .forms import read_method
from .kinds import STRICT, refuse, text
from .values import Unique


def read_public(value: str) -> str:
    """``POST /login``, or ``/webhooks/{rest:path}`` for every method."""
    method, blank, path = value.partition(" ")
    if not blank:
        method, path = "", value
    if method:
        read_method(method)
    try:
        compile_pattern(path)
    except PatternError as error:
        raise refuse(str(error)) from None
    return value


PublicRoute = Annotated[
    str, text('a route with or without its method, such as "POST /login" or "/webhooks/{rest:path}"', read_public)
]


class Check(BaseModel):
    """What stepup check --app may take for granted."""

    model_config = ConfigDict(**STRICT, title="Check")

    public: Annotated[list[PublicRoute], Field(json_schema_extra={"uniqueItems": True}), Unique] = Field(
        default=[],
        description="Routes that change state and need no policy; stepup check --app does not name them.",
        examples=[["POST /login"]],
    )
