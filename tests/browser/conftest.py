"""One Chromium a module, and the folder of pictures, which no repository keeps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from .chromium import chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Gone with its module: while it is there, a loop runs in this thread, and nothing else can have its own."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def pictures() -> Path:
    return Path(__file__).parents[2] / ".pictures"
