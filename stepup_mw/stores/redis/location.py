"""The URLs of Redis and Valkey. Pure: text in, values out; loads no client.

    redis://[user[:password]@]host[:6379][/db]                          one server; rediss:// for TLS
    redis+sentinel://[user[:password]@]host[:26379],host…/name[/db]     the master that the Sentinels name
    redis+cluster://[user[:password]@]host[:6379],host…                 a Cluster, from any of its nodes

``rediss+sentinel://`` and ``rediss+cluster://`` are the same over TLS. A user name or password with characters such
as ``@ / : ? #`` is written with %XX. Options, after a ``?``:

    timeout=1              seconds for one step, all in all, 0.1 to 10; connecting, and each answer of a
                           Sentinel or on a Cluster, get half of it
    prefix=stepup          what every key begins with: one for each service that shares a server
    password_file=PATH     the password, if it shall not stand in the URL
    sentinel_password_file=PATH, sentinel_user=NAME    what the Sentinels ask for
    ca_file=PATH, cert_file=PATH, key_file=PATH        TLS: whom to believe, and who we are
    wait=1                 replicas that must acknowledge what takes a code, a guess or a grant away, 0 to 9
    connections=16         at most so many connections a process and event loop, 1 to 256
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from ...errors import Unsupported

SCHEMES = ("redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")
_PREFIX = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,2}(\.[0-9]{1,3})?", re.ASCII)

Topology = Literal["server", "sentinel", "cluster"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where the server is, and how it is to be asked. ``timeout_s``: for one step, all in all."""

    topology: Topology
    tls: bool
    hosts: tuple[tuple[str, int], ...]
    name: str = ""
    db: int = 0
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout_s: float = 1.0
    prefix: str = "stepup"
    password_file: str | None = None
    sentinel_user: str | None = None
    sentinel_password_file: str | None = None
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    wait: int = 0
    connections: int = 16

    def __str__(self) -> str:
        """For messages: without user and password."""
        hosts = ",".join(f"{host}:{port}" for host, port in self.hosts)
        return f"redis at {hosts}"


def parse_location(url: str) -> Location:
    """Unsupported says what is wrong, and never shows the URL: it may carry a password."""
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in SCHEMES:
        raise Unsupported(f"allowed schemes are {', '.join(f'{name}://' for name in SCHEMES)}")
    try:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise Unsupported("not a URL, or options that are not name=value") from None
    if parts.fragment or any(ord(letter) < 0x21 or ord(letter) == 0x7F for letter in url):
        raise Unsupported("a # or a blank stands in the URL; write %23 or %20")
    topology, tls = _topology(scheme)
    credentials, at, hosts = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    name, db = _path(parts.path, topology)
    location = Location(
        topology=topology,
        tls=tls,
        hosts=_hosts(hosts, topology),
        name=name,
        db=db,
        user=unquote(user) or None if at else None,
        password=unquote(password) or None if at else None,
        **_options(options),  # type: ignore[arg-type]  # each option is read into the type of its field
    )
    return _agreed(location)


def _topology(scheme: str) -> tuple[Topology, bool]:
    tls = scheme.startswith("rediss")
    if scheme.endswith("+sentinel"):
        return "sentinel", tls
    return ("cluster" if scheme.endswith("+cluster") else "server"), tls


def _hosts(text: str, topology: Topology) -> tuple[tuple[str, int], ...]:
    found = tuple(_host(part, 26379 if topology == "sentinel" else 6379) for part in text.split(","))
    if topology == "server" and len(found) > 1:
        raise Unsupported("several hosts need redis+sentinel:// or redis+cluster://")
    return found


def _host(text: str, port: int) -> tuple[str, int]:
    host, colon, number = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, number = text, str(port)
    if not _HOST.fullmatch(host):
        raise Unsupported("a host is missing or has letters that no host has")
    return host.strip("[]"), _whole(number, "a port", 1, 65535)


def _path(path: str, topology: Topology) -> tuple[str, int]:
    """The name of the Sentinels' master, and the database."""
    parts = path.strip("/").split("/") if path.strip("/") else []
    name = ""
    if topology == "sentinel":
        if not parts or not _PREFIX.fullmatch(parts[0]):
            raise Unsupported("redis+sentinel:// needs the name of the master after the hosts: .../mymaster")
        name = parts.pop(0)
    if len(parts) > 1:
        raise Unsupported("after the hosts stands one number, the database")
    db = _whole(parts[0], "the database", 0, 65535) if parts else 0
    if topology == "cluster" and db:
        raise Unsupported("a Cluster has database 0 only")
    return name, db


def _whole(text: str, what: str, low: int, high: int) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
    if not low <= number <= high:
        raise Unsupported(f"{what} is a whole number from {low} to {high}")
    return number


def _seconds(text: str) -> float:
    if not _SECONDS.fullmatch(text) or not 0.1 <= float(text) <= 10:
        raise Unsupported("timeout is a number of seconds from 0.1 to 10")
    return float(text)


def _prefix(text: str) -> str:
    if not _PREFIX.fullmatch(text):
        raise Unsupported("prefix is 1 to 64 letters, digits, dots, dashes or underscores")
    return text


def _file(text: str) -> str:
    if not text.startswith("/") or "\0" in text:
        raise Unsupported("the options that end in _file take an absolute path")
    return text


def _name(text: str) -> str:
    if not text:
        raise Unsupported("sentinel_user is empty")
    return text


_OPTIONS: Mapping[str, Callable[[str], object]] = {
    "timeout": _seconds,
    "prefix": _prefix,
    "password_file": _file,
    "sentinel_user": _name,
    "sentinel_password_file": _file,
    "ca_file": _file,
    "cert_file": _file,
    "key_file": _file,
    "wait": lambda text: _whole(text, "wait", 0, 9),
    "connections": lambda text: _whole(text, "connections", 1, 256),
}


def _options(options: Mapping[str, str]) -> dict[str, object]:
    for name in options:
        if name not in _OPTIONS:
            raise Unsupported(f"there is an unknown option; allowed are {', '.join(_OPTIONS)}")
    return {"timeout_s" if name == "timeout" else name: _OPTIONS[name](text) for name, text in options.items()}


def _agreed(location: Location) -> Location:
    if location.wait and location.topology == "cluster":
        raise Unsupported("wait is for one server or Sentinel: a Cluster has min-replicas-to-write instead")
    if location.password and location.password_file:
        raise Unsupported("the password stands in the URL and in password_file; one of them is enough")
    if not location.tls and (location.ca_file or location.cert_file or location.key_file):
        raise Unsupported("ca_file, cert_file and key_file are for rediss://")
    if (location.sentinel_user or location.sentinel_password_file) and location.topology != "sentinel":
        raise Unsupported("sentinel_user and sentinel_password_file are for redis+sentinel://")
    return location
