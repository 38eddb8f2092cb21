"""Step-up authentication around an existing ASGI or WSGI app, with an audit trail to rely on.

from stepup_mw.asgi import StepUpMiddleware   # Starlette, FastAPI, Litestar, Django (ASGI) …
from stepup_mw.wsgi import StepUpMiddleware   # Flask, Django (WSGI) …

app = StepUpMiddleware(app, config="stepup.toml")

await stepup_mw.require(request, reason="amount over 10k", max_age=60)   # in a handler; require_sync without a loop
await stepup_mw.form_token(request, "/transfer")   # for the field _stepup of a form that is sent later
stepup_mw.flow_headers(request)       # for a call to a service behind, so that the audit lines of both join
await stepup_mw.revoke(user)          # at log-out and at a change of password; revoke_sync(user) without a loop
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import asgi, wsgi
    from .config import Config, load_config
    from .demands import Evidence, StepUpRequired
    from .errors import ConfigError, StepUpError
    from .forms import form_token, form_token_sync
    from .handing_on import flow_headers
    from .logout import revoke, revoke_on_logout, revoke_sync
    from .required import require, require_sync

__all__ = [
    "Config",
    "ConfigError",
    "Evidence",
    "StepUpError",
    "StepUpRequired",
    "__version__",
    "asgi",
    "flow_headers",
    "form_token",
    "form_token_sync",
    "load_config",
    "require",
    "require_sync",
    "revoke",
    "revoke_on_logout",
    "revoke_sync",
    "wsgi",
]

_LATER = {
    "Config": "config",
    "ConfigError": "errors",
    "Evidence": "demands",
    "StepUpError": "errors",
    "StepUpRequired": "demands",
    "flow_headers": "handing_on",
    "form_token": "forms",
    "form_token_sync": "forms",
    "load_config": "config",
    "require": "required",
    "require_sync": "required",
    "revoke": "logout",
    "revoke_on_logout": "logout",
    "revoke_sync": "logout",
}
_DOORS = ("asgi", "wsgi")


def __getattr__(name: str) -> Any:
    """Loaded at first use: the doors, the configuration with its parser, the version's metadata."""
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - costs more than the rest of this import

        return version("stepup-mw")
    from importlib import import_module  # noqa: PLC0415 - only needed here

    if name in _DOORS:
        return import_module(f"{__name__}.{name}")
    if name in _LATER:
        return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
