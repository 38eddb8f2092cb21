"""Where addresses are, by the databases that ``[geo]`` names: one answer out of one or two of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..geo import UNKNOWN, Geo, merged


class GeoData:
    """Asks each source in turn; what the first knows counts. A source is asked for anew each time: it may have been
    replaced."""

    def __init__(self, sources: Sequence[Callable[[], Callable[[str], Geo]]]) -> None:
        self._sources = tuple(sources)

    def locate(self, ip: str) -> Geo:
        """UNKNOWN for an address that no source has; DataError where one cannot tell."""
        found = UNKNOWN
        for source in self._sources:
            more = source()(ip)
            found = more if found is UNKNOWN else merged(found, more)
        return found
