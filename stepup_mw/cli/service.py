"""What commands work with: the configuration, and the store, trail and keys behind it, open for one piece of work."""

# ruff: noqa: PLC0415 (the help of a command must not load pydantic and cryptography)

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ..errors import ConfigError, ConfigProblem

if TYPE_CHECKING:
    from ..compose import Assembly
    from ..config import Config
    from ..gate.services import Services

T = TypeVar("T")


def read(path: Path) -> Config:
    """The configuration, its warnings not shown. ConfigError; a missing file says how to make one."""
    from ..config import load_config

    if not path.exists() and not path.is_symlink():
        message = "there is no such file; `stepup init` writes one, --config or STEPUP_CONFIG names another"
        raise ConfigError((ConfigProblem(source=str(path), key="", message=message),))
    return load_config(path, os.environ)


def work(path: Path, task: Callable[[Services], Awaitable[T]]) -> T:
    """Run one task with the services of a configuration, and close everything after it.

    ConfigError for ``memory://``: what the command would change is in another process.
    """
    config = read(path)
    if config.settings.store_url.startswith("memory:"):
        message = 'memory:// lives inside the running app, out of reach from here; use "sqlite:///stepup.db"'
        raise ConfigError((ConfigProblem(source=str(path), key="store.url", message=message),))
    return within(config, lambda assembly: task(assembly.gate.services))


def look(path: Path, task: Callable[[Services], Awaitable[T]]) -> T:
    """As ``work``, for what only reads: ``memory://`` is allowed, an empty store of this process stands in for it."""
    return within(read(path), lambda assembly: task(assembly.gate.services))


def within(config: Config, task: Callable[[Assembly], Awaitable[T]]) -> T:
    """Run one task with everything that a configuration opens; the trail and the store are closed after it."""
    from ..compose import Assembly

    assembly = Assembly(config)

    async def whole() -> T:
        try:
            return await task(assembly)
        finally:
            await assembly.store.aclose()

    try:
        return asyncio.run(whole())
    finally:
        assembly.trail.close()


def add_import_path(folder: Path) -> None:
    """Put a folder first on the import path, so that the user's own modules in it are found, as servers do."""
    place = str(folder)
    if place not in sys.path:
        sys.path.insert(0, place)
