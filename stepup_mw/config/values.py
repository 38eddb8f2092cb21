"""The values of ``stepup.toml`` by name: each a type for the models, with its bounds."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from . import forms
from .kinds import FLAG, choice, duration, found, number, refuse, refuse_all, size, suggest, text, whole

_PROVIDERS = ("header", "scope_user", "session", "remote_user", "jwt", "flask", "django")
_CALL_PATTERN = r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_.]*$"
_ITEM = TypeVar("_ITEM", bound=Hashable)


def _no_repeats(items: list[_ITEM]) -> list[_ITEM]:
    repeats = [((index,), f"{found(item)} stands twice") for index, item in enumerate(items) if item in items[:index]]
    if repeats:
        raise refuse_all(repeats)
    return items


def _read_provider(value: str) -> str:
    if value in _PROVIDERS:
        return value
    if ":" in value:
        return forms.read_call(value)
    raise refuse(f"found {found(value)}; allowed are {PROVIDER_NAMES}.{suggest(value, _PROVIDERS)}".removesuffix("."))


PROVIDER_NAMES = ", ".join(f'"{name}"' for name in _PROVIDERS) + ', or your own "package.module:callable"'

Unique = AfterValidator(_no_repeats)

Flag = Annotated[bool, FLAG]
Points = Annotated[int, whole(0, 100)]
Count = Annotated[int, whole(1, 1_000_000)]
Service = Annotated[
    str,
    text(
        "1 to 64 letters, digits, dots, dashes or underscores",
        forms.read_service,
        pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
    ),
]
RuleName = Annotated[
    str, text("a name of 1 to 64 printable characters", forms.read_rule_name, minLength=1, maxLength=64)
]
RoutePath = Annotated[str, text('a route path, such as "/accounts/{account}/transfer"', forms.read_path, pattern="^/")]
Method = Annotated[
    str, text('a method in capitals, such as "POST"', forms.read_method, pattern="^[!#$%&'*+.^_`|~0-9A-Z-]+$")
]
Factor = Annotated[str, choice("passkey", "totp", "recovery_code")]
ShownField = Annotated[
    str, text('the name of a field, such as "amount"', forms.read_shown_field, minLength=1, maxLength=64)
]
Provider = Annotated[
    str, text(PROVIDER_NAMES, _read_provider, anyOf=[{"enum": list(_PROVIDERS)}, {"pattern": _CALL_PATTERN}])
]
UserKey = Annotated[
    str, text("a header name, session key or attribute", forms.read_user_key, minLength=1, maxLength=128)
]
Network = Annotated[str, text('an address or network, such as "127.0.0.1" or "10.0.0.0/8"', forms.read_network)]
LoginUrl = Annotated[
    str, text('a path on this origin, such as "/login", or an absolute https URL', forms.read_login_url)
]
Prefix = Annotated[
    str,
    text(
        'an absolute path of plain segments without a slash at the end, such as "/_stepup"',
        forms.read_prefix,
        pattern=r"^(/[A-Za-z0-9._~-]+)+$",
    ),
]
Hours = Annotated[
    tuple[str, str],
    text(
        'hours of the day, such as "22:00-06:00", that begin and end at different times',
        forms.read_hours,
        pattern="^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$",
    ),
]
Timezone = Annotated[str, text('an IANA time zone, such as "Europe/Berlin"', forms.read_timezone)]
Call = Annotated[str, text('"package.module:callable"', forms.read_call, pattern=_CALL_PATTERN)]
FileName = Annotated[str, text("the path of a file", forms.read_file_name, minLength=1)]
KeyFileName = Annotated[
    str, text("the path of a file, not the key itself", forms.read_file_name, quiet=True, minLength=1)
]
GeoDatabase = Annotated[str, text('the path of an MMDB file, or "iptocc"', forms.read_file_name, minLength=1)]
Kmh = Annotated[int, whole(1, 100_000)]
CallTimeout = Annotated[int, duration("1s", "1m")]
StoreUrl = Annotated[
    str,
    text(
        '"memory://", "sqlite:///path", "redis://host:port/db" or "postgresql://host/database"',
        forms.read_store_url,
        quiet=True,
        pattern=r"^(memory://|sqlite:///.+|rediss?(\+sentinel|\+cluster)?://.+|postgres(ql)?://.+/.+)$",
    ),
]

Enroll = Annotated[
    tuple[Literal["admin", "self", "grace"], float],
    text(
        '"admin", "self" or "grace until" a date, such as "grace until 2027-01-31"',
        forms.read_enroll,
        guess=forms.guess_enroll,
        pattern=r"^(admin|self|grace until [0-9]{4}-[0-9]{2}-[0-9]{2})$",
    ),
]
MaxAge = Annotated[int, duration("1s", "30d")]
FormAge = Annotated[int, duration("1s", "1d")]
ChallengeTtl = Annotated[int, duration("1s", "1h")]
Attempts = Annotated[int, whole(1, 100)]
Window = Annotated[int, whole(0, 2)]
BodySize = Annotated[int, size("0B", "16MiB")]
Failures = Annotated[int, whole(1, 100)]
Lock = Annotated[int, duration("1s", "30d")]
Grow = Annotated[float, number(1.0, 100.0)]
Period = Annotated[int, duration("1s", "1d")]
RoomSize = Annotated[int, size("0B", "512GiB")]
SegmentSize = Annotated[int | None, size("64KiB", "16GiB", never=True)]
SegmentAge = Annotated[int | None, duration("1m", "400d", never=True)]
Retention = Annotated[int, duration("1d", "36500d")]
Seconds = Annotated[int, whole(1, 31_536_000)]


@dataclass(frozen=True)
class OrPoints:
    """Metadata for a signal's table: a bare number stands for ``{ points = number }``."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_as_table, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        table = handler(core)
        if set(handler.resolve_ref_schema(table)["required"]) != {"points"}:
            return table  # it needs more than points
        return {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 100}, table]}


def _as_table(value: Any) -> Any:
    if isinstance(value, Mapping):
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        raise refuse(f"found {found(value)}; allowed is a number of points from 0 to 100, or a table with points")
    if not 0 <= value <= 100:
        raise refuse(f"found {found(value)}; allowed is a number of points from 0 to 100")
    return {"points": value}
