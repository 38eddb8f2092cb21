"""``stepup_mw.revoke``: what the app says at a log-out, with and without a loop, with and without a running gate."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import stepup_mw
from stepup_mw.compose import Assembly, assemble, open_assemblies
from stepup_mw.config import load_config
from stepup_mw.errors import ConfigError, StoreUnavailable

from .service import KEY, held, keep, revocations, write

Revoke = Callable[..., int]


@pytest.fixture(params=["async", "sync"])
def revoke(request: pytest.FixtureRequest) -> Revoke:
    if request.param == "sync":
        return stepup_mw.revoke_sync
    return lambda *args, **named: asyncio.run(stepup_mw.revoke(*args, **named))


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Assembly]:
    monkeypatch.delenv("STEPUP_SECRET_KEY", raising=False)
    for other in open_assemblies():  # left over from other tests of this process
        other.close()
    assembly = assemble(write(tmp_path))
    yield assembly
    assembly.close()


def test_every_grant_of_the_user_is_void_and_nobody_elses(running: Assembly, revoke: Revoke, tmp_path: Path) -> None:
    for user, grant_id in (("alice", "g1"), ("alice", "g2"), ("bob", "g3")):
        asyncio.run(keep(running, user, grant_id))
    epoch = asyncio.run(running.store.epoch("alice"))
    assert revoke("alice") == 2
    assert held(running, "alice") == []
    assert held(running, "bob") == ["g3"]
    assert asyncio.run(running.store.epoch("alice")) != epoch, "a code that is judged now earns nothing"
    assert revoke("alice") == 0
    (line,) = revocations(tmp_path)
    assert (line["user_id"], line["detail"]) == ("alice", {"by": "app", "grants": 2, "all": True})


def test_a_process_without_a_gate_reaches_the_store_by_the_configuration(
    running: Assembly, revoke: Revoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(keep(running, "alice", "g1"))
    asyncio.run(keep(running, "alice", "g2"))
    running.close()
    assert open_assemblies() == ()
    monkeypatch.setenv("STEPUP_CONFIG", str(tmp_path / "stepup.toml"))
    assert revoke("alice") == 2
    assert open_assemblies() == ()
    running.start()
    assert held(running, "alice") == []


def test_one_gate_of_several_is_named_by_its_configuration(running: Assembly, revoke: Revoke, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = assemble(load_config(write(tmp_path / "other"), {}))
    try:
        for assembly in (running, other):
            asyncio.run(keep(assembly, "alice", "g1"))
        assert revoke("alice", config=tmp_path / "other" / "stepup.toml") == 1
        assert (held(running, "alice"), held(other, "alice")) == (["g1"], [])
        assert revoke("alice", config=running.config) == 1
        for assembly in (running, other):
            asyncio.run(keep(assembly, "alice", "g2"))
        assert revoke("alice") == 2
    finally:
        other.close()


def test_memory_is_reached_where_it_is(revoke: Revoke, tmp_path: Path) -> None:
    mapping = {
        "service": "bank",
        "identity": {"provider": "header", "user": "X-Auth-User", "trusted_proxies": ["127.0.0.1"]},
        "routes": [{"name": "transfer", "path": "/transfer"}],
        "store": {"url": "memory://"},
        "audit": {"path": str(tmp_path / "audit.jsonl")},
    }
    config = load_config(mapping, {"STEPUP_SECRET_KEY": KEY})
    assembly = assemble(config)
    try:
        asyncio.run(keep(assembly, "alice", "g1"))
        assert revoke("alice", config=config) == 1
        assert held(assembly, "alice") == []
    finally:
        assembly.close()


def test_a_store_that_fails_is_no_revocation(running: Assembly, revoke: Revoke, tmp_path: Path) -> None:
    asyncio.run(keep(running, "alice", "g1"))
    (tmp_path / "state.db").rename(tmp_path / "away.db")
    with pytest.raises(StoreUnavailable):
        revoke("alice")
    (tmp_path / "away.db").rename(tmp_path / "state.db")
    assert held(running, "alice") == ["g1"]
    assert revoke("alice") == 1


def test_no_gate_and_no_configuration_is_said(
    running: Assembly, revoke: Revoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.close()
    monkeypatch.delenv("STEPUP_CONFIG", raising=False)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(ConfigError):
        revoke("alice")
