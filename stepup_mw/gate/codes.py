"""What a code means for a user, and the taking of it: the one place where a code is compared with a secret.

The caller has counted the attempt before it comes here, whatever it is for: a challenge, or a change of the user's
authenticators. A code that was right is used up when this returns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from .. import recovery, totp
from ..app_secrets import ProvidedSecret, row_id
from ..errors import EnrollmentError, SealError, StoreUnavailable
from ..state import Factor, Right
from .services import Services

Verdict = Literal["right", "wrong", "replayed", "skewed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """``method`` is the proof that was right, "" for none; ``drift`` how many steps a clock is off, where the verdict
    is ``skewed``; ``factor_id`` which authenticator it was, "" for a recovery code. ``settled``: taking the code has
    settled its challenge, too; only a TOTP code's does."""

    verdict: Verdict
    method: str = ""
    drift: int = 0
    factor_id: str = ""
    settled: bool = False


class Trying(NamedTuple):
    """The challenge that a code is for, and what its user had when the attempt was counted, oldest first."""

    challenge_id: str
    factors: tuple[Factor, ...]


MAX_LABEL = 64
"""Characters of an authenticator's name."""


TOLD_S = (totp.FAR_STEPS + totp.MAX_DRIFT + 3) * totp.PERIOD_S
"""From the moment a code of the future is recognised until nobody takes it any more."""

WRONG = Judged(verdict="wrong")


async def judge_code(
    services: Services, user: str, code: str, *, allowed: Sequence[str], now: float, trying: Trying | None = None
) -> Judged:
    """Compare a code as sent with what the user has, by the ``allowed`` proofs, and take it if it is right."""
    digits = totp.parse_code(code)
    if digits is not None and "totp" in allowed:
        return await _judge_totp(services, user, digits, now, trying)
    letters = recovery.parse_code(code)
    if letters is not None and "recovery_code" in allowed:
        return await _judge_recovery(services, user, letters, now)
    return WRONG


async def is_enrolled(services: Services, user: str) -> bool:
    """Whether the user has an authenticator, here or in the app's own database."""
    return bool(await own_factors(services, user)) or bool(await _provided(services, user))


async def prepare(services: Services, user: str, now: float, *, allowed: Sequence[str]) -> bool:
    """Whether the user has what can pass by the ``allowed`` proofs, before one is asked for: what keeps the steps of
    the app's own secrets is there then, and adding it does not end the epoch in which the code will be judged."""
    rows = await services.store.factors(user)
    provided = await _provided(services, user)
    await _rows_of(services, user, provided, rows, now)
    kinds = {factor.kind for factor in rows if factor.sealed} | ({"totp"} if provided else set())
    return any(kind in allowed for kind in kinds) or ("recovery_code" in allowed and bool(kinds))


async def own_factors(services: Services, user: str, *, kind: str | None = None) -> tuple[Factor, ...]:
    """The authenticators enrolled here (of one kind), oldest first: without the rows that stand for one of the
    app's own."""
    rows = await services.store.factors(user)
    return tuple(factor for factor in rows if factor.sealed and kind in (None, factor.kind))


async def _judge_totp(services: Services, user: str, digits: str, now: float, trying: Trying | None) -> Judged:
    worst = WRONG
    for factor, secret in await _authenticators(services, user, now, trying):
        found = _compare(services, factor, secret, digits, now)
        if found.kind == "fresh":
            taken = await services.store.take_code(_right(services, factor, found, now, trying))
            if taken.taken:
                return Judged(verdict="right", method="totp", factor_id=factor.factor_id, settled=taken.settled)
            worst = Judged(verdict="replayed")
        elif found.kind != "wrong" and worst.verdict != "replayed":
            worst = Judged(verdict=found.kind, drift=found.drift)
            if found.drift > 0:
                await _tell(services, user, found.step, now)
    return worst


def _compare(services: Services, factor: Factor, secret: str, digits: str, now: float) -> totp.Judgement:
    window = services.settings.challenge.window
    return totp.judge(secret, digits, now=now, window=window, last_step=factor.last_step, drift=factor.drift)


def _right(services: Services, factor: Factor, found: totp.Judgement, now: float, trying: Trying | None) -> Right:
    return Right(
        user=factor.user,
        factor_id=factor.factor_id,
        step=found.step,
        drift=totp.learn_drift(factor.drift, found.drift),
        told=_told(services, factor.user, found.step),
        told_s=TOLD_S,
        challenge_id=trying.challenge_id if trying is not None else "",
        at=now,
    )


async def _tell(services: Services, user: str, step: int, now: float) -> None:
    """Somebody is told that a code is right, though its time is still to come. It is not taken when that comes: who
    guesses would be told of more codes than can be taken at once, and have only to wait."""
    await services.store.hits(_told(services, user, step), now=now, window_s=TOLD_S, record=True)


def _told(services: Services, user: str, step: int) -> str:
    return f"told:{services.keyring.digest('user', user)}:{step}"


async def match_step(services: Services, user: str, code: str, now: float) -> tuple[Factor, int] | None:
    """Which authenticator a TOTP code is right for, and its step, where that step could be taken. Takes nothing."""
    digits = totp.parse_code(code)
    if digits is None:
        return None
    matched: tuple[Factor, int] | None = None
    for factor, secret in await _authenticators(services, user, now):
        found = _compare(services, factor, secret, digits, now)
        if found.kind == "fresh" and matched is None:
            matched = factor, found.step
    return matched


async def _judge_recovery(services: Services, user: str, letters: str, now: float) -> Judged:
    """A recovery code is taken, and with it every TOTP code that could be taken now: who lost sight of the
    authenticator for a moment has lost no more than the recovery code."""
    digest = recovery_digest(services, user, letters)
    if not await services.store.consume_recovery(user, digest):
        return WRONG
    window = services.settings.challenge.window
    for factor in await services.store.factors(user):
        latest = totp.taken_steps(now, window=window, drift=factor.drift)[-1]
        await services.store.consume_step(user, factor.factor_id, latest, drift=factor.drift)
    return Judged(verdict="right", method="recovery_code")


def recovery_digest(services: Services, user: str, letters: str) -> str:
    """What the store keeps of a recovery code (its sixteen letters)."""
    return services.keyring.digest("recovery", f"{user}\0{letters}")


async def _authenticators(
    services: Services, user: str, now: float, trying: Trying | None = None
) -> list[tuple[Factor, str]]:
    """Every authenticator with its secret, base32, and the highest step taken from any of them as its own: a step is
    the user's (RFC 6238 section 5.2). One whose row does not open counts for nothing."""
    rows = trying.factors if trying is not None else await services.store.factors(user)
    found: list[tuple[Factor, str]] = []
    for factor in rows:
        if factor.sealed:
            try:
                found.append((factor, services.keyring.unseal("totp", factor.sealed, user).decode("ascii")))
            except SealError:
                continue
    provided = await _provided(services, user)
    kept = await _rows_of(services, user, provided, rows, now)
    found += [(kept[row_id(secret)], secret.secret) for secret in provided]
    highest = max((factor.last_step for factor in kept.values()), default=-1)
    return [(factor._replace(last_step=highest), secret) for factor, secret in found]


async def _rows_of(
    services: Services, user: str, provided: Sequence[ProvidedSecret], rows: Sequence[Factor], now: float
) -> dict[str, Factor]:
    """The rows that keep the steps taken from the app's own secrets, by id; no secret is in them. None is made anew
    where there may have been one that was lost: it would take a used code once more."""
    known = {factor.factor_id: factor for factor in rows}
    wanted = {row_id(secret): secret.label for secret in provided}
    missing = [factor_id for factor_id in wanted if factor_id not in known]
    if not missing:
        return known
    if not rows and await services.store.missed(user):
        raise StoreUnavailable("the store lost which codes of this user were used")
    for factor in rows:  # make room: the app has no such secret any more
        if not factor.sealed and factor.factor_id not in wanted:
            await services.store.remove_factor(user, factor.factor_id)
    for factor_id in missing:
        row = Factor(user=user, factor_id=factor_id, sealed=b"", created_at=now, label=wanted[factor_id][:MAX_LABEL])
        await services.store.add_factor(row)
    known = {factor.factor_id: factor for factor in await services.store.factors(user)}
    if any(factor_id not in known for factor_id in wanted):
        raise StoreUnavailable("the user has more authenticators than the store keeps")
    return known


async def _provided(services: Services, user: str) -> Sequence[ProvidedSecret]:
    if services.secrets is None:
        return ()
    try:
        given = tuple(await services.secrets.secrets(user))
        return tuple(replace(secret, secret=totp.parse_secret(secret.secret)) for secret in given)
    except EnrollmentError as error:
        raise StoreUnavailable(f"a secret of the app's own database cannot be used: {error}") from None
    except Exception as error:
        raise StoreUnavailable(f"the app's own store of secrets failed: {type(error).__name__}") from error
