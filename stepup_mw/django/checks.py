"""What ``manage.py check`` says about the set-up, with ``--deploy`` about production.

E001 the configuration cannot be used. W001 the middleware is missing. W002 it stands before the one that knows
the user. W003 a cache in front of it answers for it. W004 (deploy) its cookies go over plain http.
"""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings  # type: ignore[import-untyped]  # Django ships no types
from django.core.checks import CheckMessage, Error  # type: ignore[import-untyped]  # as above
from django.core.checks import Warning as Caution

from ..config import Config, load_config
from ..errors import ConfigError
from . import configured

OURS = "stepup_mw.django.StepUpMiddleware"
_AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"
_CACHE = "django.middleware.cache.FetchFromCacheMiddleware"


def check_setup(**_: Any) -> list[CheckMessage]:
    """The checks of every run."""
    middleware = list(settings.MIDDLEWARE)
    if OURS not in middleware:
        hint = f'Add "{OURS}" to MIDDLEWARE, after AuthenticationMiddleware.'
        return [Caution("No request is guarded: the middleware is not installed.", hint=hint, id="stepup_mw.W001")]
    config, found = _config()
    place = middleware.index(OURS)
    asks_django = config is not None and config.settings.identity.provider == "django"
    if asks_django and _AUTHENTICATION not in middleware[:place]:
        hint = f'Put "{_AUTHENTICATION}" before "{OURS}".'
        text = "The middleware stands before the one that says who the user is."
        found.append(Caution(text, hint=hint, id="stepup_mw.W002"))
    if _CACHE in middleware[:place]:
        text = "Pages of guarded routes can come from the cache, without a proof and without a line."
        found.append(Caution(text, hint=f'Put "{OURS}" before "{_CACHE}".', id="stepup_mw.W003"))
    return found


def check_deployment(**_: Any) -> list[CheckMessage]:
    """The checks of ``--deploy``."""
    config, _found = _config()
    if config is None or config.settings.cookie.secure:
        return []
    hint = "Take cookie.secure = false out of the configuration, and serve over https."
    return [Caution("Grants are kept in cookies that go over plain http.", hint=hint, id="stepup_mw.W004")]


def _config() -> tuple[Config | None, list[CheckMessage]]:
    try:
        return load_config(configured.source(), os.environ), []
    except ConfigError as error:
        hint = "STEPUP_CONFIG in the settings (a path or a mapping) or the environment; else stepup.toml here."
        return None, [Error(str(problem), hint=hint, id="stepup_mw.E001") for problem in error.problems]
