"""W3C Trace Context (https://www.w3.org/TR/trace-context/), read strictly: what is not exactly to the letter is none.

    traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
    tracestate:  rojo=00f067aa0ba902b7,congo=t61rcWkgMzE

Only reads. What the app and the services behind it see of these headers is what the client sent.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_STATE = 512
"""Characters of a tracestate that are kept (section 3.3.1.5); whole members beyond go, from the end."""

_MAX_RAW = 8192
_MAX_MEMBERS = 32
_PARENT = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(-.*)?", re.ASCII | re.DOTALL
)
_MEMBER = re.compile(
    r"((?:[a-z][a-z0-9_\-*/]{0,255})|(?:[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13}))"
    r"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]",
    re.ASCII,
)


class TraceParent(NamedTuple):
    """``trace_id``: 32 hex digits, ``span_id``: the caller's, 16; neither all zero."""

    trace_id: str
    span_id: str


def parse_traceparent(text: str) -> TraceParent | None:
    """Section 3.2. None for upper case, ids of zeros only, version ``ff``, and for a version ``00`` with anything after
    its flags; a later version may go on after a dash."""
    found = _PARENT.fullmatch(text) if len(text) <= _MAX_RAW else None
    if found is None or (found[1] == "00" and found[4] is not None):
        return None
    return TraceParent(found[2], found[3])


def parse_tracestate(text: str) -> str | None:
    """Section 3.3: the members joined by single commas, at most MAX_STATE characters of them; None for an empty list,
    and for one with a member that is none, a key that stands twice, or more than 32 members."""
    if not text or len(text) > _MAX_RAW:
        return None
    members = [member for part in text.split(",") if (member := part.strip(" \t"))]
    keys = {member.partition("=")[0] for member in members}
    if len(members) > _MAX_MEMBERS or len(keys) < len(members):
        return None
    if not all(_MEMBER.fullmatch(member) for member in members):
        return None
    while len(",".join(members)) > MAX_STATE:
        members.pop()
    return ",".join(members) or None
