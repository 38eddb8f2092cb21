"""The shape of ``[risk.signals]``: what each known signal takes, and your own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..signals.impossible_travel import DEFAULT_KMH
from .kinds import choice
from .values import Call, CallTimeout, Count, FileName, Hours, Kmh, OrPoints, Period, Points, Timezone, Unique

KNOWN = (
    "recent_failures",
    "burst",
    "off_hours",
    "new_device",
    "new_network",
    "new_country",
    "impossible_travel",
    "address_list",
)


class Plain(BaseModel):
    """Points, and nothing to set."""

    model_config = ConfigDict(title="Signal", extra="forbid", strict=True, frozen=True)

    points: Points = Field(description="Points added when the signal holds.", examples=[20])
    on_failure: Points | None = Field(
        default=None,
        description="Points added when it cannot tell; left out: as when it holds.",
        examples=[20],
    )


class Burst(Plain):
    """Many sensitive requests of one user in a short time."""

    model_config = ConfigDict(title="Burst")

    limit: Count = Field(default=10, description="Requests in the window before it holds.", examples=[10])
    window: Period = Field(default="1m", validate_default=True, description="Length of the window.", examples=["1m"])


class OffHours(Plain):
    """A request outside working hours."""

    model_config = ConfigDict(title="Off hours")

    hours: Hours = Field(description="When it holds, as HH:MM-HH:MM.", examples=["22:00-06:00"])
    timezone: Timezone = Field(default="UTC", description="The time zone of the hours.", examples=["Europe/Berlin"])


class NewNetwork(Plain):
    """A network this user has not proved from before."""

    model_config = ConfigDict(title="New network")

    by: Annotated[Literal["prefix", "asn"], choice("prefix", "asn")] = Field(
        default="prefix",
        description="What a network is: the /24 or /48 of the address, or its autonomous system (needs [geo]).",
    )


class ImpossibleTravel(Plain):
    """Too far from the last proof for the time since."""

    model_config = ConfigDict(title="Impossible travel")

    max_kmh: Kmh = Field(default=DEFAULT_KMH, description="Faster than this nobody travels, in km/h.")


class AddressList(Plain):
    """An address that stands on a list of yours."""

    model_config = ConfigDict(title="Address list")

    files: Annotated[list[FileName], Unique] = Field(
        description="Files with an address or a network in CIDR form on each line; read again when they change.",
        examples=[["lists/tor-exits.txt"]],
        min_length=1,
    )


class Own(Plain):
    """A signal of your own: a function that says whether it holds."""

    model_config = ConfigDict(title="Your own signal")

    call: Call = Field(description="The function, sync or async.", examples=["bank.risk:large_amount"])
    timeout: CallTimeout = Field(
        default="2s", validate_default=True, description="How long it may take before it has failed.", examples=["2s"]
    )


class Signals(BaseModel):
    """Points by signal: a number, or a table with points. Any other name is your own and needs call."""

    model_config = ConfigDict(title="Signals", extra="allow", strict=True, frozen=True)
    __pydantic_extra__: dict[str, Annotated[Own, OrPoints()]] = Field(init=False)

    recent_failures: Annotated[Plain, OrPoints()] | None = Field(
        default=None, description="Wrong codes for this account shortly before.", examples=[10]
    )
    burst: Annotated[Burst, OrPoints()] | None = Field(
        default=None, description="Many sensitive requests of one user in a short time.", examples=[20]
    )
    off_hours: Annotated[OffHours, OrPoints()] | None = Field(
        default=None,
        description="A request outside working hours.",
        examples=[{"points": 10, "hours": "22:00-06:00", "timezone": "Europe/Berlin"}],
    )
    new_device: Annotated[Plain, OrPoints()] | None = Field(
        default=None, description="A browser this user has not proved from before.", examples=[20]
    )
    new_network: Annotated[NewNetwork, OrPoints()] | None = Field(
        default=None, description="A network this user has not proved from before.", examples=[15]
    )
    new_country: Annotated[Plain, OrPoints()] | None = Field(
        default=None, description="A country this user has not proved from before; needs [geo].", examples=[25]
    )
    impossible_travel: Annotated[ImpossibleTravel, OrPoints()] | None = Field(
        default=None, description="Too far from the last proof for the time since; needs [geo].", examples=[40]
    )
    address_list: Annotated[AddressList, OrPoints()] | None = Field(
        default=None,
        description="An address that stands on a list of yours.",
        examples=[{"points": 40, "files": ["lists/tor-exits.txt"]}],
    )
