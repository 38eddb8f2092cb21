"""Records as texts of the store and back. ValueError or LookupError for what no step of ours wrote."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import orjson
from orjson import loads

from ...errors import StoreUnavailable
from ...state import Challenge, Factor, Grant, UserSummary
from ..runs import Run
from .names import digest

_GRANT = tuple(field.name for field in fields(Grant) if field.name != "uses_left")
_GRANT_SETTERS = tuple(Grant.__dict__[name].__set__ for name in (*_GRANT, "uses_left"))
_CHANGING = ("attempts", "state", "settled_at", "logged")
_BYTES = ("facts", "return_to")
_CHALLENGE = tuple(field.name for field in fields(Challenge) if field.name not in (*_CHANGING, *_BYTES))
NO_COUNT = b"-"


def dumps(values: list[Any]) -> bytes:
    """JSON. StoreUnavailable: text that is no Unicode."""
    try:
        return orjson.dumps(values)
    except TypeError as error:
        raise StoreUnavailable(f"a record cannot be kept: {error}") from error


def format_number(number: float) -> str:
    """So that it comes back as the same float, here and in Lua."""
    return repr(float(number))


def format_factor(factor: Factor) -> bytes:
    """What never changes: ``["alice","f1",1000.25,"phone"]``, LF, the sealed secret."""
    return dumps([factor.user, factor.factor_id, factor.created_at, factor.label]) + b"\n" + factor.sealed


def parse_factors(held: dict[bytes, bytes]) -> tuple[Factor, ...]:
    """The factors in the hash of a user, oldest first."""
    found = [_parse_factor(value, held[b"step:" + name[7:]]) for name, value in held.items() if name[:7] == b"factor:"]
    found.sort(key=lambda pair: (pair[0].created_at, pair[1]))
    return tuple(factor for factor, _ in found)


def _parse_factor(record: bytes, changing: bytes) -> tuple[Factor, int]:
    """``changing``: last step, drift, and the order of arrival, which comes back beside the factor."""
    head, _, sealed = record.partition(b"\n")
    user, factor_id, created_at, label = loads(head)
    last_step, drift, order = map(int, changing.split(b" "))
    factor = Factor(
        user=user,
        factor_id=factor_id,
        sealed=sealed,
        created_at=created_at,
        last_step=last_step,
        label=label,
        drift=drift,
    )
    return factor, order


def format_run(run: Run) -> str:
    return f"{run.slot} {run.step} {run.count} {format_number(run.since)} {int(run.pending)}"


def parse_run(text: bytes) -> Run:
    slot, step, count, since, pending = text.split(b" ")
    return Run(slot=int(slot), step=int(step), count=int(count), since=float(since), pending=pending == b"1")


def parse_summary(held: dict[bytes, bytes]) -> UserSummary | None:
    """None for a user without a factor."""
    factors = parse_factors(held)
    if not factors:
        return None
    return UserSummary(
        user=factors[0].user,
        factors=len(factors),
        recovery_codes=count_codes(held),
        created_at=factors[0].created_at,
        failures=int(held.get(b"failures", b"0")),
        locked_until=float(held.get(b"locked_until", b"0")),
    )


def count_codes(names: dict[bytes, bytes] | list[bytes]) -> int:
    return sum(name.startswith(b"code:") for name in names)


def format_grant(grant: Grant) -> bytes:
    """Every field but ``uses_left``."""
    return dumps([getattr(grant, name) for name in _GRANT])


def parse_grant(held: bytes) -> Grant:
    """``order proved_at expires_at uses body``. The hot path: filling the slots costs half of what __init__ does."""
    uses, body = held.split(b" ", 4)[3:]
    grant = object.__new__(Grant)
    for put, value in zip(_GRANT_SETTERS, (*loads(body), None if uses == NO_COUNT else int(uses)), strict=True):
        put(grant, value)
    return grant


def grant_order(held: bytes) -> tuple[float, int]:
    """Sorts the newest first."""
    order, proved_at, _ = held.split(b" ", 2)
    return -float(proved_at), -int(order)


def format_match(session: str, rule: str, binding: str) -> str:
    """One word for all three."""
    return digest("match", f"{len(session)} {len(rule)} {session}{rule}{binding}")


def format_challenge(challenge: Challenge) -> bytes:
    """What never changes: JSON with the length of ``facts`` in front, LF, ``facts``, ``return_to``."""
    head = dumps([len(challenge.facts), *(getattr(challenge, name) for name in _CHALLENGE)])
    return head + b"\n" + challenge.facts + challenge.return_to


def parse_challenge(head: bytes, body: bytes) -> Challenge:
    """``head`` as ``lua/parts/head.lua`` has it."""
    first, _, rest = body.partition(b"\n")
    length, *values = loads(first)
    known: dict[str, Any] = dict(zip(_CHALLENGE, values, strict=True))
    _, _, _, attempts, state, settled_at, logged, _, _ = head.split(b" ")
    return Challenge(
        **known,
        facts=rest[:length],
        return_to=rest[length:],
        attempts=int(attempts),
        state=state.decode(),  # type: ignore[arg-type]  # written by our scripts from a ChallengeState
        settled_at=float(settled_at),
        logged=logged == b"1",
    )
