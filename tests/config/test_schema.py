from __future__ import annotations

import importlib
import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from stepup_mw.config import load_config
from stepup_mw.config.schema import schema
from stepup_mw.config.template import Proposal, render_config
from stepup_mw.errors import ConfigError

from .samples import CONTRACT, ENVIRON, MINIMAL, mapping

jsonschema: Any = importlib.import_module("jsonschema")  # it carries no types

SCHEMA = schema()


def _tables() -> Iterator[tuple[str, dict[str, Any]]]:
    yield "", SCHEMA
    yield from SCHEMA["$defs"].items()


def _accepts(document: dict[str, Any]) -> bool:
    return bool(jsonschema.Draft202012Validator(SCHEMA).is_valid(document))


def test_it_is_a_schema_of_the_2020_12_draft_and_plain_json() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


def test_every_key_says_what_it_is_and_shows_an_example() -> None:
    for name, table in _tables():
        for key, entry in table["properties"].items():
            where = f"{name}.{key}"
            assert entry["description"].endswith("."), where
            assert "$ref" in entry or key == "routes" or entry["title"] == key, where
            assert "$ref" in entry or key == "routes" or entry["examples"], where


def test_every_table_refuses_keys_it_does_not_know() -> None:
    open_tables = [name for name, table in _tables() if table["additionalProperties"] is not False]
    assert open_tables == ["Signals"]
    assert SCHEMA["$defs"]["Signals"]["additionalProperties"] == {"$ref": "#/$defs/Own"}


def test_there_is_no_null_in_toml() -> None:
    assert "null" not in json.dumps(SCHEMA)


def test_examples_and_defaults_fit_their_own_entries() -> None:
    for name, table in _tables():
        for key, entry in table["properties"].items():
            validator = jsonschema.Draft202012Validator({**entry, "$defs": SCHEMA["$defs"]})
            for example in entry.get("examples", ()):
                assert validator.is_valid(example), f"{name}.{key}: {example}"
            assert "default" not in entry or validator.is_valid(entry["default"]), f"{name}.{key}"


@pytest.mark.parametrize("text", [MINIMAL, CONTRACT, render_config("bank")], ids=["minimal", "contract", "template"])
def test_good_files_are_valid(text: str) -> None:
    assert _accepts(tomllib.loads(text))


@pytest.mark.parametrize(
    "changes",
    [
        {"service": None},
        {"service": "my bank"},
        {"colour": "red"},
        {"routes": []},
        {"routes": [{"name": "a"}]},
        {"routes": [{"name": "a", "path": "/a", "challenge": "alway"}]},
        {"routes": [{"name": "a", "path": "/a", "max_age": 300}]},
        {"routes": [{"name": "a", "path": "/a", "max_age": "5 minutes"}]},
        {"routes": [{"name": "a", "path": "/a", "methods": ["post"]}]},
        {"routes": [{"name": "a", "path": "/a", "methods": ["POST", "POST"]}]},
        {"routes": [{"name": "a", "path": "a"}]},
        {"challenge": {"window": 3}},
        {"challenge": {"resume_max_body": "64"}},
        {"throttle": {"account": {"grow": 0.5}}},
        {"risk": {"signals": {"new_device": "20"}}},
        {"risk": {"signals": {"mine": 20}}},
        {"risk": {"signals": {"off_hours": {"points": 1, "hours": "22-6"}}}},
        {"store": {"url": "mysql://db/bank"}},
        {"audit": {"rotate": {"size": "big"}}},
        {"geo": {}},
    ],
)
def test_an_editor_sees_the_mistakes_that_the_loader_sees(changes: dict[str, Any]) -> None:
    assert not _accepts(mapping(**changes))
    with pytest.raises(ConfigError):
        load_config(mapping(**changes), ENVIRON)


def test_the_template_shows_the_defaults_in_its_comments() -> None:
    lines = [line.removeprefix("# ") for line in render_config("bank").split("\n")]
    live = "\n".join(line for line in lines if re.match(r"(\[|[a-z_]+ = )", line))
    live = live.replace("[challenge]\n", "", 1) if live.count("[challenge]") > 1 else live
    document = tomllib.loads(live)
    for name, table in document.items():
        if isinstance(table, dict) and name in {"challenge", "throttle", "cookie", "store"}:
            _compare(SCHEMA["$defs"][name.capitalize()], table)
    route = next(iter(document["routes"]))
    assert {key: route[key] for key in ("challenge", "max_age", "grant", "mode")} == {
        key: SCHEMA["$defs"]["Route"]["properties"][key]["default"] for key in ("challenge", "max_age", "grant", "mode")
    }


def _compare(definition: dict[str, Any], table: dict[str, Any]) -> None:
    for key, value in table.items():
        entry = definition["properties"][key]
        if isinstance(value, dict):
            _compare(SCHEMA["$defs"][entry["$ref"].rpartition("/")[2]], value)
        else:
            assert entry["default"] == value, key


def test_names_from_an_app_are_quoted_in_the_template() -> None:
    routes = (
        Proposal(name='say "hi"\\', path="/caf\u00e9/{id:int}", methods=("POST", "DELETE"), risk=70),
        Proposal(name="all", path="/admin/{rest:path}"),
    )
    found = tomllib.loads(render_config("shop", routes))["routes"]
    assert [route["name"] for route in found] == ['say "hi"\\', "all"]
    assert found[0]["methods"] == ["POST", "DELETE"]
    assert (found[0]["risk"], found[1]["path"], "methods" in found[1]) == (70, "/admin/{rest:path}", False)
