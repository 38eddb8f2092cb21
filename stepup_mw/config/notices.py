"""The shape of ``[notices]``: where people are told that something about their proofs has changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from ..couriers.webhook import parse_key
from ..notices import KINDS
from .document import Flaw
from .kinds import STRICT, choice, duration, refuse, text
from .values import Call, KeyFileName, Unique

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_MAX_KEY_BYTES = 1024


def _read_webhook(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.fragment:
        raise ValueError
    if not value.isprintable() or " " in value or not value.isascii():
        raise ValueError
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise refuse("found an http URL; notices name people, and go in the clear to this host only: use https")
    return value


class Notices(BaseModel):
    """Where people are told that something about their proofs has changed."""

    model_config = ConfigDict(**STRICT, title="Notices")

    on_notice: Call | None = Field(
        default=None, description="A function of yours, sync or async.", examples=["bank.mail:send"]
    )
    webhook: Annotated[str, text('an absolute https URL, such as "https://bank.example/hooks/stepup"', _read_webhook,
                                 pattern="^https?://")] | None = Field(
        default=None,
        description="A URL that each notice is posted to, signed as Standard Webhooks has it.",
        examples=["https://bank.example/hooks/stepup"],
    )  # fmt: skip
    webhook_key_file: KeyFileName | None = Field(
        default=None,
        description="The key of the signature: whsec_ and base64 of 24 to 64 bytes.",
        examples=["stepup-webhook.key"],
    )
    kinds: Annotated[
        list[Annotated[str, choice(*KINDS)]], Field(min_length=1, json_schema_extra={"uniqueItems": True}), Unique
    ] = Field(default=list(KINDS), description="Which notices are sent.", examples=[["factor_changed", "locked"]])
    timeout: Annotated[int, duration("1s", "1m")] = Field(
        default="5s", validate_default=True, description="How long one delivery may take.", examples=["5s"]
    )


def notice_flaws(notices: Notices, folder: Path) -> Iterator[Flaw]:
    """What is wrong with the keys beside each other, and with the key file."""
    if (notices.webhook is None) != (notices.webhook_key_file is None):
        there, missing = ("webhook", "webhook_key_file") if notices.webhook else ("webhook_key_file", "webhook")
        yield Flaw(path=("notices", there), message=f"needs {missing} beside it")
    if notices.webhook_key_file is not None:
        message = _key_flaw(folder / notices.webhook_key_file)
        if message is not None:
            yield Flaw(path=("notices", "webhook_key_file"), message=message)


def _key_flaw(file: Path) -> str | None:
    how = "`python -c 'import base64, os; print(\"whsec_\" + base64.b64encode(os.urandom(32)).decode())'` makes one"
    try:
        with file.open("rb") as opened:
            parse_key(opened.read(_MAX_KEY_BYTES).decode("ascii"))
        if file.stat().st_mode & 0o007:
            return "anybody can read the file; chmod 600"
    except FileNotFoundError:
        return f"there is no such file; {how}"
    except OSError as error:
        return f"the file cannot be read: {error.strerror or 'unknown error'}"
    except ValueError:
        return f"no key of a webhook (whsec_ and base64 of 24 to 64 bytes); {how}"
    return None
