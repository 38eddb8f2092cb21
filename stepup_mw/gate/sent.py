"""What a body says, for a person to read before it is sent: the fields that the configuration names, the rest counted.

Where a body can be read in more than one way nothing of it is shown: a person must never approve what an app will read
otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from email.message import Message as Mail
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from ..encoding import safe_text

MAX_FIELDS = 1000
MAX_VALUE = 200
"""Characters of a value that are shown."""

_MAX_VALUES = 5


class Field(NamedTuple):
    """One field of a body. ``is_file``: its value is the name of a file."""

    name: str
    value: str
    is_file: bool = False


class Sent(NamedTuple):
    """What is shown: the named fields, in the order of the names; how many more there are; whether it could be read."""

    fields: tuple[tuple[str, str], ...] = ()
    more: int = 0
    files: int = 0
    readable: bool = True


def read_sent(content_type: str, body: bytes, show: Sequence[str]) -> Sent:
    """``show``: the names, as a form has them; ``payment.amount`` for what lies deeper in JSON."""
    if not body:
        return Sent()
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind == "application/x-www-form-urlencoded":
            found = [Field(*pair) for pair in parse_qsl(_utf8(body), keep_blank_values=True, max_num_fields=MAX_FIELDS)]
        elif kind == "multipart/form-data":
            found = multipart_fields(content_type, body)
        else:
            found = list(_json_fields(json.loads(_utf8(body), object_pairs_hook=_once), ""))
    except (ValueError, RecursionError):
        return Sent(readable=False)
    if len(found) > MAX_FIELDS:
        return Sent(readable=False)
    return _chosen(found, show)


def _chosen(found: Sequence[Field], show: Sequence[str]) -> Sent:
    shown = []
    for name in show:
        values = [safe_text(field.value, MAX_VALUE) for field in found if field.name == name]
        if values:
            rest = [f"+{len(values) - _MAX_VALUES}"] if len(values) > _MAX_VALUES else []
            shown.append((name, ", ".join([*values[:_MAX_VALUES], *rest])))
    others = [field for field in found if field.name not in (*show, "_stepup")]
    files = sum(field.is_file for field in others)
    return Sent(fields=tuple(shown), more=len(others) - files, files=files)


def _utf8(body: bytes) -> str:
    return body.decode("utf-8")


def multipart_fields(content_type: str, body: bytes) -> list[Field]:
    """RFC 7578. ValueError for what its own words do not describe."""
    head = b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n"
    whole = BytesParser(policy=HTTP).parsebytes(head + body)
    if not whole.is_multipart() or whole.defects or len(whole.get_payload()) > MAX_FIELDS:
        raise ValueError("no multipart body")
    return [_part(part) for part in whole.iter_parts()]


def _part(part: Mail) -> Field:
    name, file = part.get_param("name", header="content-disposition"), part.get_filename()
    if part.defects or part.is_multipart() or not isinstance(name, str):
        raise ValueError("no field")
    if file is not None:
        return Field(name, str(file), is_file=True)
    payload = part.get_payload(decode=True)
    return Field(name, _utf8(payload if isinstance(payload, bytes) else b""))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """ValueError for a name that stands twice: which of them counts, each reader says differently."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _json_fields(value: Any, name: str) -> Iterable[Field]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _json_fields(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list) and any(isinstance(inner, dict | list) for inner in value):
        for number, inner in enumerate(value):
            yield from _json_fields(inner, f"{name}.{number}" if name else str(number))
    elif isinstance(value, list):
        yield from (Field(name, _spelt(inner)) for inner in value)
    else:
        yield Field(name, _spelt(value))


def _spelt(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
