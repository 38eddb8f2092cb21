"""One HTTP request to an anchor or a webhook and its answer; what goes wrong is the anchor's failure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..errors import AnchorError, OutboundFailed
from ..outbound import Answer, exchange

__all__ = ["Answer", "post"]


def post(
    url: str,
    body: bytes,
    content_type: str,
    *,
    timeout_s: float,
    limit: int,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Answer:
    """POST and read at most ``limit`` bytes of the answer. AnchorError if there is none within ``timeout_s``."""
    try:
        return exchange("POST", url, body, {**headers, "Content-Type": content_type}, timeout_s=timeout_s, limit=limit)
    except OutboundFailed as error:
        raise AnchorError(str(error)) from None
