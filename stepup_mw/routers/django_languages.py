"""The languages that Django's URLs may be spelt in: by a prefix of the path, or by paths that are translated."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.conf import settings  # type: ignore[import-untyped]
from django.utils import translation  # type: ignore[import-untyped]

LANGUAGE = "locale_prefix"
"""The name of the parameter that stands for the prefix."""


class Languages:
    """Those of the settings where ``LocaleMiddleware`` chooses among them by the path; else the one that is spoken."""

    def __init__(self) -> None:
        chosen = settings.USE_I18N and any("LocaleMiddleware" in name for name in settings.MIDDLEWARE)
        self.all: Sequence[str | None] = [code for code, _ in settings.LANGUAGES] if chosen else [None]

    def of(self, path: str) -> str | None:
        """The one that a path is read in, as ``LocaleMiddleware`` has it. Where no prefix says so, a client may name
        another one, and then a path below a prefix is not reached."""
        if self.all == [None]:
            return None
        return str(translation.get_language_from_path(path) or settings.LANGUAGE_CODE)

    @staticmethod
    def speaking(language: str | None) -> AbstractContextManager[Any]:
        return nullcontext() if language is None else translation.override(language)
