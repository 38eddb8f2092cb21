"""What Django's checks say about set-ups of the site, each by the settings that differ; printed as ids."""

from __future__ import annotations

import json
from typing import Any

from django.core.checks import run_checks  # type: ignore[import-untyped]  # Django ships no types
from django.test import override_settings  # type: ignore[import-untyped]  # as above

from . import project

SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
USERS = "django.contrib.auth.middleware.AuthenticationMiddleware"
OURS = "stepup_mw.django.StepUpMiddleware"
CACHE = "django.middleware.cache.FetchFromCacheMiddleware"
SETUPS: dict[str, dict[str, Any]] = {
    "good": {},
    "not installed": {"MIDDLEWARE": [SESSIONS, USERS]},
    "before the user is known": {"MIDDLEWARE": [SESSIONS, OURS, USERS]},
    "behind a cache": {"MIDDLEWARE": [SESSIONS, USERS, CACHE, OURS]},
    "no file": {"STEPUP_CONFIG": "nowhere.toml"},
    "a mistake": {"STEPUP_CONFIG": {**project.CONFIG, "routes": []}},
    "user by a header": {
        "MIDDLEWARE": [OURS, SESSIONS, USERS],
        "STEPUP_CONFIG": {
            **project.CONFIG,
            "identity": {"provider": "header", "user": "X-User", "trusted_proxies": ["127.0.0.1"]},
        },
    },
}


def said(changes: dict[str, Any]) -> list[str]:
    with override_settings(**changes):
        found = run_checks(include_deployment_checks=True)
    return [f"{each.id} {each.msg}" for each in found if str(each.id).startswith("stepup_mw.")]


if __name__ == "__main__":
    print(json.dumps({name: said(changes) for name, changes in SETUPS.items()}))  # noqa: T201 - what the tests read
