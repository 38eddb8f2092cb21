from __future__ import annotations

import pytest

from stepup_mw.methods import METHODS, covered_methods, method_readings


@pytest.mark.parametrize(
    ("method", "override", "expected"),
    [
        ("POST", (), {"POST"}),
        ("Post", (), {"POST"}),
        (" post ", (), {"POST"}),
        ("POST", ("delete",), {"POST", "DELETE"}),
        ("POST", ("", " "), {"POST"}),
        ("FOO", (), METHODS | {"FOO"}),
        ("PROPFIND", (), METHODS | {"PROPFIND"}),
        ("GET", ("bogus",), METHODS | {"GET", "BOGUS"}),
        ("po\u017ft", (), METHODS),
        ("", (), METHODS),
    ],
)
def test_method_readings(method: str, override: tuple[str, ...], expected: set[str]) -> None:
    assert set(method_readings(method, override)) == expected


def test_get_covers_head_and_none_covers_all() -> None:
    assert covered_methods(["get"]) == frozenset({"GET", "HEAD"})
    assert covered_methods(["POST"]) == frozenset({"POST"})
    assert covered_methods(None) is None
