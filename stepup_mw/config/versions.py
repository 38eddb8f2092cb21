"""The version of a policy: SHA-256 over what it means, whatever the order of keys and the comments around it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..policy import Rule
from ..settings import Settings

_NOT_MEANING = ("service", "trail", "store_url", "secret_keys", "digest_key", "secret_key_file", "policy_version",
                "notices", "page", "public", "device", "flow")  # fmt: skip


def rule_version(rule: Rule) -> str:
    """64 hex digits over the rule's own fields."""
    return _digest({name: value for name, value in _fields(rule).items() if name != "version"})


def policy_version(settings: Settings) -> str:
    """``sha256:`` and 64 hex digits over all that decides: identity, cookie, rules in order, risk, challenge,
    throttle, and whether a request may pass without its audit line. No secret goes in."""
    meaning = {name: value for name, value in _fields(settings).items() if name not in _NOT_MEANING}
    meaning["identity"]["trusted_proxies"].sort()
    meaning["risk"]["signals"].sort(key=lambda signal: str(signal["name"]))
    meaning["on_failure"] = settings.trail.on_failure
    return "sha256:" + _digest(meaning)


def _fields(value: Any) -> dict[str, Any]:
    return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return _fields(value)
    if isinstance(value, Path):
        return value.name  # where it lies is the host's affair
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, frozenset):
        return sorted(_plain(inner) for inner in value)
    if isinstance(value, tuple | list):
        return [_plain(inner) for inner in value]
    return value


def _digest(meaning: Mapping[str, Any]) -> str:
    text = json.dumps(meaning, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
