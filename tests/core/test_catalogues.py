from __future__ import annotations

import ast
import re
from importlib.resources import files
from pathlib import Path

import pytest

import stepup_mw
from stepup_mw.pages.catalogue import LANGUAGES, built_in, english, places_of, say
from stepup_mw.pages.colours import DARK_GROUND, ENOUGH, LIGHT_GROUND, accents_of, contrast

ROOT = Path(stepup_mw.__file__).parent


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_texts_with_the_same_places(language: str) -> None:
    first, other = built_in(LANGUAGES[0]).texts, built_in(language).texts
    assert list(other) == list(first)
    assert {key: places_of(text) for key, text in other.items()} == {
        key: places_of(text) for key, text in first.items()
    }
    assert {key: type(text) for key, text in other.items()} == {key: type(text) for key, text in first.items()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty_or_markup(language: str) -> None:
    for key, text in built_in(language).texts.items():
        for form in [text] if isinstance(text, str) else text.values():
            assert form.strip() == form != "", key
            assert not re.search(r"[<>\x00-\x1f]", form), key


def _said() -> set[str]:
    """The keys that code and templates name: whole, or by their beginning where the rest is put in."""
    named: set[str] = set()
    for path in (*ROOT.glob("gate/*.py"), *ROOT.glob("pages/*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say" and node.args:
                named |= {
                    str(inner.value)
                    for inner in ast.walk(node.args[0])
                    if isinstance(inner, ast.Constant) and isinstance(inner.value, str) and "." in inner.value
                }
    for file in files("stepup_mw.pages").joinpath("html").iterdir():
        named |= set(re.findall(r"\{\{t\.([a-z_.-]+)\}\}", file.read_text("utf-8")))
    return named


def test_every_text_that_is_said_is_there_and_every_text_is_said() -> None:
    texts, named = built_in("en").texts, _said()
    whole = {key for key in named if not key.endswith((".", "_"))}
    begun = tuple(key for key in named if key.endswith("."))
    assert {key for key in whole if key not in texts} == set()
    assert [key for key in texts if key not in whole and not key.startswith(begun)] == []


@pytest.mark.parametrize(("count", "said"), [(1, "1 recovery code left."), (7, "7 recovery codes left.")])
def test_a_text_that_hangs_on_a_number(count: int, said: str) -> None:
    assert english(say("enroll.left", count=count)) == said


def test_a_text_in_the_place_of_another() -> None:
    assert built_in("de").said(say("date.day", day=3, month=say("date.march"), year=2026)) == "3. März 2026"


@pytest.mark.parametrize("accent", ["#000000", "#ffffff", "#ffcc00", "#0b57d0", "#808080", "#00ff00", "#7a0019"])
def test_any_accent_is_legible_on_both_grounds(accent: str) -> None:
    found = accents_of(accent)
    for colour, ground, upon in (
        (found.light, LIGHT_GROUND, found.on_light),
        (found.dark, DARK_GROUND, found.on_dark),
    ):
        assert contrast(colour, ground) >= ENOUGH
        assert contrast(upon, colour) >= ENOUGH


def test_an_accent_that_is_legible_stays_as_it_is() -> None:
    assert accents_of("#0b57d0").light == "#0b57d0"
    assert round(contrast("#ffffff", "#000000"), 3) == 21.0
