"""``[risk]``: the thresholds of the score."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from .kinds import STRICT
from .signals import Signals
from .values import Points


class Risk(BaseModel):
    """The score: the base score of the route plus the points of every signal that holds."""

    model_config = ConfigDict(**STRICT, title="Risk")

    challenge_at: Points = Field(default=50, description="From this score a proof is asked for.")
    deny_at: Points = Field(default=90, description="From this score the request is refused.")
    signals: Signals = Field(default_factory=Signals, description="Points by signal.")
