"""One server a door for all scenarios; every test brings a user of its own, so that their lines do not mix."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from .doors import CONFIG, Door, serving

_numbers = itertools.count(1)


@pytest.fixture(scope="session", params=["asgi", "wsgi"])
def door(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with serving(request.param, tmp_path_factory.mktemp(request.param), CONFIG.read_text()) as running:
        yield running


@pytest.fixture
def user() -> str:
    """A name that no other test uses."""
    return f"user{next(_numbers)}"
