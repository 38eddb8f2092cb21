"""For uvicorn: ``uvicorn asgi:app --no-proxy-headers``."""

from __future__ import annotations

import os
from pathlib import Path

from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application

from stepup_mw.asgi import StepUpMiddleware

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
app = StepUpMiddleware(ASGIStaticFilesHandler(get_asgi_application()), config=Path(__file__).with_name("stepup.toml"))
