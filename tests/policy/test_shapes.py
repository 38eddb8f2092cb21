from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw.patterns import compile_pattern
from stepup_mw.shapes import Shapes, covers

from .test_patterns import PATHS, sources


@given(st.lists(sources(), max_size=12), PATHS)
def test_no_pattern_that_matches_is_left_out(all_sources: list[str], path: str) -> None:
    patterns = [compile_pattern(source) for source in all_sources]
    found = list(Shapes(patterns).find(path))
    assert found == sorted(set(found))
    assert set(found) >= {number for number, pattern in enumerate(patterns) if pattern.broad.fullmatch(path)}


@pytest.mark.parametrize("levels", [2, 8])
def test_one_answer_for_many_shapes_and_for_few(levels: int) -> None:
    """Every mixture of a literal and a parameter: 4 shapes are looked up, 256 are walked."""
    texts = [
        "/" + "/".join("a" if number >> place & 1 else f"{{p{place}}}" for place in range(levels)) + "/end"
        for number in range(1 << levels)
    ]
    shapes = Shapes([compile_pattern(text) for text in texts])
    assert list(shapes.find("/a" * levels + "/end")) == list(range(1 << levels))
    assert list(shapes.find("/b" * levels + "/end")) == [0]
    assert list(shapes.find("/a" * levels + "/nope")) == []


COVERS = {
    "itself": ("/a/{x}", "/a/{x}", True),
    "another name": ("/a/{x}", "/a/{y}", True),
    "literal": ("/a/{x}", "/a/b", True),
    "typed": ("/a/{x}", "/a/{n:int}", True),
    "part": ("/a/{x}", "/a/{n}.json", True),
    "not the other way": ("/a/b", "/a/{x}", False),
    "int over str": ("/a/{n:int}", "/a/{x}", False),
    "int over digits": ("/a/{n:int}", "/a/42", True),
    "int over a word": ("/a/{n:int}", "/a/me", False),
    "tree": ("/a/{rest:path}", "/a/b/{c}/d", True),
    "tree over a tree": ("/a/{rest:path}", "/a/b/{other:path}", True),
    "tree, its own slash": ("/a/{rest:path}", "/a/", True),
    "tree, without the slash": ("/a/{rest:path}", "/a", False),
    "tree of a param": ("/{x}/{rest:path}", "/a/b/c", True),
    "segment over a path": ("/a/{x}", "/a/{p:path}", False),
    "longer": ("/a/{x}", "/a/b/c", False),
    "slash at the end": ("/a/", "/a", False),
    "param over nothing": ("/a/{x}", "/a/", False),
    "path inside": ("/a/{p:path}/x", "/a/b/x", False),
    "exact meaning given up early": ("/{a}-{b}-{c}/{rest:path}", "/{a}-{b}-{c}/me", False),
}


@pytest.mark.parametrize(("wide", "narrow", "expected"), COVERS.values(), ids=COVERS.keys())
def test_covers(wide: str, narrow: str, expected: bool) -> None:
    assert covers(compile_pattern(wide), compile_pattern(narrow)) is expected


@given(sources(), sources(), PATHS)
def test_covers_is_sound(wide: str, narrow: str, path: str) -> None:
    left, right = compile_pattern(wide), compile_pattern(narrow)
    if covers(left, right):
        assert left.exactly(path) or not right.exactly(path)
        assert left.broad.fullmatch(path) or not right.broad.fullmatch(path)
