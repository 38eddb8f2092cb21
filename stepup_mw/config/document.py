"""The text of a configuration as data: reads the file, and knows where in it each key stands.

Judges only whether it is a readable TOML document; what the keys mean is judged elsewhere.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ..encoding import safe_text
from ..errors import ConfigError, ConfigProblem
from .places import Path as KeyPath
from .places import Places, locate

_MAX_BYTES = 16 * 1024 * 1024
_MAX_DEPTH = 32
_POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_FRIENDLY = (
    (re.compile(r"Cannot overwrite a value$"), "a key stands here for the second time"),
    (re.compile(r"Illegal character '\\n'$"), "the quote that ends this text is missing"),
    (re.compile(r"Invalid value$"), "this is no value; a text stands in quotes"),
    (re.compile(r"Duplicate inline table key '(.*)'$"), r'the key "\1" stands here for the second time'),
    (re.compile(r"Cannot (?:declare|redefine namespace) \('?(.*?)'?,?\)(?: twice)?$"), r"the table [\1] stands twice"),
)


@dataclass(frozen=True, kw_only=True)
class Flaw:
    """A mistake before it has a place: the path of the key, the message, and whether it points at the key itself."""

    path: KeyPath
    message: str
    at_key: bool = False


@dataclass(frozen=True, kw_only=True)
class Document:
    """``source`` names it in messages; ``folder`` is where its relative paths start; ``text`` is None for a mapping."""

    source: str
    folder: Path
    data: dict[str, Any]
    path: Path | None = None
    text: str | None = field(default=None, repr=False)

    @cached_property
    def places(self) -> Places:
        return locate(self.text, self.data) if self.text is not None else Places(text="")

    def problems(self, flaws: Iterable[Flaw]) -> tuple[ConfigProblem, ...]:
        """The flaws with their places, in the order of the file."""
        return tuple(self._problem(flaw) for flaw in sorted(flaws, key=self._order))

    def _problem(self, flaw: Flaw) -> ConfigProblem:
        offset = self.places.offset(flaw.path, at_key=flaw.at_key)
        line, column = self.places.line_column(offset) if offset is not None else (None, None)
        key = format_key(flaw.path)
        return ConfigProblem(source=self.source, key=key, message=flaw.message, line=line, column=column)

    def _order(self, flaw: Flaw) -> tuple[int, list[int]]:
        """By place in the text; without one, by place in the data."""
        return self.places.offset(flaw.path, at_key=flaw.at_key) or 0, _ordinal(self.data, flaw.path)


def read_document(source: str | os.PathLike[str] | Mapping[str, Any]) -> Document:
    """ConfigError for a file that is not there, cannot be read, or is not TOML in UTF-8."""
    if isinstance(source, Mapping):
        return Document(
            source="configuration", folder=Path.cwd(), data={key: _plain(value, 1) for key, value in source.items()}
        )
    name = safe_text(str(os.fspath(source)), 200)
    text = _decode(name, _read_bytes(name, Path(source)))
    path = Path(os.path.abspath(source))  # noqa: PTH100  (symbolic links stay: paths are relative to what was named)
    return Document(source=name, folder=path.parent, data=_parse(name, text), path=path, text=text)


def format_key(path: KeyPath) -> str:
    """``("routes", 1, "risk")`` to ``routes[1].risk``."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{_key(part)}" for part in path)
    return "".join(parts).removeprefix(".")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) else f'"{safe_text(name, 64)}"'


def _failure(name: str, message: str, line: int | None = None, column: int | None = None) -> ConfigError:
    return ConfigError((ConfigProblem(source=name, key="", message=message, line=line, column=column),))


def _read_bytes(name: str, path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        raise _failure(name, "there is no such file; `stepup init` writes one to start from") from None
    except IsADirectoryError:
        raise _failure(name, "this is a folder; the path of a TOML file is needed") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
        raise _failure(name, f"cannot be read: {why}") from None
    if len(data) > _MAX_BYTES:
        raise _failure(name, "larger than 16 MiB: this is no configuration")
    return data


def _decode(name: str, data: bytes) -> str:
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise _failure(name, "begins with a byte order mark; save it as UTF-8 without one", 1, 1)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        column = error.start - (before.rfind(b"\n") + 1) + 1
        message = f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise _failure(name, message, before.count(b"\n") + 1, column) from None


def _parse(name: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise _failure(name, "not TOML: nested too deeply") from None
    except ValueError as error:
        why = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "a number is out of bounds"
        match = _POSITION.search(why)
        if match is None:
            raise _failure(name, f"not TOML: {safe_text(why, 200)}") from None
        line, column = (int(match[1]), int(match[2])) if match[1] else _end_of(text)
        raise _failure(name, f"not TOML: {_friendly(why[: match.start()])}", line, column) from None


def _friendly(why: str) -> str:
    for pattern, text in _FRIENDLY:
        if pattern.match(why):
            return safe_text(pattern.sub(text, why).replace("', '", "."), 200)
    return safe_text(why[:1].lower() + why[1:], 200)


def _end_of(text: str) -> tuple[int, int]:
    lines = text.replace("\r\n", "\n").split("\n")
    return len(lines), len(lines[-1]) + 1


def _plain(value: Any, depth: int) -> Any:
    """Tables as dict, lists as list, all the way down; ConfigError past a depth that no configuration has."""
    if depth > _MAX_DEPTH:
        raise _failure("configuration", "nested too deeply")
    if isinstance(value, Mapping):
        return {key: _plain(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, set | frozenset):
        value = sorted(value, key=str)
    if isinstance(value, list | tuple):
        return [_plain(inner, depth + 1) for inner in value]
    return value


def _ordinal(data: Any, path: KeyPath) -> list[int]:
    """The place of a path in nested data, comparable: what is missing comes after its brothers."""
    order: list[int] = []
    for part in path:
        if isinstance(data, dict):
            order.append(list(data).index(part) if part in data else len(data))
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int):
            order.append(part)
            data = data[part] if part < len(data) else None
    return order
