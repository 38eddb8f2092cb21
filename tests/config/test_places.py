from __future__ import annotations

import tomllib

from stepup_mw.config.document import format_key
from stepup_mw.config.places import Places, locate

TEXT = """\
top = 1
[a]
b.c = "x"
list = [
  1,
  { d = 2 },
]
[a.deep]
[[routes]]
name = "one"
[[ routes ]]
[other]
# [[routes]]
"""


def _at(places: Places, *path: str | int, at_key: bool = False) -> tuple[int, int]:
    offset = places.offset(path, at_key=at_key)
    assert offset is not None
    return places.line_column(offset)


def test_values_keys_and_headers_have_their_places() -> None:
    places = locate(TEXT, tomllib.loads(TEXT))
    assert _at(places, "top") == (1, 7)
    assert _at(places, "top", at_key=True) == (1, 1)
    assert _at(places, "a") == (2, 2)
    assert _at(places, "a", "b", "c") == (3, 7)
    assert _at(places, "a", "b", "c", at_key=True) == (3, 3)
    assert _at(places, "a", "list", 0) == (5, 3)
    assert _at(places, "a", "list", 1, "d") == (6, 9)
    assert _at(places, "a", "deep") == (8, 4)
    assert _at(places, "routes", 0) == (9, 3)
    assert _at(places, "routes", 1) == (11, 4)


def test_what_is_missing_points_at_what_is_around_it() -> None:
    places = locate(TEXT, tomllib.loads(TEXT))
    assert _at(places, "routes", 1, "name") == (11, 4)
    assert _at(places, "a", "list", 1, "e", at_key=True) == (6, 3)
    assert _at(places, "nowhere", "at", "all") == (1, 1)


def test_headers_inside_a_text_do_not_mislead() -> None:
    text = 'x = """\n[[routes]]\n"""\n[[routes]]\nname = "one"\n'
    places = locate(text, tomllib.loads(text))
    assert _at(places, "routes", 0, "name") == (5, 8)
    assert _at(places, "routes", 0, "path") == (4, 3)


def test_routes_in_one_list_have_places_of_their_own() -> None:
    text = 'routes = [{ name = "one" }, { name = "two" }]\n'
    places = locate(text, tomllib.loads(text))
    assert _at(places, "routes", 1) == (1, 29)
    assert _at(places, "routes", 1, "name") == (1, 38)


def test_there_are_no_places_where_the_two_readings_differ() -> None:
    assert locate("a = 1", {"a": 2}).offset(("a",)) is None
    assert locate("a = nan", tomllib.loads("a = nan")).offset(("a",)) is None
    assert locate("a = ", {}).offset(()) is None


def test_keys_are_spelt_as_in_the_file_and_odd_ones_are_quoted() -> None:
    assert format_key(("routes", 1, "risk")) == "routes[1].risk"
    assert format_key(("risk", "signals", "a b", 0)) == 'risk.signals."a b"[0]'
    assert format_key(("\x1b[2J",)) == '"\\u001b[2J"'
    assert format_key(()) == ""
