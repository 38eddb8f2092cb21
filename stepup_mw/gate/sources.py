"""What the gate asks about an origin: where addresses are, which are listed, and what a browser is called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..address_list import AddressList
from ..geo import Locator
from ..watched import Watched


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """``describe``: a user agent in words. ``lists``: those of ``address_list``. ``watched``: every file there is."""

    geo: Locator | None = None
    describe: Callable[[str], str | None] | None = None
    lists: Sequence[Watched[AddressList]] = ()
    watched: Sequence[Watched[Any]] = ()


NO_SOURCES = Sources()
