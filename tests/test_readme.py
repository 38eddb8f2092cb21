"""What the README says is what there is: its configuration starts, its line is a line, its recipes run."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

import stepup_mw
from stepup_mw import events
from stepup_mw.config import load_config
from stepup_mw.config.init import write_init
from stepup_mw.gate import form_tokens

README = Path(__file__).parents[1] / "README.md"
FACTS = events.Facts(
    user_id="alice",
    session_id=None,
    flow_id="f",
    request_id="r",
    service="bank",
    action={"route": "transfer", "method": "POST", "template": "/t", "path": "/t"},
    origin={"ip": "203.0.113.9"},
    risk=None,
    policy=None,
    trace=None,
)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(), re.DOTALL)


def test_the_configuration_is_ten_lines_and_starts(tmp_path: Path) -> None:
    write_init(tmp_path, "bank", random=lambda size: bytes(range(size)))
    shown = next(block for block in blocks("toml") if "service =" in block)
    assert len(shown.strip().splitlines()) == 10
    path = tmp_path / "shown.toml"
    path.write_text(shown)
    config = load_config(path, {})
    assert [rule.name for rule in config.settings.rules] == ["transfer"]


def test_the_sample_line_has_exactly_the_keys_of_a_line() -> None:
    shown = json.loads(blocks("json")[0])
    record = json.loads(
        events.step_up(FACTS, phase="access", status="allowed", now=1795418700.0, event_id="e", reason="route_policy")
    )
    added = {"prev", "seq", "writer"}
    assert set(shown) - added == set(record)
    assert [key for key in shown if key not in added] == list(record)


def test_the_jq_recipe_finds_wrong_codes(tmp_path: Path) -> None:
    trail = tmp_path / "audit" / "stepup.jsonl"
    trail.parent.mkdir()
    lines = [
        events.step_up(FACTS, phase="challenge", status=status, now=1795418700.0, event_id="e")
        for status in ("issued", "rejected")
    ]
    trail.write_bytes(b"".join(line + b"\n" for line in lines))
    recipe = re.search(r"^jq -r .*?stepup\.jsonl", "\n".join(blocks("sh")), re.DOTALL | re.MULTILINE)
    assert recipe is not None
    found = subprocess.run(recipe[0], shell=True, cwd=tmp_path, capture_output=True, text=True, check=True)  # noqa: S602 - the README's own words
    assert found.stdout == "2026-11-23T07:25:00.000000Z\talice\t203.0.113.9\n"


@pytest.mark.parametrize("link", re.findall(r"\]\((?!https?:)([^)]+)\)", README.read_text()))
def test_links_within_the_project_lead_somewhere(link: str) -> None:
    assert (README.parent / link).exists()


def test_no_unfinished_part() -> None:
    assert "BENCHMARK_TABLES" not in README.read_text()


def test_every_test_that_a_standard_names_is_there() -> None:
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", README.read_text()))
    defined = set()
    for path in Path(__file__).parent.rglob("test_*.py"):
        defined |= set(re.findall(r"^(?:async )?def (test_\w+)\(", path.read_text(), re.MULTILINE))
    assert len(named) > 15
    assert named <= defined, named - defined


def test_the_pages_table_starts(tmp_path: Path) -> None:
    write_init(tmp_path, "bank", random=lambda size: bytes(range(size)))
    shown = next(block for block in blocks("toml") if "[page]" in block)
    base = next(block for block in blocks("toml") if "service =" in block).partition("[[routes]]")[0]
    (tmp_path / "shown.toml").write_text(base + shown)
    settings = load_config(tmp_path / "shown.toml", {}).settings
    assert settings.rules[0].show == ("to", "amount")
    assert (settings.page.accent, settings.challenge.form_max_age_s) == ("#b4540a", 1800)
    assert settings.page.texts["en"]["challenge.title"] == "Is it really you?"


def test_the_token_of_a_form_is_called_as_shown() -> None:
    assert f'name="{form_tokens.FIELD}"' in blocks("html")[0]
    assert 'stepup_mw.form_token(request, "/accounts/42/transfer")' in README.read_text()
    assert {"form_token", "form_token_sync"} <= set(stepup_mw.__all__)
