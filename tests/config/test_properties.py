"""What always holds: a configuration starts, or it is a ConfigError; nothing unknown ever starts."""

from __future__ import annotations

import copy
import re
import tomllib
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepup_mw.config import load_config
from stepup_mw.config.places import locate
from stepup_mw.encoding import format_duration, format_size
from stepup_mw.errors import ConfigError

from .samples import CONTRACT, ENVIRON, MINIMAL, mapping

WHOLE = tomllib.loads(CONTRACT)
del WHOLE["audit"]["signing_key_file"]

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.binary(max_size=4),
    st.dates(), st.sampled_from(["always", "5m", "64KiB", "header", "/a", "a:b", "*", "10.0.0.1/8", "22:00-06:00"]),
)  # fmt: skip
NAMES = st.sampled_from(
    ["service", "identity", "provider", "user", "routes", "name", "path", "methods", "risk", "signals", "burst",
     "points", "call", "new_country", "throttle", "account", "audit", "anchor", "rotate", "max_unanchored", "challenge"]
) | st.text(max_size=6)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)


CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202e]")


def _paths(table: Any, here: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The paths of every table and value in nested data."""
    found = [here] if here else []
    entries = table.items() if isinstance(table, dict) else enumerate(table) if isinstance(table, list) else ()
    for key, value in entries:
        found += _paths(value, (*here, key))
    return found


PATHS = _paths(WHOLE)


def _at(data: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        data = data[part]
    return data


def _starts(source: Any) -> bool:
    try:
        load_config(source, ENVIRON)
    except ConfigError as error:
        complaint = error
    else:
        return True
    assert complaint.problems
    assert all(problem.message for problem in complaint.problems)
    assert not CONTROL.search(str(complaint).replace("\n", ""))
    return False


@given(st.dictionaries(NAMES, VALUES, max_size=6))
def test_any_mapping_is_a_config_or_a_config_error(data: dict[str, Any]) -> None:
    _starts(data)


@given(st.sampled_from(PATHS), VALUES)
@settings(max_examples=300)
def test_any_value_in_any_place_is_a_config_or_a_config_error(path: tuple[str | int, ...], value: Any) -> None:
    data = copy.deepcopy(WHOLE)
    _at(data, path[:-1])[path[-1]] = value
    _starts(data)


@given(st.dictionaries(st.one_of(st.integers(), st.none(), st.binary()), st.integers(), min_size=1, max_size=2))
def test_keys_that_are_no_text_never_start(odd: dict[Any, int]) -> None:
    assert not _starts({**mapping(), **odd})
    assert not _starts(mapping(risk={"signals": odd}))
    assert not _starts(mapping(challenge=odd))


@given(st.sampled_from([(), *PATHS]), st.text(min_size=1, max_size=12), SCALARS)
@settings(max_examples=300)
def test_an_unknown_key_anywhere_never_starts(path: tuple[str | int, ...], name: str, value: Any) -> None:
    data = copy.deepcopy(WHOLE)
    table = _at(data, path)
    if isinstance(table, dict) and name not in table and name not in {"secret_key_file", "methods"}:
        table[name] = value
        assert not _starts(data)


@given(st.lists(st.sampled_from(MINIMAL.split("\n") + CONTRACT.split("\n")), max_size=30))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lines_in_any_order_are_a_config_or_a_config_error(tmp_path: Path, lines: list[str]) -> None:
    file = tmp_path / "stepup.toml"
    file.write_text("\n".join(lines))
    _starts(file)


@given(st.binary(max_size=60), st.integers(0, len(MINIMAL)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_in_a_file_are_a_config_or_a_config_error(tmp_path: Path, data: bytes, where: int) -> None:
    file = tmp_path / "stepup.toml"
    file.write_bytes(MINIMAL.encode()[:where] + data + MINIMAL.encode()[where:])
    _starts(file)


@given(st.integers(0, len(CONTRACT) - 1), st.integers(0, len(CONTRACT) - 1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_with_a_piece_cut_out_is_a_config_or_a_config_error(tmp_path: Path, start: int, end: int) -> None:
    file = tmp_path / "stepup.toml"
    file.write_text(CONTRACT[: min(start, end)] + CONTRACT[max(start, end) :])
    _starts(file)


@given(st.text(max_size=60))
def test_finding_places_never_fails(text: str) -> None:
    try:
        data = tomllib.loads(text)
    except ValueError:
        data = {}
    places = locate(text, data)
    offset = places.offset(("a", 0, "b"))
    assert offset is None or places.line_column(offset) >= (1, 1)


@given(st.integers(1, 30 * 86_400), st.integers(0, 16 * 1024 * 1024))
def test_durations_and_sizes_come_back_as_they_were(seconds: int, size: int) -> None:
    data = mapping(challenge={"resume_max_body": format_size(size)})
    data["routes"] = [{"name": "a", "path": "/a", "max_age": format_duration(seconds)}]
    found = load_config(data, ENVIRON).settings
    assert found.rules[0].max_age_s == seconds
    assert found.challenge.resume_max_body == size


def test_a_mapping_that_holds_itself_is_refused() -> None:
    data = mapping()
    data["risk"] = data
    assert not _starts(data)
