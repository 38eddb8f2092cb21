"""A user's name on the command line: the bytes that the shell gave, as UTF-8 in any locale."""

from __future__ import annotations

import os

import click


def user_name(value: str) -> str:
    """The type of an argument. Python gives what its locale cannot read as lone surrogates, which stand for bytes."""
    try:
        return os.fsencode(value).decode("utf-8")
    except UnicodeError:
        raise click.BadParameter("a user name is text in UTF-8") from None
