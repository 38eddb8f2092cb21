"""One process and no more: what keeps the memory store from being split, unseen, between workers.

Two copies of a store would each allow what only one may: every guess, every code and every grant twice.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath

from ..errors import StoreUnavailable, Unsupported

_USE_SQLITE = 'memory:// works in one process only: use store.url = "sqlite:///stepup.db"'
_SHORT_FLAG = ("gunicorn", "hypercorn", "uvicorn", "granian")


def refuse_many_workers(environ: Mapping[str, str], argv: Sequence[str], *, multiprocess: bool = False) -> None:
    """Raise Unsupported if more than one worker process can be seen.

    environ: of the process (``WEB_CONCURRENCY``, ``GUNICORN_CMD_ARGS``). argv: of the process; ``--workers N``,
    and ``-w N`` of a known server. A number on the command line wins over the environment, as it does for the
    servers. multiprocess: ``wsgi.multiprocess`` of a request (PEP 3333).
    """
    if multiprocess:
        raise Unsupported(f"the server says it runs more than one process (wsgi.multiprocess). {_USE_SQLITE}")
    for source, count in (
        ("the command line", _workers(argv, short=bool(argv) and _is_server(argv[0]))),
        ("GUNICORN_CMD_ARGS", _workers(_split(environ.get("GUNICORN_CMD_ARGS", "")), short=True)),
        ("WEB_CONCURRENCY", _number(environ.get("WEB_CONCURRENCY", ""))),
    ):
        if count is None:
            continue
        if count > 1:
            raise Unsupported(f"{source} asks for {count} workers. {_USE_SQLITE}")
        return


def _is_server(program: str) -> bool:
    path = PurePath(program)
    name = path.parent.name if path.name == "__main__.py" else path.name
    return name.startswith(_SHORT_FLAG)


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _workers(argv: Sequence[str], *, short: bool) -> int | None:
    """The last ``--workers N``, ``--workers=N``, ``-w N``, ``-wN`` that holds a number, as argparse reads them."""
    found = None
    for index, word in enumerate(argv):
        after = argv[index + 1] if index + 1 < len(argv) else ""
        if word == "--workers" or (short and word == "-w"):
            count = _number(after)
        elif word.startswith("--workers="):
            count = _number(word.removeprefix("--workers="))
        elif short and word.startswith("-w"):
            count = _number(word.removeprefix("-w").removeprefix("="))
        else:
            continue
        found = count if count is not None else found
    return found


class SoleProcess:
    """A claim that one process, of all that were forked from the one that made this, can hold.

    A record lock belongs to a process, is not inherited and ends with it; the descriptor is inherited. So a worker
    that died can be followed by another, and two never hold the claim at once.
    """

    def __init__(self) -> None:
        self._owner = 0
        try:
            self._fd = _unnamed_file()
        except OSError as error:
            raise StoreUnavailable(f"memory:// needs a temporary file to guard its one process: {error}") from error
        weakref.finalize(self, os.close, self._fd)

    def claim(self) -> None:
        """Nothing if this process holds the claim, or can take it. Otherwise StoreUnavailable."""
        pid = os.getpid()
        if self._owner == pid:
            return
        if self._owner:
            raise StoreUnavailable(f"this is a copy of another process's state. {_USE_SQLITE}")
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreUnavailable(f"another worker holds the state. {_USE_SQLITE}") from error
        self._owner = pid


def _unnamed_file() -> int:
    handle, name = tempfile.mkstemp(prefix="stepup-")
    Path(name).unlink()
    return handle
