"""Where a Django project's configuration is, and the one assembly of each in a process.

Django makes a middleware for every handler, and every test client is one; they share what runs.
"""

from __future__ import annotations

import os
import threading
from typing import Any

from django.conf import settings  # type: ignore[import-untyped]  # Django ships no types

from ..compose import Assembly, assemble

_lock = threading.Lock()
_made: list[tuple[Any, Assembly]] = []


def source() -> Any:
    """``settings.STEPUP_CONFIG``, else the environment's, else ``stepup.toml`` in the working directory."""
    return getattr(settings, "STEPUP_CONFIG", None) or os.environ.get("STEPUP_CONFIG") or "stepup.toml"


def assembly() -> Assembly:
    """The assembly of the configuration as it is named now. ConfigError where it must not start."""
    named = source()
    with _lock:
        for known, made in _made:
            if known == named:
                return made
        made = assemble(named)
        _made.append((named, made))
        return made


def _forked() -> None:
    global _lock  # noqa: PLW0603 - it may be held by a thread that is not here
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forked)
