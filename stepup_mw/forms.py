"""``form_token``: for a form that takes long to fill in, so that a proof that was fresh when it was shown still counts.

    <input type="hidden" name="_stepup" value="{{ stepup_token }}">

The view that shows the form asks for the token; where it is "", the form is asked about as ever when it is sent.
"""

from __future__ import annotations

from typing import Any

from .required import asking

__all__ = ["form_token", "form_token_sync"]


async def form_token(request: Any, path: str, method: str = "POST") -> str:
    """A token for the field ``_stepup`` of a form that is sent to ``path``, as the app sees its own paths (or for the
    header ``Step-Up-Token``). "" where there is no fresh proof that would open it. ``request``: see ``require``."""
    native, found = asking(request)
    return str(await found.form_token(native, method, path))


def form_token_sync(request: Any, path: str, method: str = "POST") -> str:
    """As ``form_token``, for code that is not async."""
    native, found = asking(request)
    return str(found.form_token_blocking(native, method, path))
