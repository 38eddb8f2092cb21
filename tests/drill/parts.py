"""A lab on a small service of its own, without the command around it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from stepup_mw.config import load_config
from stepup_mw.drill.catalogue import SCENARIOS
from stepup_mw.drill.run import Order, open_lab
from stepup_mw.note import format_vkey, generate_signing_key, origin_of, parse_signer
from stepup_mw.trail import Trail

from ..cli.conftest import CONFIG, write_service
from ..trail.parts import record

if TYPE_CHECKING:
    from pathlib import Path

    from stepup_mw.drill.lab import Lab
    from stepup_mw.drill.values import Scenario
    from stepup_mw.settings import Settings

SIGNED = CONFIG.replace("[audit]", '[audit]\nsigning_key_file = "stepup-audit.key"')


def configure(folder: Path, config: str = SIGNED) -> Settings:
    """A service in ``folder``, with the files that its configuration names."""
    write_service(folder, config)
    (folder / "stepup-audit.key").write_bytes(generate_signing_key())
    return load_config(folder / "stepup.toml", os.environ).settings


def vkey_of(settings: Settings) -> str | None:
    key = settings.trail.signing_key_file
    return format_vkey(parse_signer(key.read_bytes(), origin_of(settings.service)).vkey) if key else None


@contextmanager
def lab_of(settings: Settings, folder: Path, **changes: Any) -> Iterator[Lab]:
    """``quick`` unless said otherwise; the scratch folder stays."""
    wanted: dict[str, Any] = {"seed": 7, "quick": True, "scratch": folder, "keep": True, "vkey": vkey_of(settings)}
    order = Order(settings=settings, **(wanted | changes))
    with open_lab(order, "0" * 20) as lab:
        yield lab


def scenario(name: str) -> Scenario:
    return next(item for item in SCENARIOS if item.name == name)


def write_lines(settings: Settings, *event_ids: str) -> None:
    """Lines in the service's own trail."""
    trail = Trail(settings.trail, service=settings.service, clock=lambda: 1_800_000_000.0)
    for event_id in event_ids:
        trail.append_blocking([record(event_id)])
    trail.close()
