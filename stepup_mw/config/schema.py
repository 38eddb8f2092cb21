"""The JSON Schema (draft 2020-12) of ``stepup.toml``, for editors: ``stepup check --schema`` prints it."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from .models import StepUpFile


class _Draft(GenerateJsonSchema):
    """Titles as a person writes them in the file: the key itself."""

    def get_title_from_name(self, name: str) -> str:
        return name


def schema() -> dict[str, Any]:
    """A new JSON value: every key with its meaning, default, bounds and an example; durations and sizes as patterns."""
    document = StepUpFile.model_json_schema(schema_generator=_Draft)
    tables = document["$defs"]
    for table in (document, *tables.values()):
        for name, entry in table["properties"].items():
            about = tables.get(entry.get("$ref", "").rpartition("/")[2], {})
            table["properties"][name] = {"description": about.get("description"), **_as_written(name, entry)}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **document}


def _as_written(name: str, entry: dict[str, Any]) -> dict[str, Any]:
    """A key as TOML has it: there is no null, a key is left out; and the default serves as an example."""
    kinds = [kind for kind in entry.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) < len(entry.get("anyOf", ())):
        rest = {key: value for key, value in entry.items() if key != "anyOf" and (key, value) != ("default", None)}
        entry = {**kinds[0], **rest} if len(kinds) == 1 else {"anyOf": kinds, **rest}
    if "default" in entry:
        entry = {"examples": [entry["default"]], **entry}
    return {"title": name, **entry}
