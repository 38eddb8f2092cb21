from __future__ import annotations

import sys
from pathlib import Path

import pytest

from stepup_mw.asgi import StepUpMiddleware
from stepup_mw.config import load_config
from stepup_mw.errors import ConfigError
from stepup_mw.gate.sources import NO_SOURCES
from stepup_mw.identity.call import CallProvider
from stepup_mw.identity.header import HeaderProvider
from stepup_mw.identity.remote_user import RemoteUserProvider
from stepup_mw.identity.scope_user import ScopeUserProvider
from stepup_mw.identity.session import SessionProvider
from stepup_mw.keyring import Keyring
from stepup_mw.named import import_named, make_provider, make_signals
from stepup_mw.origin import Networks
from stepup_mw.settings import IdentitySettings, RiskSettings, SignalSpec
from stepup_mw.signals.address_list import OnAddressList
from stepup_mw.signals.burst import Burst
from stepup_mw.signals.call import Call
from stepup_mw.signals.impossible_travel import ImpossibleTravel
from stepup_mw.signals.new_country import NewCountry
from stepup_mw.signals.new_device import NewDevice
from stepup_mw.signals.new_network import NewNetwork
from stepup_mw.signals.off_hours import OffHours
from stepup_mw.signals.recent_failures import RecentFailures

NOBODY = Networks([])


def a_function() -> int:
    return 7


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("header", HeaderProvider),
        ("scope_user", ScopeUserProvider),
        ("session", SessionProvider),
        ("remote_user", RemoteUserProvider),
        (f"{__name__}:a_function", CallProvider),
    ],
)
def test_a_provider_is_made_by_its_name(name: str, kind: type) -> None:
    assert isinstance(make_provider(IdentitySettings(provider=name, user="x"), NOBODY), kind)


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        (SignalSpec(name="recent_failures", points=5), RecentFailures),
        (SignalSpec(name="burst", points=5, params={"limit": 3, "window_s": 60}), Burst),
        (
            SignalSpec(name="off_hours", points=5, params={"start": "22:00", "end": "06:00", "timezone": "UTC"}),
            OffHours,
        ),
        (SignalSpec(name="new_device", points=5), NewDevice),
        (SignalSpec(name="new_network", points=5, params={"by": "asn"}), NewNetwork),
        (SignalSpec(name="new_country", points=5, on_failure=0), NewCountry),
        (SignalSpec(name="impossible_travel", points=5, on_failure=90, params={"max_kmh": 900}), ImpossibleTravel),
        (SignalSpec(name="address_list", points=5, params={"files": ()}), OnAddressList),
        (SignalSpec(name="mine", points=5, params={"call": f"{__name__}:a_function", "timeout_s": 2}), Call),
    ],
    ids=lambda value: value.name if isinstance(value, SignalSpec) else "",
)
def test_a_signal_is_made_by_its_name(spec: SignalSpec, kind: type) -> None:
    ((made, on_failure),) = make_signals(RiskSettings(signals=(spec,)), NO_SOURCES, Keyring([b"k" * 32], bytes))
    assert isinstance(made, kind)
    assert (made.name, made.points, on_failure) == (spec.name, 5, 5 if spec.on_failure is None else spec.on_failure)


def test_a_name_may_lead_into_a_class_and_an_object() -> None:
    assert import_named(f"{__name__}:a_function", "k")() == 7
    assert import_named("pathlib:Path.cwd", "k")() == Path.cwd()


@pytest.mark.parametrize(
    "name",
    [
        "no_such_module_here:f",
        "stepup_mw.named:no_such_name",
        "stepup_mw.named:make_signal.no_such_name",
        "stepup_mw.compose",
        "stepup_mw.compose:",
        ":f",
        ":",
        "",
        ".relative:f",
        "..:f",
        "a\0b:f",
        "stepup_mw.compose:SWEEP_EVERY_S",
        "pathlib:Path",
        "os",
    ],
)
def test_a_name_that_leads_nowhere_is_a_mistake_in_the_configuration(name: str) -> None:
    with pytest.raises(ConfigError) as refused:
        import_named(name, "identity.provider")
    assert [problem.key for problem in refused.value.problems] == ["identity.provider"]


@pytest.mark.parametrize(
    ("source", "said"),
    [("raise RuntimeError('no database')", "RuntimeError: no database"), ("def (", "SyntaxError"), ("1 / 0", "Zero")],
    ids=["raises", "no Python", "divides by zero"],
)
def test_a_module_that_does_not_load_is_a_mistake_in_the_configuration(
    source: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"a_broken_module_{abs(hash(source))}"
    (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match=said):
        import_named(f"{name}:f", "risk.signals.mine.call")
    assert name not in sys.modules


async def _app(*_asgi: object) -> None:
    raise AssertionError("not to be called")


BOTH = """service = "bank"
identity = { provider = "no_such_module_here:who" }
audit = { path = "audit/stepup.jsonl" }
[[routes]]
name = "transfer"
path = "/transfer"
[risk.signals]
mine = { points = 5, call = "pathlib:Path" }
"""


@pytest.mark.parametrize(
    ("broken", "place"),
    [
        (BOTH, 'stepup.toml:2:25: identity.provider: found "no_such_module_here:who", which cannot be imported'),
        (
            BOTH.replace("no_such_module_here:who", "os:getpid"),
            'stepup.toml:8:29: risk.signals.mine.call: found "pathlib:Path", which is not a function',
        ),
    ],
    ids=["provider", "signal"],
)
def test_what_shows_when_the_parts_are_made_has_its_line_too(
    broken: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPUP_SECRET_KEY", "a7Kp9x-3Qm5Zt-8Vb2Nc-6Hs1Wd-4Lf0Rg")
    (tmp_path / "stepup.toml").write_text(broken)
    for config in (tmp_path / "stepup.toml", load_config(tmp_path / "stepup.toml")):
        with pytest.raises(ConfigError) as refused:
            StepUpMiddleware(_app, config=config)
        assert str(refused.value).startswith(f"{tmp_path}/{place}")
