"""The keys about access tokens, of ``[identity]`` and ``[[routes]]``: whose count, and what they say to be a proof."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field

from ..assertion import DEFAULT_AMR, JwtSettings, default_acr
from .document import Flaw
from .forms import read_file_name
from .kinds import Kind, choice, duration, found, refuse, text
from .values import Unique

if TYPE_CHECKING:
    from .identity import Identity
    from .routes import Route

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
TOKEN_TYPES = ("at+jwt", "JWT")
KEYS = ("jwks", "issuer", "audience", "algorithms", "token_types", "leeway", "jwks_keep", "acr", "amr")
"""What only the jwt provider reads."""

_NEEDS = {
    "jwks": 'jwks = "https://id.example/jwks"',
    "issuer": 'issuer = "https://id.example"',
    "audience": 'audience = "https://bank.example"',
}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_SYMMETRIC = dict.fromkeys(("HS256", "HS384", "HS512"), "whoever verifies with a shared key can sign with it, too")
_ACR = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,128}", re.ASCII)
_VISIBLE = re.compile(r"[\x21-\x7e]{1,512}", re.ASCII)
_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+/-]{1,64}", re.ASCII)


def _matching(pattern: re.Pattern[str]) -> Any:
    def read(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError
        return value

    return read


def _read_jwks(value: str) -> str:
    """An https URL (http on this host only), or the path of a file."""
    if "://" not in value:
        return read_file_name(value)
    if not _VISIBLE.fullmatch(value):
        raise ValueError
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None or parts.fragment:
        raise ValueError
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise refuse(f"found {found(value)}: whoever is on the way could put keys of theirs in; use https")
    return value


def _read_audience(value: Any) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not names or len(set(map(str, names))) < len(names):
        raise ValueError
    if not all(isinstance(name, str) and _VISIBLE.fullmatch(name) for name in names):
        raise ValueError
    return tuple(names)


Jwks = Annotated[
    str, text('an https URL, such as "https://id.example/jwks", or the path of a file', _read_jwks, minLength=1)
]
Issuer = Annotated[
    str, text('the issuer as its tokens spell it, such as "https://id.example"', _matching(_VISIBLE), minLength=1)
]
Audience = Annotated[
    tuple[str, ...],
    Kind(
        allowed="a text, or a list of different ones",
        schema={
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True},
            ]
        },
        read=_read_audience,
    ),
]
_Algorithm = Annotated[str, choice(*ALGORITHMS, why={**_SYMMETRIC, "none": "nobody has signed it"})]
_TokenType = Annotated[
    str, text('the typ of a token, such as "at+jwt"', _matching(_TYPE), pattern="^[A-Za-z0-9!#$&^_.+/-]+$")
]
_Acr = Annotated[
    str, text('a value without blanks or quotes, such as "urn:mfa"', _matching(_ACR), pattern=r"^[!#-\[\]-~]+$")
]
_Some = Field(min_length=1, json_schema_extra={"uniqueItems": True})
Algorithms = Annotated[list[_Algorithm], _Some, Unique]
TokenTypes = Annotated[list[_TokenType], _Some, Unique]
AcrValues = Annotated[list[_Acr], _Some, Unique]
Leeway = Annotated[int, duration("0s", "5m")]
Keep = Annotated[int, duration("1m", "7d")]


def missing_key(key: str) -> Any:
    """A judge of ``relations``: the jwt provider needs the key, or no other provider reads it."""

    def judge(provider: str, value: Any) -> tuple[str, str] | None:
        if provider == "jwt" and value is None and key in _NEEDS:
            return key, f"missing: the jwt provider needs it; add {_NEEDS[key]}"
        if provider != "jwt" and value is not None:
            return key, f'only provider = "jwt" reads this key; found provider {found(provider)}. Take it out'
        return None

    return judge


def token_flaws(data: Mapping[str, Any], folder: Path) -> Iterator[Flaw]:
    """What is wrong with keys about tokens in view of the rest: a file of keys that is not there, and rules that want
    something of tokens where none are read."""
    identity = data.get("identity")
    table: Mapping[str, Any] = identity if isinstance(identity, dict) else {}
    jwks = table.get("jwks")
    if isinstance(jwks, str) and "://" not in jwks and table.get("provider") == "jwt" and not (folder / jwks).is_file():
        yield Flaw(path=("identity", "jwks"), message=f"found {found(jwks)}: there is no such file")
    routes = data.get("routes")
    for index, route in enumerate(routes if isinstance(routes, list) else []):
        for key in ("acr", "amr") if isinstance(route, dict) and table.get("provider") != "jwt" else ():
            if key in route:
                message = 'it is about access tokens, which only identity.provider = "jwt" reads'
                yield Flaw(path=("routes", index, key), message=message, at_key=True)


def jwt_settings(identity: Identity, folder: Path) -> JwtSettings | None:
    """What the provider works with; None for another provider."""
    if identity.provider != "jwt" or identity.jwks is None:
        return None
    acr, amr = _or_ours(identity.acr, identity.amr, ("totp", "recovery_code"))
    return JwtSettings(
        jwks=identity.jwks if "://" in identity.jwks else str((folder / identity.jwks).absolute()),
        issuer=identity.issuer or "",
        audience=identity.audience or (),
        algorithms=tuple(identity.algorithms or ALGORITHMS),
        token_types=tuple(identity.token_types or TOKEN_TYPES),
        leeway_s=identity.leeway if identity.leeway is not None else 30,
        keep_s=identity.jwks_keep if identity.jwks_keep is not None else 3600,
        acr=acr,
        amr=amr,
    )


def demanded(identity: Identity | None, route: Route) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """``acr`` and ``amr`` of a rule: its own, else those of [identity], else classes of ours and DEFAULT_AMR."""
    if identity is None or identity.provider != "jwt":
        return (), ()
    source = route if route.acr is not None or route.amr is not None else identity
    return _or_ours(source.acr, source.amr, route.factors)


def _or_ours(
    acr: Sequence[str] | None, amr: Sequence[str] | None, factors: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return (default_acr(factors), DEFAULT_AMR) if acr is None and amr is None else (tuple(acr or ()), tuple(amr or ()))
