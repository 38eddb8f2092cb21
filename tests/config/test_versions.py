from __future__ import annotations

import copy
from typing import Any

import pytest

from stepup_mw.config import load_config
from stepup_mw.settings import Settings

from .samples import ENVIRON, KEY, MINIMAL, mapping

RICH = mapping(
    identity={"provider": "header", "user": "X-User", "trusted_proxies": ["127.0.0.1", "10.0.0.0/8"]},
    routes=[
        {"name": "a", "path": "/a", "methods": ["POST", "PUT"], "risk": 60, "factors": ["totp", "recovery_code"]},
        {"name": "b", "path": "/b"},
    ],
    risk={"signals": {"new_device": 20, "burst": {"points": 20, "limit": 5}}},
)


def _settings(source: Any) -> Settings:
    return load_config(source, ENVIRON).settings


def _changed(path: str, value: Any) -> dict[str, Any]:
    whole = copy.deepcopy(RICH)
    *tables, key = path.split(".")
    table: Any = whole
    for name in tables:
        table = table[int(name)] if name.isdigit() else table.setdefault(name, {})
    table[int(key) if key.isdigit() else key] = value
    return whole


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("service", "shop"),
        ("risk.challenge_at", 50),
        ("routes.0.methods", ["PUT", "POST"]),
        ("routes.0.max_age", "300s"),
        ("routes.1.risk", 0),
        ("identity.trusted_proxies", ["10.0.0.0/8", "127.0.0.1"]),
        ("risk.signals", {"burst": {"limit": 5, "points": 20, "window": "60s"}, "new_device": {"points": 20}}),
        ("throttle", {"account": {"grow": 2}}),
        ("store.url", "memory://"),
        ("audit.path", "elsewhere/stepup.jsonl"),
    ],
)
def test_the_version_is_that_of_the_meaning(path: str, value: Any) -> None:
    before, after = _settings(RICH), _settings(_changed(path, value))
    assert after.policy_version == before.policy_version
    assert [rule.version for rule in after.rules] == [rule.version for rule in before.rules]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("identity.user", "X-Other"),
        ("identity.session", "X-Session"),
        ("identity.login_url", "/login"),
        ("identity.trusted_proxies", ["127.0.0.1"]),
        ("cookie.secure", False),
        ("cookie.same_site", "lax"),
        ("risk.challenge_at", 51),
        ("risk.deny_at", 91),
        ("risk.signals.new_device", 21),
        ("risk.signals.new_network", 1),
        ("risk.signals.burst", {"points": 20, "limit": 6}),
        ("challenge.prefix", "/auth"),
        ("challenge.ttl", "4m"),
        ("challenge.attempts", 4),
        ("challenge.window", 0),
        ("challenge.resume_max_body", "1KiB"),
        ("throttle.account", {"failures": 4}),
        ("throttle.account", {"lock": "1m"}),
        ("throttle.account", {"grow": 3}),
        ("throttle.address", {"window": "1m"}),
        ("audit.on_failure", "allow"),
    ],
)
def test_a_change_of_meaning_changes_the_version_of_the_policy(path: str, value: Any) -> None:
    before, after = _settings(RICH), _settings(_changed(path, value))
    assert after.policy_version != before.policy_version
    assert [rule.version for rule in after.rules] == [rule.version for rule in before.rules]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("routes.0.name", "c"),
        ("routes.0.path", "/c"),
        ("routes.0.methods", ["POST"]),
        ("routes.0.risk", 61),
        ("routes.0.challenge", "always"),
        ("routes.0.max_age", "6m"),
        ("routes.0.grant", "request"),
        ("routes.0.factors", ["recovery_code", "totp"]),
        ("routes.0.mode", "report"),
    ],
)
def test_a_change_of_one_rule_changes_its_version_and_no_other(path: str, value: Any) -> None:
    before, after = _settings(RICH), _settings(_changed(path, value))
    assert after.policy_version != before.policy_version
    assert after.rules[0].version != before.rules[0].version
    assert after.rules[1].version == before.rules[1].version


def test_the_order_of_rules_is_meaning() -> None:
    turned = {**RICH, "routes": RICH["routes"][::-1]}
    assert _settings(turned).policy_version != _settings(RICH).policy_version


def test_comments_keys_in_another_order_and_secrets_are_not_meaning(tmp_path: Any) -> None:
    file = tmp_path / "stepup.toml"
    file.write_text(MINIMAL)
    before = load_config(file, ENVIRON).settings.policy_version
    lines = MINIMAL.split("\n")
    lines[3:6] = reversed(lines[3:6])
    file.write_text("# a comment\n" + "\n".join(lines))
    after = load_config(file, {"STEPUP_SECRET_KEY": KEY[::-1]}).settings.policy_version
    assert after == before


def test_versions_are_sha256_in_hex() -> None:
    settings = _settings(RICH)
    assert settings.policy_version.startswith("sha256:")
    assert all(len(bytes.fromhex(rule.version)) == 32 for rule in settings.rules)
    assert len(bytes.fromhex(settings.policy_version.removeprefix("sha256:"))) == 32
