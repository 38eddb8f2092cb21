"""A bar on a terminal's stderr for long work; nothing where it is piped."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click


@contextmanager
def progress(label: str, *, wanted: bool = True) -> Iterator[Callable[[int, int], None] | None]:
    """Gives a function that takes how much is done, and how much there is; None where nothing is shown."""
    if not wanted or not sys.stderr.isatty():
        yield None
        return
    bar: Any = click.progressbar(length=0, label=label, file=sys.stderr, show_pos=False)

    def advance(done: int, total: int) -> None:
        bar.length = total
        bar.update(done - bar.pos)

    try:
        yield advance
    finally:
        if bar.pos:
            sys.stderr.write("\r\033[K\033[?25h")
            sys.stderr.flush()
