"""The gate's pen: makes audit records of what happens to a request and hands them to the trail.

Writes and never decides. A record that could not be made durable raises TrailUnavailable (unless the configuration
says ``audit.on_failure = "allow"``, which lets the request go on and says so in the program's log).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from .. import events
from ..errors import TrailUnavailable

_log = logging.getLogger("stepup_mw")


class TrailLike(Protocol):
    """The part of the trail that the gate writes to."""

    async def append(self, records: Sequence[bytes], *, wait: bool = True, spooled: bool = False) -> None: ...

    def post(self, records: Sequence[bytes], *, info: bool = False) -> None: ...

    async def recent(self, users: Collection[str], *, limit: int) -> list[dict[str, Any]]: ...

    async def unended(self, *, since: float, until: float) -> list[dict[str, Any]]: ...


class Journal:
    def __init__(
        self,
        trail: TrailLike,
        *,
        service: str,
        clock: Callable[[], float],
        new_id: Callable[[float], str],
        allow_on_failure: bool = False,
        window: Callable[[], None] | None = None,
    ) -> None:
        self._trail = trail
        self._service = service
        self._clock = clock
        self._new_id = new_id
        self._allow_on_failure = allow_on_failure
        self._window = window

    def check_window(self) -> None:
        """TrailUnavailable where nothing may go through to the app now, since too much of the trail is under no anchor
        (``audit.max_unanchored`` with ``then = "deny"``). Lines can still be written."""
        if self._window is not None:
            self._window()

    def line(
        self,
        facts: events.Facts,
        phase: str,
        status: str,
        *,
        reason: str | None = None,
        proof: Mapping[str, Any] | None = None,
        http: Mapping[str, Any] | None = None,
        would: str | None = None,
        detail: str | None = None,
        event_id: str | None = None,
    ) -> bytes:
        """One ``step_up`` record, stamped now; with a fresh ``event_id`` unless one is given."""
        now = self._clock()
        return events.step_up(
            facts,
            phase=phase,
            status=status,
            now=now,
            event_id=event_id or self._new_id(now),
            reason=reason,
            proof=proof,
            http=http,
            would=would,
            detail=detail,
        )

    def notice(
        self, event_type: str, phase: str, *, user: str | None = None, detail: Mapping[str, Any] | None = None
    ) -> bytes:
        """One record of another event type, stamped now."""
        now = self._clock()
        return events.other(
            event_type,
            phase,
            now=now,
            event_id=self._new_id(now),
            service=self._service,
            user_id=user,
            detail=detail,
        )

    async def write(self, *records: bytes) -> None:
        """Returns when all of them are as durable as the configuration promises. TrailUnavailable otherwise."""
        try:
            await self._trail.append(records)
        except TrailUnavailable as error:
            if not self._allow_on_failure:
                raise
            _log.error("audit line lost, request allowed as configured (audit.on_failure): %s", error)

    async def refuse(self, *records: bytes) -> None:
        """Lines about what is stopped anyway: they are written like all others where that can be done, else kept and
        written as soon as it can. So a trail that cannot be written turns no refusal into another answer."""
        try:
            await self._trail.append(records, spooled=True)
        except TrailUnavailable as error:
            _log.error("audit line about a refusal lost, and counted: %s", error)

    def inform(self, *records: bytes) -> None:
        """Hands over lines that only inform; they are the first to be dropped, and counted, where room gets short."""
        self._trail.post(records, info=True)

    def post(self, *records: bytes) -> None:
        """Hands records over without waiting: for what has happened already and can no longer be stopped."""
        self._trail.post(records)

    async def recent(self, users: Collection[str], *, limit: int) -> list[dict[str, Any]]:
        """The last lines that name one of these users, newest first; what is not written yet is not among them."""
        return await self._trail.recent(users, limit=limit)

    async def unended(self, *, since: float, until: float) -> list[dict[str, Any]]:
        """The lines of challenges that were issued in that time and have no outcome on record, oldest first."""
        return await self._trail.unended(since=since, until=until)


def proof(
    basis: str | None,
    *,
    method: str | None = None,
    challenge_id: str | None = None,
    attempt: int | None = None,
    age_s: int | None = None,
) -> dict[str, Any]:
    """The ``proof`` object of a line: always the same keys."""
    return {"basis": basis, "method": method, "challenge_id": challenge_id, "attempt": attempt, "age_s": age_s}
