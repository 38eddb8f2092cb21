"""Over TLS and with passwords, for real: whom we believe, who we are, and that nothing is asked of anybody else."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
import pytest
import trustme

from stepup_mw.errors import StoreUnavailable
from stepup_mw.state import Store
from stepup_mw.stores.postgres import PostgresStore
from stepup_mw.stores.redis import RedisStore
from stepup_mw.testing import store_promises
from stepup_mw.testing.records import make_factor

from ..servers import PostgresServer, RedisServer, debian_postgres, free_port, until

PASSWORD, OF_SENTINEL = "pw/with:signs@", "another password"
TIMEOUT_S = 2
_numbers = count()


@dataclass(frozen=True, kw_only=True)
class Papers:
    """Files: a CA, what it says of the server and of us, a CA of strangers, and the passwords."""

    ca: Path
    server: Path
    server_key: Path
    elsewhere: Path
    elsewhere_key: Path
    us: Path
    us_key: Path
    stranger: Path
    password: Path
    of_sentinel: Path
    wrong: Path


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    folder, ca = tmp_path_factory.mktemp("papers"), trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca")
    trustme.CA().cert_pem.write_to_path(folder / "stranger")
    issued = {"server": ca.issue_cert("127.0.0.1"), "elsewhere": ca.issue_cert("db.example"), "us": ca.issue_cert("us")}
    for name, leaf in issued.items():
        leaf.private_key_pem.write_to_path(folder / f"{name}_key")
        leaf.cert_chain_pems[0].write_to_path(folder / name)
    for name, text in (("password", PASSWORD), ("of_sentinel", OF_SENTINEL), ("wrong", "wrong")):
        (folder / name).write_text(text + "\n")
    names = (*(name for each in issued for name in (each, f"{each}_key")), "ca", "stranger")
    return Papers(**{name: folder / name for name in (*names, "password", "of_sentinel", "wrong")})


def _tls(papers: Papers, port: int, *, name: str = "server", replication: bool = False) -> tuple[str, ...]:
    certificate, key = (
        (papers.server, papers.server_key) if name == "server" else (papers.elsewhere, papers.elsewhere_key)
    )
    files = ("--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-ca-cert-file", str(papers.ca))
    both = ("--tls-replication", "yes") if replication else ()
    return ("--tls-port", str(port), "--tls-auth-clients", "yes", *files, *both)


def _refused(store: Store) -> None:
    async def scene() -> None:
        begun = time.monotonic()
        with pytest.raises(StoreUnavailable) as refusal:
            await store.put_factor(make_factor(), [])
        assert time.monotonic() - begun < TIMEOUT_S + 0.5
        for secret in (PASSWORD, OF_SENTINEL, "wrong"):
            assert secret not in str(refusal.value)
        await store.aclose()
        await asyncio.sleep(0.1)  # asyncio closes what TLS left half open in its own time

    asyncio.run(scene())


def _check(made: Callable[[], Store]) -> None:
    """Every promise but the races: sixty-four handshakes at once show how many cores there are."""
    for promise in store_promises():
        if not promise.run.__module__.endswith("races"):
            promise.check(made)


@pytest.fixture(scope="module")
def redis(papers: Papers) -> Iterator[tuple[RedisServer, int, int]]:
    """One server behind two certificates is two servers: the second is of a host that is not its own."""
    port, other = free_port(), free_port()
    made = RedisServer("redis-7.0", *_tls(papers, port), password=PASSWORD)
    elsewhere = RedisServer("redis-7.0", *_tls(papers, other, name="elsewhere"), password=PASSWORD)
    yield made, port, other
    for each in (made, elsewhere):
        each.kill()


def _options(papers: Papers, **changes: Path | None) -> str:
    files: dict[str, Path | None] = {
        "ca_file": papers.ca,
        "cert_file": papers.us,
        "key_file": papers.us_key,
        "password_file": papers.password,
    }
    return "&".join(f"{name}={path}" for name, path in {**files, **changes}.items() if path is not None)


def test_a_redis_over_tls_keeps_every_promise(redis: tuple[RedisServer, int, int], papers: Papers) -> None:
    _, port, _ = redis

    def made() -> Store:
        return RedisStore(f"rediss://127.0.0.1:{port}?timeout=10&prefix=p{next(_numbers)}&{_options(papers)}")

    _check(made)


@pytest.mark.parametrize(
    "fault", ["another CA", "another host", "no certificate of ours", "wrong password", "no password", "no TLS"]
)
def test_a_redis_that_is_not_ours_and_one_that_does_not_know_us_are_refused(
    redis: tuple[RedisServer, int, int], papers: Papers, fault: str
) -> None:
    server, port, other = redis
    options = {
        "another CA": _options(papers, ca_file=papers.stranger),
        "no certificate of ours": _options(papers, cert_file=None, key_file=None),
        "wrong password": _options(papers, password_file=papers.wrong),
        "no password": _options(papers, password_file=None),
        "no TLS": f"password_file={papers.password}",
    }.get(fault, _options(papers))
    scheme = "redis" if fault == "no TLS" else "rediss"
    where = other if fault == "another host" else port
    _refused(RedisStore(f"{scheme}://127.0.0.1:{where}?timeout={TIMEOUT_S}&prefix=refused&{options}"))
    assert server.ask("EXISTS", "{refused:users}") == ":0", "something was asked"


def test_where_a_ca_is_named_no_other_that_this_host_knows_is_believed(
    redis: tuple[RedisServer, int, int], papers: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, port, _ = redis
    monkeypatch.setenv("SSL_CERT_FILE", str(papers.ca))
    url = f"rediss://127.0.0.1:{port}?timeout={TIMEOUT_S}&prefix=host&"
    _refused(RedisStore(url + _options(papers, ca_file=papers.stranger)))
    store = RedisStore(url + _options(papers, ca_file=None))
    asyncio.run(_twice(store))


async def _twice(store: Store) -> None:
    assert await store.consume_step("alice", "f1", 1) is False
    await store.put_factor(make_factor(), [])
    assert [await store.consume_step("alice", "f1", 5) for _ in range(2)] == [True, False]
    assert await store.loss() is None
    await store.aclose()


def test_a_cluster_is_asked_over_tls_and_by_nobody_whom_it_does_not_know(papers: Papers) -> None:
    port = free_port()
    cluster = ("--cluster-enabled", "yes", "--tls-cluster", "yes", "--cluster-port", str(free_port()))
    node = RedisServer("redis-7.0", *_tls(papers, port), *cluster)
    try:
        assert node.ask("CLUSTER", "ADDSLOTS", *map(str, range(16384))) == "+OK"
        until(lambda: "cluster_state:ok" in node.ask("CLUSTER", "INFO"), what="the cluster")
        url = f"rediss+cluster://127.0.0.1:{port}?timeout={TIMEOUT_S}&"
        for wrong in ({"ca_file": papers.stranger}, {"cert_file": None, "key_file": None}):
            _refused(RedisStore(url + _options(papers, password_file=None, **wrong)))
        asyncio.run(_twice(RedisStore(url + _options(papers, password_file=None))))
    finally:
        node.kill()


@pytest.fixture(scope="module")
def watched(papers: Papers) -> Iterator[tuple[RedisServer, RedisServer, int]]:
    """Master and replica over TLS with one password, a Sentinel over TLS with a user and a password of its own."""
    ports = [free_port() for _ in range(3)]
    tls = [_tls(papers, port, replication=True) for port in ports]
    master = RedisServer("redis-7.0", *tls[0], "--masterauth", PASSWORD, password=PASSWORD)
    follow = ("--replicaof", f"127.0.0.1 {ports[0]}", "--masterauth", PASSWORD)
    replica = RedisServer("redis-7.0", *tls[1], *follow, password=PASSWORD)
    until(lambda: "master_link_status:up" in replica.ask("INFO", "replication"))
    sentinel = RedisServer("redis-7.0", *tls[2], sentinel=ports[0], watch=[f'auth-pass bank "{PASSWORD}"'])
    assert sentinel.ask("ACL", "SETUSER", "asker", "on", f">{OF_SENTINEL}", "~*", "&*", "+@all") == "+OK"
    until(lambda: "slaves=1" in sentinel.ask("INFO", "sentinel"))
    assert sentinel.ask("ACL", "SETUSER", "default", "off") == "+OK"
    yield master, replica, ports[2]
    for server in (sentinel, replica, master):
        server.kill()


def _sentinel_url(papers: Papers, port: int, **changes: Path) -> str:
    asked = {"sentinel_password_file": papers.of_sentinel, **changes}
    files = "&".join(f"{name}={path}" for name, path in asked.items() if name.startswith("sentinel"))
    rest = _options(papers, **{name: path for name, path in asked.items() if not name.startswith("sentinel")})
    return f"rediss+sentinel://127.0.0.1:{port}/bank/0?timeout={TIMEOUT_S}&sentinel_user=asker&{files}&{rest}"


def test_sentinels_and_master_are_asked_over_tls_each_with_its_own_password_also_after_a_failover(
    watched: tuple[RedisServer, RedisServer, int], papers: Papers
) -> None:
    master, replica, port = watched
    for wrong in (
        {"sentinel_password_file": papers.wrong},
        {"password_file": papers.wrong},
        {"ca_file": papers.stranger},
    ):
        _refused(RedisStore(_sentinel_url(papers, port, **wrong)))

    async def scene() -> None:
        store = RedisStore(_sentinel_url(papers, port) + "&wait=1")
        await store.put_factor(make_factor(), ["r1"])
        assert await store.consume_step("alice", "f1", 5) is True
        await store.aclose()
        master.kill()
        store = RedisStore(_sentinel_url(papers, port))
        end = time.monotonic() + 20
        taken = None
        while taken is None:
            assert time.monotonic() < end, "no failover"
            try:
                taken = await store.consume_step("alice", "f1", 5)
            except StoreUnavailable:
                await asyncio.sleep(0.1)
        assert taken is False, "the new master knows it is used"
        assert await store.consume_step("alice", "f1", 6) is True
        await store.aclose()

    asyncio.run(scene())
    assert "role:master" in replica.ask("INFO", "replication")


@pytest.fixture(scope="module")
def postgres(papers: Papers) -> Iterator[PostgresServer]:
    """Debian's, which lets its user in over TLS only, by a password."""
    made = PostgresServer(programs=debian_postgres())
    with psycopg.connect(made.url(), autocommit=True) as db:
        db.execute("CREATE ROLE bank LOGIN PASSWORD 'pw of the bank'")
        db.execute("GRANT CREATE ON DATABASE postgres TO bank")
    made.kill()
    data = made.folder / "data"
    for source, name in ((papers.server, "server.crt"), (papers.server_key, "server.key")):
        shutil.copyfile(source, data / name)
        (data / name).chmod(0o600)
        shutil.chown(data / name, made.user.get("user", -1), made.user.get("group", -1))
    (data / "pg_hba.conf").write_text("hostssl all bank 127.0.0.1/32 scram-sha-256\n")
    made.options = (*made.options, "-cssl=on")
    made.start()
    yield made
    made.kill()


def _postgres_url(server: PostgresServer, papers: Papers, host: str = "127.0.0.1", **changes: str) -> str:
    options = {"sslmode": "verify-full", "sslrootcert": str(papers.ca), "timeout": str(TIMEOUT_S), **changes}
    words = "&".join(f"{name}={text}" for name, text in options.items())
    return f"postgresql://bank:pw%20of%20the%20bank@{host}:{server.port}/postgres?{words}"


def test_a_postgres_over_tls_keeps_every_promise(postgres: PostgresServer, papers: Papers) -> None:
    def made() -> Store:
        return PostgresStore(_postgres_url(postgres, papers, timeout="10", schema=f"t{next(_numbers)}"))

    _check(made)


@pytest.mark.parametrize(
    ("host", "changes"),
    [
        ("127.0.0.1", {"sslrootcert": "stranger"}),
        ("localhost", {}),
        ("127.0.0.1", {"sslmode": "disable"}),
    ],
    ids=["another CA", "another host", "no TLS"],
)
def test_a_postgres_that_is_not_ours_is_refused(
    postgres: PostgresServer, papers: Papers, host: str, changes: dict[str, str]
) -> None:
    paths = {name: str(papers.stranger) if text == "stranger" else text for name, text in changes.items()}
    _refused(PostgresStore(_postgres_url(postgres, papers, host, schema="refused", **paths)))


def test_a_postgres_with_a_wrong_password_is_refused(postgres: PostgresServer, papers: Papers) -> None:
    _refused(PostgresStore(_postgres_url(postgres, papers).replace("the%20bank", "wrong")))
