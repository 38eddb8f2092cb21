"""Taking grants back: one, or all of a user at once, for whoever asks. On record as ``grant/revoked``.

The grants go first and the line comes after: what cannot be written must not keep a grant alive.
"""

from __future__ import annotations

from typing import Literal

from .gate import form_tokens
from .gate.services import Services
from .gate.visit import shown_user

By = Literal["owner", "operator", "app"]


async def revoke_grants(services: Services, user: str, grant_id: str | None = None, *, by: By) -> int:
    """Void one grant of a user, or all, with every proof under way; how many grants there were.

    All: also a code that is being judged now earns nothing. There is a line where there was a grant.
    Unavailable where the store fails (nothing is void) or the trail does (they are void, and no line says so).
    """
    if grant_id is not None:  # a form that stands on it must not outlive it
        window_s = 2 * services.settings.challenge.form_max_age_s
        await services.store.hits(form_tokens.revoked(grant_id), now=services.clock(), window_s=window_s, record=True)
    count = await services.store.revoke_grants(user, grant_id)
    if count:
        detail = {"by": by, "grants": count, "all": grant_id is None}
        await services.journal.write(
            services.journal.notice("grant", "revoked", user=shown_user(services, user), detail=detail)
        )
    return count
