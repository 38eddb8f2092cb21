"""Validates a document against its models, and words what pydantic found: every mistake, once, at its key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ..encoding import safe_text
from . import later
from .document import Flaw
from .kinds import REFUSED, found, suggest
from .models import StepUpFile
from .places import Path
from .signals import KNOWN, Own

_SECRET_NAMES = {"secret", "secret_key", "secret_keys", "key", "password", "stepup_secret_key"}
_SIGNAL_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}", re.ASCII)
_SIGNALS: Path = ("risk", "signals")


def validate(data: dict[str, Any]) -> tuple[StepUpFile | None, list[Flaw]]:
    """The document as its model, or everything that is wrong with single keys and tables."""
    flaws = list(_reserved_signals(data))
    reserved = {flaw.path for flaw in flaws}
    try:
        file = StepUpFile.model_validate(data)
    except ValidationError as error:
        for details in error.errors(include_url=False):
            flaws += (flaw for flaw in _word(details) if flaw.path[:3] not in reserved)
        return None, flaws
    return (None if flaws else file), flaws


def _word(details: ErrorDetails) -> list[Flaw]:
    path: Path = details["loc"]
    if details["type"] == REFUSED:
        return [Flaw(path=(*path, *below), message=message) for below, message in details["ctx"]["flaws"]]
    if details["type"] == "extra_forbidden":
        return [Flaw(path=path, message=_unknown_key(path), at_key=True)]
    if details["type"] == "missing":
        return [_missing(path)]
    if details["type"] == "invalid_key":
        return [Flaw(path=path[:-2], message="found a key that is no text; keys are text")]
    return [Flaw(path=path, message=_wrong_shape(details["type"], path, details["input"], details["msg"]))]


def _wrong_shape(kind: str, path: Path, value: object, otherwise: str) -> str:
    """What pydantic itself finds: a table, a list or some entries were needed."""
    if kind in {"model_type", "model_attributes_type", "dict_type"}:
        return f"found {found(value)}; allowed is a table"
    if kind == "list_type":
        hint = "; each route is a table under [[routes]]" if path == ("routes",) else ""
        return f"found {found(value)}; allowed is a list{hint}"
    if kind == "too_short":
        return _EMPTY_ROUTES if path == ("routes",) else "found an empty list; name one or more"
    return safe_text(otherwise, 200)


_EMPTY_ROUTES = "no routes: nothing would be protected; add a [[routes]] table with a name and a path"


def _missing(path: Path) -> Flaw:
    if path == ("routes",):
        return Flaw(path=path, message=_EMPTY_ROUTES)
    if path[:2] == _SIGNALS and path[-1] == "call":
        return Flaw(path=path[:-1], message=_unknown_signal(str(path[-2])), at_key=True)
    if path == ("identity",):
        return Flaw(path=path, message='missing; add [identity] with provider = "header", "session" or another')
    field = _model(path[:-1]).model_fields[str(path[-1])]
    example = f"; write for example {path[-1]} = {_example(field.examples[0])}" if field.examples else ""
    return Flaw(path=path, message=f"missing{example}")


def _example(value: object) -> str:
    """A list's spelling in TOML is JSON's."""
    return json.dumps(value) if isinstance(value, list) else found(value)


def _unknown_key(path: Path) -> str:
    plain = tuple(str(part) for part in path if not isinstance(part, int))
    if plain in later.KEYS:
        return later.KEYS[plain]
    name = plain[-1]
    if name.lower() in _SECRET_NAMES:
        return "secrets never stand in this file; set STEPUP_SECRET_KEY in the environment, or secret_key_file here"
    allowed = list(_model(path[:-1]).model_fields)
    hint = suggest(name, allowed) or _elsewhere(name)
    return f"unknown key; allowed here are {', '.join(allowed)}.{hint}".removesuffix(".")


def _unknown_signal(name: str) -> str:
    hint = suggest(name, KNOWN)
    ours = ", ".join(f'"{known}"' for known in KNOWN)
    return (
        f'not a signal of this package, which are {ours}; one of your own needs call = "package.module:callable".{hint}'
    )


def _elsewhere(name: str) -> str:
    """Where a key would be known: a person has put it under the wrong table."""
    headers = [header for header, model in _tables(StepUpFile, "") if name in model.model_fields]
    return f" It belongs {_under(headers[0])}." if len(headers) == 1 else ""


def _under(header: str) -> str:
    if not header:
        return "at the top, before the first table"
    return "under [[routes]]" if header == "routes" else f"under [{header}]"


def _tables(model: type[BaseModel], header: str) -> Iterator[tuple[str, type[BaseModel]]]:
    yield header, model
    for name, field in model.model_fields.items():
        for inner in _models_in(field.annotation):
            yield from _tables(inner, f"{header}.{name}".removeprefix("."))


def _model(path: Path) -> type[BaseModel]:
    """The model of the table at a path that the models know."""
    model: type[BaseModel] = StepUpFile
    for part in path:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        model = next(_models_in(field.annotation), model) if field is not None else Own
    return model


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


def _reserved_signals(data: dict[str, Any]) -> Iterator[Flaw]:
    """Names in [risk.signals] that cannot be, whatever stands behind them."""
    risk = data.get("risk")
    signals = risk.get("signals") if isinstance(risk, dict) else None
    for name in signals if isinstance(signals, dict) else ():
        why = _reserved(name) if isinstance(name, str) else None
        if why is not None:
            yield Flaw(path=(*_SIGNALS, name), message=why, at_key=True)


def _reserved(name: str) -> str | None:
    if name == "route":
        return "this name is taken by the base score of the route; choose another"
    if not _SIGNAL_NAME.fullmatch(name):
        return "a signal's name is 1 to 64 letters, digits and underscores, and begins with a letter"
    return None
