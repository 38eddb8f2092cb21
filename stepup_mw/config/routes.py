"""``[[routes]]``: one route policy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from .kinds import STRICT, choice
from .tokens import AcrValues
from .values import Factor, MaxAge, Method, Points, RoutePath, RuleName, ShownField, Unique


class Route(BaseModel):
    """One route policy. They are tried in order; the first match wins."""

    model_config = ConfigDict(**STRICT, title="Route")

    name: RuleName = Field(description="Stands in every audit line about it.", examples=["transfer"])
    path: RoutePath = Field(
        description="Starlette path syntax; {rest:path} for a whole tree.", examples=["/accounts/{account}/transfer"]
    )
    methods: Annotated[list[Method], Field(min_length=1, json_schema_extra={"uniqueItems": True}), Unique] | None = (
        Field(default=None, description="Left out: every method. GET covers HEAD.", examples=[["POST"]])
    )
    risk: Points = Field(default=0, description="Base score, 0 to 100.", examples=[60])
    challenge: Annotated[Literal["auto", "always", "never"], choice("auto", "always", "never")] = Field(
        default="auto", description="auto: by score. always. never."
    )
    max_age: MaxAge = Field(
        default="5m", validate_default=True, description="How fresh a proof must be.", examples=["5m"]
    )
    grant: Annotated[Literal["request", "route", "service"], choice("request", "route", "service")] = Field(
        default="route", description="What one proof opens: request (this very request, once), route or service."
    )
    factors: Annotated[list[Factor], Field(min_length=1, json_schema_extra={"uniqueItems": True}), Unique] = Field(
        default=["totp", "recovery_code"], description="Which proofs count, in order of preference."
    )
    show: Annotated[list[ShownField], Field(json_schema_extra={"uniqueItems": True}), Unique] = Field(
        default=[],
        description="Fields of a form or of JSON that the page names before it is sent; the rest is counted.",
        examples=[["to", "amount"]],
    )
    mode: Annotated[Literal["enforce", "report"], choice("enforce", "report")] = Field(
        default="enforce", description="report: log what would have happened, let it through."
    )
    acr: AcrValues | None = Field(
        default=None, description="With identity.provider jwt: the acr that is a proof here.", examples=[["urn:mfa"]]
    )
    amr: AcrValues | None = Field(
        default=None, description="With identity.provider jwt: the amr that is a proof here.", examples=[["hwk"]]
    )
    stream_max_age: MaxAge | None = Field(
        default=None,
        description="How old the proof of a WebSocket or a long answer may grow; left out: it ends when it will.",
        examples=["10m"],
    )
