"""Three services on hosts of their own, two Redis and a Sentinel on others: a host is cut off, then the master.

Hosts are network namespaces where this machine permits them, and beside that, or where it does not, processes on
loopback. What is asked over a cut cable is a 503 in time that reaches no app; when the cable is whole again all goes on
without a restart, and the lines say what was refused.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pyotp
import pytest

from stepup_mw.compose import assemble
from stepup_mw.enrollment import Enrolled, enroll

from .. import hosts as hosts_of
from ..hosts import Cable, Host, folder_of
from ..http.doors import CONFIG, SECRET, is_chain, read_lines, wait_until_up
from ..http.steps import TRANSFER
from ..servers import RedisServer, free_port, until

TIMEOUT_S = 0.6
IN_TIME_S = 3 * TIMEOUT_S + 1.5
WEB, DB = ("web-1", "web-2", "web-3"), ("db-1", "db-2", "watch")
PERMITTED = hosts_of.permitted()
WAYS = ["loopback", "namespaces"] if PERMITTED else ["loopback-for-namespaces-are-not-permitted-here"]


@dataclass(kw_only=True)
class Site:
    """``cables``: of the services on loopback, which have no Sentinel to ask."""

    hosts: dict[str, Host]
    master: RedisServer
    replica: RedisServer
    folders: dict[str, Path]
    ports: dict[str, int]
    cables: dict[str, Cable] = field(default_factory=dict)

    def ask(self, web: str, **headers: str) -> tuple[int, float]:
        """The status of one request to a service, from its own host, and how long it took."""

        def act() -> tuple[int, float]:
            begun = time.monotonic()
            signed_in = {"X-Auth-User": "alice", "X-Auth-Session": "s1", **headers}
            with httpx2.Client(base_url=f"http://127.0.0.1:{self.ports[web]}", headers=signed_in, timeout=20) as client:
                status = client.post(TRANSFER).status_code
            return status, time.monotonic() - begun

        return self.hosts[web].call(act)

    def prove(self, web: str, code: str) -> str:
        def act() -> str:
            signed_in = {"X-Auth-User": "alice", "X-Auth-Session": "s1"}
            with httpx2.Client(base_url=f"http://127.0.0.1:{self.ports[web]}", headers=signed_in, timeout=20) as client:
                challenge = client.post(TRANSFER).json()
                return str(client.post(challenge["verify_url"], json={"code": code}).json()["grant"])

        return self.hosts[web].call(act)

    def runs(self, web: str) -> int:
        path = self.folders[web] / "reached"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def refusals(self, web: str) -> list[dict[str, Any]]:
        lines = read_lines(self.folders[web] / "audit" / "stepup.jsonl")
        return [line for line in lines if line.get("status") == "refused" and line.get("detail") == "store_unavailable"]

    def cut(self, name: str) -> None:
        if name in self.cables:
            self.cables[name].joined = False
        elif PERMITTED and self.hosts[name].address != "127.0.0.1":
            self.hosts[name].cut()
        else:
            self.master.pause()

    def join(self, name: str) -> None:
        if name in self.cables:
            self.cables[name].joined = True
        elif PERMITTED and self.hosts[name].address != "127.0.0.1":
            self.hosts[name].join()
        else:
            self.master.resume()


@pytest.fixture(params=WAYS)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        if request.param == "namespaces":
            hosts = stack.enter_context(hosts_of.network([*WEB, *DB]))
        else:
            hosts = {name: Host(name, "127.0.0.1") for name in (*WEB, *DB)}
            for host in hosts.values():
                stack.callback(host.close)
        master, replica, sentinel = _databases(hosts, stack)
        site = Site(hosts=hosts, master=master, replica=replica, folders={}, ports={})
        for name in WEB:
            url = f"redis+sentinel://{sentinel.address}:{sentinel.port}/bank/0?timeout={TIMEOUT_S}"
            if request.param != "namespaces":
                site.cables[name] = Cable(master.port)
                stack.callback(site.cables[name].close)
                url = f"redis://127.0.0.1:{site.cables[name].port}/0?timeout={TIMEOUT_S}"
            site.folders[name] = folder_of(tmp_path, hosts[name])
            site.ports[name] = _serve(hosts[name], site.folders[name], url, stack)
        yield site


def _databases(hosts: dict[str, Host], stack: ExitStack) -> tuple[RedisServer, RedisServer, RedisServer]:
    one, two, watch = (hosts[name] for name in DB)
    open_to_all = ("--protected-mode", "no")
    master = one.call(lambda: RedisServer("redis-7.0", *open_to_all, address=one.address))
    stack.callback(master.kill)
    follow = ("--replicaof", f"{one.address} {master.port}")
    replica = two.call(lambda: RedisServer("redis-7.0", *open_to_all, *follow, address=two.address))
    stack.callback(replica.kill)
    two.call(lambda: until(lambda: "master_link_status:up" in replica.ask("INFO", "replication"), within_s=20))
    named = {"sentinel": master.port, "of": one.address, "address": watch.address}
    sentinel = watch.call(lambda: RedisServer("redis-7.0", *open_to_all, **named))  # type: ignore[arg-type]
    stack.callback(sentinel.kill)
    watch.call(lambda: until(lambda: "slaves=1" in sentinel.ask("INFO", "sentinel"), within_s=20))
    return master, replica, sentinel


def _serve(host: Host, folder: Path, url: str, stack: ExitStack) -> int:
    """A service on its host: one process, its own trail, its port on the host's own loopback."""
    (folder / "stepup.toml").write_text(CONFIG.read_text().replace("sqlite:///state/stepup.db", url))
    environ = {**os.environ, "STEPUP_TEST_FOLDER": str(folder), "STEPUP_SECRET_KEY": SECRET}
    words = ["tests.http.witness:asgi", "--no-proxy-headers", "--no-access-log", "--log-level", "warning"]

    def begin() -> tuple[int, subprocess.Popen[bytes]]:
        port = free_port()
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "uvicorn", *words, "--port", str(port)],
                env={**environ, "PYTHONPATH": str(Path(__file__).parents[2])},
                stdout=log,
                stderr=log,
            )
        wait_until_up(port, process)
        return port, process

    port, process = host.call(begin)
    stack.callback(process.wait, 20)
    stack.callback(process.terminate)
    return port


def _enroll(site: Site) -> Enrolled:
    def act() -> Enrolled:
        assembly = assemble(site.folders["web-1"] / "stepup.toml")
        try:
            return anyio.run(enroll, assembly.gate.services, "alice")
        finally:
            assembly.close()

    os.environ["STEPUP_SECRET_KEY"] = SECRET
    return site.hosts["web-1"].call(act)


def _comes_back(site: Site, web: str, grant: str) -> None:
    until(lambda: site.ask(web, **{"Step-Up-Grant": grant})[0] == 200, within_s=25, what=f"{web} again")


def test_a_host_and_then_a_master_are_cut_off_and_nothing_gets_through_that_should_not(site: Site) -> None:
    enrolled = _enroll(site)
    code = pyotp.TOTP(enrolled.secret).now()
    grant = {"Step-Up-Grant": site.prove("web-1", code)}
    assert [site.ask(web, **grant)[0] for web in WEB] == [200] * 3, "one proof, three hosts"
    assert [site.ask(web, **{"Step-Up-Code": code})[0] for web in WEB] == [401] * 3, "one code, once, on any host"

    runs = site.runs("web-3")
    site.cut("web-3")
    for _ in range(3):
        status, took_s = site.ask("web-3", **grant)
        assert (status, took_s < IN_TIME_S) == (503, True), took_s
    assert [site.ask(web, **grant)[0] for web in WEB[:2]] == [200] * 2, "the others go on"
    assert site.runs("web-3") == runs
    site.join("web-3")
    _comes_back(site, "web-3", grant["Step-Up-Grant"])
    assert len(site.refusals("web-3")) >= 3
    assert site.refusals("web-1") == []

    runs = sum(map(site.runs, WEB))
    site.cut("db-1")
    for web in WEB:
        status, took_s = site.ask(web, **grant)
        assert (status, took_s < IN_TIME_S) == (503, True), (web, took_s)
    assert sum(map(site.runs, WEB)) == runs
    replica = site.hosts["db-2"]
    replica.call(lambda: until(lambda: "role:master" in site.replica.ask("INFO", "replication"), within_s=30))
    for cable in site.cables.values():
        cable.to = site.replica.port
    for web in WEB:
        _comes_back(site, web, grant["Step-Up-Grant"])
    assert site.ask("web-2", **{"Step-Up-Code": code})[0] == 401, "the new master knows it is used"

    site.join("db-1")
    old = site.hosts["db-1"]
    old.call(lambda: until(lambda: "role:slave" in site.master.ask("INFO", "replication"), within_s=30))
    assert [site.ask(web, **grant)[0] for web in WEB] == [200] * 3
    for web in WEB:
        assert site.refusals(web), "what was refused is on record"
        assert is_chain(site.folders[web] / "audit" / "stepup.jsonl")
