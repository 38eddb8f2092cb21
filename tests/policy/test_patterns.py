from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import compile_path

from stepup_mw.errors import PatternError
from stepup_mw.patterns import compile_pattern, fold

MISTAKES = {
    "empty": ("", "does not start with '/'"),
    "relative": ("admin", "does not start with '/'"),
    "absolute": ("https://bank.example/x", "does not start with '/'"),
    "query": ("/a?b=1", "a query ('?')"),
    "fragment": ("/a#b", "a fragment ('#')"),
    "backslash": ("/a\\b", "a backslash"),
    "newline": ("/a\n", "does not print"),
    "nul": ("/a\0", "does not print"),
    "surrogate": ("/a\udce9", "does not print"),
    "encoded": ("/a%20b", "'%20'"),
    "typo in a type": ("/{id:itn}", "did you mean 'int'?"),
    "another framework's type": ("/{id:string}", "did you mean 'str'?"),
    "upper case type": ("/{id:INT}", "did you mean 'int'?"),
    "type far from any": ("/{id:zzzz}", "allowed are str, int, float, uuid, path"),
    "twice": ("/{a}/{a}", "'a' stands twice"),
    "no name": ("/{}", "has no name"),
    "no name but a type": ("/{:int}", "has no name"),
    "no type": ("/{a:}", "no type behind the colon"),
    "bad name": ("/{1a}", "a name is ASCII letters"),
    "spaces": ("/{ a }", "a name is ASCII letters"),
    "open": ("/{a", "without its partner"),
    "shut": ("/a}", "without its partner"),
    "nested": ("/{a{b}}", "without its partner"),
    "empty segment": ("/a//b", "empty segment"),
    "only slashes": ("//", "empty segment"),
    "dot": ("/a/./b", "the segment '.'"),
    "two dots": ("/a/../b", "the segment '..'"),
    "two dots last": ("/a/..", "the segment '..'"),
    "long": ("/" + "a" * 3000, "at most 2048"),
}


@pytest.mark.parametrize(("path", "said"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_named_with_what_is_allowed(path: str, said: str) -> None:
    with pytest.raises(PatternError) as caught:
        compile_pattern(path)
    assert said in str(caught.value)
    assert caught.value.path == path


def test_a_pattern_shows_its_template_and_params() -> None:
    pattern = compile_pattern("/users/{id:int}/files/{rest:path}")
    assert pattern.source == "/users/{id:int}/files/{rest:path}"
    assert pattern.template == "/users/{id}/files/{rest}"
    assert pattern.params("/users/7/files/a/b.txt") == {"id": "7", "rest": "a/b.txt"}
    assert pattern.params("/users/+7/files/a/") == {"id": "+7", "rest": "a/"}
    assert pattern.params("/elsewhere") == {}


BROAD = {
    "int sign": ("/u/{id:int}", "/u/+5", True),
    "int space": ("/u/{id:int}", "/u/ 5", True),
    "int underscore": ("/u/{id:int}", "/u/1_000", True),
    "int other digits": ("/u/{id:int}", "/u/\uff15", True),
    "int word": ("/u/{id:int}", "/u/me", False),
    "float exponent": ("/u/{x:float}", "/u/1e5", True),
    "float inf": ("/u/{x:float}", "/u/-Infinity", True),
    "float nan": ("/u/{x:float}", "/u/NaN", True),
    "float word": ("/u/{x:float}", "/u/me", False),
    "uuid urn": ("/u/{x:uuid}", "/u/urn:uuid:12345678-1234-5678-1234-567812345678", True),
    "uuid braces": ("/u/{x:uuid}", "/u/{12345678123456781234567812345678}", True),
    "uuid word": ("/u/{x:uuid}", "/u/me", False),
    "trailing slash": ("/a", "/a/", True),
    "trailing slashes": ("/a", "/a///", True),
    "trailing slash in the pattern": ("/a/", "/a", True),
    "root": ("/", "", True),
    "tree": ("/f/{rest:path}", "/f/a/b", True),
    "tree with a newline": ("/f/{rest:path}", "/f/a\nb", True),
    "tree itself": ("/f/{rest:path}", "/f", True),
    "beside the tree": ("/f/{rest:path}", "/fg", False),
    "path inside": ("/f/{p:path}/edit", "/f/a/b/edit", True),
    "path inside, other end": ("/f/{p:path}/edit", "/f/a/b/view", False),
    "two paths": ("/{p:path}/x/{id}/y/{q:path}/z", "/a/x/x/b/y/c/d/z", True),
    "path before a tree": ("/{p:path}/a/{rest:path}", "/x/ab/a/z", True),
    "extension": ("/r/{name}.json", "/r/a.b.json", True),
    "other extension": ("/r/{name}.json", "/r/a.xml", False),
    "parts": ("/{a}-{b:int}", "/x-y-5", True),
    "int parts": ("/{y:int}-{m:int}", "/2024-05", True),
    "words for int parts": ("/{y:int}-{m:int}", "/foo-bar", False),
    "adjacent": ("/{a}{b}", "/xy", True),
    "empty segment": ("/a/{x}/b", "/a//b", False),
}


@pytest.mark.parametrize(("source", "path", "matches"), BROAD.values(), ids=BROAD.keys())
def test_the_broad_meaning(source: str, path: str, matches: bool) -> None:
    pattern = compile_pattern(source)
    assert bool(pattern.broad.fullmatch(path)) is matches
    assert fold([pattern]).fullmatch(path) or not matches


SEGMENTS = st.sampled_from(
    [
        "a",
        "ab",
        "b.c",
        "{p}",
        "{p:int}",
        "{p:float}",
        "{p:uuid}",
        "{p:path}",
        "v{p}",
        "{p}.json",
        "{p}-{q}",
        "{p}{q:path}",
    ]
)
TEXTS = st.sampled_from(
    [
        "a",
        "ab",
        "b.c",
        "5",
        "-5",
        "1.5",
        "x.json",
        "x-y",
        "x-y-z",
        "vv",
        "12345678-1234-5678-1234-567812345678",
        "",
        "é",
    ]
)


@st.composite
def sources(draw: st.DrawFn) -> str:
    """Any pattern: its parameters numbered so that none stands twice."""
    parts = draw(st.lists(SEGMENTS, max_size=5))
    text = "/" + "/".join(parts) + draw(st.sampled_from(["", "/"])) * bool(parts)
    count = iter(range(99))
    return re.sub(r"\{[pq]", lambda match: f"{match[0]}{next(count)}", text)


PATHS = st.lists(TEXTS, max_size=7).map(lambda parts: "/" + "/".join(parts))


@given(sources(), PATHS)
def test_exact_is_starlettes_own_and_broad_and_fold_are_wider(source: str, path: str) -> None:
    pattern = compile_pattern(source)
    regex, template, _ = compile_path(source)
    assert pattern.template == template
    assert pattern.exact.pattern == regex.pattern
    if regex.fullmatch(path):
        assert pattern.broad.fullmatch(path)
    if pattern.broad.fullmatch(path):
        assert fold([pattern]).fullmatch(path)


@given(st.lists(sources(), max_size=12), PATHS)
def test_fold_accepts_what_any_pattern_does(all_sources: list[str], path: str) -> None:
    patterns = [compile_pattern(source) for source in all_sources]
    folded = fold(patterns).fullmatch
    assert folded(path) or not any(pattern.broad.fullmatch(path) for pattern in patterns)


def test_fold_of_simple_patterns_accepts_nothing_else() -> None:
    folded = fold([compile_pattern(path) for path in ("/a/{x}/c", "/a/b/{y}", "/ab", "/f/{p:path}/edit")]).fullmatch
    assert [bool(folded(path)) for path in ("/a/1/c", "/a/b/9", "/ab/", "/f/x/y/edit")] == [True] * 4
    assert [bool(folded(path)) for path in ("/a/1/d", "/a", "/abc", "/f/x/y/view", "/", "")] == [False] * 6
    assert fold([]).fullmatch("") is None


def test_fold_stays_within_the_compilers_depth() -> None:
    patterns = [compile_pattern("/" + "a" * length) for length in range(1, 1000)]
    folded = fold(patterns).fullmatch
    assert all(folded(pattern.source) for pattern in patterns)
    assert not folded("/b")


HOSTILE = {
    "paths in a row": ("/{a:path}/x/{b:path}/x/{c:path}/x/{d:path}/end", "/x" * 4000 + "/no"),
    "parts in a row": ("/{a}-{b}-{c}-{d}-{e}/end", "/" + "-x" * 4000 + "/no"),
    "one extension": ("/{a}.json", "/" + ".json" * 1600 + "x"),
    "path with an end": ("/{a:path}/x/end", "/x" * 4000 + "/no"),
}


@pytest.mark.parametrize(("source", "path"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_path_is_no_work(source: str, path: str) -> None:
    """No bound on a few milliseconds here: where matching is not linear, these take hours."""
    pattern = compile_pattern(source)
    begun = time.process_time()
    assert pattern.broad.fullmatch(path) is None
    assert pattern.exactly(path) is None
    fold([pattern]).fullmatch(path)
    assert time.process_time() - begun < 60
