"""Texts that a path parameter of FastAPI takes: the function's annotation refuses all others, and no handler runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .texts import LETTERS, example_of

_COMMON = (
    *LETTERS,
    *("7", "8", "7.5", "8.5", "a/b.txt", "c/d.txt"),
    *("12345678-1234-5678-1234-567812345670", "12345678-1234-5678-1234-567812345671"),
    *("2026-01-31", "2026-02-01", "2026-01-31T08:00:00", "2026-02-01T08:00:00", "08:00:00", "09:00:00"),
    *("true", "false", "P1D", "P2D", "192.0.2.7", "2001:db8::7", "192.0.2.0/24", "x7@example.com"),
)


def texts_for(fields: Sequence[Any], expression: str) -> tuple[str, ...]:
    """Two texts, or one or none, that all these fields of one name take and that match the path's own expression."""
    tries = [text for field in fields for text in _from_schema(_schema(field))]
    fitting = [text for text in dict.fromkeys([*_COMMON, *tries]) if re.fullmatch(expression, text)]
    return tuple(text for text in fitting if all(map(_takes, fields, [text] * len(fields))))[:2]


def _takes(field: Any, text: str) -> bool:
    return not field.validate(text, {}, loc=("path",))[1]


def _schema(field: Any) -> Mapping[str, Any]:
    """The JSON Schema of a field; empty for a type that has none."""
    try:
        found: Mapping[str, Any] = field._type_adapter.json_schema()  # noqa: SLF001 - FastAPI shows it nowhere else
    except Exception:  # noqa: BLE001 - a type of one's own may raise anything; the common texts are still tried
        return {}
    return found


def _from_schema(schema: Mapping[str, Any]) -> Iterator[str]:
    """What the words of a schema allow: its values, its bounds, its expression, its lengths."""
    for part in (schema, *schema.get("anyOf", ()), *schema.get("$defs", {}).values()):
        yield from (str(value) for value in (*part.get("enum", ()), *([part["const"]] if "const" in part else ())))
        step = part.get("multipleOf", 1)
        for word, more in (("minimum", 0), ("exclusiveMinimum", 1), ("maximum", 0), ("exclusiveMaximum", -1)):
            if word in part:
                near = part[word] // step * step
                yield from (str(number) for number in (part[word] + more, near, near + step, near - step))
        if "pattern" in part:
            yield from (example_of(part["pattern"], variant) for variant in (0, 1))
        yield from (letter * part["minLength"] for letter in ("x", "y") if "minLength" in part)
