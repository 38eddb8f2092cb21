"""Invariant 4, against the routers that really run: however a request is spelt, what they run has been judged.

Differential: the bare app of each framework says which handler a spelling runs; behind the real middleware the covered
ones never run without a proof, and the public ones run as before or were asked for more.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Mount

from stepup_mw.asgi import StepUpMiddleware as AsgiStepUp
from stepup_mw.congruence.spelling import Spelling
from stepup_mw.congruence.wire import handed
from stepup_mw.wsgi import StepUpMiddleware as WsgiStepUp

from ..congruence.banks import BANKS, PUBLIC, RULES, Bank, bank
from ..congruence.spelt import SEEDS, Runner, spellings
from .world import KEY

ALICE = ("X-Auth-User", "alice")


class Pair(NamedTuple):
    """A bank, bare and wrapped."""

    bank: Bank
    wrapped: Any
    runner: Runner

    def both(self, spelling: Spelling) -> Iterator[tuple[str | None, str | None]]:
        """What runs bare and what runs wrapped, for each way a server hands the spelling on."""
        spelling = spelling._replace(headers=(*spelling.headers, ALICE))
        for (_, native), (_, again) in zip(*[handed(spelling, self.bank.interface) for _ in range(2)], strict=True):
            yield self.runner.ran(self.bank.app, native), self.runner.ran(self.wrapped, again)


def config(folder: Path) -> dict[str, Any]:
    (folder / "key").write_text(KEY)
    (folder / "key").chmod(0o600)
    return {
        "service": "bank",
        "secret_key_file": str(folder / "key"),
        "identity": {"provider": "header", "user": "X-Auth-User", "trusted_proxies": ["127.0.0.1"]},
        "cookie": {"secure": False},
        "routes": RULES,
        "store": {"url": "memory://"},
        "audit": {"path": str(folder / "audit" / "stepup.jsonl"), "durability": "write"},
    }


@pytest.fixture(scope="module", params=BANKS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    made, runner = bank(request.param), Runner()
    wrap: Any = AsgiStepUp if made.interface == "asgi" else WsgiStepUp
    wrapped = wrap(made.app, config=config(tmp_path_factory.mktemp("spelling")))
    yield Pair(made, wrapped, runner)
    if made.interface == "asgi":
        runner.run(wrapped.aclose())
    else:
        wrapped.close()
    runner.close()


def test_04_the_bare_app_runs_what_the_gate_stops(pair: Pair) -> None:
    """So that the property below is not empty."""
    found = {both for seed in SEEDS for both in pair.both(seed)} - {(None, None)}
    assert found - {("live", None)} == {(rule["name"], None) for rule in RULES if rule["name"] != "live"} | {
        (name, name) for name in PUBLIC
    }


@settings(max_examples=60)
@given(spelling=spellings(), method=st.sampled_from(["", "", "POST", "GET", "HEAD", "post", "Post", "OPTIONS", "FOO"]))
@example(spelling=Spelling("POST", "/admin/transfer%0a"), method="")
@example(spelling=Spelling("POST", "//admin/transfer"), method="post")
@example(spelling=Spelling("POST", "/%2fadmin//transfer"), method="")
@example(spelling=Spelling("GET", "/files//"), method="HEAD")
@example(spelling=Spelling("POST", "/m//inner/transfer%0a"), method="")
@example(spelling=Spelling("POST", "http://h//%09/admin/transfer/"), method="")
@example(spelling=Spelling("POST", "/t/pay%0a"), method="")
def test_04_no_spelling_runs_a_covered_handler_unasked(pair: Pair, spelling: Spelling, method: str) -> None:
    if method and spelling.kind == "http":
        spelling = spelling._replace(method=method)
    for bare, wrapped in pair.both(spelling):
        assert wrapped in (None, bare)
        assert wrapped is None or wrapped in PUBLIC


MOUNTS = {"by name": "/in", "by parameter": "/{place}", "in a mount": "/in/{place}"}


@pytest.fixture(scope="module", params=MOUNTS)
def mounted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The gate inside a mount: its rules are written as the app in there sees its paths."""
    inner, runner = bank("starlette").app, Runner()
    gate = AsgiStepUp(inner, config=config(tmp_path_factory.mktemp("mounted")))
    outer = [Starlette(routes=[Mount(MOUNTS[request.param], app=app)]) for app in (inner, gate)]
    yield Pair(Bank(name="mounted", interface="asgi", app=outer[0]), outer[1], runner)
    runner.run(gate.aclose())
    runner.close()


@settings(max_examples=100)
@given(spelling=spellings(), before=st.sampled_from(["/in", "/in", "/in/at", "/in/in", "//in", "/in//at", "/in%2fat"]))
@example(spelling=Spelling("POST", "/admin/transfer%0a"), before="/in")
@example(spelling=Spelling("POST", "//admin/transfer"), before="/in/at")
def test_04_no_spelling_gets_past_a_gate_inside_a_mount(mounted: Pair, spelling: Spelling, before: str) -> None:
    for bare, wrapped in mounted.both(spelling._replace(target=before + spelling.target)):
        assert wrapped in (None, bare)
        assert wrapped is None or wrapped in PUBLIC


def test_04_a_gate_inside_a_mount_stops_what_runs_bare(mounted: Pair) -> None:
    found = {both for seed in SEEDS for before in ("/in", "/in/at") for both in mounted.both(
        seed._replace(target=before + seed.target))}  # fmt: skip
    stopped = {bare for bare, wrapped in found if bare and wrapped is None}
    assert stopped >= {"transfer", "admin", "delete", "files", "live"}
    assert {wrapped for _, wrapped in found if wrapped} == PUBLIC
