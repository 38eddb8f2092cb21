"""Scenes of the Django site in one process, by Django's own test clients, sync and async; prints what came of each."""

from __future__ import annotations

import asyncio
import html
import json
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import unquote_to_bytes, urlencode

import pyotp
from django.conf import settings  # type: ignore[import-untyped]  # as below
from django.core.files.base import ContentFile  # type: ignore[import-untyped]  # as below
from django.test import AsyncClient, Client, override_settings  # type: ignore[import-untyped]  # Django ships no types
from django.test.client import encode_multipart  # type: ignore[import-untyped]  # as above

from stepup_mw.django import configured
from stepup_mw.enrollment import enroll

from . import plain, project

AUDIT = project.FOLDER / "audit" / "stepup.jsonl"
USED: dict[str, int] = {}
SECRETS: dict[str, str] = {}


def code(user: str) -> str:
    """A code that was not used before: one of the next steps, which the window takes, waiting where it must."""
    step = max(int(time.time()) // 30 - 1, USED.get(user, -1) + 1)
    while step > int(time.time()) // 30 + 1:
        time.sleep(0.5)
    USED[user] = step
    return pyotp.TOTP(SECRETS[user]).at(step * 30)


class Door:
    """One of Django's clients, the answers as plain values."""

    def __init__(self, kind: str, *, checks: bool = False) -> None:
        client: Any = Client if kind == "sync" else AsyncClient
        self.client: Any = client(raise_request_exception=False, enforce_csrf_checks=checks)
        self.kind = kind

    async def __call__(self, method: str, path: str, body: Any = b"", **headers: str) -> Any:
        call = getattr(self.client, method)
        type_ = headers.pop("kind", "application/json")
        options: dict[str, Any] = {"data": body, "content_type": type_} if method == "post" else {}
        options["headers"] = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.kind == "sync":
            return await asyncio.to_thread(call, path, **options)
        return await call(path, **options)

    async def generic(self, method: str, target: str) -> Any:
        """With the target as it is."""
        path, _, query = target.partition("?")
        if self.kind == "sync":
            environ = {"PATH_INFO": unquote_to_bytes(path).decode("latin-1"), "RAW_URI": target, "QUERY_STRING": query}
            return await asyncio.to_thread(self.client.generic, method, "/", **environ)
        return await self.client.generic(method, f"http://testserver{target}")

    async def prove(self, asked: Any, user: str) -> Any:
        return await self("post", asked.json()["verify_url"], {"code": code(user)})


def lines(begin: int) -> list[str]:
    time.sleep(0.15)
    found = []
    for raw in AUDIT.read_bytes().split(b"\n")[begin:-1]:
        line = json.loads(raw)
        if line["event_type"] == "step_up":
            basis = (line["proof"] or {}).get("basis")
            http = (line["http"] or {}).get("status")
            parts = (f"{line['phase']}/{line['status']}", line["trigger_reason"], basis, http)
            found.append(" ".join(str(part) for part in parts if part is not None))
        elif line["event_type"] == "grant":
            found.append(f"grant/{line['phase']}")
    return found


def count() -> int:
    return AUDIT.read_bytes().count(b"\n") if AUDIT.exists() else 0


async def two_steps(door: Door) -> Any:
    asked = await door("post", "/transfer")
    proved = await door.prove(asked, "alice")
    passed = await door("post", "/transfer", {"amount": 1})
    return [asked.status_code, proved.status_code, passed.json(), list(proved.cookies)]


async def async_view(door: Door) -> Any:
    asked = await door("post", "/atransfer")
    await door.prove(asked, "alice")
    return [asked.status_code, (await door("post", "/atransfer")).json()["user"]]


async def bound(door: Door) -> Any:
    asked = await door("post", "/wire", {"to": "bob"})
    await door.prove(asked, "alice")
    bodies = [{"to": "eve"}, {"to": "bob"}, {"to": "bob"}]
    return [(await door("post", "/wire", body)).status_code for body in bodies]


async def untouched(door: Door) -> Any:
    answer = await door("post", "/open", {"a": 1})
    return [answer.status_code, answer.json()["stepup"], answer.json()["body"]]


async def endings(door: Door) -> Any:
    found = []
    for how in ("ok", "busy", "fail", "stream", "break"):
        answer = await door("get", f"/rename/{how}")
        try:
            if answer.streaming and getattr(answer, "is_async", False):
                whole = b"".join([piece async for piece in answer])
            else:
                whole = b"".join(answer) if answer.streaming else answer.content
        except ValueError:
            whole = b"broken"
        answer.close()
        found.append([how, answer.status_code, whole.decode()[:8]])
    return found


async def in_the_view(door: Door) -> Any:
    first = [(await door("get", "/pay?amount=1")).status_code, (await door("get", "/pay?amount=20000")).status_code]
    asked = await door("get", "/pay?amount=20000")
    await door.prove(asked, "alice")
    paid = await door("get", "/pay?amount=20000")
    from django.contrib.auth.models import Group  # type: ignore[import-untyped]  # noqa: PLC0415 - a model

    rows = await Group.objects.acount()
    await Group.objects.all().adelete()
    return [*first, asked.json()["reason"], asked.json()["action"], paid.content.decode(), rows]


async def in_the_async_view(door: Door) -> Any:
    asked = await door("get", "/apay?amount=20000")
    await door.prove(asked, "alice")
    return [asked.status_code, (await door("get", "/apay?amount=20000")).content.decode()]


async def by_decorator(door: Door) -> Any:
    asked = await door("get", "/decorated")
    await door.prove(asked, "alice")
    return [asked.status_code, (await door("get", "/decorated")).status_code]


async def by_async_decorator(door: Door) -> Any:
    asked = await door("get", "/items/7")
    await door.prove(asked, "alice")
    passed = [(await door("get", f"/items/{item}")).status_code for item in (7, 8)]
    return [asked.status_code, asked.json()["action"], asked.json()["max_age"], *passed]


async def enroll_anew() -> None:
    """Another authenticator for alice, none of whose codes was used."""
    USED.clear()
    SECRETS["alice"] = (await enroll(configured.assembly().gate.services, "alice")).secret


async def by_classes(door: Door) -> Any:
    """Views that are classes, decorated whole or by method, sync and async."""
    found = {}
    for name in project.CLASSES:
        await enroll_anew()  # or a code that was not used would be waited for
        asked = await door("get", f"/classes/{name}")
        if asked.status_code == 401:
            await door.prove(asked, "alice")
        found[name] = [asked.status_code, (await door("get", f"/classes/{name}")).content.decode()[:40]]
    return found


async def resumed(door: Door) -> Any:
    """A browser's form is kept while the code is asked for, and reaches the view after it."""
    checking = Door(door.kind, checks=True)
    await checking("get", "/sign-in/alice")
    token = (await checking("get", "/form")).content.decode()
    browser = {"accept": "text/html", "sec_fetch_mode": "navigate", "sec_fetch_site": "same-origin"}
    form = {"kind": "application/x-www-form-urlencoded", **browser}
    asked = await checking("post", "/form", f"csrfmiddlewaretoken={token}&to=bob", **form)
    page = await checking("get", asked.headers["location"], **browser)
    shown = page.content.decode()
    hidden = dict(re.findall(r'name="(\w+)" value="([^"]+)"', shown))  # each form of the page has them
    fields = "&".join(f"{name}={value}" for name, value in hidden.items())
    target = re.findall(r'action="([^"]+)" autocomplete', shown)[0]
    sent = await checking("post", target, f"{fields}&code={code('alice')}", **form)
    return [asked.status_code, sent.status_code, sent.content.decode()[:40], sorted(sent.cookies)]


async def kept_in_the_view(door: Door) -> Any:
    """A form that the view's own question interrupts is sent once more after the code, files and all."""
    checking = Door(door.kind, checks=True)
    await checking("get", "/sign-in/alice")
    browser = {"accept": "text/html", "sec_fetch_mode": "navigate", "sec_fetch_site": "same-origin"}
    found = []
    for path, file in (("/pay-form", ""), ("/pay-form", "f" * 20_000), ("/apay-form", "f")):
        token = (await checking("get", "/form")).content.decode()
        fields = {"csrfmiddlewaretoken": token, "to": "bob", "amount": "20000"}
        if file:
            files = {**fields, "file": ContentFile(file.encode(), "a.txt")}
            body, kind = encode_multipart("of-the-test", files), "multipart/form-data; boundary=of-the-test"
        else:
            body, kind = urlencode(fields), "application/x-www-form-urlencoded"
        asked = await checking("post", path, body, kind=kind, **browser)
        page = (await checking("get", asked.headers["location"], **browser)).content.decode()
        hidden = dict(re.findall(r'name="(\w+)" value="([^"]+)"', page))
        target = html.unescape(re.findall(r'action="([^"]+)" autocomplete', page)[0])
        sent = urlencode({**hidden, "code": code("alice")})
        done = await checking("post", target, sent, kind="application/x-www-form-urlencoded", **browser)
        shown = ["amount over 10k" in page, "and 1 file" in page, target.partition("=")[0]]
        found.append([asked.status_code, *shown, done.status_code, done.content.decode()[:20]])
        checking.client.cookies.pop("stepup", None)
    return found


async def nobody(_door: Door) -> Any:
    stranger = Door(_door.kind)
    page = await stranger("post", "/transfer", accept="text/html", sec_fetch_mode="navigate")
    return [(await stranger("post", "/transfer")).json()["type"], page.status_code, page.headers["location"]]


async def method_spellings(door: Door) -> Any:
    """Django reads ``Post`` as POST; a rule for POST has to as well."""
    found = []
    for method in ("POST", "post", "PoSt"):
        answer = await asyncio.to_thread(Client().generic, method, "/transfer") if door.kind == "sync" else (
            await AsyncClient().generic(method, "/transfer")
        )  # fmt: skip
        found.append(answer.status_code)
    return found


SPELLINGS = [
    "/transfer", "/%74ransfer", "/%54ransfer", "/TRANSFER", "//transfer", "/./transfer", "/x/../transfer", "/transfer/",
    "/transfer%0a", "/transfer%00", "/transfer%2f", "/transfer;a=b", "/transfer%3Fa", "/%2ftransfer", "/transfer%20",
    "/tr%61nsfer?x=/open", "/\\transfer", "/transf%c3%a9r", "/%e4transfer",
]  # fmt: skip


async def path_spellings(door: Door) -> Any:
    """Nobody has proved anything."""
    return await differences(door.kind, SPELLINGS)


async def differences(kind: str, targets: Sequence[str]) -> list[Any]:
    """Of each target: the status with the middleware, whether the view ran, and whether it runs without."""
    door = Door(kind)
    await door("get", "/sign-in/alice")
    found = []
    for target in targets:
        ran = len(project.RAN.read_text().splitlines()) if project.RAN.exists() else 0
        status = (await door.generic("POST", target)).status_code
        guarded = len(project.RAN.read_text().splitlines()) - ran if project.RAN.exists() else 0
        with override_settings(MIDDLEWARE=plain.bare()):
            other = Door(kind)
            await other.generic("POST", target)
        reached = len(project.RAN.read_text().splitlines()) - ran - guarded if project.RAN.exists() else 0
        found.append([target, status, guarded, reached])
    return found


async def log_out(door: Door) -> Any:
    asked = await door("post", "/transfer")
    await door.prove(asked, "alice")
    held = (await door("post", "/transfer")).status_code
    await door("get", "/sign-out")
    await door("get", "/sign-in/alice")
    return [held, (await door("post", "/transfer")).status_code]


async def handed_on(door: Door) -> Any:
    with override_settings(MIDDLEWARE=[f"{project.__name__}.looks", *settings.MIDDLEWARE]):
        looked = Door(door.kind)
        await looked("get", "/sign-in/alice")
        return (await looked("get", "/rename/flow", Step_Up_Flow="forged")).json()


async def forced_script_name(door: Door) -> Any:
    targets = ["/transfer", "/bank/transfer", "//transfer", "/bank//transfer", "/bank/bank/transfer"]
    targets += ["/bank%2ftransfer", "/bank/transfer%0a"]
    with override_settings(FORCE_SCRIPT_NAME="/bank"):
        return await differences(door.kind, targets)


async def signed_cookies(_door: Door) -> Any:
    with override_settings(SESSION_ENGINE=plain.COOKIES):
        door = Door(_door.kind)
        await door("get", "/sign-in/alice")
        asked = await door("post", "/transfer")
        await door.prove(asked, "alice")
        found = [asked.status_code, (await door("post", "/transfer")).status_code]
        before = door.client.cookies["sessionid"].value
        await door("get", "/remember/this")
        assert door.client.cookies["sessionid"].value != before
        found.append((await door("post", "/transfer")).status_code)
        await door("get", "/sign-out")
        await door("get", "/sign-in/alice")
        found.append((await door("post", "/transfer")).status_code)
        door.client.cookies["sessionid"] = door.client.cookies["sessionid"].value[:-1] + "-"
        return [*found, (await door("post", "/transfer")).json()["type"]]


def _code_of(secret: str) -> str:
    SECRETS["alice"] = secret
    return code("alice")


async def plain_door(door: Door) -> Any:
    return await plain.walk(door.kind, _code_of)


async def plain_door_and_cookies(door: Door) -> Any:
    return await plain.walk(door.kind, _code_of, plain.COOKIES)


SCENES: list[Callable[[Door], Awaitable[Any]]] = [
    two_steps, async_view, bound, untouched, endings, in_the_view, in_the_async_view, by_decorator, by_async_decorator,
    by_classes,
    resumed, kept_in_the_view, nobody, method_spellings, path_spellings, log_out,
    handed_on, forced_script_name, signed_cookies, plain_door, plain_door_and_cookies,
]  # fmt: skip


async def play() -> dict[str, Any]:
    told = {}
    assembly = configured.assembly()
    SECRETS["alice"] = (await enroll(assembly.gate.services, "alice")).secret
    for kind in ("sync", "async"):
        for scene in SCENES:
            door = Door(kind)
            await door("get", "/sign-in/alice")
            await enroll_anew()
            begin, ran = count(), len(project.RAN.read_text().splitlines()) if project.RAN.exists() else 0
            try:
                came = await scene(door)
            except Exception as error:  # noqa: BLE001 - one scene must not hide the others
                came = repr(error)
            runs = project.RAN.read_text().splitlines()[ran:] if project.RAN.exists() else []
            told[f"{kind} {scene.__name__}"] = {"came": came, "lines": lines(begin), "ran": runs}
    await assembly.aclose()
    return told


if __name__ == "__main__":
    project.prepare()
    print(json.dumps(asyncio.run(play())))  # noqa: T201 - what the tests read
