"""What a reader says a request would reach is what the app really runs. The hunt is worth as much as this."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings

from stepup_mw.congruence.spelling import Spelling
from stepup_mw.congruence.wire import handed
from stepup_mw.routers import Hit, Router
from stepup_mw.routers.reading import read_app

from .banks import BANKS, RULES, Bank, bank
from .spelt import SEEDS, Runner, spellings


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    made = Runner()
    yield made
    made.close()


@pytest.fixture(scope="module", params=BANKS)
def read(request: pytest.FixtureRequest) -> tuple[Bank, Router]:
    made = bank(request.param)
    router = read_app(made.app).router
    assert router is not None
    return made, router


def reached(router: Router, native: dict[str, Any]) -> Hit | None:
    try:
        return router.dispatch(native)
    except Exception:  # noqa: BLE001 - the app's own matching fails, and so does the app
        return None


def by_path(router: Router) -> dict[str, str]:
    """The handler's name for each route of a bank, which is the rule's."""
    names = {rule["path"].rstrip("/"): rule["name"] for rule in RULES}
    names |= {"": "home", "/public/{x}": "public"}
    return {route.path: names[route.path.rstrip("/")] for route in router.routes}


def test_every_route_of_the_bank_is_read_with_its_methods(read: tuple[Bank, Router]) -> None:
    made, router = read
    names = by_path(router)
    sockets = {"live"} if made.name in ("starlette", "starlette-mounts", "fastapi", "litestar", "quart") else set()
    assert set(names.values()) == {rule["name"] for rule in RULES if rule["name"] != "live"} | sockets | {
        "home",
        "public",
    }
    found = {names[route.path]: route.methods for route in router.routes if route.path in names}
    assert (found["transfer"] or frozenset()) == {"POST"}
    assert (found["delete"] or frozenset()) - {"OPTIONS"} == {"POST", "DELETE"}
    assert (found["files"] or frozenset()) - {"HEAD"} == {"GET"}
    assert found["admin"] is None if "django" in made.name else {"GET", "POST"} <= (found["admin"] or frozenset())


def test_the_samples_reach_their_routes(read: tuple[Bank, Router], runner: Runner) -> None:
    made, router = read
    names = by_path(router)
    for route in router.routes:
        if route.path not in names:
            continue
        for sample in route.samples:
            method = sorted(route.methods or ["POST"])[-1]
            spelling = Spelling(method, sample.replace("\u00df", "%c3%9f"), (), "http")
            if route.kind == "websocket":
                spelling = spelling._replace(kind="websocket", method="GET")
            _, native = next(handed(spelling, made.interface))
            assert runner.ran(made.app, dict(native)) == names[route.path], sample
            hit = reached(router, dict(native))
            assert hit is not None
            assert hit.route is route


@settings(max_examples=60)
@given(spelling=spellings())
def test_a_reader_says_what_the_app_does(read: tuple[Bank, Router], runner: Runner, spelling: Spelling) -> None:
    made, router = read
    names = by_path(router)
    for server, native in handed(spelling, made.interface):
        hit = reached(router, dict(native))
        assert (names[hit.route.path] if hit else None) == runner.ran(made.app, dict(native)), (server, native)


def test_a_reader_runs_nothing(read: tuple[Bank, Router]) -> None:
    from .banks import RAN  # noqa: PLC0415 - the list itself

    made, router = read
    RAN.clear()
    for seed in SEEDS:
        for _, native in handed(seed, made.interface):
            reached(router, dict(native))
    assert RAN == []
