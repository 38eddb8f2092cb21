"""Joins a web server's access log with the trail: every sensitive request that the server saw has to have a line.

The two are read side by side, in the order of their times, with the lines of a short while in memory. A line answers
for one request: of the same method and path, begun within the window before the request was logged, and of the same
status where the trail knows it. What is sensitive is said by the policy's own matcher.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from ..encoding import safe_text
from ..errors import AmbiguousRequest
from .access_log import Access, parse_access, read_time

if TYPE_CHECKING:
    from ..policy import Policy

WINDOW_S = 60.0
"""How long a request may have been under way when the server logged it."""

_SLACK_S = 2.0
"""Access logs count whole seconds, and two clocks of one host may be read in either order."""

_ANSWERS = frozenset({"trigger", "access"})
"""The lines that are about a request at the door; others are about what came of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A sensitive request without a line; ``rule`` is None where its target can be read in several ways. ``near``: a
    line of another status that would have fitted."""

    access: Access
    rule: str | None
    near: int | None = None


@dataclass(slots=True)
class Tally:
    """How many lines of the access log there were, how many could not be read, were sensitive, had a line."""

    lines: int = 0
    unread: int = 0
    sensitive: int = 0
    answered: int = 0


def reconcile(
    accesses: Iterable[bytes],
    events: Iterable[Mapping[str, Any]],
    policy: Policy,
    tally: Tally,
    *,
    window_s: float = WINDOW_S,
    root: str = "",
) -> Iterator[Missing]:
    """The sensitive requests without a line, in the order of the access log. ``events``: the trail's, in order, from
    ``window_s`` before the first request. ``tally`` counts on the way. ``root``: the path that the app is mounted at,
    which rules leave out."""
    lines = _Lines(iter(events), window_s)
    for number, raw in enumerate(accesses, 1):
        if not raw.strip():
            continue
        tally.lines += 1
        access = parse_access(raw, number)
        if access is None:
            tally.unread += 1
            continue
        path, sensitive, rule = _judge(policy, access, root)
        if not sensitive:
            continue
        tally.sensitive += 1
        found, near = lines.take(access, path)
        if found:
            tally.answered += 1
        else:
            yield Missing(access=access, rule=rule, near=near)


def _judge(policy: Policy, access: Access, root: str) -> tuple[str, bool, str | None]:
    """The path as the app saw it, whether a rule holds for it, and which."""
    raw = access.target.partition("?")[0]
    path = unquote_to_bytes(raw.encode("latin-1")).decode("utf-8", "replace")
    try:
        match = policy.match(access.method, path, root, raw.encode("latin-1"))
    except AmbiguousRequest:
        return path, True, None
    return path, match is not None, match.rule.name if match is not None else None


@dataclass(slots=True)
class _Line:
    request_id: str
    time: float
    status: int | None = None


class _Lines:
    """The lines of the trail that may answer for requests around a moment."""

    def __init__(self, events: Iterator[Mapping[str, Any]], window_s: float) -> None:
        self._events = events
        self._window_s = window_s
        self._open: dict[tuple[str, str], deque[_Line]] = {}
        self._known: dict[str, _Line] = {}
        self._now = float("-inf")

    def take(self, access: Access, path: str) -> tuple[bool, int | None]:
        """Whether a line answers for the request, which is then used up; if not, the status of one that nearly did."""
        self._read_to(access.time + self._window_s)
        kept = self._open.get((access.method[:32], safe_text(path, 1024)))
        if kept is None:
            return False, None
        while kept and kept[0].time < access.time - self._window_s:
            self._known.pop(kept.popleft().request_id, None)
        fitting = [line for line in kept if line.time <= access.time + _SLACK_S]
        best = next((line for line in fitting if line.status == access.status), None)
        best = best or next((line for line in fitting if line.status is None or access.status == 0), None)
        if best is None:
            return False, fitting[0].status if fitting else None
        kept.remove(best)
        return True, None

    def _read_to(self, time: float) -> None:
        while self._now <= time:
            event = next(self._events, None)
            if event is None:
                self._now = float("inf")
                return
            self._add(event)

    def _add(self, event: Mapping[str, Any]) -> None:
        action, request_id, time = event.get("action"), event.get("request_id"), read_time(event.get("timestamp"))
        if event.get("event_type") != "step_up" or not isinstance(action, Mapping) or time is None:
            return
        self._now = max(self._now, time) if self._now != float("-inf") else time
        if not isinstance(request_id, str):
            return
        if event.get("phase") == "result":
            http, line = event.get("http"), self._known.get(request_id)
            if line is not None and isinstance(http, Mapping):
                line.status = http.get("status")
        elif event.get("phase") in _ANSWERS and request_id not in self._known:
            line = self._known[request_id] = _Line(request_id, time)
            key = (str(action.get("method")), str(action.get("path")))
            self._open.setdefault(key, deque()).append(line)
            if len(self._known) % 4096 == 0:
                self._forget()

    def _forget(self) -> None:
        """Drop what is too old to answer for anything that comes."""
        before = self._now - 3 * self._window_s - _SLACK_S
        for key in list(self._open):
            kept = self._open[key]
            while kept and kept[0].time < before:
                self._known.pop(kept.popleft().request_id, None)
            if not kept:
                del self._open[key]
        for name in [name for name, line in self._known.items() if line.time < before]:
            del self._known[name]
