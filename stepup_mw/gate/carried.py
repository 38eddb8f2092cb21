"""The tokens of grants that a request carries, opened. What the grants behind them mean stands in the store."""

from __future__ import annotations

from typing import NamedTuple

from ..errors import BadToken
from ..messages import Request
from ..state import Carried, Grant
from .cookies import read_grants
from .services import Services


class Tokens(NamedTuple):
    """``forged``: one was not made by this service. ``grants``: what the store had for each, once it was asked."""

    carried: tuple[Carried, ...] = ()
    forged: bool = False
    grants: tuple[Grant | None, ...] | None = None

    @property
    def grant_ids(self) -> list[str]:
        return [each.grant_id for each in self.carried]


def tokens_of(services: Services, request: Request) -> Tokens:
    """The token of the header first, then those of the cookies."""
    carried: list[Carried] = []
    forged = False
    for text, from_header in _texts(services, request):
        try:
            carried.append(_opened(services, text, from_header))
        except BadToken:
            forged = True
    return Tokens(tuple(carried), forged)


def _texts(services: Services, request: Request) -> list[tuple[str, bool]]:
    """Each, and whether it stands in the header."""
    header = request.header_text(b"step-up-grant")
    texts = [(header, True)] if header else []
    if request.header(b"cookie") is not None:
        texts += [(text, False) for text in read_grants(services, request)]
    return texts


def _opened(services: Services, text: str, from_header: bool) -> Carried:
    """Portable is a token that was made for clients without cookies. One of the cookie's kind counts with its browser
    only, also when it comes in the header."""
    if from_header:
        try:
            return Carried(services.keyring.unsign("grant", text), portable=True)
        except BadToken:
            pass
    return Carried(services.keyring.unsign("grant_cookie", text), portable=False)
