"""Records as texts of the store and back. ValueError or LookupError for what no step of ours wrote."""

from __future__ import annotations

from orjson import loads

from ...state import Challenge, Factor, Grant, UserSummary
from .. import bodies
from ..bodies import dumps
from ..runs import Run
from .names import digest

NO_COUNT = b"-"


Held = dict[bytes, bytes] | list[bytes]
"""The fields of a hash: as a client gives them, or one after the other, as they come from the server."""


def fields_of(held: Held) -> dict[bytes, bytes]:
    return held if isinstance(held, dict) else dict(zip(held[::2], held[1::2], strict=True))


def format_number(number: float) -> str:
    """So that it comes back as the same float, here and in Lua."""
    return repr(float(number))


def format_factor(factor: Factor) -> bytes:
    """What never changes: ``["alice","f1",1000.25,"phone"]``, LF, the sealed secret."""
    return dumps([factor.user, factor.factor_id, factor.created_at, factor.label]) + b"\n" + factor.sealed


def parse_factors(held: Held) -> tuple[Factor, ...]:
    """The factors in the hash of a user, oldest first."""
    fields = fields_of(held)
    names = [name for name in fields if name[:7] == b"factor:"]
    found = [_parse_factor(fields[name], fields[b"step:" + name[7:]]) for name in names]
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


def parse_summary(held: Held) -> UserSummary | None:
    """None for a user without a factor."""
    fields = fields_of(held)
    factors = parse_factors(fields)
    if not factors:
        return None
    return UserSummary(
        user=factors[0].user,
        factors=len(factors),
        recovery_codes=count_codes(fields),
        created_at=factors[0].created_at,
        failures=int(fields.get(b"failures", b"0")),
        locked_until=float(fields.get(b"locked_until", b"0")),
    )


def count_codes(names: dict[bytes, bytes] | list[bytes]) -> int:
    return sum(name.startswith(b"code:") for name in names)


def parse_grant(held: bytes) -> Grant:
    """``order proved_at expires_at uses body``."""
    uses, body = held.split(b" ", 4)[3:]
    return bodies.parse_grant(body, None if uses == NO_COUNT else int(uses))


def grant_order(held: bytes) -> tuple[float, int]:
    """Sorts the newest first."""
    order, proved_at, _ = held.split(b" ", 2)
    return -float(proved_at), -int(order)


def format_match(session: str, rule: str, binding: str) -> str:
    """One word for all three."""
    return digest("match", f"{len(session)} {len(rule)} {session}{rule}{binding}")


def parse_challenge(head: bytes, body: bytes) -> Challenge:
    """``head`` as ``lua/parts/head.lua`` has it."""
    _, _, _, attempts, state, settled_at, logged, _, _ = head.split(b" ")
    return bodies.parse_challenge(
        body,
        attempts=int(attempts),
        state=state.decode(),  # type: ignore[arg-type]  # written by our scripts from a ChallengeState
        settled_at=float(settled_at),
        logged=logged == b"1",
    )
