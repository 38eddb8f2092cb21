"""Which sink an anchor has, by its kind, and what that needs."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from ..errors import MissingExtra
from .rfc3161 import TimestampSink
from .s3 import S3Sink
from .stdout import StdoutSink
from .witness import WitnessSink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..settings import AnchorSettings
    from .receipt import Shelf
    from .sink import Sink


def make_sink(
    anchor: AnchorSettings,
    shelf: Shelf,
    origin: str,
    clock: Callable[[], float],
    on_bytes: Callable[[int], None] | None = None,
) -> Sink:
    """The anchor's sink by its kind."""
    if anchor.kind == "s3":
        return S3Sink(anchor, origin, clock, on_bytes)
    if anchor.kind == "rfc3161":
        return TimestampSink(anchor, shelf.kept)
    if anchor.kind == "witness":
        return WitnessSink(anchor, shelf.layout, shelf.kept)
    return StdoutSink(anchor.timeout_s)


def check_extras(anchors: Iterable[AnchorSettings]) -> None:
    """MissingExtra where an anchor needs a package that is not there. Loads none: that takes half a second."""
    needed = {"s3": ("boto3", "boto3", "s3"), "rfc3161": ("rfc3161_client", "rfc3161-client", "timestamp")}
    for anchor in anchors:
        module, package, extra = needed.get(anchor.kind, ("", "", ""))
        if module and find_spec(module) is None:
            raise MissingExtra(f'an anchor of kind = "{anchor.kind}"', package, extra)
