"""``"stepup_mw.django"`` in ``INSTALLED_APPS``: checks, and proofs void after a log-out or a new password."""

from __future__ import annotations

from django.apps import AppConfig  # type: ignore[import-untyped]  # Django ships no types
from django.core.checks import Tags, register  # type: ignore[import-untyped]  # as above

from .. import django_signals
from . import checks, configured


class StepUpConfig(AppConfig):  # type: ignore[misc]  # as above
    name = "stepup_mw.django"
    label = "stepup_mw"
    verbose_name = "Step-up authentication"

    def ready(self) -> None:
        register(checks.check_setup, Tags.security)
        register(checks.check_deployment, Tags.security, deploy=True)
        django_signals.connect(self._user_id)

    @staticmethod
    def _user_id(user: object) -> str:
        """By the name that the identity provider gives: ``identity.user`` names an attribute of Django's user."""
        identity = configured.assembly().config.settings.identity
        if identity.provider == "django" and identity.user:
            return str(getattr(user, identity.user))
        return django_signals.username_of(user)
