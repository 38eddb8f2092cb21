"""Authenticators that were taken away, remembered outside of the store: an older copy of it would bring them back.

    .stepup.removed    beside ``.stepup.store``: a digest of user and id a line, the newest KEPT

Each host remembers those that were taken away through it, and takes them away again when it finds that the store has
begun another life.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from ..errors import StoreUnavailable
from ..state import Store

T = TypeVar("T")
KEPT = 4096
_LINE = 33


class Removals:
    """``witness``: the file beside which to remember; None: nothing is."""

    def __init__(self, witness: Path | None) -> None:
        self._path = witness.with_name(".stepup.removed") if witness is not None else None

    def read(self) -> frozenset[str]:
        """OSError."""
        try:
            return frozenset(self._path.read_text("ascii").split()) if self._path is not None else frozenset()
        except FileNotFoundError:
            return frozenset()

    def add(self, marks: Iterable[str]) -> None:
        """OSError."""
        text = "".join(f"{mark}\n" for mark in marks)
        if self._path is None or not text:
            return
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(self._path, flags, 0o600)
        try:
            os.write(handle, text.encode("ascii"))
            size = os.fstat(handle).st_size
        finally:
            os.close(handle)
        if size > 2 * KEPT * _LINE:
            self._shorten(self._path)

    @staticmethod
    def _shorten(path: Path) -> None:
        newest = path.read_text("ascii").split()[-KEPT:]
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.write(handle, "".join(f"{mark}\n" for mark in newest).encode("ascii"))
        finally:
            os.close(handle)
        fresh.rename(path)


def mark_of(user: str, factor_id: str) -> str:
    """32 hex digits for one authenticator."""
    return sha256(f"stepup-mw removed\0{user}\0{factor_id}".encode(errors="surrogatepass")).hexdigest()[:32]


async def noting(store: Store, removals: Removals, user: str, step: Callable[[], Awaitable[T]]) -> T:
    """The answer of a step; what it took away is remembered when this returns. Rows that only keep the steps of the
    app's own secrets are left out: they come back by themselves, and must come back as they were."""
    before = [factor.factor_id for factor in await store.factors(user) if factor.sealed]
    answer = await step()
    after = {factor.factor_id for factor in await store.factors(user)}
    try:
        removals.add(mark_of(user, gone) for gone in before if gone not in after)
    except OSError as error:
        raise StoreUnavailable(f"what was taken away cannot be remembered: {error}") from error
    return answer
