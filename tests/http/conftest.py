"""One server a door for all scenarios; every test brings a user of its own, so that their lines do not mix."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from stepup_mw.enrollment import Enrolled

from .doors import CONFIG, Door, serving

_numbers = itertools.count(1)


@pytest.fixture(scope="session", params=["asgi", "wsgi"])
def shared_door(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with serving(request.param, tmp_path_factory.mktemp(request.param), CONFIG.read_text()) as running:
        yield running


@pytest.fixture
def door(shared_door: Door) -> Iterator[Door]:
    """The shared server, its clock back to the true time after the test."""
    yield shared_door
    shared_door.offset(0)


@pytest.fixture
def user() -> str:
    """A name that no other test uses."""
    return f"user{next(_numbers)}"


@pytest.fixture
def enrolled(door: Door, user: str) -> Enrolled:
    """The user's authenticator."""
    return door.enroll(user)
