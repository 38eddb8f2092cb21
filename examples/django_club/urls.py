"""Joining is free; dissolving the club asks for a code, and so does what a view finds too large to do unasked."""

from __future__ import annotations

from django.contrib.auth import login, logout
from django.contrib.auth.models import Group, User
from django.db.transaction import non_atomic_requests
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

import stepup_mw
from stepup_mw.django import stepup_required


def sign_in(request: HttpRequest, user: str) -> HttpResponse:
    """Stands for the login that your site has."""
    login(request, User.objects.get_or_create(username=user)[0], "django.contrib.auth.backends.ModelBackend")
    return HttpResponse(status=204)


def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return HttpResponse(status=204)


def members(request: HttpRequest) -> HttpResponse:
    """GET lists, POST takes in as many as it says: only the view knows whether that is many."""
    if request.method == "POST":
        count = int(request.POST["count"])
        if count > 10:
            stepup_mw.require_sync(request, reason="more than ten at once", action={"count": count})
        before = Group.objects.count()
        Group.objects.bulk_create(Group(name=f"member {before + number}") for number in range(count))
    return JsonResponse({"members": Group.objects.count()})


def dissolve(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - a rule in stepup.toml names it
    Group.objects.all().delete()
    return HttpResponse(status=204)


@non_atomic_requests
@stepup_required(reason="the names of all members", max_age="1m")  # no rule names it; the decorator asks
async def names(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - the form of a view
    return JsonResponse({"names": [group.name async for group in Group.objects.all()]})


urlpatterns = [
    path("sign-in/<user>", sign_in),
    path("sign-out", sign_out),
    path("members", members),
    path("dissolve", dissolve),
    path("names", names),
]
