"""One act, in the process that was forked for it. Says what is acknowledged through a pipe, as it is acknowledged:

    +d1-a-0-1       this line was acknowledged
    -d1-a-0-2       this one was refused
    .{"ended": …}   the act is over

A killed process says no more, and what it had said is in the pipe.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import threading
import time
from typing import TYPE_CHECKING

from .. import events
from ..errors import TrailUnavailable
from ..trail import Trail
from .calls import Calls
from .small import mount_small

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .acts import Act, Scene, Step

_UNLIMITED = resource.RLIM_INFINITY
_FILLER = ".drill-filler"
_BLOCK = 64 * 1024


def make_record(drill_id: str, service: str, event_id: str, size: int) -> bytes:
    """A line of a drill: of its own event type, and of the size of a real one."""
    detail = {"drill": drill_id, "padding": "." * max(0, size - 420)}
    return events.other("drill", "line", now=time.time(), event_id=event_id, service=service, detail=detail)


class Actor:
    """Plays one act. ``say`` takes a whole line."""

    def __init__(self, scene: Scene, act: Act, say: Callable[[str], None]) -> None:
        self._scene = scene
        self._act = act
        self._say = say
        self._calls = Calls(act.fault)
        self._trail = Trail(scene.trail, service=scene.service, clock=time.time)
        self._count = 0
        self._live = scene.trail.path

    def play(self) -> None:
        ended = "done"
        try:
            for step in self._act.steps:
                getattr(self, f"_{step.verb}")(step)
        except (OSError, TrailUnavailable) as error:
            ended = f"{type(error).__name__}: {error}"
        self._say("." + json.dumps({"ended": ended, "calls": self._calls.counts}))

    def _append(self, step: Step) -> None:
        self._count += 1
        turn = self._count
        threads = [threading.Thread(target=self._lines, args=(step, turn, number)) for number in range(step.threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _lines(self, step: Step, turn: int, thread: int) -> None:
        number = 0
        while step.count == 0 or number < step.count:
            self._line(f"{self._act.name}-{turn}-{thread}-{number}")
            number += 1

    def _line(self, event_id: str) -> bool:
        scene = self._scene
        record = make_record(scene.drill_id, scene.service, event_id, self._act.line_bytes)
        try:
            self._trail.append_blocking([record])
        except TrailUnavailable:
            self._say(f"-{event_id}")
            return False
        self._say(f"+{event_id}")
        return True

    def _until_refused(self, step: Step) -> None:
        self._count += 1
        for number in range(step.count):
            if not self._line(f"{self._act.name}-{self._count}-0-{number}"):
                return

    def _rotate(self, _step: Step) -> None:
        with contextlib.suppress(TrailUnavailable):
            self._trail.rotate_now()

    def _checkpoint(self, _step: Step) -> None:
        with contextlib.suppress(TrailUnavailable):
            self._trail.checkpoint_now()

    def _close(self, _step: Step) -> None:
        self._trail.close()

    def _limit(self, step: Step) -> None:
        size = self._live.stat().st_size + step.count
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    def _unlimit(self, _step: Step) -> None:
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (_UNLIMITED if hard == _UNLIMITED else hard, hard))

    def _mount(self, step: Step) -> None:
        self._live.parent.mkdir(mode=0o700)
        mount_small(self._live.parent, step.count)

    def _fill(self, _step: Step) -> None:
        """Take all the room there is, down to the last block."""
        with self._filler.open("wb", buffering=0) as stream:
            for block in (_BLOCK, 4096, 1):
                with contextlib.suppress(OSError):
                    while stream.write(b"\0" * block) == block:
                        pass

    def _free(self, _step: Step) -> None:
        self._filler.unlink()

    def _copy_out(self, _step: Step) -> None:
        """The folder as it is under the mount, to where it can be seen without it."""
        shutil.copytree(self._live.parent, self._live.parent.parent / "out")

    @property
    def _filler(self) -> Path:
        return self._live.parent / _FILLER


def perform(scene: Scene, act: Act, pipe: int) -> None:
    """Play an act and say so through ``pipe``; what is said is said by one write, which is whole or not there."""
    write = os.write

    def say(line: str) -> None:
        write(pipe, line.encode() + b"\n")

    Actor(scene, act, say).play()
