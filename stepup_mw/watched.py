"""Data files that may be replaced while the program runs: loaded, looked at now and then, and loaded anew.

A file that is gone or broken then changes nothing: what was loaded before stays in force, and the change says so.
A file that is still being written is left alone until it rests.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, Generic, Literal, Protocol, TypeVar

from .errors import DataError

_BLOCK = 1 << 20


class Data(Protocol):
    """What a file holds; ``facts``: what a line says of it."""

    @property
    def facts(self) -> Mapping[str, Any]: ...

    def complaint(self, now: float) -> str | None:
        """What a person should know of it at ``now``; None for nothing."""
        ...


T = TypeVar("T", bound=Data)
Kind = Literal["data_changed", "data_failed", "data_old"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """``key`` of the configuration names the file; ``detail`` is for the line, ``words`` for the program's log."""

    kind: Kind
    detail: Mapping[str, Any]
    words: str


class Watched(Generic[T]):
    """One file. ``load`` is given the open file and its name, and raises DataError; so does this, at first."""

    def __init__(self, key: str, path: Path, load: Callable[[BinaryIO, Path], T]) -> None:
        self.key = key
        self.path = path
        self._load = load
        self._complained: str | None = None
        before = _stamp(path)
        self.value = self._read()
        self._seen = self._resting = before

    @property
    def name(self) -> str:
        """Of the file."""
        return self.path.name

    @property
    def detail(self) -> dict[str, Any]:
        """What a line says of it."""
        return {"key": self.key, "file": self.path.name, **self.value.facts}

    def refresh(self, now: float) -> Change | None:
        """Look whether the file has changed, and load it. To be called now and then, and not from an event loop."""
        stamp = _stamp(self.path)
        if stamp == self._seen:
            return self._complain(now)
        if stamp != self._resting:
            self._resting = stamp
            return None
        self._seen = stamp
        try:
            self.value = self._read()
        except DataError as error:
            return self._change("data_failed", f"{error}; what was loaded before stays in force", error=str(error))
        self._complained = None
        return self._change("data_changed", f"{self.path} was loaded anew")

    def _read(self) -> T:
        try:
            with self.path.open("rb") as file:
                return self._load(file, self.path)
        except OSError as error:
            raise DataError(self.path, unreadable(error)) from error

    def _complain(self, now: float) -> Change | None:
        words = self.value.complaint(now)
        if words is None or words == self._complained:
            return None
        self._complained = words
        return self._change("data_old", f"{self.path}: {words}")

    def _change(self, kind: Kind, words: str, **more: str) -> Change:
        return Change(kind=kind, detail={**self.detail, **more}, words=f"{self.key}: {words}")


def unreadable(error: OSError) -> str:
    """Why a file cannot be read, in words."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    return f"cannot be read: {error.strerror or type(error).__name__}"


def _stamp(path: Path) -> tuple[int, int, int, int] | None:
    """What changes whenever the file does; None where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - every second, of every file
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev


def digest_of(file: BinaryIO, into: IO[bytes] | None = None) -> str:
    """``sha256:`` and 64 hex digits over a file from here to its end; its bytes go to ``into``."""
    digest = hashlib.sha256()
    while block := file.read(_BLOCK):
        digest.update(block)
        if into is not None:
            into.write(block)
    return "sha256:" + digest.hexdigest()
