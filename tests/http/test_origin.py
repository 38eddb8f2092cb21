"""Where requests come from, on real servers: a database beside the configuration, replaced while the service runs."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.origin.databases import LONDON, NESTED, NOWHERE, SYDNEY, SYSTEMS, write_database

from .doors import CONFIG, Door, serving
from .steps import problem, prove

pytestmark = pytest.mark.slow

GEO = """
[geo]
database = "cities.mmdb"
asn_database = "systems.mmdb"

[device]
describe = true

[risk.signals]
new_country = 15
impossible_travel = 20
address_list = { points = 45, files = ["listed.txt"] }
"""

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0"


@pytest.fixture(scope="module", params=["asgi", "wsgi"])
def located(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("located")
    write_database(folder / "cities.mmdb", NESTED)
    write_database(folder / "systems.mmdb", SYSTEMS, kind="Test-ASN")
    (folder / "listed.txt").write_text("192.0.2.0/24  # nobody of ours\n")
    with serving(request.param, folder, CONFIG.read_text() + GEO) as running:
        yield running


def test_a_proof_in_london_and_a_request_from_sydney(located: Door, user: str) -> None:
    enrolled = located.enroll(user)
    with located.client(user, **{"X-Forwarded-For": LONDON, "User-Agent": FIREFOX}) as client:
        prove(client, located.code(enrolled))
    with located.client(user, session="s2", **{"X-Forwarded-For": SYDNEY}) as client:
        assert problem(client.post("/accounts/42/transfer")) == (403, "denied")
    lines = [line for line in located.lines(user) if line["event_type"] == "step_up"]
    first, last = lines[0], lines[-1]
    assert first["origin"]["geo"] == {"country": "GB", "region": "England", "city": "London", "asn": 64500}
    assert first["origin"]["client"] == "Firefox 141 on Linux"
    assert first["risk"]["signals"] == {"route": 60}
    assert last["origin"]["geo"]["city"] == "Sydney"
    assert last["risk"]["signals"] == {"route": 60, "new_country": 15, "impossible_travel": 20}
    assert (last["phase"], last["status"]) == ("trigger", "denied")


def test_headers_that_disagree_are_never_less_than_either(located: Door, user: str) -> None:
    enrolled = located.enroll(user)
    with located.client(user, **{"X-Forwarded-For": LONDON}) as client:
        prove(client, located.code(enrolled))
    with located.client(user, session="s2", **{"X-Forwarded-For": LONDON, "Forwarded": f"for={SYDNEY}"}) as client:
        assert problem(client.post("/accounts/42/transfer")) == (403, "denied")
    line = located.lines(user)[-1]
    assert line["risk"]["failed"] == ["new_country", "impossible_travel", "address_list"]
    assert line["origin"]["ip_doubt"] == {"why": "disagreement", "xff": LONDON, "forwarded": SYDNEY}


def test_a_list_that_changes_while_the_server_runs(located: Door, user: str) -> None:
    located.enroll(user)
    try:
        with located.client(user, **{"X-Forwarded-For": NOWHERE}) as client:
            assert problem(client.post("/accounts/42/transfer")) == (401, "challenge-required")
            (located.folder / "listed.txt").write_text("100.64.0.0/10\n")
            deadline = time.monotonic() + 20
            while client.post("/accounts/42/transfer").status_code == 401 and time.monotonic() < deadline:
                time.sleep(0.2)
            assert problem(client.post("/accounts/42/transfer")) == (403, "denied")
        changed = [line for line in located.trail() if line.get("phase") == "data_changed"]
        assert {line["detail"]["file"] for line in changed} == {"listed.txt"}
    finally:
        (located.folder / "listed.txt").write_text("192.0.2.0/24\n")


def test_the_trail_says_what_the_service_started_with(located: Door) -> None:
    loaded = next(line for line in located.trail() if (line["event_type"], line["phase"]) == ("config", "loaded"))
    assert loaded["detail"]["signals"] == ["new_country", "impossible_travel", "address_list"]
    data = {entry["file"]: entry for entry in loaded["detail"]["data"]}
    assert set(data) == {"cities.mmdb", "systems.mmdb", "listed.txt"}
    assert data["cities.mmdb"]["type"] == "Test-City"
    assert all(len(entry["sha256"]) == 64 for entry in data.values())
