"""The secrets at rest under the secret keys: which key seals what, and all of it sealed anew under the newest.

Never shows a secret or a key. A secret that no configured key opens is named, left as it is, and never guessed at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from .errors import SealError
from .gate.services import Services
from .keyring import Keyring, sealed_under
from .state import Factor, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """``by_key``: how many secrets each key seals, by the key's name. ``lost``: those that no configured key opens,
    each with the name of the key it asks for."""

    by_key: Mapping[str, int]
    lost: tuple[tuple[Factor, str], ...]

    def pending(self, newest: str) -> int:
        """How many secrets are still to be sealed under the newest key."""
        return sum(count for name, count in self.by_key.items() if name != newest)


async def survey_sealed(store: Store, keyring: Keyring) -> Sealed:
    """Open every secret of every user, and keep none."""
    by_key: Counter[str] = Counter()
    lost: list[tuple[Factor, str]] = []
    for factor in await _sealed_factors(store):
        try:
            keyring.unseal(factor.kind, factor.sealed, factor.user)
        except SealError:
            lost.append((factor, sealed_under(factor.sealed)))
        else:
            by_key[sealed_under(factor.sealed)] += 1
    return Sealed(by_key=dict(by_key), lost=tuple(lost))


async def reseal(store: Store, keyring: Keyring) -> int:
    """Seal every secret that opens under the newest key; how many were under another. One that is replaced or removed
    at the same moment stays as whoever did that left it. Can be broken off and begun again."""
    count = 0
    for factor in await _sealed_factors(store):
        if sealed_under(factor.sealed) == keyring.key_ids[-1]:
            continue
        try:
            plain = keyring.unseal(factor.kind, factor.sealed, factor.user)
        except SealError:
            continue
        anew = keyring.seal(factor.kind, plain, factor.user)
        count += await store.replace_sealed(factor.user, factor.factor_id, anew, expected=factor.sealed)
    return count


async def _sealed_factors(store: Store) -> list[Factor]:
    users = [summary.user for summary in await store.users()]
    return [factor for user in users for factor in await store.factors(user) if factor.sealed]


async def record(services: Services, keyring: Keyring, resealed: int) -> None:
    """Put a rotation on record: the names of the keys, oldest first, and how many secrets were sealed anew."""
    detail = {"keys": list(keyring.key_ids), "resealed": resealed}
    await services.journal.write(services.journal.notice("config", "keys_rotated", detail=detail))
