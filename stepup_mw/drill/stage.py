"""Processes to kill: a child without threads of its own forks each actor, listens to it, and kills it when told.

Forking this very process would take the caller's threads and locks along; a child that was started anew has none.
"""

from __future__ import annotations

import json
import os
import pickle
import selectors
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, Self

from ..note import generate_signing_key, parse_signer
from .actor import perform
from .acts import Played
from .values import NotPossible

if TYPE_CHECKING:
    from .acts import Act, Scene

_CHILD = "import sys; sys.path[:] = {path!r}; from stepup_mw.drill.stage import serve; serve()"
_LONGEST_S = 120.0
"""No act takes so long; what does is killed, and said to hang."""


class Stage:
    """The child, from here. ``play`` one scene at a time."""

    def __init__(self) -> None:
        code = _CHILD.format(path=sys.path)
        self._child = subprocess.Popen(  # noqa: S603 - this very interpreter
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """Return when the child and its actors, whatever they are at, are gone, so that nobody adds to what is removed
        next: the pipe ends with the last of them."""
        said = _open(self._child.stdout)
        with suppress(OSError):
            _open(self._child.stdin).close()
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        with suppress(OSError), said:
            while said.read(1 << 16):
                pass
        self._child.wait()

    def play(self, scene: Scene) -> tuple[Played, ...]:
        """What came of each act. NotPossible if the child is gone."""
        try:
            pickle.dump(scene, _open(self._child.stdin))
            _open(self._child.stdin).flush()
            played: tuple[Played, ...] = pickle.load(_open(self._child.stdout))  # noqa: S301 - of our own child
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            raise NotPossible(f"the process that runs the drill's writers is gone: {error}") from None
        return played


def serve() -> None:
    """In the child: play scenes until nobody asks any more."""
    asked, answered = sys.stdin.buffer, sys.stdout.buffer
    parse_signer(generate_signing_key(), "warm")  # loads what each actor would have to load for itself
    with suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        while True:
            scene = pickle.load(asked)  # noqa: S301 - written by our own parent
            pickle.dump(_play(scene), answered)
            answered.flush()


def _play(scene: Scene) -> tuple[Played, ...]:
    running = [_fork(scene, act) for act in scene.acts]
    said, killed = _listen([pipe for _, pipe in running], scene.kill_after_s, [pid for pid, _ in running])
    hung = killed and scene.kill_after_s is None
    return tuple(_ended(pid, text, hung=hung) for (pid, _), text in zip(running, said, strict=True))


def _fork(scene: Scene, act: Act) -> tuple[int, int]:
    """The actor's process, and what it says."""
    listening, saying = os.pipe()
    pid = os.fork()
    if pid:
        os.close(saying)
        return pid, listening
    code = 1
    try:
        os.close(listening)
        perform(scene, act, saying)
        code = 0
    except NotPossible as error:
        os.write(saying, f".{json.dumps({'ended': f'not possible: {error}', 'calls': {}})}\n".encode())
    finally:
        os._exit(code)


def _listen(pipes: list[int], kill_after_s: float | None, pids: list[int]) -> tuple[list[bytes], bool]:
    """All that is said until every process has ended; and whether they were killed, since it was time."""
    said: dict[int, list[bytes]] = {pipe: [] for pipe in pipes}
    until, killed = time.monotonic() + (kill_after_s if kill_after_s is not None else _LONGEST_S), False
    with selectors.DefaultSelector() as selector:
        for pipe in pipes:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            left = until - time.monotonic()
            if left <= 0:
                until, killed = float("inf"), True
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)
            for key, _ in selector.select(min(max(0.0, left), 60.0)):
                data = os.read(key.fd, 1 << 16)
                if data:
                    said[key.fd].append(data)
                else:
                    selector.unregister(key.fd)
                    os.close(key.fd)
    return [b"".join(said[pipe]) for pipe in pipes], killed


def _ended(pid: int, text: bytes, *, hung: bool) -> Played:
    _, status = os.waitpid(pid, 0)
    lines = text.decode().splitlines()
    last: dict[str, Any] = next((json.loads(line[1:]) for line in lines if line.startswith(".")), {})
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    return Played(
        acknowledged=tuple(line[1:] for line in lines if line.startswith("+")),
        refused=tuple(line[1:] for line in lines if line.startswith("-")),
        ended="hung" if hung else "killed" if killed else str(last.get("ended", f"ended with status {status}")),
        calls=last.get("calls", {}),
    )


def _open(pipe: IO[Any] | None) -> IO[Any]:
    if pipe is None:
        raise OSError("no pipe")
    return pipe
