"""What never stands in the audit folder: secrets are planted wherever a request can carry one; every byte is read."""

from __future__ import annotations

import dataclasses
import time
from base64 import b32decode, b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyotp
import pytest

from .doors import CONFIG, SECRET, Door, serving
from .steps import TRANSFER, ask, prove, verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx2

    from stepup_mw.enrollment import Enrolled

MARK = "ZQX7plantedQ"
"""Begins every planted secret, and nothing else in these tests."""


def plant(client: httpx2.Client, code: str, grant: str) -> None:
    """One sensitive request with a secret in each place, sent in the ways a client sends one."""
    headers = {
        "Authorization": f"Bearer {MARK}-token.abc.def",
        "Proxy-Authorization": f"Basic {b64encode(f'{MARK}:{MARK}-basic'.encode()).decode()}",
        "Cookie": f"session={MARK}-cookie; __Host-stepup={MARK}-grantcookie; stepup={MARK}-grantcookie",
        "Step-Up-Code": f"{MARK}-code",
        "Step-Up-Grant": f"{MARK}-grant",
        "X-Api-Key": f"{MARK}-apikey",
        "Referer": f"https://bank.example/?token={MARK}-referer",
        "X-Auth-Session": f"{MARK}-session",
    }
    for name, value in headers.items():
        client.post(TRANSFER, headers={name: value})
    client.post(f"{TRANSFER}?password={MARK}-query&code={code}", headers={"Step-Up-Grant": grant})
    client.post(TRANSFER, data={"password": f"{MARK}-form", "code": code})
    client.post(TRANSFER, json={"card": f"{MARK}-json"})
    client.post(TRANSFER, files={"file": ("statement.txt", f"{MARK}-file".encode())})
    client.post(f"{TRANSFER}?q=%22{MARK}%22", headers=headers, content=f"{MARK}-body".encode())


def folder_bytes(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_no_secret_of_a_request_stands_in_a_line(door: Door, user: str, enrolled: Enrolled) -> None:
    used = [door.code(enrolled), door.wrong(enrolled)]
    with door.client(user, session=f"{MARK}-session-of-{user}") as client:
        verify(client, ask(client), used[1])
        grant = prove(client, used[0])["grant"]
        client.post(TRANSFER)
        plant(client, used[1], grant)
    with door.client(user) as client:
        verify(client, ask(client), f"{MARK}-as-code")
    assert len(door.lines(user)) > 15
    data = folder_bytes(door.folder / "audit")
    hidden = {
        "a planted secret": MARK.encode(),
        "a planted secret in base64": b64encode(f"{MARK}:".encode())[:14],
        "the authenticator's secret": enrolled.secret.encode(),
        "its bytes": b32decode(enrolled.secret),
        "the key of the service": SECRET.encode(),
        "a grant": grant.encode(),
        "the id in a grant": grant.split(".")[0].encode(),
        **{f"recovery code {number}": code.encode() for number, code in enumerate(enrolled.recovery_codes)},
        **{f"code {code}": f'"{code}"'.encode() for code in used},
        "the code as it is due": f'"{pyotp.TOTP(enrolled.secret).at(door.now())}"'.encode(),
    }
    assert {name for name, secret in hidden.items() if secret in data} == set()
    assert f'"user_id":"{user}"'.encode() in data


@dataclass(frozen=True, kw_only=True)
class Planting(Door):
    """A door whose clients carry a secret in every place that every request has, and keep what they are told."""

    told: set[str] = field(default_factory=set)

    def client(self, user: str | None = None, *, session: str = "s1", **headers: str) -> httpx2.Client:
        made = super().client(user, session=f"{MARK}-{session}", **headers)
        made.event_hooks = {"request": [self._plant], "response": [self._keep]}
        return made

    def _plant(self, request: httpx2.Request) -> None:
        request.url = request.url.copy_merge_params({"token": f"{MARK}-query"})
        request.headers["Authorization"] = f"Bearer {MARK}-token.abc.def"
        request.headers["X-Api-Key"] = f"{MARK}-apikey"
        request.headers["Referer"] = f"https://bank.example/?token={MARK}-referer"
        request.headers["Cookie"] = f"{request.headers.get('Cookie', 'a=b')}; session={MARK}-cookie"

    def _keep(self, response: httpx2.Response) -> None:
        """Remember every secret in the answer: tokens and their ids, secrets, codes."""
        response.read()
        self.told.update(value for value in response.cookies.values() if len(value) > 20)
        if response.headers.get("content-type", "").endswith("json"):
            body = response.json()
            for name in ("grant", "secret", "pending"):
                self.told.update({body[name], body[name].split(".")[0]} if body.get(name) else ())
            self.told.update(body.get("recovery_codes", ()))


@pytest.fixture(params=["asgi", "wsgi"])
def planting(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Planting]:
    config = CONFIG.read_text().replace('ttl = "5m"', 'ttl = "5m"\nenroll = "self"')
    with serving(request.param, tmp_path, config) as running:
        running.offset(2 - time.time() % 30)
        fields: dict[str, Any] = {each.name: getattr(running, each.name) for each in dataclasses.fields(running)}
        yield Planting(**fields)


@pytest.mark.slow
def test_no_secret_stands_in_any_kind_of_line(planting: Planting) -> None:
    """A person's whole life with the gate, every endpoint and every kind of line, with secrets all over."""
    from .test_discreet import OF_A_PERSON, WITH_AN_ADDRESS, kinds_of, live  # noqa: PLC0415 - it reads bytes as here

    live(planting, "alice", "198.51.100.77")
    time.sleep(2)
    assert kinds_of(planting) >= WITH_AN_ADDRESS | OF_A_PERSON
    data = folder_bytes(planting.folder / "audit")
    assert len(planting.told) > 20
    assert {secret for secret in planting.told if secret.encode() in data} == set()
    assert MARK.encode() not in data
    assert SECRET.encode() not in data
