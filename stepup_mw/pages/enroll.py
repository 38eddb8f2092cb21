"""What the pages of enrollment show: a first authenticator, those a person has, and recovery codes, shown once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import MissingExtra
from .catalogue import Said, say
from .qr import qr_svg
from .template import Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One authenticator as its owner sees it; ``since`` in words."""

    factor_id: str
    label: str
    since: str | Said


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrollView:
    """``pending`` and ``back`` are tokens that the forms carry; ``secret`` is base32. ``by_recovery``: a recovery code
    proves a change, too. ``error`` is about the last try, and ``part`` which form it was, for that one to be open."""

    user: str
    url: str
    secret: str
    uri: str
    pending: str
    back: str
    devices: Sequence[Device]
    codes_left: int
    by_recovery: bool
    enrolled: bool
    error: Said | None = None
    part: str = ""
    notice: Said | None = None
    label: str = ""


def enroll_view(view: EnrollView) -> Mapping[str, object]:
    """For the templates ``enroll`` (a first authenticator) and ``authenticators`` (those there are)."""
    return {
        **{name: getattr(view, name) for name in ("user", "url", "pending", "back", "error", "notice", "label")},
        "qr": _picture(view.uri),
        "secret": " ".join(view.secret[at : at + 4] for at in range(0, len(view.secret), 4)),
        "left": say("enroll.left", count=view.codes_left) if view.codes_left else say("enroll.left_none"),
        "needs": say("enroll.needs_or_recovery" if view.by_recovery else "enroll.needs"),
        "listed": bool(view.devices),
        "devices": [_device(device) for device in view.devices],
        "add": {"part": "add", "open": _is_open(view, "")},
        "remove": {"part": "remove", "open": _is_open(view, "remove")} if len(view.devices) > 1 else None,
        "renew": {"part": "renew", "open": _is_open(view, "recovery_codes")},
    }


def codes_view(*, text: Said, codes: Sequence[str], onward: str, onward_text: Said) -> Mapping[str, object]:
    """For the template ``codes``: what was done, with recovery codes where there are new ones; ``onward`` is a path on
    this origin, "" for none."""
    return {
        "text": text,
        "shown": {"codes": codes} if codes else None,
        "onward": onward,
        "onward_text": onward_text,
    }


def _picture(uri: str) -> Markup | None:
    try:
        return Markup(qr_svg(uri))
    except MissingExtra:
        return None


def _device(device: Device) -> Mapping[str, object]:
    name = device.label or say("enroll.unnamed")
    return {
        "factor_id": device.factor_id,
        "name": name,
        "since": say("enroll.since", day=device.since),
        "in_place": say("enroll.in_place", name=name),
    }


def _is_open(view: EnrollView, part: str) -> bool:
    return view.error is not None and view.part == part
