"""A configuration as the program uses it: plain frozen values, durations in seconds, sizes in bytes, paths resolved.

``stepup_mw.config`` makes these from ``stepup.toml``; nothing here reads a file or the environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from .assertion import JwtSettings
from .flow_token import FlowSettings
from .forwarding import ForwardedHeader
from .notices import KINDS
from .passkeys import RelyingParty
from .policy import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentitySettings:
    """``provider`` is a name (header, scope_user, session, remote_user, jwt, flask, django) or
    ``"package.module:callable"``.

    ``user`` and ``session`` are the header name, session key or attribute, as the provider needs; ``user`` has
    the provider's own default filled in. ``trusted_proxies`` are addresses or networks in CIDR form;
    ``forwarded_header`` is the one they write the client's address to.
    """

    provider: str
    user: str = ""
    session: str | None = None
    trusted_proxies: tuple[str, ...] = ()
    forwarded_header: ForwardedHeader = "both"
    login_url: str | None = None
    jwt: JwtSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CookieSettings:
    secure: bool = True
    same_site: Literal["strict", "lax"] = "strict"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalSpec:
    """One entry of ``[risk.signals]``: its name, the points it adds, those it adds when it cannot tell (None: the
    same), and its parameters.

    burst: ``{"limit": int, "window_s": int}``. off_hours: ``{"start": "22:00", "end": "06:00",
    "timezone": "Europe/Berlin"}``. new_network: ``{"by": "prefix"}``. impossible_travel: ``{"max_kmh": 900}``.
    address_list: ``{"files": (Path,)}``. Your own: ``{"call": "package.module:callable", "timeout_s": 2}``. The rest:
    ``{}``.
    """

    name: str
    points: int
    on_failure: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskSettings:
    challenge_at: int = 50
    deny_at: int = 90
    signals: tuple[SignalSpec, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GeoSettings:
    """``database``: an MMDB file, or ``"iptocc"``. ``asn_database``: one more for what the first does not know.
    ``stale_after_s``: how old a file may be before it is complained of."""

    database: Path | str | None = None
    asn_database: Path | None = None
    stale_after_s: int = 90 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSettings:
    """``describe``: put the browser into words."""

    describe: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeSettings:
    """``prefix`` has a leading and no trailing slash. ``window``: TOTP steps of drift either way, 0 to 2.

    enroll: what a user without a factor meets: ``admin`` a refusal, ``self`` the enrollment page, ``grace`` nothing
    until ``grace_until`` (Unix seconds), and a refusal after. duplicate_notice: tell a user's other sessions that a
    used code was sent again.
    """

    prefix: str = "/_stepup"
    ttl_s: int = 300
    attempts: int = 5
    window: int = 1
    enroll: Literal["admin", "self", "grace"] = "admin"
    grace_until: float = 0.0
    resume_max_body: int = 64 * 1024
    form_max_age_s: int = 1800
    duplicate_notice: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSettings:
    """How pages look and what they say. ``accent``: ``#rrggbb``, None for this package's. ``logo``: a ``data:`` URL,
    "" for none. ``support``: a line below each page. ``language``: where the browser asks for none that is spoken.
    ``templates``: a folder of templates and texts that go before the own ones. ``texts``: by language, then by key."""

    accent: str | None = None
    logo: str = field(default="", repr=False)
    support: str = ""
    language: str = "en"
    templates: Path | None = None
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountThrottle:
    """``failures`` wrong codes in a row lock the account for ``lock_s``; each further lock is ``grow`` times as
    long, at most ``max_lock_s``; after ``ceiling`` wrong codes in a row only an unlock helps."""

    failures: int = 5
    lock_s: int = 30
    grow: float = 2.0
    max_lock_s: int = 3600
    ceiling: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressThrottle:
    failures: int = 50
    window_s: int = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeSettings:
    """``on_notice``: ``"package.module:callable"``. ``webhook``: a URL; ``webhook_key_file`` holds what signs."""

    on_notice: str | None = None
    webhook: str | None = None
    webhook_key_file: Path | None = None
    kinds: tuple[str, ...] = KINDS
    timeout_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorSettings:
    """A place beyond this host where checkpoints go. ``kind`` says which of the rest count.

    s3: ``bucket``, ``prefix``, ``endpoint_url``, ``region``, ``retain_s``, ``what`` (checkpoints, segments). rfc3161:
    ``url``, ``ca_file``, ``hash``. witness: ``url``, ``key`` (a C2SP vkey). stdout: none. ``timeout_s``: for one
    exchange with it.
    """

    kind: Literal["s3", "rfc3161", "witness", "stdout"]
    bucket: str = ""
    prefix: str = ""
    endpoint_url: str | None = None
    region: str | None = None
    retain_s: int = 400 * 86_400
    what: tuple[str, ...] = ("checkpoints",)
    url: str = ""
    ca_file: Path | None = None
    hash: Literal["sha256", "sha512"] = "sha256"
    key: str = ""
    timeout_s: float = 10.0

    @property
    def name(self) -> str:
        """``s3-`` and 8 hex digits of where it is: the same whatever its place in the configuration."""
        place = "\0".join((self.bucket, self.prefix, self.endpoint_url or "", self.url, self.key))
        return f"{self.kind}-{sha256(place.encode()).hexdigest()[:8]}"

    @property
    def acknowledges(self) -> bool:
        """Whether it says that it has a checkpoint. What only prints one proves nothing."""
        return self.kind != "stdout"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailSettings:
    """``path``: the live file, absolute. ``checkpoint_lines`` and ``checkpoint_every_s``: what comes first."""

    path: Path
    durability: Literal["commit", "write", "async"] = "commit"
    on_failure: Literal["deny", "allow"] = "deny"
    user_id: Literal["plain", "hmac"] = "plain"
    ip: Literal["full", "truncated"] = "full"
    rotate_size: int | None = 256 * 1024 * 1024
    rotate_every_s: int | None = 86_400
    compress: Literal["none", "zstd"] = "none"
    disk_warn: int = 64 * 1024 * 1024
    disk_critical: int = 16 * 1024 * 1024
    retain_s: int | None = None
    checkpoint_lines: int = 1000
    checkpoint_every_s: int = 60
    signing_key_file: Path | None = None
    max_unanchored_lines: int | None = None
    max_unanchored_s: int | None = None
    max_unanchored_then: Literal["alert", "deny"] = "alert"
    anchors: tuple[AnchorSettings, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of it. ``secret_keys``: oldest first, the last one signs and seals; ``digest_key`` stands beside them since
    the first rotation, ``secret_key_file`` is where they are from, None for the environment. ``policy_version`` is
    ``"sha256:" + hex`` over everything that decides (routes, risk, challenge, throttle, identity). ``public``: routes
    of the app that need no rule, ``POST /login`` or ``/login``."""

    service: str
    identity: IdentitySettings
    rules: tuple[Rule, ...]
    trail: TrailSettings
    store_url: str
    secret_keys: tuple[bytes, ...] = field(repr=False)
    policy_version: str
    cookie: CookieSettings = CookieSettings()
    risk: RiskSettings = RiskSettings()
    geo: GeoSettings | None = None
    device: DeviceSettings = DeviceSettings()
    challenge: ChallengeSettings = ChallengeSettings()
    page: PageSettings = PageSettings()
    account_throttle: AccountThrottle = AccountThrottle()
    address_throttle: AddressThrottle = AddressThrottle()
    notices: NoticeSettings = NoticeSettings()
    public: tuple[str, ...] = ()
    passkeys: RelyingParty | None = None
    flow: FlowSettings | None = None
    shared_with: tuple[str, ...] = ()
    digest_key: bytes | None = field(default=None, repr=False)
    secret_key_file: Path | None = None
