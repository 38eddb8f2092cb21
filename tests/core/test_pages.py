from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stepup_mw.errors import TemplateError
from stepup_mw.messages import Response
from stepup_mw.pages import Pages, say
from stepup_mw.settings import PageSettings

FIELDS = ("user", "route", "method", "path", "why", "lasts", "ends", "send_url", "cancel_url", "error", "origin",
          "asked", "notice")  # fmt: skip
PAGES = Pages(PageSettings(), "bank")


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
        if self.tags[-1:] and self.tags[-1][0] not in ("style", "script"):
            self.text += data


def challenge(pages: Pages = PAGES, accepted: str = "", **changes: Any) -> Response:
    values: dict[str, Any] = {name: f"a {name}" for name in FIELDS}
    values |= {"send_url": "/_stepup/challenges/x/verify", "cancel_url": "/_stepup/challenges/x/cancel"}
    view = {**values, "codes": True, "recovery": True, "auto": True, "unkept": say("unkept.other"), **changes}
    return pages.page("challenge", view, title=say("challenge.title"), accepted=accepted)


def notice(title: str = "t", text: str = "x", **more: Any) -> Response:
    view = {"text": text, "back": "/x"}
    return PAGES.page("notice", view, title=say("refused.target", why=title), accepted="", **more)


PLAIN = Outline(challenge())
HOSTILE = st.text(st.characters(), max_size=40) | st.text("<>&\"'/ =${}#\\\x00\x1b\u202e\ud800ascript", max_size=40)


@given(st.fixed_dictionaries({name: HOSTILE.filter(bool) for name in FIELDS}))
@example(dict.fromkeys(FIELDS, "</title></style><script>alert(1)</script><img src=x onerror=y>"))
@example(dict.fromkeys(FIELDS, "\"' autofocus onfocus=alert(1) x='\""))
@example(dict.fromkeys(FIELDS, "{{script}} {{#brand}} {{{content}}} {code} $service"))
def test_no_value_adds_a_tag_or_an_attribute(values: dict[str, Any]) -> None:
    page = challenge(**values)
    found = Outline(page)
    assert found.tags == PLAIN.tags
    assert {"img", "iframe", "link", "object"}.isdisjoint(tag for tag, _ in found.tags)
    assert [tag for tag, _ in found.tags].count("script") == 1
    assert b"\x1b" not in page.body
    assert b"\x00" not in page.body


@given(HOSTILE, HOSTILE.filter(bool))
def test_no_value_adds_a_tag_to_a_notice(title: str, text: str) -> None:
    assert Outline(notice(title, text)).tags == Outline(notice()).tags


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=80))
def test_a_value_is_shown_as_it_is(path: str) -> None:
    assert path in Outline(challenge(path=path)).text


def test_the_page_says_who_asks_what_for_from_where_and_how_long() -> None:
    found = Outline(challenge())
    assert found.values["form.action"] == ["/_stepup/challenges/x/verify"] * 2 + ["/_stepup/challenges/x/cancel"]
    assert set(found.values["form.method"]) == {"post"}
    assert found.values["input.name"] == ["code", "code"]
    assert found.values["input.autocomplete"][0] == "one-time-code"
    assert all(f"a {name}" in found.text for name in FIELDS if not name.endswith("_url"))
    assert "go back and send it once more" in found.text


def test_an_error_is_told_at_once_and_belongs_to_its_field() -> None:
    found = Outline(challenge(error=say("code.wrong", count=3)))
    assert "That code is wrong. Tries left: 3." in found.text
    assert found.values["p.role"] == ["status", "alert"]
    assert found.values["input.aria-describedby"] == ["error"]
    assert ("title", ()) in found.tags
    assert re.search(r"<title>Error: Confirm it is you · bank</title>", challenge().body.decode())


def test_what_does_not_apply_is_not_shown() -> None:
    found = Outline(challenge(recovery=False, unkept=None, error=None, notice=None))
    assert found.values["input.name"] == ["code"]
    assert "go back and send it once more" not in found.text
    assert "p.role" not in found.values
    assert "input.aria-invalid" not in found.values


def test_every_field_has_a_label() -> None:
    found = Outline(challenge())
    assert found.values["label.for"] == found.values["input.id"] == ["code", "recovery"]


@pytest.mark.parametrize(
    ("accepted", "language", "said"),
    [
        ("", "en", "Confirm it is you"),
        ("de-AT,de;q=0.9,en;q=0.8", "de", "Sind Sie es wirklich?"),
        ("fr, en-GB;q=0.5, de;q=0.4", "en", "Confirm it is you"),
        ("en;q=0, DE", "de", "Sind Sie es wirklich?"),
        ("x" * 10_000 + ",;;q=9,de;q=x", "en", "Confirm it is you"),
    ],
    ids=["none", "german", "what is spoken of it", "not english", "nonsense"],
)
def test_the_page_speaks_the_language_of_the_browser(accepted: str, language: str, said: str) -> None:
    page = challenge(accepted=accepted)
    assert Outline(page).values["html.lang"] == [language]
    assert said in Outline(page).text
    assert dict(page.headers)[b"content-language"] == language.encode()
    assert dict(page.headers)[b"vary"] == b"accept-language"


@pytest.mark.parametrize("page", [challenge(), notice(status=410)], ids=["challenge", "notice"])
def test_the_policy_allows_the_one_style_and_the_one_script(page: Response) -> None:
    policy, body = dict(page.headers)[b"content-security-policy"].decode(), page.body.decode()
    for tag in ("style", "script"):
        (block,) = re.findall(rf"<{tag}>(.*?)</{tag}>", body, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}';" in policy
        assert body.count(f"<{tag}") == 1
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self'" in policy
    assert " style=" not in body
    assert not re.search(r"https?:", body)


def test_every_page_is_kept_by_nobody() -> None:
    page = notice(status=410, headers=((b"x-one", b"1"),))
    headers = dict(page.headers)
    assert page.status == 410
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"content-type"] == b"text/html; charset=utf-8"
    assert headers[b"x-frame-options"] == b"DENY"
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"x-one"] == b"1"


def test_a_page_of_ones_own_colour_logo_and_words(tmp_path: Path) -> None:
    settings = PageSettings(
        accent="#ffcc00", logo="data:image/png;base64,AAAA", support="Call <1234>", language="de",
        texts={"de": {"challenge.title": "Bist du es?"}, "fr": {"challenge.title": "C'est vous ?"}},
    )  # fmt: skip
    pages = Pages(settings, "bank")
    page = challenge(pages)
    policy, body = dict(page.headers)[b"content-security-policy"].decode(), page.body.decode()
    assert "Bist du es?" in Outline(page).text
    assert "C'est vous ?" in Outline(challenge(pages, "fr")).text
    assert "Code from your authenticator app" in Outline(challenge(pages, "fr")).text
    assert "Call &lt;1234&gt;" in body
    assert 'src="data:image/png;base64,AAAA"' in body
    assert "img-src data:" in policy
    for block in re.findall(r"<style>(.*?)</style>", body, re.DOTALL):
        assert base64.b64encode(hashlib.sha256(block.encode()).digest()).decode() in policy
    assert body.count("<style>") == 2


def test_templates_and_texts_of_ones_own_go_first(tmp_path: Path) -> None:
    (tmp_path / "notice.html").write_text("<style>b{color:red}</style><h1>{{title}}</h1>{{>mine}}")
    (tmp_path / "mine.html").write_text("<b>{{text}}{{missing}}</b>")
    (tmp_path / "en.toml").write_text('[title]\nlocked = "Wait"\n')
    pages = Pages(PageSettings(templates=tmp_path), "bank")
    page = pages.page("notice", {"text": "<i>"}, title=say("title.locked"), accepted="en")
    assert "<h1>Wait</h1><b>&lt;i&gt;</b>" in page.body.decode()
    digest = base64.b64encode(hashlib.sha256(b"b{color:red}").digest()).decode()
    assert digest in dict(page.headers)[b"content-security-policy"].decode()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("notice.html", "a\n{{#x}}\n{{/y}}", "notice.html:3: {{/y}} closes nothing that is open here"),
        ("notice.html", "\n{{#x}}", "notice.html:2: {{#x}} is not closed"),
        ("notice.html", "{{>other}}", 'notice.html:1: there is no template "other"'),
        ("notice.html", "{{a.b}}", 'notice.html:1: "a.b" is no name'),
        ("notice.html", "{{t.no.such}}", 'notice.html:1: there is no text "no.such"'),
        ("de.toml", "x = ", "de.toml: Invalid value (at end of document)"),
        ("de.toml", "x = 1", "de.toml: x is no text"),
    ],
    ids=["crossed", "open", "no part", "no name", "no text", "no toml", "no text in toml"],
)
def test_a_template_that_cannot_be_read_is_named_with_its_line(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(TemplateError) as caught:
        Pages(PageSettings(templates=tmp_path), "bank")
    assert str(caught.value) == message
