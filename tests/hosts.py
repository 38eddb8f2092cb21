"""Hosts for the tests: network namespaces, joined by a bridge in one more, where this machine permits them; elsewhere
processes on loopback, and what stands in for a cut cable says so.

A host has a thread of its own, which lives in its namespace: what is called there sees its network, and so does every
process that is started there. Nothing is added to the network of the machine itself.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
_CLONE_NEWNET = 0x40000000
_numbers = itertools.count()


def permitted() -> bool:
    """Whether network namespaces and a bridge can be made here; tried for real."""
    try:
        with network(["a"]):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Host:
    """``address``: its own, as the others know it. ``cut`` and ``join``: its cable."""

    def __init__(self, name: str, address: str, hub: str = "", namespace: str = "") -> None:
        self.name, self.address = name, address
        self._hub, self._namespace = hub, namespace
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name, initializer=self._enter)

    def _enter(self) -> None:
        if self._namespace:
            handle = os.open(f"/var/run/netns/{self._namespace}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                if ctypes.CDLL(None, use_errno=True).setns(handle, _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            finally:
                os.close(handle)

    def call(self, act: Callable[[], T]) -> T:
        return self._thread.submit(act).result(60)

    def cut(self) -> None:
        _ip("-n", self._hub, "link", "set", "dev", self.name, "down")

    def join(self) -> None:
        _ip("-n", self._hub, "link", "set", "dev", self.name, "up")

    def close(self) -> None:
        self._thread.shutdown()


@contextmanager
def network(names: list[str]) -> Iterator[dict[str, Host]]:
    """Hosts of these names, each in a namespace of its own. OSError, CalledProcessError: not permitted here."""
    mark = f"stepup-{os.getpid()}-{next(_numbers)}"
    hub = f"{mark}-hub"
    with ExitStack() as stack:
        _ip("netns", "add", hub)
        stack.callback(_ip, "netns", "del", hub)
        _ip("-n", hub, "link", "add", "bridge", "type", "bridge")
        _ip("-n", hub, "link", "set", "dev", "bridge", "up")
        hosts: dict[str, Host] = {}
        for number, name in enumerate(names, 1):
            namespace, address = f"{mark}-{name}", f"10.77.0.{number}"
            _ip("netns", "add", namespace)
            stack.callback(_ip, "netns", "del", namespace)
            _ip("-n", namespace, "link", "add", "eth0", "type", "veth", "peer", "name", name, "netns", hub)
            _ip("-n", hub, "link", "set", "dev", name, "master", "bridge", "up")
            _ip("-n", namespace, "addr", "add", f"{address}/24", "dev", "eth0")
            for device in ("eth0", "lo"):
                _ip("-n", namespace, "link", "set", "dev", device, "up")
            hosts[name] = Host(name, address, hub, namespace)
            stack.callback(hosts[name].close)
            hosts[name].call(lambda: None)  # an OSError of setns is this call's
        yield hosts


class Cable:
    """On loopback: a port that leads to another, and can be cut. ``to`` may change."""

    def __init__(self, to: int) -> None:
        self.to = to
        self.joined = True
        self._open: set[socket.socket] = set()
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._door.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._door.accept()
                there = socket.create_connection(("127.0.0.1", self.to))
                for pair in ((here, there), (there, here)):
                    self._open.update(pair)
                    threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        """What comes while the cable is cut is lost, and nobody is told: as with a cable."""
        with suppress(OSError):
            while piece := source.recv(65536):
                if self.joined:
                    target.sendall(piece)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for each in (self._door, *self._open):
            with suppress(OSError):
                each.close()


def folder_of(base: Path, host: Host) -> Path:
    folder = base / host.name
    folder.mkdir()
    return folder
