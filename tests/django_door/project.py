"""A Django site with the middleware in MIDDLEWARE: sync and async views, with rules and without. Served by gunicorn and
uvicorn as ``wsgi`` and ``asgi``; ``STEPUP_TEST_FOLDER`` is where everything of it lies."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import django  # type: ignore[import-untyped]  # Django ships no types
from django.conf import settings  # type: ignore[import-untyped]  # as above

FOLDER = Path(os.environ["STEPUP_TEST_FOLDER"])
CONFIG = {
    "service": "bank",
    "identity": {"provider": "django", "login_url": "/login"}
    if os.environ.get("STEPUP_TEST_PROVIDER") != "header"
    else {"provider": "header", "user": "X-Auth-User", "trusted_proxies": ["127.0.0.1"]},
    "cookie": {"secure": False},
    "routes": [
        {"name": "transfer", "path": "/transfer", "methods": ["POST"], "risk": 60},
        {"name": "transfer-async", "path": "/atransfer", "methods": ["POST"], "risk": 60},
        {"name": "wire", "path": "/wire", "methods": ["POST"], "risk": 60, "grant": "request"},
        {"name": "form", "path": "/form", "methods": ["POST"], "risk": 60},
        {"name": "rename", "path": "/rename/{how}", "risk": 10},
    ],
    "store": {"url": f"sqlite:///{FOLDER / 'stepup.db'}"},
    "audit": {"path": str(FOLDER / "audit" / "stepup.jsonl")},
    "flow": {"send": True},
}

if not settings.configured:
    settings.configure(
        SECRET_KEY="of the site",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(FOLDER / "site.db"),
                               "ATOMIC_REQUESTS": True, "TEST": {"NAME": str(FOLDER / "test.db")}}},
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
                        "stepup_mw.django"],
        MIDDLEWARE=[
            "django.middleware.common.CommonMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "stepup_mw.django.StepUpMiddleware",
            f"{__name__}.swallows",
        ],
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["*"],
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        USE_TZ=True,
        STEPUP_CONFIG=CONFIG,
    )  # fmt: skip
    django.setup()

from asgiref.sync import iscoroutinefunction  # noqa: E402
from django.contrib.auth import authenticate, login, logout  # type: ignore[import-untyped]  # noqa: E402
from django.core.handlers.asgi import ASGIHandler  # type: ignore[import-untyped]  # noqa: E402
from django.core.handlers.wsgi import WSGIHandler  # type: ignore[import-untyped]  # noqa: E402
from django.db import transaction  # type: ignore[import-untyped]  # noqa: E402
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse  # type: ignore[import-untyped]  # noqa: E402
from django.middleware.csrf import get_token  # type: ignore[import-untyped]  # noqa: E402
from django.urls import path  # type: ignore[import-untyped]  # noqa: E402
from django.utils.decorators import method_decorator, sync_and_async_middleware  # type: ignore[import-untyped]  # noqa: E402
from django.views import View  # type: ignore[import-untyped]  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # type: ignore[import-untyped]  # noqa: E402

import stepup_mw  # noqa: E402
from stepup_mw.django import stepup_required  # noqa: E402

RAN = FOLDER / "ran"


def note(text: str) -> None:
    with RAN.open("a") as file:
        file.write(text + "\n")


@sync_and_async_middleware  # type: ignore[untyped-decorator]  # Django ships no types
def swallows(get_response: Any) -> Any:
    """A middleware inside of ours that makes a page of whatever goes wrong."""
    if iscoroutinefunction(get_response):

        async def around(request: Any) -> Any:
            try:
                return await get_response(request)
            except Exception:  # noqa: BLE001 - what is tried
                return HttpResponse("swallowed")

        return around

    def around_sync(request: Any) -> Any:
        try:
            return get_response(request)
        except Exception:  # noqa: BLE001 - what is tried
            return HttpResponse("swallowed")

    return around_sync


@sync_and_async_middleware  # type: ignore[untyped-decorator]  # as above
def looks(get_response: Any) -> Any:
    """A middleware outside of ours that reads the headers."""
    if iscoroutinefunction(get_response):

        async def around(request: Any) -> Any:
            assert request.headers.get("Step-Up-Flow") == "forged" or "/sign-in" in request.path
            return await get_response(request)

        return around

    def around_sync(request: Any) -> Any:
        assert request.headers.get("Step-Up-Flow") == "forged" or "/sign-in" in request.path
        return get_response(request)

    return around_sync


def remember(request: Any, what: str) -> Any:
    request.session["remembered"] = what
    return HttpResponse("remembered")


def sign_in(request: Any, user: str) -> Any:
    login(request, authenticate(request, username=user, password="open-sesame"))
    return HttpResponse("in")


def sign_out(request: Any) -> Any:
    logout(request)
    return HttpResponse("out")


def transfer(request: Any) -> Any:
    note(f"transfer {request.method}")
    scope = getattr(request, "scope", None) or request.environ
    told = getattr(request, "stepup", scope.get("stepup"))  # the plain doors do not know Django's request
    return JsonResponse({"stepup": told, "same": scope.get("stepup") == told,
                         "body": request.body.decode()})  # fmt: skip


async def transfer_async(request: Any) -> Any:
    note(f"atransfer {request.method}")
    user = await request.auser()
    return JsonResponse({"stepup": request.stepup, "user": user.get_username()})


def rename(request: Any, how: str) -> Any:
    note(f"rename {how}")
    if how == "fail":
        raise ValueError("the view failed")
    if how == "flow":
        seen = [request.headers.get("Step-Up-Flow"), request.META.get("HTTP_STEP_UP_FLOW")]
        return JsonResponse([*seen, request.stepup["flow_token"], stepup_mw.flow_headers(request)], safe=False)
    if how == "stream":
        return StreamingHttpResponse(iter([b"one", b"two"]))
    if how == "for-ever":
        return StreamingHttpResponse(_dripping())
    if how == "break":
        return StreamingHttpResponse(_breaking())
    return HttpResponse(how, status=503 if how == "busy" else 200)


def _dripping() -> Iterator[bytes]:
    for _ in range(400):
        yield b"drop" * 20_000
        time.sleep(0.02)


def _breaking() -> Iterator[bytes]:
    yield b"one"
    raise ValueError("the stream failed")


async def rename_async(request: Any) -> Any:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"
        while "for-ever" in request.GET:
            await asyncio.sleep(0.02)
            yield b"drop" * 20_000

    return StreamingHttpResponse(pieces())


def pay(request: Any) -> Any:
    from django.contrib.auth.models import Group  # type: ignore[import-untyped]  # noqa: PLC0415 - a model

    amount = int(request.GET.get("amount", 0))
    Group.objects.create(name=f"begun {Group.objects.count()}")
    if amount > 10_000:
        given = stepup_mw.require_sync(request, reason="amount over 10k", action={"amount": amount})
        note(f"paid by {given.basis}")
    return HttpResponse("paid")


@transaction.non_atomic_requests  # type: ignore[untyped-decorator]  # as above
async def pay_async(request: Any) -> Any:
    if int(request.GET.get("amount", 0)) > 10_000:
        given = await stepup_mw.require(request, reason="amount over 10k")
        note(f"paid by {given.basis}")
    return HttpResponse("paid")


def form(request: Any) -> Any:
    """A form that is checked for its token by CsrfViewMiddleware, sent to a guarded path."""
    if request.method == "GET":
        return HttpResponse(get_token(request))
    note(f"form {request.POST['to']} by {request.user.get_username()} {request.stepup['basis']}")
    return HttpResponse("sent")


def pay_form(request: Any) -> Any:
    """A form with a file, which CsrfViewMiddleware has read before the view asks for a proof."""
    amount = request.POST["amount"]
    given = stepup_mw.require_sync(request, reason="amount over 10k", action={"amount": amount})
    files = [file.read().decode() for file in request.FILES.values()]
    note(f"paid {amount} to {request.POST['to']} with {len(''.join(files))} by {given.basis}")
    return HttpResponse("paid")


@transaction.non_atomic_requests  # type: ignore[untyped-decorator]  # as above
async def pay_form_async(request: Any) -> Any:
    amount = request.POST["amount"]
    given = await stepup_mw.require(request, reason="amount over 10k", action={"amount": amount})
    files = [file.read().decode() for file in request.FILES.values()]
    note(f"paid {amount} to {request.POST['to']} with {len(''.join(files))} by {given.basis}")
    return HttpResponse("paid")


@stepup_required
def decorated(request: Any) -> Any:
    return HttpResponse(request.environ["stepup"]["basis"] if hasattr(request, "environ") else "decorated")


def _fields(request: Any, item: str) -> dict[str, Any]:
    return {"item": item}


@transaction.non_atomic_requests  # type: ignore[untyped-decorator]  # as above
@stepup_required(reason="to delete it", max_age="1m", action=_fields)
async def decorated_async(request: Any, item: str) -> Any:
    return HttpResponse(f"deleted {item}")


class ByClass(View):  # type: ignore[misc]  # as above
    def get(self, _request: Any) -> Any:
        return HttpResponse("by class")


class ByAsyncClass(View):  # type: ignore[misc]  # as above
    async def get(self, _request: Any) -> Any:
        return HttpResponse("by class")


@method_decorator(stepup_required(reason="to see it"), name="get")
class ByMethod(ByClass):
    pass


@method_decorator(stepup_required(reason="to see it"), name="get")
class ByAsyncMethod(ByAsyncClass):
    pass


CLASSES = {
    "class": stepup_required(ByClass.as_view()),
    "dispatch": method_decorator(stepup_required, name="dispatch")(ByClass).as_view(),
    "method": ByMethod.as_view(),
    "aclass": transaction.non_atomic_requests(stepup_required(ByAsyncClass.as_view())),
    "amethod": transaction.non_atomic_requests(ByAsyncMethod.as_view()),
}

urlpatterns = [
    *(path(f"classes/{name}", view) for name, view in CLASSES.items()),
    path("sign-in/<user>", sign_in),
    path("sign-out", sign_out),
    path("remember/<what>", remember),
    path("transfer", csrf_exempt(transfer)),
    path("wire", transfer),
    path("atransfer", transaction.non_atomic_requests(transfer_async)),
    path("rename/async", transaction.non_atomic_requests(rename_async)),
    path("rename/<how>", rename),
    path("pay", csrf_exempt(pay)),
    path("apay", pay_async),
    path("pay-form", pay_form),
    path("apay-form", pay_form_async),
    path("decorated", decorated),
    path("items/<item>", decorated_async),
    path("open", transfer),
    path("form", form),
]


def prepare() -> None:
    """Tables, and the users alice and bob."""
    from django.contrib.auth import get_user_model  # noqa: PLC0415 - a model
    from django.core.management import call_command  # type: ignore[import-untyped]  # noqa: PLC0415 - only here

    call_command("migrate", verbosity=0)
    for name in ("alice", "bob"):
        get_user_model().objects.create_user(name, password="open-sesame")


if "prepare" in sys.argv:
    prepare()
wsgi, asgi = WSGIHandler(), ASGIHandler()
