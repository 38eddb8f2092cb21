"""Parts by their name: the identity provider and the signals that a configuration asks for, and functions of yours."""

from __future__ import annotations

import importlib
import inspect
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from .couriers import Destination
from .couriers.function import Function
from .couriers.webhook import Webhook, parse_key
from .encoding import safe_text
from .errors import ConfigError, ConfigProblem
from .gate.sources import Sources
from .identity import Provider
from .identity.call import CallProvider
from .identity.django import DjangoProvider
from .identity.flask import FlaskProvider
from .identity.header import HeaderProvider
from .identity.remote_user import RemoteUserProvider
from .identity.scope_user import ScopeUserProvider
from .identity.session import SessionProvider
from .keyring import Keyring
from .origin import Networks
from .settings import IdentitySettings, NoticeSettings, RiskSettings, SignalSpec
from .signals import Signal, Weighted
from .signals.address_list import OnAddressList
from .signals.burst import Burst
from .signals.call import Call
from .signals.impossible_travel import ImpossibleTravel
from .signals.new_country import NewCountry
from .signals.new_device import NewDevice
from .signals.new_network import NewNetwork
from .signals.off_hours import OffHours
from .signals.recent_failures import RecentFailures
from .state import SightingKind


def make_provider(settings: IdentitySettings, trusted: Networks, clock: Callable[[], float] = time.time) -> Provider:
    """The identity provider by its name, or your own callable. MissingExtra where it needs a package."""
    if settings.jwt is not None:
        from .identity.jwt import JwtProvider  # noqa: PLC0415 - it needs an extra

        return JwtProvider(settings, settings.jwt, clock)
    if ":" in settings.provider:
        return CallProvider(import_named(settings.provider, "identity.provider"))
    makers: dict[str, Callable[[], Provider]] = {
        "header": lambda: HeaderProvider(user=settings.user, session=settings.session, trusted=trusted),
        "scope_user": lambda: ScopeUserProvider(user=settings.user, session=settings.session),
        "session": lambda: SessionProvider(user=settings.user, session=settings.session),
        "remote_user": lambda: RemoteUserProvider(session=settings.session),
        "flask": lambda: FlaskProvider(user=settings.user, session=settings.session),
        "django": lambda: DjangoProvider(user=settings.user, session=settings.session),
    }
    return makers[settings.provider]()


def make_signals(settings: RiskSettings, sources: Sources, keyring: Keyring) -> tuple[Weighted, ...]:
    """The risk signals, each by its name, or your own callable."""
    return tuple(
        Weighted(_make_signal(spec, sources, keyring), spec.points if spec.on_failure is None else spec.on_failure)
        for spec in settings.signals
    )


def _make_signal(spec: SignalSpec, sources: Sources, keyring: Keyring) -> Signal:
    points, params = spec.points, spec.params
    if "call" in params:
        call = import_named(params["call"], f"risk.signals.{spec.name}.call")
        return Call(spec.name, points, call, timeout_s=params["timeout_s"])
    makers: dict[str, Callable[[], Signal]] = {
        "recent_failures": lambda: RecentFailures(points),
        "burst": lambda: Burst(points, **params),
        "off_hours": lambda: OffHours(points, **params),
        "new_device": lambda: NewDevice(points),
        "new_network": lambda: NewNetwork(points, **params),
        "new_country": lambda: NewCountry(points),
        "impossible_travel": lambda: ImpossibleTravel(points, **params, unseal=partial(_unseal_place, keyring)),
        "address_list": lambda: OnAddressList(points, lists=sources.lists),
    }
    return makers[spec.name]()


def _unseal_place(keyring: Keyring, user: str, sealed: bytes) -> bytes:
    return keyring.unseal("place", sealed, user)


def remembered_by(settings: RiskSettings) -> tuple[SightingKind, ...]:
    """What these signals want to know again after a proof. Networks always: the signal may come later."""
    specs = {spec.name: spec.params for spec in settings.signals}
    asn: tuple[SightingKind, ...] = ("asn",) if specs.get("new_network", {}).get("by") == "asn" else ()
    return ("network", *asn, "country") if "new_country" in specs else ("network", *asn)


def make_destinations(settings: NoticeSettings) -> list[Destination]:
    """Where notices go: the app's function, a webhook, both or neither."""
    found: list[Destination] = []
    if settings.on_notice is not None:
        found.append(Function(import_named(settings.on_notice, "notices.on_notice"), timeout_s=settings.timeout_s))
    if settings.webhook is not None and settings.webhook_key_file is not None:
        key = parse_key(settings.webhook_key_file.read_text("ascii"))
        found.append(Webhook(settings.webhook, key, timeout_s=settings.timeout_s))
    return found


def import_named(name: str, key: str) -> Callable[..., Any]:
    """``"package.module:callable"`` to the callable. ConfigError where it is not there or cannot be called."""
    module_name, _, attribute = name.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            found = getattr(found, part)
    except Exception as error:  # a module may raise anything while it is loaded
        why = safe_text(f"{type(error).__name__}: {error}", 300)
        message = f'found "{name}", which cannot be imported ({why}); allowed is a function, "package.module:callable"'
        raise ConfigError((ConfigProblem(source="configuration", key=key, message=message),)) from error
    if not callable(found) or inspect.isclass(found):
        problem = ConfigProblem(source="configuration", key=key, message=f'found "{name}", which is not a function')
        raise ConfigError((problem,))
    result: Callable[..., Any] = found
    return result
