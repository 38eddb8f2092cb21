"""A flow handed on to the service behind: ``Step-Up-Flow``, signed with a key that only services of one house share.

    WyIwMTlhYjAt…Il0.kX3w…          payload and HMAC-SHA-256, each in base64url without padding

It says which flow a request belongs to, for which user, by whom, and until when; it opens nothing. Pure.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from .encoding import b64url_decode, b64url_encode
from .errors import BadToken

MAX_TOKEN = 1024
_PURPOSE = b"stepup_mw/v1/flow\0"
_FLOW_ID = re.compile(r"[0-9a-f-]{36}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowSettings:
    """Flows over several services. ``send``: hand ours on. ``accept``: whose go on here. ``keys``: oldest first."""

    send: bool
    accept: tuple[str, ...]
    ttl_s: int
    keys: tuple[bytes, ...] = field(repr=False)


class Flow(NamedTuple):
    """``expires_at``: whole Unix seconds."""

    flow_id: str
    service: str
    expires_at: int


def sign_flow(keys: Sequence[bytes], flow: Flow, user: str) -> str:
    """The header's value, signed by the newest key. The user stands in it as a keyed hash only."""
    payload = orjson.dumps([*flow, _tag(keys[-1], user)])
    return f"{b64url_encode(payload)}.{b64url_encode(_mac(keys[-1], payload))}"


def verify_flow(keys: Sequence[bytes], token: str, *, user: str, now: float) -> Flow:
    """What it says. BadToken with the reason ``shape``, ``signature``, ``expired`` or ``user`` otherwise."""
    body, dot, signature = token.partition(".")
    if not dot or len(token) > MAX_TOKEN:
        raise BadToken("shape")
    try:
        payload, mac = b64url_decode(body), b64url_decode(signature)
    except ValueError:
        raise BadToken("shape") from None
    key = next((key for key in keys if hmac.compare_digest(_mac(key, payload), mac)), None)
    if key is None:
        raise BadToken("signature")
    flow_id, service, expires_at, tag = orjson.loads(payload)
    if now >= expires_at:
        raise BadToken("expired")
    if not hmac.compare_digest(tag, _tag(key, user)) or not _FLOW_ID.fullmatch(flow_id):
        raise BadToken("user")
    return Flow(flow_id, service, expires_at)


def _mac(key: bytes, payload: bytes) -> bytes:
    return hmac.digest(key, _PURPOSE + payload, "sha256")


def _tag(key: bytes, user: str) -> str:
    named = _PURPOSE + b"user\0" + user.encode("utf-8", "surrogatepass")
    return hashlib.sha256(hmac.digest(key, named, "sha256")).hexdigest()[:32]
