"""From the models of the file to ``Settings``: renames, resolves paths, computes versions. Refuses nothing."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..geodata.countries import NAME
from ..passkeys import RelyingParty
from ..policy import Rule
from ..settings import (
    AccountThrottle,
    AddressThrottle,
    AnchorSettings,
    ChallengeSettings,
    CookieSettings,
    DeviceSettings,
    GeoSettings,
    IdentitySettings,
    NoticeSettings,
    RiskSettings,
    Settings,
    SignalSpec,
    TrailSettings,
)
from .anchors import Anchor
from .flow import flow_settings
from .geo import Geo
from .identity import Identity
from .models import StepUpFile
from .notices import Notices
from .page import page_settings
from .passkeys import Passkeys
from .risk import Risk
from .routes import Route
from .secret import Secrets
from .signals import AddressList, Burst, ImpossibleTravel, NewNetwork, OffHours, Own, Plain
from .throttle import Throttle
from .tokens import demanded, jwt_settings
from .trail import Audit
from .versions import policy_version, rule_version

_SQLITE = "sqlite:///"
_USER_KEY = {"session": "user_id", "jwt": "sub"}


def assemble(
    file: StepUpFile, *, folder: Path, secrets: Secrets, signals: Iterable[str], flow_keys: Secrets | None = None
) -> Settings:
    """``folder`` is where relative paths start; ``signals`` are the names of [risk.signals], in their order;
    ``flow_keys``: what [flow] shares with other services."""
    settings = Settings(
        service=file.service,
        identity=_identity(file.identity, folder),
        rules=tuple(make_rule(route, file.identity) for route in file.routes),
        trail=_trail(file.audit, folder),
        store_url=_store_url(file.store.url, folder),
        secret_keys=secrets.keys,
        digest_key=secrets.digest_key,
        secret_key_file=secrets.file,
        policy_version="",
        cookie=CookieSettings(secure=file.cookie.secure, same_site=file.cookie.same_site),
        risk=_risk(file.risk, signals, folder),
        geo=_geo(file.geo, folder) if file.geo is not None else None,
        device=DeviceSettings(describe=file.device.describe),
        challenge=ChallengeSettings(
            prefix=file.challenge.prefix,
            ttl_s=file.challenge.ttl,
            attempts=file.challenge.attempts,
            window=file.challenge.window,
            enroll=file.challenge.enroll[0],
            grace_until=file.challenge.enroll[1],
            resume_max_body=file.challenge.resume_max_body,
            form_max_age_s=file.challenge.form_max_age,
            duplicate_notice=file.challenge.duplicate_notice,
        ),
        page=page_settings(file.page, folder),
        account_throttle=_account(file.throttle),
        notices=_notices(file.notices, folder),
        public=tuple(file.check.public),
        passkeys=_party(file.service, file.passkeys),
        flow=flow_settings(file.flow, flow_keys),
        shared_with=tuple(sorted(file.grants.shared_with)),
        address_throttle=AddressThrottle(
            failures=file.throttle.address.failures, window_s=file.throttle.address.window
        ),
    )
    return dataclasses.replace(settings, policy_version=policy_version(settings))


def make_rule(route: Route, identity: Identity | None = None) -> Rule:
    """One route as a rule, with its version. ``identity`` says what a token must say where the route does not."""
    acr, amr = demanded(identity, route)
    rule = Rule(
        name=route.name,
        path=route.path,
        version="",
        methods=frozenset(route.methods) if route.methods is not None else None,
        risk=route.risk,
        challenge=route.challenge,
        max_age_s=route.max_age,
        grant=route.grant,
        factors=tuple(route.factors),
        mode=route.mode,
        acr=acr,
        amr=amr,
        show=tuple(route.show),
        stream_max_age_s=route.stream_max_age,
    )
    return dataclasses.replace(rule, version=rule_version(rule))


def resolve(folder: Path, name: str) -> Path:
    """An absolute path; symbolic links are left as they are."""
    return Path(os.path.abspath(folder / name))  # noqa: PTH100


def _identity(identity: Identity, folder: Path) -> IdentitySettings:
    return IdentitySettings(
        provider=identity.provider,
        user=identity.user if identity.user is not None else _USER_KEY.get(identity.provider, ""),
        session=identity.session,
        trusted_proxies=tuple(identity.trusted_proxies),
        forwarded_header=identity.forwarded_header,
        login_url=identity.login_url,
        jwt=jwt_settings(identity, folder),
    )


def _party(service: str, passkeys: Passkeys | None) -> RelyingParty | None:
    if passkeys is None:
        return None
    origins = tuple(passkeys.origins) or (f"https://{passkeys.rp_id}",)
    return RelyingParty(rp_id=passkeys.rp_id, name=service, origins=origins)


def _notices(notices: Notices, folder: Path) -> NoticeSettings:
    key_file = notices.webhook_key_file
    return NoticeSettings(
        on_notice=notices.on_notice,
        webhook=notices.webhook,
        webhook_key_file=resolve(folder, key_file) if key_file is not None else None,
        kinds=tuple(notices.kinds),
        timeout_s=float(notices.timeout),
    )


def _account(throttle: Throttle) -> AccountThrottle:
    account = throttle.account
    return AccountThrottle(
        failures=account.failures,
        lock_s=account.lock,
        grow=account.grow,
        max_lock_s=account.max_lock,
        ceiling=account.ceiling,
    )


def _risk(risk: Risk, names: Iterable[str], folder: Path) -> RiskSettings:
    signals = tuple(_signal(name, getattr(risk.signals, name), folder) for name in names)
    return RiskSettings(challenge_at=risk.challenge_at, deny_at=risk.deny_at, signals=signals)


def _signal(name: str, signal: Plain, folder: Path) -> SignalSpec:
    params: dict[str, Any] = {}
    match signal:
        case Burst():
            params = {"limit": signal.limit, "window_s": signal.window}
        case OffHours():
            params = {"start": signal.hours[0], "end": signal.hours[1], "timezone": signal.timezone}
        case NewNetwork():
            params = {"by": signal.by}
        case ImpossibleTravel():
            params = {"max_kmh": signal.max_kmh}
        case AddressList():
            params = {"files": tuple(resolve(folder, file) for file in signal.files)}
        case Own():
            params = {"call": signal.call, "timeout_s": signal.timeout}
    return SignalSpec(name=name, points=signal.points, on_failure=signal.on_failure, params=params)


def _geo(geo: Geo, folder: Path) -> GeoSettings:
    database = resolve(folder, geo.database) if geo.database not in (None, NAME) else geo.database
    return GeoSettings(
        database=database,
        asn_database=resolve(folder, geo.asn_database) if geo.asn_database is not None else None,
        stale_after_s=geo.stale_after,
    )


def _trail(audit: Audit, folder: Path) -> TrailSettings:
    unanchored = audit.max_unanchored
    return TrailSettings(
        path=resolve(folder, audit.path),
        durability=audit.durability,
        on_failure=audit.on_failure,
        user_id=audit.user_id,
        ip=audit.ip,
        rotate_size=audit.rotate.size,
        rotate_every_s=audit.rotate.every,
        compress=audit.compress,
        disk_warn=audit.disk.warn,
        disk_critical=audit.disk.critical,
        retain_s=audit.retain,
        checkpoint_lines=audit.checkpoint.lines,
        checkpoint_every_s=audit.checkpoint.every,
        signing_key_file=resolve(folder, audit.signing_key_file) if audit.signing_key_file is not None else None,
        max_unanchored_lines=unanchored.lines if unanchored is not None else None,
        max_unanchored_s=unanchored.seconds if unanchored is not None else None,
        max_unanchored_then=unanchored.then if unanchored is not None else "alert",
        anchors=tuple(_anchor(anchor, folder) for anchor in audit.anchor),
    )


def _anchor(anchor: Anchor, folder: Path) -> AnchorSettings:
    return AnchorSettings(
        kind=anchor.kind,
        bucket=anchor.bucket or "",
        prefix=anchor.prefix,
        endpoint_url=anchor.endpoint_url,
        region=anchor.region,
        retain_s=anchor.retain,
        what=tuple(anchor.what),
        url=anchor.url or "",
        ca_file=resolve(folder, anchor.ca_file) if anchor.ca_file is not None else None,
        hash=anchor.hash,
        key=anchor.key or "",
        timeout_s=float(anchor.timeout),
    )


def _store_url(url: str, folder: Path) -> str:
    """``sqlite:///stepup.db`` to ``sqlite:////srv/bank/stepup.db``: what follows the three slashes is a path."""
    return _SQLITE + str(resolve(folder, url.removeprefix(_SQLITE))) if url.startswith(_SQLITE) else url
