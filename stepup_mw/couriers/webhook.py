"""Notices to a URL, signed as Standard Webhooks 1.0 has it (standardwebhooks.com), so that a library checks them::

    webhook-id: 019ab0…
    webhook-timestamp: 1795418700
    webhook-signature: v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=

The signature is HMAC-SHA-256 over ``id.timestamp.body`` with the key of ``webhook_key_file``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable

from ..errors import AnchorError, NoticeError
from ..notices import Notice, format_notice
from ..ship.exchange import post

KEY_PREFIX = "whsec_"
_MAX_ANSWER = 64 * 1024


def parse_key(text: str) -> bytes:
    """``whsec_`` and base64 of 24 to 64 bytes. ValueError for anything else."""
    body = text.strip()
    if not body.startswith(KEY_PREFIX):
        raise ValueError(f'a key begins with "{KEY_PREFIX}"')
    key = base64.b64decode(body.removeprefix(KEY_PREFIX), validate=True)
    if not 24 <= len(key) <= 64:
        raise ValueError(f"found a key of {len(key)} bytes; allowed are 24 to 64")
    return key


def sign(key: bytes, notice_id: str, timestamp: int, body: bytes) -> str:
    """The value of ``webhook-signature``."""
    signed = f"{notice_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode("ascii")


class Webhook:
    def __init__(self, url: str, key: bytes, *, timeout_s: float, clock: Callable[[], float] = time.time) -> None:
        self.name = "webhook"
        self._url = url
        self._key = key
        self._timeout_s = timeout_s
        self._clock = clock

    def deliver(self, notice: Notice) -> None:
        """Any 2xx is a delivery. Another try helps where nobody answered, and after a 408, a 429 or a 5xx."""
        body, now = format_notice(notice), int(self._clock())
        headers = {
            "webhook-id": notice.notice_id,
            "webhook-timestamp": str(now),
            "webhook-signature": sign(self._key, notice.notice_id, now, body),
        }
        try:
            answer = post(
                self._url, body, "application/json", timeout_s=self._timeout_s, limit=_MAX_ANSWER, headers=headers
            )
        except AnchorError as error:
            raise NoticeError(str(error).removeprefix(f"{self._url}: "), passing=True) from None
        if not 200 <= answer.status < 300:
            passing = answer.status in (408, 429) or answer.status >= 500
            raise NoticeError(f"answered {answer.status}", passing=passing)
