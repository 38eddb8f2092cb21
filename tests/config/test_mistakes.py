"""Bad configurations and their full messages, from ``mistakes.txt``: an edit of the minimal file, then what is said.

``-`` takes a line out, ``+`` puts one in its place (or at the end), ``>`` is a line of the error.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from stepup_mw.config import load_config
from stepup_mw.errors import ConfigError

from .samples import ENVIRON, KEY, MINIMAL, mapping

Case = tuple[str, str, str]


def _parse(block: str) -> Case:
    name, *lines = block.strip("\n").split("\n")
    text = MINIMAL.split("\n")[:-1]
    at: int | None = None
    for line in lines:
        if line.startswith("-"):
            at = text.index(line[1:])
            del text[at]
        elif line.startswith("+"):
            at = len(text) if at is None else at
            text.insert(at, line[1:])
            at += 1
    said = [line[2:] for line in lines if line.startswith("> ")]
    return name.strip(), "\n".join(text) + "\n", "\n".join(said)


CASES = [_parse(block) for block in (Path(__file__).parent / "mistakes.txt").read_text().split("=== ")[1:]]


def _complaint(text: str, folder: Path, environ: dict[str, str] = ENVIRON) -> ConfigError:
    (folder / "stepup.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config("stepup.toml", environ)
    return caught.value


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_minimal_file_is_good_and_the_table_is_long(tmp_path: Path) -> None:
    (tmp_path / "stepup.toml").write_text(MINIMAL)
    load_config("stepup.toml", ENVIRON)
    assert len(CASES) > 75
    assert len({name for name, _, _ in CASES}) == len(CASES)


@pytest.mark.parametrize(("text", "said"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_mistake_is_named_with_its_place_and_what_is_allowed(text: str, said: str, tmp_path: Path) -> None:
    assert str(_complaint(text, tmp_path)) == said


MANY = """\
service = "my bank"
[identity]
provider = "header"
user = 5
[[routes]]
name = "a"
path = "/a"
challenge = "alway"
[[routes]]
name = "a"
path = "b"
max_age = 300
[risk]
challenge_at = 95
window = 1
[risk.signals]
burst = { points = 200, limitt = 3 }
[challenge]
ttl = "2h"
[geo]
database = "x.mmdb"
"""

MANY_PLACES = [
    (1, 11, "service"),
    (2, 2, "identity.trusted_proxies"),
    (4, 8, "identity.user"),
    (8, 13, "routes[0].challenge"),
    (10, 8, "routes[1].name"),
    (11, 8, "routes[1].path"),
    (12, 11, "routes[1].max_age"),
    (13, 2, "risk.deny_at"),
    (15, 1, "risk.window"),
    (17, 20, "risk.signals.burst.points"),
    (17, 25, "risk.signals.burst.limitt"),
    (19, 7, "challenge.ttl"),
    (21, 12, "geo.database"),
    (None, None, "STEPUP_SECRET_KEY"),
]


def test_all_mistakes_of_a_file_come_at_once_in_its_order(tmp_path: Path) -> None:
    problems = _complaint(MANY, tmp_path, {}).problems
    assert [(problem.line, problem.column, problem.key) for problem in problems] == MANY_PLACES
    assert {problem.source for problem in problems[:-1]} == {"stepup.toml"}
    assert problems[-1].source == "environment"


def test_the_same_mistakes_of_a_mapping_come_in_its_order_and_have_no_place() -> None:
    bad = mapping(challenge={"window": 9, "ttl": 5}, servce="x", service=None)
    bad["routes"] = [{"path": "/a", "risk": 500, "name": "a"}]
    with pytest.raises(ConfigError) as caught:
        load_config(bad, ENVIRON)
    keys = [problem.key for problem in caught.value.problems]
    assert keys == ["routes[0].risk", "challenge.window", "challenge.ttl", "servce", "service"]
    assert {problem.line for problem in caught.value.problems} == {None}
    assert str(caught.value.problems[1]).startswith("configuration: challenge.window: found 9; allowed is")


@pytest.mark.parametrize(
    "lines",
    [
        f'secret_key = "{KEY}"\n' + MINIMAL,
        f'secret_key_file = "{KEY}"\n' + MINIMAL,
        f'secret_key_file = "{KEY}/"\n' + MINIMAL,
        f'secret_key_file = ["{KEY}"]\n' + MINIMAL,
        MINIMAL + f'[store]\nurl = "redis://:{KEY}@db/x"\n',
        MINIMAL + f'[store]\nurl = "postgres+tls://:{KEY}@db/0"\n',
        MINIMAL + f'[audit]\nsigning_key_file = "{KEY}"\n',
    ],
    ids=["key", "as_file", "as_folder", "in_list", "redis", "other_store", "signing"],
)
def test_what_could_be_a_secret_is_never_shown(lines: str, tmp_path: Path) -> None:
    complaint = _complaint(lines, tmp_path, {"STEPUP_SECRET_KEY": "short-but-secret"})
    assert KEY not in str(complaint)
    assert "short-but-secret" not in str(complaint)


def test_control_characters_of_a_value_never_reach_the_terminal() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(mapping(service="ba\x1b[2Jnk\u202e"), ENVIRON)
    assert str(caught.value).isprintable()
    assert "\\u001b[2J" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (MINIMAL + 'methods = ["GET"', "stepup.toml:11:17: not TOML: unclosed array"),
        ('service = "ba\x1bnk"\n', "stepup.toml:1:14: not TOML: illegal character '\\x1b'"),
        ("a = " + "[" * 100_000, "stepup.toml: not TOML: nested too deeply"),
        ("a = " + "9" * 10_000, "stepup.toml: not TOML: a number is out of bounds"),
        ("a", "stepup.toml:1:2: not TOML: expected '=' after a key in a key/value pair"),
        ("a = {b = 1, b = 2}", 'stepup.toml:1:18: not TOML: the key "b" stands here for the second time'),
        ("[a.b]\n[a.b]\n", "stepup.toml:2:5: not TOML: the table [a.b] stands twice"),
    ],
    ids=["no_end", "control", "deep", "huge", "no_value", "inline_twice", "nested_twice"],
)
def test_what_is_no_toml_is_named_with_its_place(text: str, said: str, tmp_path: Path) -> None:
    assert str(_complaint(text, tmp_path)) == said
