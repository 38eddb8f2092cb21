"""Rules and paths that several tests share."""

from __future__ import annotations

from typing import Any

from stepup_mw.policy import Rule

ODD = [
    "/",
    "//",
    "\\",
    ";",
    ";x=1",
    "%",
    "%2f",
    "%2F",
    "%252f",
    "%5c",
    "%0a",
    "%00",
    "\n",
    "\0",
    ".",
    "..",
    "/../",
    "/./",
]
ODD += [
    "\uff0f",
    "\uff0e",
    "\uff05",
    "é",
    "e\u0301",
    "Ã©",
    "\udce9",
    "http://",
    ":",
    "?",
    "%C3%A9",
    "%E9",
    "+",
    "\u4e2d",
]
"""What spellings are made of."""


def rule(name: str, path: str = "/", methods: str = "", **more: Any) -> Rule:
    """A rule whose methods are one text with spaces; none for every method."""
    return Rule(name=name, path=path, version="0" * 64, methods=frozenset(methods.split()) or None, **more)
