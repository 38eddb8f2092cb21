"""The shape of ``[[audit.anchor]]``: where checkpoints go so that this host cannot take them back, a table each.

One model for all kinds, so that a key of another kind is named as such; which keys a kind takes is judged here too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from ..errors import NoteError
from .document import Flaw
from .forms import read_file_name
from .kinds import choice, duration, found, refuse, text
from .values import Retention, Unique

if TYPE_CHECKING:
    from .trail import Audit

TAKES: dict[str, tuple[str, ...]] = {
    "s3": ("bucket", "prefix", "endpoint_url", "region", "retain", "what"),
    "rfc3161": ("url", "ca_file", "hash"),
    "witness": ("url", "key"),
    "stdout": (),
}
"""The keys of each kind, beside ``kind`` and ``timeout``."""

NEEDS: dict[str, tuple[str, ...]] = {"s3": ("bucket",), "rfc3161": ("url", "ca_file"), "witness": ("url", "key")}

_EXAMPLES = {
    "bucket": 'bucket = "audit-worm"',
    "url": 'url = "https://witness.example"',
    "ca_file": 'ca_file = "tsa-ca.pem"',
    "key": 'key = "witness.example+1a2b3c4d+BA…"',
}
_MAX_PUT = 5 * 1024**3
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_PREFIX = re.compile(r"([A-Za-z0-9][A-Za-z0-9!_.*'()-]*/)*", re.ASCII)
_REGION = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)
_UNSAFE = re.compile("[\x00-\x20\x7f-\xa0\\\\\u2028\u2029\ud800-\udfff]")


def _read_matching(pattern: re.Pattern[str]) -> Any:
    def read(value: str) -> str:
        if not pattern.fullmatch(value) or len(value) > 512:
            raise ValueError
        return value

    return read


def read_url(value: str) -> str:
    """An absolute http or https URL without user, query or fragment."""
    if len(value) > 2000 or _UNSAFE.search(value):
        raise ValueError
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError
    if parts.username is not None or parts.password is not None or parts.port == 0:
        raise ValueError
    return value


def _read_key(value: str) -> str:
    from ..ship.witness import parse_witness_key  # noqa: PLC0415 - only a configuration with a witness loads it

    try:
        parse_witness_key(value)
    except NoteError as error:
        raise refuse(str(error)) from None
    return value.strip()


Url = Annotated[str, text('an absolute URL, such as "https://witness.example"', read_url, pattern="^https?://")]


class Anchor(BaseModel):
    """A place beyond this host that takes checkpoints."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        title="Anchor",
        json_schema_extra={
            "allOf": [
                {
                    "if": {"properties": {"kind": {"const": kind}}},
                    "then": {"properties": dict.fromkeys(("kind", "timeout", *takes), True),
                             "required": list(NEEDS.get(kind, ())), "additionalProperties": False},
                }
                for kind, takes in TAKES.items()
            ]
        },
    )  # fmt: skip

    kind: Annotated[Literal["s3", "rfc3161", "witness", "stdout"], choice("s3", "rfc3161", "witness", "stdout")] = (
        Field(
            description="s3 (Object Lock), rfc3161 (time stamps), witness (C2SP) or stdout (for a log collector).",
            examples=["s3", "stdout"],
        )
    )
    bucket: Annotated[str, text("the name of a bucket", _read_matching(_BUCKET), minLength=3, maxLength=63)] | None = (
        Field(default=None, description="s3: the bucket, made with Object Lock.", examples=["audit-worm"])
    )
    prefix: Annotated[
        str, text('a prefix of keys that ends in a slash, such as "bank/"', _read_matching(_PREFIX), pattern="^(.*/)?$")
    ] = Field(default="", description="s3: what every key begins with.", examples=["bank/"])
    endpoint_url: Url | None = Field(
        default=None, description="s3: the server, where it is not AWS.", examples=["https://s3.example.com"]
    )
    region: Annotated[str, text("the name of a region", _read_matching(_REGION))] | None = Field(
        default=None, description="s3: the region; AWS_REGION in the environment does as well.", examples=["eu-west-1"]
    )
    retain: Retention = Field(
        default="400d", validate_default=True, description="s3: how long nobody can delete it.", examples=["400d"]
    )
    what: Annotated[
        list[Annotated[str, choice("checkpoints", "segments")]],
        Field(min_length=1, json_schema_extra={"uniqueItems": True}),
        Unique,
    ] = Field(
        default=["checkpoints"],
        description="s3: checkpoints, and also the sealed segments themselves.",
        examples=[["checkpoints", "segments"]],
    )
    url: Url | None = Field(
        default=None, description="rfc3161, witness: where it is.", examples=["https://witness.example"]
    )
    ca_file: Annotated[str, text("the path of a file", read_file_name, minLength=1)] | None = Field(
        default=None, description="rfc3161: the certificates, PEM, that its stamps lead to.", examples=["tsa-ca.pem"]
    )
    hash: Annotated[Literal["sha256", "sha512"], choice("sha256", "sha512")] = Field(
        default="sha256", description="rfc3161: the hash that is stamped."
    )
    key: (
        Annotated[str, text("the vkey of a witness", _read_key, pattern=r"^[^ +]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]+=*$")]
        | None
    ) = Field(
        default=None,
        description="witness: its verifier key, a C2SP vkey of type 0x04.",
        examples=["witness.example/w1+9f7de85d+BD+22At/6JG+9SgpmG5mqL6r0FwdQwHcEpnZPGpvRU+/"],
    )
    timeout: Annotated[int, duration("1s", "5m")] = Field(
        default="10s", validate_default=True, description="How long one exchange with it may take.", examples=["10s"]
    )


def anchor_flaws(audit: Audit, folder: Path) -> Iterator[Flaw]:
    """What is wrong with the anchors beside each other and beside the rest of ``[audit]``."""
    for index, anchor in enumerate(audit.anchor):
        for key, message in _own_flaws(anchor, audit, folder):
            yield Flaw(path=("audit", "anchor", index, key) if key else ("audit", "anchor", index), message=message)
        if anchor in audit.anchor[:index]:
            message = f"the same as anchor[{audit.anchor.index(anchor)}]; take one out"
            yield Flaw(path=("audit", "anchor", index), message=message)
    if audit.anchor and audit.signing_key_file is None:
        message = "there are no checkpoints to send without audit.signing_key_file; `stepup init` makes a key"
        yield Flaw(path=("audit", "anchor"), message=message)
    yield from _limit_flaws(audit)


def _own_flaws(anchor: Anchor, audit: Audit, folder: Path) -> Iterator[tuple[str, str]]:
    takes = TAKES[anchor.kind]
    for key in sorted(anchor.model_fields_set - {"kind", "timeout", *takes}):
        listed = ", ".join((*takes, "timeout"))
        yield key, f'kind = "{anchor.kind}" has no such key; it takes {listed}'
    for key in NEEDS.get(anchor.kind, ()):
        if getattr(anchor, key) is None:
            yield "", f'kind = "{anchor.kind}" needs {key}; write for example {_EXAMPLES[key]}'
    if anchor.kind == "rfc3161" and anchor.ca_file is not None:
        message = _certificate_flaw(folder / anchor.ca_file)
        if message is not None:
            yield "ca_file", message
    if anchor.kind == "s3" and "segments" in anchor.what and (audit.rotate.size or _MAX_PUT + 1) > _MAX_PUT:
        yield "what", 'segments are sent in one piece, of at most 5 GiB: rotate = { size = "5GiB" } or less'


def _certificate_flaw(file: Path) -> str | None:
    from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415 - only where there are some to be read

    try:
        load_pem_x509_certificates(file.read_bytes())
    except FileNotFoundError:
        return "there is no such file"
    except OSError as error:
        return f"the file cannot be read: {error.strerror or 'unknown error'}"
    except ValueError:
        return "no certificates in PEM"
    return None


def _limit_flaws(audit: Audit) -> Iterator[Flaw]:
    """``then = "deny"`` refuses requests: it must be possible to keep."""
    limit = audit.max_unanchored
    if limit is None or limit.then != "deny":
        return
    path = ("audit", "max_unanchored")
    if all(anchor.kind == "stdout" for anchor in audit.anchor):
        message = 'found "deny": it needs an [[audit.anchor]] that says what it has: s3, rfc3161 or witness'
        yield Flaw(path=(*path, "then"), message=message)
        return
    if limit.lines is not None and limit.lines < audit.checkpoint.lines:
        message = f"found {found(limit.lines)}; allowed is checkpoint.lines ({audit.checkpoint.lines}) or more: there "
        yield Flaw(path=(*path, "lines"), message=message + "is nothing to anchor before a checkpoint")
    if limit.seconds is not None and limit.seconds <= audit.checkpoint.every:
        message = f"found {found(limit.seconds)}; allowed is more than checkpoint.every ({audit.checkpoint.every} s): "
        yield Flaw(path=(*path, "seconds"), message=message + "there is nothing to anchor before a checkpoint")
