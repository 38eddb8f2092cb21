from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

import pytest

from stepup_mw.config import Config, load_config
from stepup_mw.note import generate_signing_key
from stepup_mw.settings import (
    AccountThrottle,
    AddressThrottle,
    ChallengeSettings,
    CookieSettings,
    IdentitySettings,
    RiskSettings,
    SignalSpec,
    TrailSettings,
)

from .samples import CONTRACT, ENVIRON, KEY, MINIMAL, mapping


@pytest.fixture(name="bank")
def _bank(tmp_path: Path) -> Path:
    """A folder with the contract's sample, without what comes later."""
    (tmp_path / "stepup-audit.key").write_bytes(generate_signing_key())
    (tmp_path / "stepup-audit.key").chmod(0o600)
    (tmp_path / "stepup.toml").write_text(CONTRACT)
    return tmp_path


def test_every_key_of_the_sample_has_its_place_in_the_settings(bank: Path) -> None:
    config = load_config(bank / "stepup.toml", ENVIRON)
    settings = config.settings
    assert config.path == bank / "stepup.toml"
    assert config.warnings == ()
    assert settings.service == "bank"
    assert settings.secret_keys == (KEY.encode(),)
    assert settings.store_url == f"sqlite:///{bank}/stepup.db"
    assert settings.identity == IdentitySettings(
        provider="header",
        user="X-Auth-User",
        session="X-Auth-Session",
        trusted_proxies=("127.0.0.1",),
        login_url="/login",
    )
    (rule,) = settings.rules
    assert (rule.name, rule.path, rule.methods) == ("transfer", "/accounts/{account}/transfer", frozenset({"POST"}))
    assert (rule.risk, rule.challenge, rule.max_age_s, rule.grant) == (60, "auto", 300, "route")
    assert (rule.factors, rule.mode) == (("totp", "recovery_code"), "enforce")


def test_the_sample_spells_out_the_defaults(bank: Path) -> None:
    settings = load_config(bank / "stepup.toml", ENVIRON).settings
    assert settings.cookie == CookieSettings()
    assert settings.challenge == ChallengeSettings()
    assert settings.account_throttle == AccountThrottle()
    assert settings.address_throttle == AddressThrottle()
    assert settings.trail == TrailSettings(
        path=bank / "audit" / "stepup.jsonl",
        retain_s=400 * 86_400,
        signing_key_file=bank / "stepup-audit.key",
        max_unanchored_lines=10_000,
        max_unanchored_s=3600,
    )


def test_signals_keep_the_order_of_the_file(bank: Path) -> None:
    night = {"start": "22:00", "end": "06:00", "timezone": "Europe/Berlin"}
    assert load_config(bank / "stepup.toml", ENVIRON).settings.risk == RiskSettings(
        signals=(
            SignalSpec(name="new_device", points=20),
            SignalSpec(name="new_network", points=15, params={"by": "prefix"}),
            SignalSpec(name="recent_failures", points=10),
            SignalSpec(name="burst", points=20, params={"limit": 10, "window_s": 60}),
            SignalSpec(name="off_hours", points=10, params=night),
            SignalSpec(name="large_amount", points=30, params={"call": "bank.risk:large_amount", "timeout_s": 2}),
        )
    )


def test_what_is_left_out_has_the_defaults_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "stepup.toml").write_text(MINIMAL)
    settings = load_config(tmp_path / "stepup.toml", ENVIRON).settings
    assert settings.cookie == CookieSettings()
    assert settings.risk == RiskSettings()
    assert settings.challenge == ChallengeSettings()
    assert settings.account_throttle == AccountThrottle()
    assert settings.address_throttle == AddressThrottle()
    assert settings.trail == TrailSettings(path=tmp_path / "audit" / "stepup.jsonl")
    assert settings.store_url == f"sqlite:///{tmp_path}/stepup.db"
    (rule,) = settings.rules
    assert rule == type(rule)(name=rule.name, path=rule.path, version=rule.version)


def test_a_mapping_of_the_same_shape_gives_the_same_settings(bank: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bank)
    from_file = load_config("stepup.toml", ENVIRON)
    from_mapping = load_config(tomllib.loads(CONTRACT), ENVIRON)
    assert from_mapping.settings == from_file.settings
    assert from_mapping.path is None


def test_a_loaded_config_is_given_back(bank: Path) -> None:
    config = load_config(bank / "stepup.toml", ENVIRON)
    assert load_config(config, {}) is config
    assert isinstance(config, Config)


def test_settings_never_show_the_secret_keys(bank: Path) -> None:
    config = load_config(bank / "stepup.toml", ENVIRON)
    assert KEY not in repr(config)


def _settings(**changes: Any) -> Any:
    return load_config(mapping(**changes), ENVIRON).settings


@pytest.mark.parametrize(
    ("changes", "attribute", "value"),
    [
        ({"identity": {"provider": "session"}}, "identity.user", "user_id"),
        ({"identity": {"provider": "scope_user"}}, "identity.user", ""),
        ({"identity": {"provider": "remote_user"}}, "identity.user", ""),
        ({"identity": {"provider": "bank.auth:who"}}, "identity.provider", "bank.auth:who"),
        ({"identity": {"provider": "bank.auth:Who.ask", "user": "id"}}, "identity.user", "id"),
        ({"identity": {"provider": "session", "trusted_proxies": ("10.0.0.0/8", "2001:DB8::1")}},
         "identity.trusted_proxies", ("10.0.0.0/8", "2001:db8::1")),
        ({"identity": {"provider": "session", "login_url": "https://id.example/in?x=1"}},
         "identity.login_url", "https://id.example/in?x=1"),
        ({"cookie": {"same_site": "lax", "secure": False}}, "cookie", CookieSettings(secure=False, same_site="lax")),
        ({"challenge": {"window": 0}}, "challenge.window", 0),
        ({"challenge": {"prefix": "/auth/step-up"}}, "challenge.prefix", "/auth/step-up"),
        ({"challenge": {"resume_max_body": "0B"}}, "challenge.resume_max_body", 0),
        ({"throttle": {"account": {"grow": 1}}}, "account_throttle.grow", 1.0),
        ({"throttle": {"address": {"window": "1h"}}}, "address_throttle.window_s", 3600),
        ({"store": {"url": "memory://"}}, "store_url", "memory://"),
        ({"store": {"url": "sqlite:////var/lib/bank/stepup.db"}}, "store_url", "sqlite:////var/lib/bank/stepup.db"),
        ({"audit": {"path": "/var/log/bank/stepup.jsonl"}}, "trail.path", Path("/var/log/bank/stepup.jsonl")),
        ({"audit": {"rotate": {"every": "never"}}}, "trail.rotate_every_s", None),
        ({"audit": {"rotate": {"every": "never"}}}, "trail.rotate_size", 256 * 1024 * 1024),
        ({"audit": {"rotate": {"size": "never"}}}, "trail.rotate_size", None),
        ({"audit": {"checkpoint": {"lines": 10}}}, "trail.checkpoint_lines", 10),
        ({"audit": {"max_unanchored": {"seconds": 60}}}, "trail.max_unanchored_s", 60),
        ({"risk": {"signals": {"burst": {"points": 5}}}}, "risk.signals",
         (SignalSpec(name="burst", points=5, params={"limit": 10, "window_s": 60}),)),
        ({"risk": {"signals": {"burst": 7}}}, "risk.signals",
         (SignalSpec(name="burst", points=7, params={"limit": 10, "window_s": 60}),)),
        ({"risk": {"signals": {"new_device": {"points": 0}}}}, "risk.signals",
         (SignalSpec(name="new_device", points=0),)),
    ],
)  # fmt: skip
def test_a_key_means_this_setting(changes: dict[str, Any], attribute: str, value: Any) -> None:
    found = _settings(**changes)
    for name in attribute.split("."):
        found = getattr(found, name)
    assert found == value


def test_a_rule_may_name_any_method_and_several_rules_keep_their_order() -> None:
    routes = [
        {"name": "dav", "path": "/dav/{rest:path}", "methods": {"PROPFIND", "MKCOL", "ZAP"}, "grant": "request"},
        {"name": "all", "path": "/admin/{rest:path}", "mode": "report", "factors": ["totp"], "challenge": "always"},
    ]
    first, second = _settings(routes=routes).rules
    assert first.methods == {"PROPFIND", "MKCOL", "ZAP"}
    assert (first.grant, second.methods, second.mode, second.factors) == ("request", None, "report", ("totp",))
    assert [first.name, second.name] == ["dav", "all"]


def test_a_config_is_frozen(bank: Path) -> None:
    config = load_config(bank / "stepup.toml", ENVIRON)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.path = None  # type: ignore[misc]  # the point of the test
