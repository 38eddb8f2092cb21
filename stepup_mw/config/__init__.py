"""The configuration: what ``stepup.toml`` says, checked, as the program uses it.

The one public door is ``load_config``. Importing this package is light: the machinery (pydantic, the TOML
positions) is loaded only when a configuration is read. Nothing here decides about a request.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from ..errors import ConfigError, ConfigProblem
from ..settings import Settings

__all__ = ["Config", "ConfigSource", "load_config", "place_problems"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A configuration that may start. ``path`` is the file it came from, None for a mapping. ``warnings`` say what
    was accepted and weakens a promise."""

    settings: Settings
    path: Path | None = None
    warnings: tuple[ConfigProblem, ...] = ()


ConfigSource = str | PathLike[str] | Mapping[str, Any] | Config


def load_config(source: ConfigSource, environ: Mapping[str, str] | None = None) -> Config:
    """Read and check a configuration.

    ``source`` is the path of a TOML file, a mapping of the same shape, or a Config, which is given back as it is.
    Relative paths inside are relative to the file, or to the working directory for a mapping. ``environ`` is asked
    for ``STEPUP_SECRET_KEY``; left out, it is the process's own. ConfigError, and nothing else, carries every problem
    found, in the order of the file.
    """
    if isinstance(source, Config):
        return source
    from .reading import read_config  # noqa: PLC0415  (pydantic is loaded only where a configuration is read)

    return read_config(source, os.environ if environ is None else environ)


def place_problems(config: Config, error: ConfigError, *, source: str | None = None) -> ConfigError:
    """See ``reading.place_problems``."""
    from . import reading  # noqa: PLC0415  (as above)

    return reading.place_problems(config, error, source=source)
