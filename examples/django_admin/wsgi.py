"""For gunicorn: ``gunicorn wsgi:app``."""

from __future__ import annotations

import os
from pathlib import Path

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.wsgi import get_wsgi_application

from stepup_mw.wsgi import StepUpMiddleware

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
app = StepUpMiddleware(StaticFilesHandler(get_wsgi_application()), config=Path(__file__).with_name("stepup.toml"))
