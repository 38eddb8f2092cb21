"""The shape of ``stepup.toml``: every table, with every key, its default as a person writes it, and its meaning.

The JSON Schema for editors is made from these models; each table's stands in a module of its own. Here each key is
judged alone; how keys must agree stands in ``relations`` and ``review``.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from .accepted import Check
from .challenge import Challenge
from .flow import Flow, Grants
from .geo import Device, Geo
from .identity import Cookie, Identity
from .kinds import STRICT
from .notices import Notices
from .page import Page
from .passkeys import Passkeys
from .risk import Risk
from .routes import Route
from .throttle import Throttle
from .trail import Audit
from .values import KeyFileName, Service, StoreUrl


class Store(BaseModel):
    """Where challenges, grants, factors and counters are kept."""

    model_config = ConfigDict(**STRICT, title="Store")

    url: StoreUrl = Field(
        default="sqlite:///stepup.db",
        description="memory:// (one process, nothing survives it), sqlite:///path (one host), or for many hosts "
        "redis://[user[:password]@]host[:port][/db] (rediss:// for TLS; redis+sentinel://host,host/name; "
        "redis+cluster://host,host) or postgresql://[user[:password]@]host[:port]/database.",
        examples=["sqlite:///stepup.db", "memory://", "redis://127.0.0.1:6379/0", "postgresql://db/stepup"],
    )


class StepUpFile(BaseModel):
    """The whole of stepup.toml."""

    model_config = ConfigDict(**STRICT, title="stepup.toml")

    service: Service = Field(description="The service's name; stands in every audit line.", examples=["bank"])
    secret_key_file: KeyFileName | None = Field(
        default=None,
        description="Secret keys, one a line, newest last. STEPUP_SECRET_KEY in the environment goes first.",
        examples=["stepup.secret"],
    )
    identity: Identity = Field(description="Who is asking; the app has already logged them in.")
    cookie: Cookie = Field(default_factory=Cookie, description="The cookie that carries grants.")
    routes: list[Route] = Field(description="The route policies, in order; the first match wins.", min_length=1)
    risk: Risk = Field(default_factory=Risk, description="Thresholds and signals.")
    challenge: Challenge = Field(default_factory=Challenge, description="How the person is asked.")
    page: Page = Field(default_factory=Page, description="How the pages look and what they say.")
    throttle: Throttle = Field(default_factory=Throttle, description="Budgets of guesses.")
    flow: Flow = Field(default_factory=Flow, description="One flow over several services.")
    grants: Grants = Field(default_factory=Grants, description="Grants over several services.")
    store: Store = Field(default_factory=Store, description="Where state is kept.")
    audit: Audit = Field(default_factory=Audit, description="The audit trail.")
    check: Check = Field(default_factory=Check, description="What stepup check --app may take for granted.")
    passkeys: Passkeys | None = Field(
        default=None, description="Which domain passkeys are for; left out: there are none."
    )
    notices: Notices = Field(default_factory=Notices, description="Where people are told of changes to their proofs.")
    geo: Geo | None = Field(default=None, description="Where addresses are; left out: nobody knows.")
    device: Device = Field(default_factory=Device, description="What is said of the browser.")
