"""What a configuration may say and a person should know: each is a warning, none stops the start."""

from __future__ import annotations

from collections.abc import Iterator

from ..assertion import default_acr
from ..encoding import format_instant
from ..settings import Settings
from .document import Flaw
from .geo import doubt_cautions, origin_cautions


def find_cautions(settings: Settings, now: float) -> Iterator[Flaw]:
    """The warnings, in no order."""
    yield from origin_cautions(settings, now)
    yield from doubt_cautions(settings)
    trail = settings.trail
    if not settings.cookie.secure:
        message = "false drops the __Host- prefix and sends grants over plain http: for development only"
        yield Flaw(path=("cookie", "secure"), message=message)
    if settings.store_url == "memory://":
        message = "memory:// serves one process and forgets factors, locks and grants when it stops"
        yield Flaw(path=("store", "url"), message=message)
    if trail.durability != "commit":
        message = f'"{trail.durability}" lets a request reach the app before its line is on stable storage'
        yield Flaw(path=("audit", "durability"), message=message)
    if trail.on_failure == "allow":
        message = '"allow" lets a request reach the app when its line cannot be written'
        yield Flaw(path=("audit", "on_failure"), message=message)
    if trail.signing_key_file is None:
        message = (
            "no signing_key_file: no checkpoints, so a cut or rewritten tail cannot be told; `stepup init` makes a key"
        )
        yield Flaw(path=("audit", "signing_key_file"), message=message)
    if settings.challenge.enroll == "grace":
        day = format_instant(settings.challenge.grace_until)
        message = f"until {day} users without an authenticator are let through, each on record"
        yield Flaw(path=("challenge", "enroll"), message=message)
    yield from _rule_cautions(settings)
    yield from _token_cautions(settings)


def _rule_cautions(settings: Settings) -> Iterator[Flaw]:
    risk = settings.risk
    most = sum(signal.points for signal in risk.signals)
    for index, rule in enumerate(settings.rules):
        if rule.mode == "report":
            message = '"report" lets every request through; the lines say what would have happened'
            yield Flaw(path=("routes", index, "mode"), message=message)
        if rule.risk >= risk.deny_at:
            message = f"{rule.risk} reaches risk.deny_at ({risk.deny_at}) alone: every request is refused"
            yield Flaw(path=("routes", index, "risk"), message=message)
        elif rule.challenge == "never":
            message = '"never" asks for no proof, whatever the score below risk.deny_at'
            yield Flaw(path=("routes", index, "challenge"), message=message)
        elif rule.challenge == "auto" and rule.risk + most < risk.challenge_at:
            message = (
                f"{rule.risk} and all signals together ({most}) stay below risk.challenge_at ({risk.challenge_at}): "
                'nobody is ever asked; raise it, or set challenge = "always"'
            )
            yield Flaw(path=("routes", index, "risk"), message=message)


def _token_cautions(settings: Settings) -> Iterator[Flaw]:
    if settings.identity.jwt is None:
        return
    if all(rule.acr == default_acr(rule.factors) for rule in settings.rules):
        message = (
            "neither acr nor amr says which tokens are a proof: only an acr such as urn:stepup:totp, with amr otp or "
            "mfa; name what your provider gives"
        )
        yield Flaw(path=("identity", "provider"), message=message)
    for index, rule in enumerate(settings.rules):
        if rule.grant == "request":
            message = '"request" is opened by no access token, for none is about one request: users need a code of ours'
            yield Flaw(path=("routes", index, "grant"), message=message)
