from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette._utils import get_route_path

from stepup_mw import paths
from stepup_mw.errors import AmbiguousRequest

from .samples import ODD

PLAIN = {"/": True, "/a/b": True, "/a/": True, "/a b": True, "/a.b": True, "/a?b": True, "/~a-b_c": True}
PLAIN |= dict.fromkeys(
    ["", "a", "//a", "/a//b", "/a/../b", "/.a", "/a\\b", "/a;b", "/a%20", "/a\n", "/a\0", "/é"], False
)


@pytest.mark.parametrize(("path", "plain"), PLAIN.items())
def test_is_plain(path: str, plain: bool) -> None:
    assert paths.is_plain(path) is plain


READINGS = {
    "newline": ("/a/b\n", "", None, {"/a/b\n", "/a/b"}),
    "below a mount": ("/accounts/transfer\n", "", None, {"/accounts/accounts/transfer"}),
    "leading slashes": ("///a", "", None, {"///a", "/a"}),
    "no leading slash": ("a", "", None, {"a", "/a"}),
    "empty": ("", "", None, {"", "/"}),
    "double slashes": ("/a//b", "", None, {"/a//b", "/a/b"}),
    "decoded again": ("/a%2fb", "", None, {"/a%2fb", "/a/b"}),
    "decoded twice more": ("/a%252fb", "", None, {"/a%252fb", "/a%2fb", "/a/b"}),
    "decoded newline": ("/a%0a", "", None, {"/a%0a", "/a"}),
    "decoded as latin-1": ("/caf%E9", "", None, {"/café"}),
    "kept encoded": ("/a/b", "", b"/a%2Fb", {"/a/b", "/a%2Fb"}),
    "kept encoded, query": ("/a/b", "", b"/a%2fb?x=%2f", {"/a/b", "/a%2fb"}),
    "dots": ("/a/./c/../b", "", None, {"/a/./c/../b", "/a/b"}),
    "dots above the root": ("/../../a", "", None, {"/a"}),
    "dots at the end": ("/a/b/..", "", None, {"/a/"}),
    "backslash": ("/a\\b", "", None, {"/a\\b", "/a/b"}),
    "params": ("/a;x=1/b;y", "", None, {"/a;x=1/b;y", "/a/b"}),
    "trailing slashes": ("/a//", "", None, {"/a//", "/a/", "/a"}),
    "NFC": ("/cafe\u0301", "", None, {"/café"}),
    "NFKC": ("/\uff41\uff0fb", "", None, {"/a/b"}),
    "NFKC and dots": ("/x/\uff0e\uff0e/a", "", None, {"/a"}),
    "latin-1 was UTF-8": ("/cafÃ©", "", None, {"/café"}),
    "UTF-8 was latin-1": ("/café", "", None, {"/cafÃ©"}),
    "lost bytes": ("/caf\ufffd", "", b"/caf%E9", {"/café"}),
    "escaped byte": ("/caf\udce9", "", None, {"/café"}),
    "NUL": ("/a\0b", "", None, {"/a\0b", "/a"}),
    "absolute form": ("http://host.example//a", "", None, {"http://host.example//a", "/a"}),
    "what stands before the first slash": ("x/a", "", None, {"/x/a", "/a"}),
    "not below the root path": ("/t/pay", "/api", None, {"/t/pay", "/t/t/pay"}),
    "absolute form, no path": ("http://host.example", "", None, {"/"}),
    "root path": ("/api/a", "/api", None, {"/a", "/api/a"}),
    "root path alone": ("/api", "/api", None, {"", "/", "/api"}),
    "root path with a slash": ("/api/a", "/api/", None, {"/api/a", "/a"}),
    "root path twice": ("/api/api/a", "/api", None, {"/api/a", "/api/api/a", "/a"}),
    "root path as a prefix": ("/apix/a", "/api", None, {"/apix/a", "/x/a"}),
    "root path later": ("/x/api/a", "/api", None, {"/x/api/a", "/a"}),
    "root path behind slashes": ("//api/a", "/api", None, {"//api/a", "/api/a", "/a"}),
    "all together": ("/x/..;v=1/a%0a", "", None, {"/a"}),
}


@pytest.mark.parametrize(("path", "root_path", "raw_path", "expected"), READINGS.values(), ids=READINGS.keys())
def test_readings(path: str, root_path: str, raw_path: bytes | None, expected: set[str]) -> None:
    found = paths.readings(path, root_path, raw_path)
    assert found[0] == get_route_path({"path": path, "root_path": root_path})
    assert expected <= set(found)
    assert path in found


@pytest.mark.parametrize("path", ["/", "/accounts/42/transfer", "/a.b/c-d_e", "/static/js/chunk12.js", "/a/"])
def test_a_plain_path_has_one_reading(path: str) -> None:
    assert paths.readings(path) == paths.readings(path, "", path.encode()) == (path,)


TEXT = st.lists(st.sampled_from([*ODD, "/", "a", "api", "/api", "b"]), max_size=14).map("".join)


@given(TEXT, st.sampled_from(["", "/", "/api", "/api/", "api", "/a/b"]))
def test_route_path_is_starlettes(path: str, root_path: str) -> None:
    assert paths.route_path(path, root_path) == get_route_path({"path": path, "root_path": root_path})


@given(TEXT, st.sampled_from(["", "/api", "/a"]), st.sampled_from([None, b"/a%2Fb", b"/%E9%2f%C3"]))
def test_readings_are_few_or_refused(path: str, root_path: str, raw_path: bytes | None) -> None:
    try:
        found = paths.readings(path, root_path, raw_path)
    except AmbiguousRequest as error:
        found, reason = (), error.reason
    else:
        reason = ""
    assert reason in ("", "too_many_readings")
    assert len(found) == len(set(found)) <= paths.MAX_READINGS
    assert sum(map(len, found)) <= paths.MAX_TEXT


@given(TEXT)
def test_one_reading_means_no_other_by_any_step(path: str) -> None:
    """A plain path has no other reading: each step leads nowhere, but for the slash at the end."""
    if paths.is_plain(path):
        assert {reading.rstrip("/") for reading in paths.readings(path, "/nowhere")} == {path.rstrip("/")}


@pytest.mark.slow
@given(TEXT)
def test_alphabets_are_never_too_many_for_what_can_be_sent(path: str) -> None:
    assert 1 <= len(paths.alphabets(path)) <= paths.MAX_READINGS
    assert len(paths.alphabets("/%25252525" * 900 + path)) >= 3


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/" + "a" * 8191, None),
        ("/" + "a" * 8192, "path_too_long"),
        ("/a\0", "nul_in_path"),
        ("/\udce9", "path_not_text"),
    ],
    ids=["longest", "too long", "NUL", "not text"],
)
def test_refusal(path: str, reason: str | None) -> None:
    found = paths.refusal(path)
    assert (found[0] if found else None) == reason


@pytest.mark.parametrize(
    "path",
    ["/a;x=1/b\\c//d/./e/%2f%0a/f\n", "/" + "\uff0f;%252e\\//." * 500, "/x/" * 2000 + "\n"],
    ids=["one of each", "thousands", "mounts"],
)
def test_too_many_readings_are_refused(path: str) -> None:
    with pytest.raises(AmbiguousRequest) as caught:
        paths.readings(path)
    assert caught.value.reason == "too_many_readings"


def test_a_long_odd_path_is_refused_unread_and_a_long_plain_one_read() -> None:
    with pytest.raises(AmbiguousRequest) as caught:
        paths.readings("//" + "a" * 9000)
    assert caught.value.reason == "path_too_long"
    assert len(paths.readings("/" + "a" * 9000)) == 1


@given(TEXT)
def test_the_quick_way_is_taken_for_plain_paths_only(path: str) -> None:
    concerns = paths.quick(lambda _path: None, lambda *_: True)
    for _again in range(2):
        assert concerns(path) is not paths.is_plain(path)
        assert concerns(path, "/api")
        assert concerns(path, "", b"/%61")


@given(st.lists(TEXT, max_size=9), TEXT)
def test_what_was_asked_before_changes_no_answer(before: list[str], path: str) -> None:
    def is_short(text: str) -> bool:
        return len(text) < 4

    concerns = paths.quick(lambda text: None if is_short(text) else text, lambda *_: True)
    for other in before:
        concerns(other)
    for _again in range(2):
        assert concerns(path) is not (paths.is_plain(path) and is_short(path))


def test_what_is_remembered_is_bounded() -> None:
    """However many paths a client thinks of, and however long they are."""
    concerns = paths.quick(lambda _path: None, lambda *_: True)
    tracemalloc.start()
    try:
        for number in range(4 * paths.MAX_KNOWN):
            assert not concerns(f"/{number:0200}")
            assert not concerns(f"/{number:04000}")
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < most < 2_000_000
