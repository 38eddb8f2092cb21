"""The shape of ``[passkeys]``: which domain passkeys are for, and where they may be used."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from .document import Flaw
from .kinds import STRICT, found, refuse, text
from .routes import Route
from .values import Unique

_DOMAIN = re.compile(
    r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII
)
_LOCAL = "localhost"


def _read_domain(value: str) -> str:
    if not _DOMAIN.fullmatch(value) or re.fullmatch(r"[0-9.]+", value):
        raise ValueError
    return value


def _read_origin(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or value.endswith("/"):
        raise ValueError
    if parts.path or parts.query or parts.fragment or value != value.lower():
        raise ValueError
    if parts.scheme == "http" and parts.hostname != _LOCAL:
        raise refuse(f"found {found(value)}; browsers give passkeys to https only, and to http://localhost")
    return value


class Passkeys(BaseModel):
    """Which domain passkeys are for, and where they may be used."""

    model_config = ConfigDict(**STRICT, title="Passkeys")

    rp_id: Annotated[str, text('a domain, such as "bank.example"', _read_domain)] = Field(
        description="The domain that passkeys are for; it cannot be changed without losing them.",
        examples=["bank.example"],
    )
    origins: Annotated[
        list[Annotated[str, text('an origin, such as "https://bank.example"', _read_origin)]], Unique
    ] = Field(
        default=[],
        description="Where they may be used; left out: https:// and rp_id.",
        examples=[["https://bank.example", "https://www.bank.example"]],
    )


def passkey_flaws(passkeys: Passkeys | None, routes: tuple[tuple[int, Route], ...], *, there: bool) -> Iterator[Flaw]:
    """Rules that ask for passkeys where nobody can have one, and origins outside of the domain. ``there``: the table
    is, whether or not it holds."""
    for index, route in routes:
        if "passkey" in route.factors and not there:
            place = route.factors.index("passkey")
            message = 'found "passkey", and there is no [passkeys]; add it, with rp_id = "your.domain"'
            yield Flaw(path=("routes", index, "factors", place), message=message)
    if passkeys is None:
        return
    if find_spec("webauthn") is None:
        yield Flaw(path=("passkeys",), message="needs webauthn, not installed: pip install 'stepup-mw[passkeys]'")
    for index, origin in enumerate(passkeys.origins):
        host = urlsplit(origin).hostname or ""
        if host != passkeys.rp_id and not host.endswith("." + passkeys.rp_id):
            message = f"found {found(origin)}; allowed are origins of rp_id ({passkeys.rp_id}) and below it"
            yield Flaw(path=("passkeys", "origins", index), message=message)
