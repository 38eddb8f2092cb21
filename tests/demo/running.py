"""The demo as a person starts it: a process of its own, its output in a file or on a pseudo-terminal."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pyotp

RUN = """
import sys
from pathlib import Path
from stepup_mw.cli.screen import say
from stepup_mw.demo import run
sys.exit(run(port=int(sys.argv[2]), folder=Path(sys.argv[1]), echo=say))
"""


@dataclass(frozen=True, kw_only=True)
class Demo:
    folder: Path
    process: subprocess.Popen[bytes]
    output: Path

    def said(self) -> str:
        return self.output.read_text("utf-8")

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first match of a pattern in what the demo says."""
        return wait(lambda: re.search(pattern, self.said()), self.said)

    @property
    def url(self) -> str:
        return self.wait_for(r"http://127\.0\.0\.1:\d+")[0]

    @property
    def secret(self) -> str:
        """As the greeting shows it, in groups of four."""
        groups = re.findall(r"\b(?:[A-Z2-7]{4} ){3}[A-Z2-7]{4}\b", self.said())
        return "".join(groups[:2]).replace(" ", "")

    @property
    def recovery_code(self) -> str:
        return self.wait_for(r"A recovery code: (\S+)")[1]

    def codes(self) -> list[str]:
        """Codes of three time steps that all count for some seconds more, in the order in which they must be used."""
        left_s = 30 - time.time() % 30
        if left_s < 6:
            time.sleep(left_s)
        now = time.time()
        return [pyotp.TOTP(self.secret).at(now + 30 * steps) for steps in (-1, 0, 1)]

    def end(self) -> int:
        """Ctrl-C; the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(15)

    @contextmanager
    def browser(self) -> Iterator[httpx2.Client]:
        """Somebody who has signed in to the bank."""
        html = {"accept": "text/html"}
        with httpx2.Client(base_url=self.url, headers=html, follow_redirects=True, timeout=20) as client:
            page = client.post("/login", data={"user": "alice", "password": "open-sesame"})
            assert "Hello, Alice" in page.text
            yield client


def wait(found: Callable[[], re.Match[str] | None], explain: Callable[[], str]) -> re.Match[str]:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        result = found()
        if result is not None:
            return result
        time.sleep(0.03)
    raise AssertionError(explain())


@contextmanager
def running(folder: Path, port: int = 0, **environ: str) -> Iterator[Demo]:
    """The demo with its output in a file, ended at the latest when the block does."""
    output = folder.with_suffix(".out")
    with output.open("wb") as file:
        command = [sys.executable, "-c", RUN, str(folder), str(port)]
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=os.environ | environ)
    demo = Demo(folder=folder, process=process, output=output)
    try:
        demo.wait_for("Audit trail")
        yield demo
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
