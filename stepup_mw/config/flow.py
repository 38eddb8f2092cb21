"""``[flow]`` and ``[grants]``: what services behind one another share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ..flow_token import FlowSettings
from .document import Flaw
from .kinds import STRICT, duration, found
from .secret import Secrets, read_secrets
from .values import Flag, KeyFileName, Service, Unique

VARIABLE = "STEPUP_FLOW_KEY"
_Services = Annotated[list[Service], Field(json_schema_extra={"uniqueItems": True}), Unique]


class Flow(BaseModel):
    """One flow over several services."""

    model_config = ConfigDict(**STRICT, title="Flow")

    send: Flag = Field(
        default=False,
        description="Hand the flow on: the request that the app gets has it, signed, as the header Step-Up-Flow.",
    )
    accept: _Services = Field(
        default=[], description="Services whose signed flows go on here under their flow_id.", examples=[["bank"]]
    )
    key_file: KeyFileName | None = Field(
        default=None,
        description="Keys that these services share, one a line, newest last. STEPUP_FLOW_KEY goes first.",
        examples=["flow.secret"],
    )
    ttl: Annotated[int, duration("1s", "1h")] = Field(
        default="1m", validate_default=True, description="How long a flow that was handed on is good.", examples=["1m"]
    )


class Grants(BaseModel):
    """Grants over several services."""

    model_config = ConfigDict(**STRICT, title="Grants")

    shared_with: _Services = Field(
        default=[],
        description="Services of the same store and secret key; a service-wide grant counts at both if both say so.",
        examples=[["ledger"]],
    )


def read_flow_keys(data: Mapping[str, Any], environ: Mapping[str, str], folder: Path) -> Secrets | None:
    """The shared keys; None where no flow is handed on or taken."""
    table = data.get("flow")
    if not isinstance(table, dict) or not (table.get("send") or table.get("accept")):
        return None
    name = table.get("key_file")
    file = folder / name if isinstance(name, str) and name else None
    return read_secrets(environ, file, variable=VARIABLE, key="flow.key_file")


def flow_cautions(keys: Secrets | None) -> Iterator[Flaw]:
    """What a person should know of them."""
    for message in keys.cautions if keys is not None else ():
        yield Flaw(path=("flow", "key_file"), message=message)


def flow_flaws(data: Mapping[str, Any], keys: Secrets | None, secret_keys: tuple[bytes, ...]) -> Iterator[Flaw]:
    """What is wrong with them in view of the rest."""
    if keys is not None:
        named = f"{VARIABLE}: " if keys.origin == VARIABLE else ""
        yield from (Flaw(path=("flow", "key_file"), message=named + message) for message in keys.flaws)
    if keys is not None and set(keys.keys) & set(secret_keys):
        message = "holds a secret key of this service: whoever shares it could sign grants; make one of its own"
        yield Flaw(path=("flow", "key_file"), message=message)
    own, store = data.get("service"), data.get("store")
    for table, key in (("flow", "accept"), ("grants", "shared_with")):
        names = data.get(table, {}).get(key) if isinstance(data.get(table), dict) else None
        if isinstance(names, list) and own in names:
            yield Flaw(path=(table, key, names.index(own)), message=f"found {found(own)}, the name of this service")
    grants = data.get("grants")
    shares = isinstance(grants, dict) and bool(grants.get("shared_with"))
    if shares and isinstance(store, dict) and store.get("url") == "memory://":
        yield Flaw(path=("grants", "shared_with"), message="memory:// is no store that two services could share")


def flow_settings(flow: Flow | None, keys: Secrets | None) -> FlowSettings | None:
    """What the gate works with; None where no flow is handed on or taken."""
    if flow is None or keys is None:
        return None
    return FlowSettings(send=flow.send, accept=tuple(flow.accept), ttl_s=flow.ttl, keys=keys.keys)
