from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .world import DoorKind, StoreKind, World

MakeWorld = Callable[..., World]
KINDS: list[tuple[DoorKind, StoreKind]] = [
    ("asgi", "memory"),
    ("asgi", "sqlite"),
    ("wsgi", "memory"),
    ("wsgi", "sqlite"),
]


@pytest.fixture(scope="module")
def make_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeWorld]:
    """Makes worlds, each in a folder of its own, and closes them when the module is done."""
    made: list[World] = []
    numbers = itertools.count()

    def make(door: DoorKind = "asgi", store: StoreKind = "memory", durability: str = "write", **changes: Any) -> World:
        folder: Path = tmp_path_factory.mktemp(f"world{next(numbers)}")
        world = World(folder=folder, door=door, store=store, durability=durability, changes=changes)
        made.append(world)
        return world

    yield make
    for world in made:
        world.close()


@pytest.fixture(scope="module", params=KINDS, ids=["-".join(kind) for kind in KINDS])
def world(request: pytest.FixtureRequest, make_world: MakeWorld) -> World:
    """One world of every kind for a whole module; tests bring users of their own."""
    return make_world(*request.param)


_names = itertools.count(1)


@pytest.fixture
def user(world: World) -> str:
    """An enrolled user that no other test has."""
    name = f"user{next(_names)}"
    world.enroll(name)
    return name
