"""One Chromium a module, each app once a run, and the folder of pictures, which no repository keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from .apps import App, serving
from .chromium import chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Gone with its module: while it is there, a loop runs in this thread, and nothing else can have its own."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def pictures() -> Path:
    return Path(__file__).parents[2] / ".pictures"


@pytest.fixture(scope="session")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], App]]:
    """An app by its name, begun when a story first wants it, and there for all that come after."""
    running: dict[str, App] = {}
    with ExitStack() as stack:

        def begun(name: str) -> App:
            if name not in running:
                running[name] = stack.enter_context(serving(name, tmp_path_factory.mktemp(name) / "app"))
            return running[name]

        yield begun


@pytest.fixture(params=["demo", "flask", "fastapi"])
def app(request: pytest.FixtureRequest, apps: Callable[[str], App]) -> App:
    return apps(request.param)


@pytest.fixture(params=[True, False], ids=["script", "no script"])
def script(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)
