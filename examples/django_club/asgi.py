"""For uvicorn: ``uvicorn asgi:app --no-proxy-headers``."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
app = get_asgi_application()
