"""No connection to a database file may cross a fork: what is open is closed before, and opened again on both sides."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Pausable(Protocol):
    """``pause`` waits for what runs, closes, and holds off the rest until ``resume`` in the parent, ``start_again``
    in the child, whose locks are held by threads it does not have."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def start_again(self) -> None: ...


_watched: weakref.WeakSet[Pausable] = weakref.WeakSet()
_paused: list[Pausable] = []


def watch(database: Pausable) -> None:
    """Until it is gone."""
    _watched.add(database)


def _before_fork() -> None:
    for database in list(_watched):
        database.pause()
        _paused.append(database)


def _after_fork_in_parent() -> None:
    while _paused:
        _paused.pop().resume()


def _after_fork_in_child() -> None:
    while _paused:
        _paused.pop().start_again()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
