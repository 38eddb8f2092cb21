"""A small service in a folder, and grants in it, for the tests of what an app says at a log-out."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from stepup_mw.compose import Assembly
from stepup_mw.state import Grant
from stepup_mw.testing.records import put_grant

KEY = "uK3vY9wQ2rT7xB5nM8pL4sD6fG1hJ0zC+/aEiOqWUyk="
CONFIG = """\
service = "bank"
secret_key_file = "stepup.secret"

[identity]
provider = "{provider}"
{more}
[cookie]
secure = false

[[routes]]
name = "transfer"
path = "/transfer"
methods = ["POST"]
risk = 60

[store]
url = "sqlite:///state.db"

[audit]
path = "audit/stepup.jsonl"
"""
HEADER = 'user = "X-Auth-User"\ntrusted_proxies = ["127.0.0.1"]\n'


def write(folder: Path, *, provider: str = "header", more: str = HEADER) -> Path:
    path = folder / "stepup.toml"
    path.write_text(CONFIG.format(provider=provider, more=more))
    (folder / "stepup.secret").write_text(KEY + "\n")
    (folder / "stepup.secret").chmod(0o600)
    return path


async def keep(assembly: Assembly, user: str, grant_id: str) -> None:
    """A grant as a passed challenge leaves it."""
    store, now = assembly.store, assembly.gate.services.clock()
    grant = Grant(
        grant_id=grant_id, user=user, session="", browser="", service="bank", scope="route", rule="transfer",
        rule_version="v", binding="", method="totp", flow_id="f", challenge_id="c", proved_at=now,
        expires_at=now + 300, epoch=await store.epoch(user),
    )  # fmt: skip
    assert await put_grant(store, grant)


def held(assembly: Assembly, user: str) -> list[str]:
    now = assembly.gate.services.clock()
    return sorted(grant.grant_id for grant in asyncio.run(assembly.store.grants(user, now=now)))


def revocations(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "audit" / "stepup.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event_type"] == "grant" and line["phase"] == "revoked"]
