"""What commands work with: the configuration, and the store, trail and keys behind it, open for one piece of work."""

# ruff: noqa: PLC0415 (the help of a command must not load pydantic and cryptography)

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, TypeVar

from ..errors import ConfigError, ConfigProblem

if TYPE_CHECKING:
    from ..config import Config
    from ..gate.services import Services
    from ..settings import Settings

T = TypeVar("T")


def read(path: Path, *, secret: bool = True) -> Config:
    """The configuration, its warnings not shown. ConfigError; a missing file says how to make one.

    ``secret=False``: for who only reads the trail, an auditor for one, and need not have the secret key; whatever
    stands in the place of the key then opens nothing.
    """
    from ..config import load_config
    from ..config.secret import VARIABLE

    if not path.exists() and not path.is_symlink():
        message = "there is no such file; `stepup init` writes one, --config or STEPUP_CONFIG names another"
        raise ConfigError((ConfigProblem(source=str(path), key="", message=message),))
    nobody = {} if secret else {VARIABLE: token_hex(32)}
    return load_config(path, {**os.environ, **nobody})


def work(path: Path, task: Callable[[Services], Awaitable[T]]) -> T:
    """Run one task with the services of a configuration, and close everything after it.

    ConfigError for ``memory://``: what the command would change is in another process.
    """
    config = read(path)
    if config.settings.store_url.startswith("memory:"):
        message = 'memory:// lives inside the running app, out of reach from here; use "sqlite:///stepup.db"'
        raise ConfigError((ConfigProblem(source=str(path), key="store.url", message=message),))
    return _within(replace(config, settings=_without_callables(config.settings)), task)


def _without_callables(settings: Settings) -> Settings:
    """An operator's shell need not be able to import the app's code to work on factors."""
    identity = replace(settings.identity, provider="remote_user")
    notices = replace(settings.notices, on_notice=None)
    risk = replace(settings.risk, signals=())
    return replace(settings, identity=identity, risk=risk, notices=notices, geo=None)


def look(path: Path, task: Callable[[Services], Awaitable[T]]) -> T:
    """Run one task that only reads, with your own callables. ``memory://`` is allowed: an empty store stands in."""
    add_import_path(Path.cwd())
    return _within(read(path), task)


def _within(config: Config, task: Callable[[Services], Awaitable[T]]) -> T:
    from ..compose import Assembly

    assembly = Assembly(config)

    async def whole() -> T:
        try:
            return await task(assembly.gate.services)
        finally:
            await assembly.store.aclose()

    try:
        return asyncio.run(whole())
    finally:
        if assembly.courier is not None:
            assembly.courier.close()
        assembly.trail.close()


def add_import_path(folder: Path) -> None:
    """Put a folder first on the import path, so that the user's own modules in it are found, as servers do."""
    place = str(folder)
    if place not in sys.path:
        sys.path.insert(0, place)
