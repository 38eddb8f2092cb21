"""Notices: what a person should hear of when something about their proofs changes (NIST SP 800-63B, ASVS 6.3.6). Pure.

A notice is for the person, not for the record: the trail has its own lines. It never carries a code or a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from .encoding import format_timestamp

Kind = Literal["factor_changed", "recovery_code_used", "locked", "new_device", "duplicate_code"]

KINDS: tuple[Kind, ...] = ("factor_changed", "recovery_code_used", "locked", "new_device", "duplicate_code")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that happened to ``user`` (the app's own name for them) at ``at`` (Unix seconds).

    detail: ``ip`` and ``user_agent`` of the request where there was one, and by kind:

    - factor_changed: ``change`` (``enrolled``, ``replaced``, ``removed``, ``recovery_codes``), ``by`` (``self``,
      ``operator``)
    - recovery_code_used: ``left``
    - locked: ``failures``, ``locked_until`` (Unix seconds, None until somebody unlocks)
    - new_device, duplicate_code: nothing more
    """

    notice_id: str
    kind: Kind
    user: str
    service: str
    at: float
    detail: Mapping[str, Any] = field(default_factory=dict)


def format_notice(notice: Notice) -> bytes:
    """A notice as JSON, in the shape of Standard Webhooks:
    ``{"type":"step_up.locked","timestamp":"2026-11-23T07:25:00.123456Z","data":{"id":…,"user_id":…,"service":…,…}}``"""
    data = {"id": notice.notice_id, "user_id": notice.user, "service": notice.service, **notice.detail}
    return orjson.dumps(
        {"type": f"step_up.{notice.kind}", "timestamp": format_timestamp(notice.at), "data": data},
        default=str,
    )
