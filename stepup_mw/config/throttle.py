"""``[throttle]``: budgets of guesses."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from .kinds import STRICT
from .values import Count, Failures, Grow, Lock, Period


class Account(BaseModel):
    """Wrong codes of one account, over all its challenges."""

    model_config = ConfigDict(**STRICT, title="Account throttle")

    failures: Failures = Field(default=5, description="Wrong codes in a row that lock the account.")
    lock: Lock = Field(
        default="30s", validate_default=True, description="How long the first lock lasts.", examples=["30s"]
    )
    grow: Grow = Field(default=2.0, description="Each further lock is this many times as long.")
    max_lock: Lock = Field(default="1h", validate_default=True, description="The longest lock.", examples=["1h"])
    ceiling: Failures = Field(default=100, description="Wrong codes in a row after which only an unlock helps.")


class Address(BaseModel):
    """Wrong codes from one address."""

    model_config = ConfigDict(**STRICT, title="Address throttle")

    failures: Count = Field(default=50, description="Wrong codes in the window that lock the address.")
    window: Period = Field(default="10m", validate_default=True, description="Length of the window.", examples=["10m"])


class Throttle(BaseModel):
    """Budgets of guesses."""

    model_config = ConfigDict(**STRICT, title="Throttle")

    account: Account = Field(default_factory=Account, description="Wrong codes of one account.")
    address: Address = Field(default_factory=Address, description="Wrong codes from one address.")
