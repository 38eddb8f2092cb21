from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from stepup_mw.config import load_config
from tests.origin.databases import write_database

from .samples import ENVIRON, MINIMAL, mapping

NO_KEY = (
    "configuration: audit.signing_key_file: no signing_key_file: no checkpoints, so a cut or rewritten tail "
    "cannot be told; `stepup init` makes a key"
)
TOKENS = {
    "provider": "jwt",
    "jwks": "https://id.example/jwks",
    "issuer": "https://id.example",
    "audience": "https://bank.example",
}
ROUTE = {"name": "a", "path": "/a", "risk": 60}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"cookie": {"secure": False}},
            "cookie.secure: false drops the __Host- prefix and sends grants over plain http: for development only",
        ),
        (
            {"store": {"url": "memory://"}},
            "store.url: memory:// serves one process and forgets factors, locks and grants when it stops",
        ),
        (
            {"audit": {"durability": "write"}},
            'audit.durability: "write" lets a request reach the app before its line is on stable storage',
        ),
        (
            {"audit": {"durability": "async"}},
            'audit.durability: "async" lets a request reach the app before its line is on stable storage',
        ),
        (
            {"audit": {"on_failure": "allow"}},
            'audit.on_failure: "allow" lets a request reach the app when its line cannot be written',
        ),
        (
            {"identity": TOKENS},
            (
                "identity.provider: neither acr nor amr says which tokens are a proof: only an acr such as "
                "urn:stepup:totp, with amr otp or mfa; name what your provider gives"
            ),
        ),
        (
            {"identity": {**TOKENS, "acr": ["urn:mfa"]}, "routes": [{**ROUTE, "grant": "request"}]},
            (
                'routes[0].grant: "request" is opened by no access token, for none is about one request: '
                "users need a code of ours"
            ),
        ),
        (
            {"routes": [{**ROUTE, "mode": "report"}]},
            'routes[0].mode: "report" lets every request through; the lines say what would have happened',
        ),
        (
            {"routes": [{**ROUTE, "risk": 90}]},
            "routes[0].risk: 90 reaches risk.deny_at (90) alone: every request is refused",
        ),
        (
            {"routes": [{**ROUTE, "challenge": "never"}]},
            'routes[0].challenge: "never" asks for no proof, whatever the score below risk.deny_at',
        ),
        (
            {"routes": [{**ROUTE, "risk": 20}], "risk": {"signals": {"new_device": 20}}},
            (
                "routes[0].risk: 20 and all signals together (20) stay below risk.challenge_at (50): "
                'nobody is ever asked; raise it, or set challenge = "always"'
            ),
        ),
    ],
    ids=[
        "plain_http",
        "memory",
        "write",
        "async",
        "allow",
        "tokens",
        "request_by_token",
        "report",
        "denies",
        "never",
        "too_low",
    ],
)
def test_what_weakens_a_promise_starts_with_a_warning(changes: dict[str, Any], said: str) -> None:
    config = load_config(mapping(**{"routes": [ROUTE], **changes}), ENVIRON)
    assert {str(warning) for warning in config.warnings} == {f"configuration: {said}", NO_KEY}


@pytest.mark.parametrize(
    "routes",
    [
        [ROUTE],
        [{**ROUTE, "risk": 0, "challenge": "always"}],
        [{**ROUTE, "risk": 30}],
    ],
    ids=["by_itself", "always", "with_signals"],
)
def test_a_sound_configuration_has_no_other_warning(routes: list[dict[str, Any]]) -> None:
    config = load_config(mapping(routes=routes, risk={"signals": {"new_device": 20}}), ENVIRON)
    assert [str(warning) for warning in config.warnings] == [NO_KEY]


def test_warnings_stand_in_the_order_of_the_file_with_their_places(tmp_path: Path) -> None:
    file = tmp_path / "stepup.toml"
    file.write_text(
        MINIMAL + 'mode = "report"\nrisk = 60\n\n[store]\nurl = "memory://"\n\n[audit]\non_failure = "allow"\n'
    )
    warnings = load_config(file, ENVIRON).warnings
    assert [(warning.line, warning.column, warning.key) for warning in warnings] == [
        (11, 8, "routes[0].mode"),
        (15, 7, "store.url"),
        (17, 2, "audit.signing_key_file"),
        (18, 14, "audit.on_failure"),
    ]


def _cautions(**changes: Any) -> list[str]:
    found = load_config(mapping(**changes), ENVIRON).warnings
    return [str(warning) for warning in found if str(warning) != NO_KEY]


def test_an_old_database_and_one_that_cannot_answer(tmp_path: Path) -> None:
    old = int(time.time()) - 100 * 86_400
    countries = {"203.0.113.0/24": {"country_code": "GB"}}
    path = write_database(tmp_path / "countries.mmdb", countries, kind="Test-Country", built=old)
    signals = {"new_country": 5, "impossible_travel": 5, "new_network": {"points": 50, "by": "asn"}}
    found = _cautions(geo={"database": str(path)}, risk={"signals": signals})
    day = time.strftime("%Y-%m-%d", time.gmtime(old))
    first = "in the first networks of the databases under [geo]: it may never hold"
    assert found == [
        f"configuration: geo.database: built on {day}, 100 days ago; addresses move, get a newer one",
        f"configuration: risk.signals.impossible_travel: no coordinates {first}",
        f"configuration: risk.signals.new_network: no AS number {first}",
    ]
    young = {"database": str(path), "stale_after": "101d"}
    assert _cautions(geo=young, risk={"signals": {"new_country": 60}}) == []
    assert _cautions(geo={"database": "iptocc"}, risk={"signals": {"new_country": 60}}) == []


def test_a_signal_that_anybody_can_silence() -> None:
    signals = {"new_network": {"points": 60, "on_failure": 5}, "burst": {"points": 5, "on_failure": 0}}
    (found,) = _cautions(risk={"signals": signals})
    assert found.startswith("configuration: risk.signals.new_network.on_failure: 5 is less than points: a client")
    proxied = {"provider": "session", "forwarded_header": "x-forwarded-for"}
    assert _cautions(risk={"signals": signals}, identity=proxied) == []
