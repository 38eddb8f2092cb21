"""The bank in Django. Both handlers share one URL configuration, as a process has one only."""

# mypy: disable-error-code="import-untyped,misc"

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.urls import include, path, re_path
from django.views import View
from django.views.decorators.http import require_http_methods, require_POST

from . import say


def _django() -> None:
    """Settings and URL configuration, once a process; both doors share them."""

    if settings.configured and "bank_urls" in sys.modules:
        return

    def view(name: str) -> Callable[..., HttpResponse]:
        def run(_request: Any, **_values: Any) -> HttpResponse:
            return HttpResponse(say(name))

        return run

    class Delete(View):
        def post(self, _request: Any, **_values: Any) -> HttpResponse:
            return HttpResponse(say("delete"))

        delete = post

    urls: Any = types.ModuleType("bank_urls")
    urls.urlpatterns = [
        path("", view("home")),
        path("public/<x>", view("public")),
        path("accounts/<account>/transfer", require_POST(view("transfer"))),
        re_path(r"^admin/transfer/?$", view("admin")),
        path("items/<int:id>/delete", Delete.as_view()),
        path("files/<path:rest>", require_http_methods(["GET", "HEAD"])(view("files"))),
        path("keys/<uuid:key>", require_http_methods(["DELETE"])(view("key"))),
        path("kasse/stra\u00dfe", require_POST(view("kasse"))),
        path("m/", include([re_path(r"^inner/transfer$", require_POST(view("mounted")))])),
        re_path(r"^(?P<tenant>[^/]+)/t/pay/$", require_POST(view("tenant"))),
    ]
    sys.modules["bank_urls"] = urls
    if not settings.configured:
        options: dict[str, Any] = {"ALLOWED_HOSTS": ["*"], "SECRET_KEY": "s" * 50, "LOGGING_CONFIG": None}
        settings.configure(ROOT_URLCONF="bank_urls", MIDDLEWARE=[], **options)
    django.setup()


def asgi() -> Any:
    _django()

    return ASGIHandler()


def wsgi() -> Any:
    _django()

    return WSGIHandler()
