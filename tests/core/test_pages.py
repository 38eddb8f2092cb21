from __future__ import annotations

import base64
import hashlib
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stepup_mw.messages import Response
from stepup_mw.pages import ChallengeView, challenge_page, notice_page

FIELDS = ("service", "user", "route", "method", "path", "why", "lasts", "ends", "verify_url", "cancel_url", "error")


class Outline(HTMLParser):
    """The tags, attribute names and form targets of a page; and the text it shows."""

    def __init__(self, page: Response) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.values: dict[str, list[str]] = {}
        self.text = ""
        self.feed(page.body.decode("utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        for name, value in attrs:
            self.values.setdefault(f"{tag}.{name}", []).append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


def view(**changes: Any) -> ChallengeView:
    values: dict[str, Any] = {name: f"a {name}" for name in FIELDS}
    values |= {"verify_url": "/_stepup/challenges/x/verify", "cancel_url": "/_stepup/challenges/x/cancel"}
    return ChallengeView(**{**values, "recovery": True, "returns": False, **changes})


PLAIN = Outline(challenge_page(view()))
HOSTILE = st.text(st.characters(), max_size=40) | st.text("<>&\"'/ =$\\{}\x00\x1b\u202e\ud800ascript", max_size=40)


@given(st.fixed_dictionaries({name: HOSTILE.filter(bool) for name in FIELDS}))
@example(dict.fromkeys(FIELDS, "</title></style><script>alert(1)</script><img src=x onerror=y>"))
@example(dict.fromkeys(FIELDS, "\"' autofocus onfocus=alert(1) x='\""))
@example(dict.fromkeys(FIELDS, "$content ${title} $$ $service"))
def test_no_value_adds_a_tag_or_an_attribute(values: dict[str, str]) -> None:
    page = challenge_page(view(**values))
    found = Outline(page)
    assert found.tags == PLAIN.tags
    assert {"script", "img", "iframe", "link", "object"}.isdisjoint(tag for tag, _ in found.tags)
    assert b"\x1b" not in page.body
    assert b"\x00" not in page.body


@given(HOSTILE, HOSTILE, HOSTILE)
def test_no_value_adds_a_tag_to_a_notice(title: str, text: str, service: str) -> None:
    plain = Outline(notice_page(title="t", text="t", status=400, service="s", back="/x"))
    assert Outline(notice_page(title=title, text=text, status=400, service=service, back="/x")).tags == plain.tags


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=80))
def test_a_value_is_shown_as_it_is(path: str) -> None:
    assert path in Outline(challenge_page(view(path=path))).text


def test_the_page_says_what_for_and_how() -> None:
    found = Outline(challenge_page(view(error="That code is wrong.")))
    assert found.values["form.action"] == ["/_stepup/challenges/x/verify"] * 2 + ["/_stepup/challenges/x/cancel"]
    assert set(found.values["form.method"]) == {"post"}
    assert found.values["input.name"] == ["code", "code"]
    assert found.values["input.autocomplete"][0] == "one-time-code"
    for said in ("That code is wrong.", "a user", "a route", "a path", "a why", "a lasts", "a ends"):
        assert said in found.text
    assert "go back and send it once more" in found.text


def test_what_does_not_apply_is_not_shown() -> None:
    found = Outline(challenge_page(view(recovery=False, returns=True, error="")))
    assert found.values["input.name"] == ["code"]
    assert "go back and send it once more" not in found.text
    assert ("p", ("class", "role", "id")) not in found.tags


def test_every_field_has_a_label() -> None:
    found = Outline(challenge_page(view()))
    assert found.values["label.for"] == found.values["input.id"] == ["code", "recovery"]
    assert found.values["html.lang"] == ["en"]


@pytest.mark.parametrize(
    "page", [challenge_page(view()), notice_page(title="t", text="t", status=410)], ids=["challenge", "notice"]
)
def test_the_policy_allows_the_one_style_and_nothing_else(page: Response) -> None:
    headers = dict(page.headers)
    policy = headers[b"content-security-policy"].decode()
    body = page.body.decode()
    style = body[body.index("<style>") + 7 : body.index("</style>")]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "script-src" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self'" in policy
    assert body.count("<style") == 1
    assert " style=" not in body
    assert "http:" not in body
    assert "https:" not in body


def test_every_page_is_kept_by_nobody() -> None:
    page = notice_page(title="t", text="t", status=410, headers=((b"x-one", b"1"),))
    headers = dict(page.headers)
    assert page.status == 410
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"content-type"] == b"text/html; charset=utf-8"
    assert headers[b"x-frame-options"] == b"DENY"
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"x-one"] == b"1"
