"""``flow_headers``: what a call to a service behind takes along, so that the lines of both join.

    httpx.post(url, headers=stepup_mw.flow_headers(request))

An app that hands its request's headers on needs none of it: the flow stands in them.
"""

from __future__ import annotations

from typing import Any

from .demands import FLOW_HEADER, KEY
from .required import Native, native_of
from .trace_context import parse_traceparent, parse_tracestate

__all__ = ["flow_headers"]

_MAX_ID = 128


def flow_headers(request: Any) -> dict[str, str]:
    """Headers for an outgoing call of any client: ``Step-Up-Flow`` (with ``flow.send``, once a rule or ``require`` has
    let the request on), and ``traceparent``, ``tracestate`` and ``X-Request-ID`` as they came, if they are good ones;
    for an ``X-Request-ID`` that did not come, the id of the request in the audit trail. ``request``: see ``require``.
    """
    native = native_of(request)
    context = _context(native)
    parent = _only(native, "traceparent")
    parent = parent if parse_traceparent(parent) is not None else ""
    sent_id = _only(native, "x-request-id")
    good_id = sent_id if len(sent_id) <= _MAX_ID and sent_id.isascii() and sent_id.isprintable() else ""
    found = {
        FLOW_HEADER: context.get("flow_token"),
        "traceparent": parent,
        "tracestate": parse_tracestate(",".join(_values(native, "tracestate"))) if parent else None,
        "X-Request-ID": good_id or context.get("request_id"),
    }
    return {name: value for name, value in found.items() if value}


def _context(native: Native) -> dict[str, Any]:
    """What the app was told of the request; the last word, where code of it has asked for a proof."""
    passed = getattr(native.get(KEY), "passed", None)
    return dict(getattr(passed, "context", None) or native.get("stepup") or {})


def _only(native: Native, name: str) -> str:
    """The value of a header that was sent once, else ""."""
    values = _values(native, name)
    return values[0] if len(values) == 1 else ""


def _values(native: Native, name: str) -> list[str]:
    if "headers" in native and "type" in native:
        wanted = name.encode("ascii")
        return [value.decode("latin-1") for key, value in native["headers"] if key == wanted]
    value = native.get("HTTP_" + name.upper().replace("-", "_"))
    return [value] if isinstance(value, str) else []
