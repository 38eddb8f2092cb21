"""Django's views and expressions as they are read: what searches, what redirects, what a class asks before."""

# mypy: disable-error-code="import-untyped,misc"

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import override_settings
from django.urls import clear_url_caches, include, path, re_path
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.http import require_POST
from django.views.generic import RedirectView

import stepup_mw
from stepup_mw.congruence.coverage import Coverage
from stepup_mw.django import stepup_required
from stepup_mw.policy import Policy
from stepup_mw.routers.reading import read_app

from .banks import django as bank
from .banks import make_rule

Covers = dict[str, tuple[str, tuple[str, ...]]]


@pytest.fixture
def covers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Covers]:
    """The state of each route of some patterns, and what is missing, under rules of these paths."""
    handler = bank.wsgi()

    def read(patterns: list[Any], *rules: str) -> Covers:
        urls: Any = types.ModuleType("other_urls")
        urls.urlpatterns = patterns
        monkeypatch.setitem(sys.modules, "other_urls", urls)
        policy = Policy([make_rule(f"r{number}", rule) for number, rule in enumerate(rules or ("/other",))])
        clear_url_caches()
        try:
            with override_settings(ROOT_URLCONF="other_urls"):
                router = read_app(handler).router
                assert router is not None
                found = Coverage(router, policy).routes
        finally:
            clear_url_caches()
        return {cover.route.path: (cover.state, cover.missing) for cover in found}

    return read


def _view(request: Any, **_values: Any) -> Any:
    return HttpResponse("")


def _in_its_code(request: Any) -> Any:
    stepup_mw.require_sync(request, reason="Pay.")
    return HttpResponse("")


@method_decorator(stepup_required(reason="Pay."), name="dispatch")
class Decorated(View):
    def post(self, _request: Any) -> Any: ...


@method_decorator([require_POST, stepup_required], name="post")
class OneMethod(View):
    def post(self, _request: Any) -> Any: ...


class Bare(View):
    def post(self, _request: Any) -> Any: ...


class Pointing(RedirectView):
    """One's own may do more than redirect."""


def test_what_asks_and_what_only_redirects_is_no_gap(covers: Callable[..., Covers]) -> None:
    found = covers(
        [
            path("decorated", Decorated.as_view()),
            path("method", OneMethod.as_view()),
            path("code", require_POST(_in_its_code)),
            path("redirect", RedirectView.as_view(url="/")),
            path("bare", Bare.as_view()),
            path("own", Pointing.as_view(url="/")),
        ]
    )
    assert {name: state for name, (state, _) in found.items()} == {
        "/decorated": "covered",
        "/method": "covered",
        "/code": "covered",
        "/redirect": "open",
        "/bare": "gap",
        "/own": "gap",
    }


def test_an_expression_that_is_searched_for_is_reached_in_the_middle_of_a_path(covers: Callable[..., Covers]) -> None:
    patterns = [
        re_path("pay", require_POST(_view)),
        path("in/", include([re_path(r"^(?:x|y)/", include([re_path(r"(?:a|b)$", require_POST(_view))]))])),
    ]
    wide = "/{any0:path}pay{any1:path}"
    assert covers(patterns, "/pay") == {wide: ("partly", ("POST",)), "/in/{any0}/{any1:path}{any2}": ("gap", ("POST",))}
    assert covers(patterns, wide)[wide] == ("covered", ())
    assert set(covers([re_path(r"(?P<all>.*)", _view), re_path("x/(?P<rest>.+)", _view)])) == {
        "/{all:path}",
        "/{any0:path}x/{rest:path}",
    }
