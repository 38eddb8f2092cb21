"""``client.js`` and its types: for everybody, never stored, read only. What it does is shown in a browser."""

from __future__ import annotations

import pytest

from .doors import Door


@pytest.mark.parametrize(
    ("name", "kind", "part"),
    [
        ("client.js", "text/javascript; charset=utf-8", "export function wrap("),
        ("client.d.ts", "text/plain; charset=utf-8", "export declare function wrap("),
    ],
)
def test_it_is_served_to_anybody_and_never_stored(door: Door, name: str, kind: str, part: str) -> None:
    with door.client() as client:
        answer = client.get(f"/_stepup/{name}")
        refused = client.post(f"/_stepup/{name}")
        beyond = client.get(f"/_stepup/{name}/more")
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert part in answer.text
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    assert beyond.status_code == 404
