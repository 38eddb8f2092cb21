"""``stepup import``: all checked before any is written, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.imports.sites import DJANGO, FLASK, make

from .conftest import Run

pytestmark = pytest.mark.slow

SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
OTHER = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def users(stepup: Run) -> dict[str, int]:
    return {user["user"]: user["factors"] for user in json.loads(stepup("users --json").out)["users"]}


def test_a_table_comes_in_whole(service: Path, stepup: Run) -> None:
    (service / "people.csv").write_text(f"user,secret,label\nalice,{SECRET},phone\nalice,{OTHER},tablet\nbob,{OTHER}\n")
    ran = stepup("import people.csv")
    assert (ran.code, ran.err) == (0, "")
    assert "3 authenticators brought in." in ran.out
    assert users(stepup) == {"alice": 2, "bob": 1}
    again = stepup("import people.csv --json")
    assert json.loads(again.out) == {"imported": 0, "known": 3, "right": 3, "problems": []}
    trail = (service / "audit" / "stepup.jsonl").read_text()
    assert trail.count('"imported":true') == 3
    assert SECRET not in trail + ran.out + again.out


def test_one_mistake_and_nothing_is_written(service: Path, stepup: Run) -> None:
    (service / "people.csv").write_text(f"alice,{SECRET}\nbob,short\n,{OTHER}\ncarol\n")
    ran = stepup("import people.csv")
    assert (ran.code, ran.out) == (1, "")
    assert [line.split(":")[0] for line in ran.err.splitlines()] == [
        "✗ line 4",
        "✗ line 2",
        "✗ line 3",
        "nothing was written",
    ]
    assert "short" not in ran.err
    assert users(stepup) == {}
    assert not (service / "audit" / "stepup.jsonl").exists()
    part = stepup("import people.csv --partial")
    assert (part.code, "1 authenticators brought in" in part.out) == (1, True)
    assert users(stepup) == {"alice": 1}


def test_a_dry_run_writes_nothing(service: Path, stepup: Run) -> None:
    (service / "people.csv").write_text(f"alice,{SECRET}\n")
    assert stepup("import people.csv --dry-run").code == 0
    assert users(stepup) == {}


def test_the_devices_of_django_otp(service: Path, stepup: Run) -> None:
    make(DJANGO, service / "site.db")
    assert stepup("import --from django-otp site.db").code == 1
    assert users(stepup) == {}
    ran = stepup(f"import --from django-otp sqlite:///{service / 'site.db'} --partial --json")
    body = json.loads(ran.out)
    assert (ran.code, body["imported"], len(body["problems"])) == (1, 2, 3)
    assert users(stepup) == {"alice": 2}


def test_the_users_of_flask_security(service: Path, stepup: Run) -> None:
    made = make(FLASK, service / "site.db")
    keys = {"0": "one that nobody has any more", "1": "the first application secret", "2": "the second, which is newer"}
    (service / "keys.json").write_text(json.dumps(keys))
    assert stepup("import --from flask-security site.db").code == 1
    ran = stepup("import --from flask-security site.db --totp-secrets keys.json --user-column username")
    assert (ran.code, "2 authenticators" in ran.out) == (0, True)
    assert "left out" in ran.err
    assert users(stepup) == {"alice": 1, "dave": 1}
    code = json.loads(stepup("code alice --json").out)["code"]
    assert len(code) == 6
    assert made[0][0] == "alice"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("import none.csv", "none.csv: No such file"),
        ("import --from django-otp postgresql://u:hunter2@db/app", "only SQLite is"),
        ("import --from django-otp none.db", "there is no such file"),
        ("import --from access people.mdb", "django-otp"),
        ("import", "FILE"),
    ],
)
def test_what_cannot_be_read_is_a_sentence(service: Path, stepup: Run, words: str, message: str) -> None:
    ran = stepup(words)
    assert ran.code == 2
    assert message in ran.err
    assert "hunter2" not in ran.err


def test_help_says_what_is_not_read(stepup: Run) -> None:
    assert "Other databases are not read" in " ".join(stepup("import --help").out.split())
