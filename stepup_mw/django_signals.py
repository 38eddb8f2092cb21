"""Django tells, the gate voids: a user's grants end at log-out, at a change of password, and when they are disabled.

Call ``connect`` once, in an AppConfig's ``ready``. What it listens to: ``user_logged_out`` (sent before the session is
flushed, so that a store that fails stops the log-out instead of being hidden by it), and ``post_save`` of the user
model, for Django has no signal of its own for a changed password.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth import get_user_model  # type: ignore[import-untyped]  # Django ships no types
from django.contrib.auth.signals import user_logged_out  # type: ignore[import-untyped]  # Django ships no types
from django.db.models.signals import post_delete, post_save  # type: ignore[import-untyped]  # Django ships no types

from .config import ConfigSource
from .logout import revoke_sync

_UID = "stepup_mw.django_signals"


def username_of(user: Any) -> str:
    """The name that Django's ``REMOTE_USER`` and most proxies give: ``user.get_username()``."""
    return str(user.get_username())


def connect(user_id: Callable[[Any], str] = username_of, *, config: ConfigSource | None = None) -> None:
    """Listen from now on. ``user_id(user)`` is the name by which the gate's identity provider knows a user, for
    example ``lambda user: str(user.pk)``. ``config``: see ``stepup_mw.revoke``. Calling it again replaces the first."""

    def void(user: Any) -> None:
        if user is not None and user.pk is not None:
            revoke_sync(user_id(user), config=config)

    def logged_out(*, user: Any = None, **_: Any) -> None:
        void(user)

    def saved(*, instance: Any, created: bool, **_: Any) -> None:
        if not created and (_password_is_new(instance) or not instance.is_active):
            void(instance)

    def deleted(*, instance: Any, **_: Any) -> None:
        void(instance)

    model = get_user_model()
    for signal, receiver, sender in (
        (user_logged_out, logged_out, None),
        (post_save, saved, model),
        (post_delete, deleted, model),
    ):
        signal.disconnect(sender=sender, dispatch_uid=_UID)
        signal.connect(receiver, sender=sender, weak=False, dispatch_uid=_UID)


def _password_is_new(user: Any) -> bool:
    """``set_password`` leaves the new password in ``_password`` until ``save`` is over; a hash that is only brought up
    to date at a log-in leaves none (django.contrib.auth.base_user)."""
    return getattr(user, "_password", None) is not None
