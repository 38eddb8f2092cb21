"""``[challenge]``: how the person is asked."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from .kinds import STRICT
from .values import Attempts, BodySize, ChallengeTtl, Enroll, Flag, FormAge, Prefix, Window


class Challenge(BaseModel):
    """How the person is asked."""

    model_config = ConfigDict(**STRICT, title="Challenge")

    prefix: Prefix = Field(default="/_stepup", description="Where the package's own endpoints live.")
    ttl: ChallengeTtl = Field(
        default="5m", validate_default=True, description="How long a challenge waits for its code.", examples=["5m"]
    )
    attempts: Attempts = Field(default=5, description="Codes that may be tried in one challenge.")
    window: Window = Field(default=1, description="TOTP steps of drift either way.")
    enroll: Enroll = Field(
        default="admin",
        validate_default=True,
        description='No factor yet: admin refuses, self enrolls, "grace until" a day lets pass till it begins (UTC).',
        examples=["admin", "self", "grace until 2027-01-31"],
    )
    resume_max_body: BodySize = Field(
        default="64KiB",
        validate_default=True,
        description="The largest form kept for after the code.",
        examples=["64KiB"],
    )
    form_max_age: FormAge = Field(
        default="30m",
        validate_default=True,
        description="How long after it was shown a form with a token still passes.",
        examples=["30m"],
    )
    duplicate_notice: Flag = Field(
        default=True, description="Tell a user's other sessions that a used code was sent again."
    )
