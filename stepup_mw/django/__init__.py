"""The Django door: ``"stepup_mw.django.StepUpMiddleware"`` in ``MIDDLEWARE``, after authentication, sync and async.

    INSTALLED_APPS = [..., "stepup_mw.django"]          # its checks, and proofs that end with a log-out
    MIDDLEWARE = [..., "django.contrib.auth.middleware.AuthenticationMiddleware", "stepup_mw.django.StepUpMiddleware"]
    STEPUP_CONFIG = BASE_DIR / "stepup.toml"            # a path or a mapping; else the environment, else ./stepup.toml

``@stepup_required(reason="…")`` asks before a view, ``stepup_mw.require`` inside of one.
"""

from __future__ import annotations

from .middleware import StepUpMiddleware
from .views import stepup_required

__all__ = ["StepUpMiddleware", "stepup_required"]
