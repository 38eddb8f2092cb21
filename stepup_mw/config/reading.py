"""Reads a configuration: document, models, review, secrets, settings. All problems come out at once."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from os import PathLike
from typing import Any

from ..errors import ConfigError, ConfigProblem
from . import Config
from .assemble import assemble, resolve
from .cautions import find_cautions
from .document import Document, Flaw, read_document
from .flaws import validate
from .flow import flow_cautions, flow_flaws, read_flow_keys
from .relations import check_relations
from .review import review, sound_parts
from .secret import VARIABLE, Secrets, read_secrets


def read_config(source: str | PathLike[str] | Mapping[str, Any], environ: Mapping[str, str]) -> Config:
    """See ``load_config``."""
    document = read_document(source)
    file, flaws = validate(document.data)
    flaws += check_relations(document.data, flaws)
    flaws += review(document.data, sound_parts(document.data, file), document.folder)
    secrets = _find_secrets(document, environ, flaws)
    flow_keys = read_flow_keys(document.data, environ, document.folder)
    flaws += flow_flaws(document.data, flow_keys, secrets.keys)
    problems = _place(document, flaws, secrets.origin, secrets.flaws)
    if problems or file is None:
        raise ConfigError(problems)
    names = _signal_names(document.data)
    settings = assemble(file, folder=document.folder, secrets=secrets, signals=names, flow_keys=flow_keys)
    cautions = (*find_cautions(settings, time.time()), *flow_cautions(flow_keys))
    warnings = _place(document, cautions, secrets.origin, secrets.cautions)
    return Config(settings=settings, path=document.path, warnings=warnings)


def _find_secrets(document: Document, environ: Mapping[str, str], flaws: list[Flaw]) -> Secrets:
    if any(flaw.path == ("secret_key_file",) for flaw in flaws):
        return Secrets(origin="secret_key_file")
    name = document.data.get("secret_key_file")
    return read_secrets(environ, resolve(document.folder, name) if isinstance(name, str) else None)


def _place(
    document: Document, flaws: Iterable[Flaw], origin: str, messages: tuple[str, ...]
) -> tuple[ConfigProblem, ...]:
    """Flaws of the document in its order; what is about the environment comes last."""
    if origin != VARIABLE:
        return document.problems([*flaws, *(Flaw(path=("secret_key_file",), message=text) for text in messages)])
    outside = (ConfigProblem(source="environment", key=VARIABLE, message=message) for message in messages)
    return (*document.problems(flaws), *outside)


def _signal_names(data: dict[str, Any]) -> list[str]:
    """In the order of the file; None is a name left out (a mapping may say so)."""
    signals: dict[str, Any] = data.get("risk", {}).get("signals", {})
    return [name for name, value in signals.items() if value is not None]


def place_problems(config: Config, error: ConfigError, *, source: str | None = None) -> ConfigError:
    """Problems that show only once the parts are made (a function that cannot be imported, a file that is broken), at
    their lines. ``source``: what the file is called in them."""
    if config.path is None:
        return error
    try:
        document = read_document(config.path)
    except ConfigError:  # it was there, and is not now
        return error
    flaws = (Flaw(path=tuple(problem.key.split(".")), message=problem.message) for problem in error.problems)
    return ConfigError(tuple(replace(found, source=source or found.source) for found in document.problems(flaws)))
