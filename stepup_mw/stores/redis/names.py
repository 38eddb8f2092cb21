"""The keys: no text of a request stands in any, and all keys of one user share one hash slot.

    {stepup:<user>}:user        factors, steps, recovery codes, sightings, failures and lock: lost together or not at
                                all; no expiry
    {stepup:<user>}:challenges  the changing part of each challenge     {stepup:<user>}:bodies  the rest
    {stepup:<user>}:grants      each grant                           {stepup:<user>}:kept    requests that wait
    {stepup:c:<id>}             whose challenge this is                 {stepup:g:<id>}  whose grant
    {stepup:a:<address>}        attempts                                {stepup:h:<key>} hits
    {stepup:due}:...            where the housekeeping looks            {stepup:users}   the names of users
    {stepup:life}               the life of all of this (stores.lives)  {stepup:had}     users who have a factor, kept
                                                                        apart from their record: who lost it is missed

What stands between < and > is a digest. ``stepup`` is the prefix of the URL, for services that share a server.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import sha256


def digest(kind: str, value: str) -> str:
    """192 bits of SHA-256 in 32 characters."""
    text = f"stepup-mw {kind}\0{value}".encode(errors="surrogatepass")
    return urlsafe_b64encode(sha256(text).digest()[:24]).decode()


class Names:
    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.shelves = tuple(f"{{{prefix}:due}}:{shelf}" for shelf in ("open", "unlogged", "logged"))
        self.counter = f"{{{prefix}:due}}:count"
        self.users = f"{{{prefix}:users}}"
        self.had = f"{{{prefix}:had}}"
        self.life = f"{{{prefix}:life}}"
        self.challenge_index, self.grant_index = f"{{{prefix}:c:", f"{{{prefix}:g:"
        """To be followed by the digest of an id and a closing brace."""

    def tag(self, user: str) -> str:
        return f"{{{self._prefix}:{digest('user', user)}}}"

    def user(self, user: str) -> str:
        return f"{self.tag(user)}:user"

    def grants(self, user: str) -> str:
        return f"{self.tag(user)}:grants"

    def kept(self, user: str) -> str:
        return f"{self.tag(user)}:kept"

    def challenges(self, user: str) -> tuple[str, str]:
        """The changing parts, and the bodies."""
        tag = self.tag(user)
        return f"{tag}:challenges", f"{tag}:bodies"

    def challenge(self, hashed_id: str) -> str:
        return f"{self.challenge_index}{hashed_id}}}"

    def grant(self, hashed_id: str) -> str:
        return f"{self.grant_index}{hashed_id}}}"

    def address(self, address: str) -> str:
        return f"{{{self._prefix}:a:{digest('address', address)}}}"

    def hits(self, key: str) -> str:
        return f"{{{self._prefix}:h:{digest('hits', key)}}}"


def member(order: int, tag: str, hashed_id: str) -> str:
    """A member of a shelf; ``member_of`` in ``lua/parts/shelf.lua`` makes the same."""
    return f"{order:016d}{tag}{hashed_id}"


def parse_member(text: bytes) -> tuple[str, str]:
    """Tag and digest of the id. ValueError."""
    tag, brace, hashed_id = text.decode()[16:].rpartition("}")
    if not brace:
        raise ValueError("a member of a shelf without a tag")
    return f"{tag}}}", hashed_id
