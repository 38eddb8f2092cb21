from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw.enrollment import bring_in
from stepup_mw.errors import EnrollmentError
from stepup_mw.imports import Flaw, ImportFailed, Row, check_rows, sound
from stepup_mw.imports.database import locate, named
from stepup_mw.imports.django_otp import read_django_otp
from stepup_mw.imports.flask_security import read_flask_security, read_secrets
from stepup_mw.imports.table import read_csv
from tests.core.samples import SECRET, Shelf, make

from .sites import DJANGO, FLASK
from .sites import make as make_site

pytestmark = pytest.mark.slow

SECRETS = {"1": "the first application secret", "2": "the second, which is newer"}


def put(folder: Path, text: str | bytes) -> Path:
    path = folder / "people.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        f"alice,{SECRET}\nbob,{SECRET},My phone\n",
        f"user,secret\nalice,{SECRET}\nbob,{SECRET},My phone",
        f"\ufeffUser,Secret,Label\r\nalice,{SECRET}\r\n\r\nbob,{SECRET},My phone\r\n",
        f'"alice", {SECRET} ,\n"bob",{SECRET},"My phone"\n',
    ],
    ids=["bare", "headings", "from a spreadsheet", "quoted"],
)
def test_a_table_is_read_as_people_write_it(tmp_path: Path, text: str) -> None:
    reading = read_csv(put(tmp_path, text))
    assert [(row.user, row.secret, row.label) for row in reading.rows] == [
        ("alice", SECRET, ""),
        ("bob", SECRET, "My phone"),
    ]
    assert reading.flaws == ()


def test_the_lines_are_counted_as_an_editor_counts_them(tmp_path: Path) -> None:
    text = f'user,secret,label\nalice,{SECRET},"one\n\nand more"\n\nbob\ncarol,{SECRET},x,y\n'
    reading = read_csv(put(tmp_path, text))
    assert [row.where for row in reading.rows] == ["line 2"]
    assert [str(flaw) for flaw in reading.flaws] == [
        "line 6: 1 columns; allowed are user,secret or user,secret,label",
        "line 7: 4 columns; allowed are user,secret or user,secret,label",
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [(b"alice,\xff\xfe\n", "not UTF-8"), (b'alice,"x\n', "not CSV"), (b"a" * 200_000 + b",x\n", "not CSV")],
    ids=["bytes", "quote", "a huge field"],
)
def test_what_is_no_table_is_said(tmp_path: Path, text: bytes, why: str) -> None:
    with pytest.raises(ImportFailed, match=why):
        read_csv(put(tmp_path, text))


def test_no_file_at_all(tmp_path: Path) -> None:
    with pytest.raises(ImportFailed, match="No such file"):
        read_csv(tmp_path / "none.csv")
    with pytest.raises(ImportFailed, match="no such file"):
        read_django_otp(tmp_path / "none.db")


def row(number: int = 1, **changes: str) -> Row:
    return Row(**{"where": f"line {number}", "user": "alice", "secret": SECRET, **changes})  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([row()], []),
        ([row(user="")], ["line 1: a user name has 1 to 256 printable characters"]),
        ([row(user="a\tb")], ["line 1: a user name has 1 to 256 printable characters"]),
        ([row(label="x" * 65)], ["line 1: a label has at most 64 printable characters"]),
        ([row(secret="GEZDGNBV")], ["line 1: the secret has 40 bits; at least 128 are needed"]),
        ([row(secret="!")], ["line 1: the secret is not base32 (letters A to Z and digits 2 to 7)"]),
        ([row(), row(2, secret=SECRET.lower())], ["line 2: the same authenticator as line 1"]),
        ([row(), row(2, user="bob")], []),
    ],
    ids=["good", "nobody", "control", "long label", "short", "garbage", "twice", "two people, one secret"],
)
def test_what_is_wrong_is_said_where_it_stands(rows: list[Row], said: list[str]) -> None:
    assert [str(flaw) for flaw in check_rows(rows)] == said


def test_more_than_are_kept() -> None:
    rows = [row(number, secret=base64.b32encode(bytes([number] * 20)).decode()) for number in range(1, 13)]
    flaws = list(check_rows(rows))
    assert [flaw.where for flaw in flaws] == ["line 11", "line 12"]
    assert len(sound(rows, flaws)) == 10


@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=40)), max_size=6))
def test_no_row_breaks_the_check_and_no_flaw_tells_a_secret(pairs: list[tuple[str, str]]) -> None:
    rows = [row(number, user=user, secret=secret) for number, (user, secret) in enumerate(pairs)]
    flaws = list(check_rows(rows))
    assert {each.where for each in sound(rows, flaws)}.isdisjoint({flaw.where for flaw in flaws})
    assert all(secret not in str(flaw) for flaw in flaws for _, secret in pairs if len(secret) > 12)


@pytest.fixture(scope="module")
def django_site(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[list[object]]]:
    path = tmp_path_factory.mktemp("django") / "site.db"
    return path, make_site(DJANGO, path)


@pytest.fixture(scope="module")
def flask_site(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[list[object]]]:
    path = tmp_path_factory.mktemp("flask") / "site.db"
    return path, make_site(FLASK, path)


def test_the_devices_of_the_real_django_otp(django_site: tuple[Path, list[list[object]]]) -> None:
    path, devices = django_site
    reading = read_django_otp(path)
    expected = [(user, base64.b32encode(bytes.fromhex(str(key))).decode(), label, last)
                for user, key, label, last, _ in devices if user == "alice"]  # fmt: skip
    assert [(each.user, each.secret, each.label, each.last_step) for each in reading.rows] == expected
    assert reading.rows[0].last_step > 59_000_000
    assert [str(flaw) for flaw in reading.flaws] == [
        "device 3: 8 digits; only 6 are taken",
        "device 4: steps of 60 s from 0; only 30 s from 0 are taken",
        "device 6: steps of 30 s from 5; only 30 s from 0 are taken",
    ]
    assert reading.notes == ("1 devices were never confirmed and are left out",)
    assert list(check_rows(reading.rows)) == []


def test_another_table_of_users(django_site: tuple[Path, list[list[object]]]) -> None:
    path, _ = django_site
    assert read_django_otp(path, user_column="id").rows[0].user == "1"
    for more in ({"user_table": "people"}, {"user_column": "nick"}):
        with pytest.raises(ImportFailed, match="name yours by option"):
            read_django_otp(path, **more)
    with pytest.raises(ImportFailed, match="letters, digits and underscores"):
        read_django_otp(path, user_table='auth_user"; DROP TABLE auth_user; --')


def test_a_device_without_its_user_and_one_without_a_key(
    tmp_path: Path, django_site: tuple[Path, list[list[object]]]
) -> None:
    path = tmp_path / "site.db"
    path.write_bytes(django_site[0].read_bytes())
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE otp_totp_totpdevice SET user_id = 99 WHERE id = 1")
        database.execute("UPDATE otp_totp_totpdevice SET key = 'xyz' WHERE id = 2")
    database.close()
    assert [str(flaw) for flaw in read_django_otp(path).flaws][:2] == [
        "device 1: its user is not there",
        "device 2: its key is not hex",
    ]


@pytest.mark.slow
def test_the_users_of_the_real_flask_security(flask_site: tuple[Path, list[list[object]]]) -> None:
    path, people = flask_site
    reading = read_flask_security(path, SECRETS)
    assert [(each.user, each.secret) for each in reading.rows] == [("alice@example.com", people[0][1])]
    assert [str(flaw) for flaw in reading.flaws] == [
        "user 4: it is encrypted under the application secret of tag '0'; give it by --totp-secrets"
    ]
    assert reading.notes == ("1 users have no authenticator but mail or SMS, and are left out",)
    by_name = read_flask_security(path, SECRETS, user_column="username")
    assert [each.user for each in by_name.rows] == ["alice"]


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("", "not passlib's JSON"),
        ("JBSWY3DPEHPK3PXP", "not passlib's JSON"),
        ("[]", "not passlib's JSON"),
        ('{"type": "totp", "v": 1}', "not passlib's JSON"),
        ('{"type": "totp", "v": 1, "key": "?"}', "not passlib's JSON"),
        ('{"type": "totp", "v": 1, "key": 7}', "not passlib's JSON"),
        ('{"type": "hotp", "v": 1, "key": "A"}', "only 6 digits, 30 s and SHA-1"),
        ('{"type": "totp", "v": 1, "digits": 8, "key": "A"}', "only 6 digits, 30 s and SHA-1"),
        ('{"type": "totp", "v": 1, "alg": "sha256", "key": "A"}', "only 6 digits, 30 s and SHA-1"),
        ('{"type": "totp", "v": 1, "enckey": {"v": 2, "c": 1, "t": "1", "s": "A", "k": "A"}}', "in an unknown way"),
        ('{"type": "totp", "v": 1, "enckey": {"v": 1, "c": 60, "t": "1", "s": "A", "k": "A"}}', "in an unknown way"),
        ('{"type": "totp", "v": 1, "enckey": {"v": 1, "c": "x", "t": "1", "s": "A", "k": "A"}}', "not passlib's JSON"),
    ],
)
def test_a_secret_that_does_not_open_is_a_flaw(
    tmp_path: Path, flask_site: tuple[Path, list[list[object]]], secret: str, why: str
) -> None:
    path = tmp_path / "site.db"
    path.write_bytes(flask_site[0].read_bytes())
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE user SET tf_totp_secret = ? WHERE id = 1", (secret,))
    database.close()
    reading = read_flask_security(path, SECRETS)
    assert reading.rows == ()
    assert why in reading.flaws[0].message


def test_a_secret_that_was_never_encrypted(tmp_path: Path, flask_site: tuple[Path, list[list[object]]]) -> None:
    path = tmp_path / "site.db"
    path.write_bytes(flask_site[0].read_bytes())
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        plain = json.dumps({"type": "totp", "v": 1, "key": SECRET})
        database.execute("UPDATE user SET tf_totp_secret = ? WHERE id = 1", (plain,))
    database.close()
    assert read_flask_security(path, {}).rows[0].secret == SECRET


@pytest.mark.parametrize("text", ["[]", "{", '{"1": 2}', '"x"'])
def test_application_secrets_are_an_object_of_texts(tmp_path: Path, text: str) -> None:
    path = tmp_path / "secrets.json"
    path.write_text(text)
    with pytest.raises(ImportFailed, match="a JSON object"):
        read_secrets(path)
    path.write_text(json.dumps(SECRETS))
    assert read_secrets(path) == SECRETS


def test_only_sqlite_is_read(tmp_path: Path) -> None:
    assert locate("site.db") == Path("site.db")
    assert locate("sqlite:////srv/site.db") == Path("/srv/site.db")
    for url in ("postgresql://u:hunter2@db/app", "mysql://db/app", "sqlite://db"):
        with pytest.raises(ImportFailed, match="only SQLite") as refused:
            locate(url)
        assert "hunter2" not in str(refused.value)
    path = tmp_path / "text.db"
    path.write_text("this is no database, whatever its name says" * 100)
    for read in (read_django_otp, lambda where: read_flask_security(where, {})):
        with pytest.raises(ImportFailed):
            read(path)
    assert named("auth_user") == '"auth_user"'


def test_what_is_brought_in_stands_beside_what_is_there() -> None:
    shelf = Shelf()
    services = make(shelf)
    other = base64.b32encode(bytes(20)).decode()

    async def run() -> list[bool]:
        first = await bring_in(services, row(last_step=60))  # type: ignore[arg-type]  # a number among texts
        twice = await bring_in(services, row(2, secret=SECRET.lower()))
        return [first, twice, await bring_in(services, row(3, secret=other, label="tablet"))]

    assert asyncio.run(run()) == [True, False, True]
    held = asyncio.run(services.store.factors("alice"))
    assert [(factor.label, factor.last_step) for factor in held] == [("", 60), ("tablet", -1)]
    assert services.keyring.unseal("totp", held[0].sealed, "alice").decode() == SECRET
    assert shelf.steps() == ["enrollment/enrolled"] * 2
    assert shelf.lines()[0]["detail"]["by"] == "operator"
    assert SECRET.encode() not in b"".join(shelf.records)


def test_the_errors_are_of_the_house() -> None:
    assert issubclass(ImportFailed, EnrollmentError)
    assert str(Flaw(where="line 1", message="x")) == "line 1: x"
