"""The shape of ``stepup.toml``: one model a table, with every key, its default as a person writes it, and its meaning.

The JSON Schema for editors is made from these. Here each key is judged alone; how keys must agree stands in
``relations`` and ``review``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from .kinds import choice
from .signals import Signals
from .trail import Audit
from .values import (
    Attempts,
    BodySize,
    ChallengeTtl,
    Count,
    Enroll,
    Factor,
    Failures,
    Flag,
    Grow,
    KeyFileName,
    Lock,
    LoginUrl,
    MaxAge,
    Method,
    Network,
    Period,
    Points,
    Prefix,
    Provider,
    RoutePath,
    RuleName,
    Service,
    StoreUrl,
    Unique,
    UserKey,
    Window,
)

_STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)

_CrossSite = {"none": "cookies would travel on requests that other sites make"}


class Identity(BaseModel):
    """Who is asking? The app has already logged them in."""

    model_config = ConfigDict(**_STRICT, title="Identity")

    provider: Provider = Field(description="Where the user's name is found.", examples=["header", "session"])
    user: UserKey | None = Field(
        default=None, description="Header name, session key or attribute of the user.", examples=["X-Auth-User"]
    )
    session: UserKey | None = Field(
        default=None, description="The same for the app's session id.", examples=["X-Auth-Session"]
    )
    trusted_proxies: Annotated[list[Network], Unique] = Field(
        default=[],
        description="Identity headers and X-Forwarded-For are believed from these peers only.",
        examples=[["127.0.0.1", "10.0.0.0/8"]],
    )
    login_url: LoginUrl | None = Field(
        default=None, description="Where an anonymous browser is sent; others get 401.", examples=["/login"]
    )


class Cookie(BaseModel):
    """The cookie that carries grants."""

    model_config = ConfigDict(**_STRICT, title="Cookie")

    secure: Flag = Field(
        default=True, description="false (plain http in development) drops the __Host- prefix and warns."
    )
    same_site: Annotated[Literal["strict", "lax"], choice("strict", "lax", why=_CrossSite)] = Field(
        default="strict", description="The SameSite attribute."
    )


class Route(BaseModel):
    """One route policy. They are tried in order; the first match wins."""

    model_config = ConfigDict(**_STRICT, title="Route")

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
    mode: Annotated[Literal["enforce", "report"], choice("enforce", "report")] = Field(
        default="enforce", description="report: log what would have happened, let it through."
    )


class Risk(BaseModel):
    """The score: the base score of the route plus the points of every signal that holds."""

    model_config = ConfigDict(**_STRICT, title="Risk")

    challenge_at: Points = Field(default=50, description="From this score a proof is asked for.")
    deny_at: Points = Field(default=90, description="From this score the request is refused.")
    signals: Signals = Field(default_factory=Signals, description="Points by signal.")


class Challenge(BaseModel):
    """How the person is asked."""

    model_config = ConfigDict(**_STRICT, title="Challenge")

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
    duplicate_notice: Flag = Field(
        default=True, description="Tell a user's other sessions that a used code was sent again."
    )


class Account(BaseModel):
    """Wrong codes of one account, over all its challenges."""

    model_config = ConfigDict(**_STRICT, title="Account throttle")

    failures: Failures = Field(default=5, description="Wrong codes in a row that lock the account.")
    lock: Lock = Field(
        default="30s", validate_default=True, description="How long the first lock lasts.", examples=["30s"]
    )
    grow: Grow = Field(default=2.0, description="Each further lock is this many times as long.")
    max_lock: Lock = Field(default="1h", validate_default=True, description="The longest lock.", examples=["1h"])
    ceiling: Failures = Field(default=100, description="Wrong codes in a row after which only an unlock helps.")


class Address(BaseModel):
    """Wrong codes from one address."""

    model_config = ConfigDict(**_STRICT, title="Address throttle")

    failures: Count = Field(default=50, description="Wrong codes in the window that lock the address.")
    window: Period = Field(default="10m", validate_default=True, description="Length of the window.", examples=["10m"])


class Throttle(BaseModel):
    """Budgets of guesses."""

    model_config = ConfigDict(**_STRICT, title="Throttle")

    account: Account = Field(default_factory=Account, description="Wrong codes of one account.")
    address: Address = Field(default_factory=Address, description="Wrong codes from one address.")


class Store(BaseModel):
    """Where challenges, grants, factors and counters are kept."""

    model_config = ConfigDict(**_STRICT, title="Store")

    url: StoreUrl = Field(
        default="sqlite:///stepup.db",
        description="memory:// (one process, nothing survives it), sqlite:///path (one host), or for many hosts "
        "redis://[user[:password]@]host[:port][/db] (rediss:// for TLS; redis+sentinel://host,host/name; "
        "redis+cluster://host,host) or postgresql://[user[:password]@]host[:port]/database.",
        examples=["sqlite:///stepup.db", "memory://", "redis://127.0.0.1:6379/0", "postgresql://db/stepup"],
    )


class StepUpFile(BaseModel):
    """The whole of stepup.toml."""

    model_config = ConfigDict(**_STRICT, title="stepup.toml")

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
    throttle: Throttle = Field(default_factory=Throttle, description="Budgets of guesses.")
    store: Store = Field(default_factory=Store, description="Where state is kept.")
    audit: Audit = Field(default_factory=Audit, description="The audit trail.")
