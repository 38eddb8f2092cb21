"""What never stands in the audit folder: secrets are planted wherever a request can carry one; every byte is read."""

from __future__ import annotations

from base64 import b32decode, b64encode
from typing import TYPE_CHECKING

import pyotp

from .doors import SECRET
from .steps import TRANSFER, ask, prove, verify

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

    from stepup_mw.enrollment import Enrolled

    from .doors import Door

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
