"""Recovery codes: 80 random bits each, shown once, kept only as a keyed digest, single use."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable

COUNT = 10

_BYTES = 10
_CODE = re.compile(r"[A-Z2-7]{16}", re.ASCII)


def new_codes(random: Callable[[int], bytes]) -> tuple[str, ...]:
    """COUNT fresh codes as shown: ``ABCD-EFGH-IJKL-MNOP`` (base32, RFC 4648, 80 bits)."""
    return tuple(format_code(base64.b32encode(random(_BYTES)).decode("ascii")) for _ in range(COUNT))


def format_code(code: str) -> str:
    """The sixteen letters in groups of four."""
    return "-".join(code[i : i + 4] for i in range(0, len(code), 4))


def parse_code(text: str) -> str | None:
    """The sixteen letters of a code as typed (any ASCII case, hyphens and spaces between), or None."""
    code = text.replace("-", "").replace(" ", "")
    code = code.upper() if code.isascii() else ""
    return code if _CODE.fullmatch(code) else None
