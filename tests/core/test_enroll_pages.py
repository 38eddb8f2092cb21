from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw import recovery
from stepup_mw.messages import Response
from stepup_mw.pages import say
from stepup_mw.pages.enroll import Device, EnrollView, codes_view, enroll_view
from stepup_mw.pages.qr import qr_svg
from stepup_mw.totp import provisioning_uri

from .samples import SECRET
from .test_pages import HOSTILE, PAGES, Outline

URI = provisioning_uri(SECRET, "alice", "bank")
DEVICES = [Device(factor_id="a", label="one", since="1 May 2026"), Device(factor_id="b", label="", since="2 May 2026")]


def view(**changes: Any) -> EnrollView:
    values: dict[str, Any] = {
        "user": "alice", "url": "/_stepup/enroll", "secret": SECRET, "uri": URI, "pending": "P",
        "back": "B", "devices": [], "codes_left": 0, "by_recovery": False, "enrolled": False,
    }  # fmt: skip
    return EnrollView(**{**values, **changes})


def enroll_page(view: EnrollView) -> Response:
    template = "authenticators" if view.enrolled else "enroll"
    return PAGES.page(template, enroll_view(view), title=say("enroll.title"), accepted="")


def codes_page(codes: Sequence[str], onward: str) -> Response:
    view = codes_view(text=say("did.enrolled"), codes=codes, onward=onward, onward_text=say("codes.onward"))
    return PAGES.page("codes", view, title=say("done.enrolled"), accepted="")


def text_of(page: Response) -> str:
    return page.body.decode("utf-8")


def test_a_first_authenticator_is_scanned_or_typed() -> None:
    found = Outline(enroll_page(view()))
    assert "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ" in found.text
    assert found.values["input.name"] == ["pending", "back", "code", "label"]
    assert found.values["input.value"] == ["P", "B", ""]
    assert found.values["form.action"] == ["/_stepup/enroll"]
    assert [tag for tag, _ in found.tags].count("svg") == 1


@pytest.mark.parametrize(
    ("devices", "forms", "choices"),
    [([], ["", "recovery_codes"], 0), (DEVICES[:1], ["", "recovery_codes"], 2), (DEVICES, ["", "remove", "x"], 5)],
    ids=["the app's own", "one", "two"],
)
def test_what_can_be_done_with_what_there_is(devices: list[Device], forms: list[str], choices: int) -> None:
    found = Outline(enroll_page(view(enrolled=True, devices=devices, codes_left=1)))
    assert len(found.values["form.action"]) == len(forms)
    assert [tag for tag, _ in found.tags].count("option") == choices
    assert found.values["input.name"].count("current_code") == len(forms)
    assert "1 recovery code left" in found.text


def test_every_field_has_a_label_of_its_own() -> None:
    found = Outline(enroll_page(view(enrolled=True, devices=DEVICES)))
    named = [name for name in (*found.values["input.id"], *found.values["select.id"]) if name]
    assert sorted(found.values["label.for"]) == sorted(named)
    assert len(named) == len(set(named))


def test_after_a_mistake_the_same_form_is_open() -> None:
    for part, opened in (("", "Add or replace"), ("remove", "Remove an"), ("recovery_codes", "New recovery codes")):
        page = text_of(enroll_page(view(enrolled=True, devices=DEVICES, error=say("code.rejected"), part=part)))
        assert re.findall(r"<details open>\n<summary>(.*?)</summary>", page)[0].startswith(opened)
        assert page.count("<details open>") == 1


PLAIN = Outline(
    enroll_page(view(enrolled=True, devices=DEVICES, error=say("code.rejected"), notice=say("code.rejected")))
)


@given(st.lists(HOSTILE.filter(bool), min_size=6, max_size=6))
def test_no_value_adds_a_tag_or_an_attribute(values: list[str]) -> None:
    user, error, notice, label, name, factor_id = values
    devices = [Device(factor_id=factor_id, label=name, since=name), DEVICES[1]]
    page = enroll_page(
        view(
            enrolled=True,
            user=user,
            error=say("refused.target", why=error),
            notice=say("refused.target", why=notice),
            label=label,
            devices=devices,
        )
    )
    assert Outline(page).tags == PLAIN.tags
    assert b"\x1b" not in page.body


def test_recovery_codes_are_shown_one_a_line_and_the_way_on() -> None:
    codes = recovery.new_codes(lambda size: b"\x01" * size)
    page = codes_page(codes, "/a?b=1&c")
    assert "\n".join(codes) in Outline(page).text
    assert Outline(page).values["a.href"] == ["/a?b=1&c"]
    bare = codes_page((), "")
    assert "Recovery codes" not in Outline(bare).text
    assert b"<a " not in bare.body


def test_the_qr_code_is_one_path_that_the_policy_lets_stand() -> None:
    svg = qr_svg(URI)
    assert re.fullmatch(r'<svg class="qr"[^<>]*><path fill="#fff" d="[^"<>]*"/><path d="[Mhvz0-9 -]+"/></svg>', svg)
    assert "style=" not in svg


def test_the_qr_code_says_the_uri() -> None:
    """Drawn again from its path, it is the matrix of an independent encoder, with four light modules around."""
    import segno  # noqa: PLC0415 - an extra, as in the page

    svg = qr_svg(URI)
    size = int(re.findall(r'viewBox="0 0 (\d+)', svg)[0])
    drawn = [[0] * size for _ in range(size)]
    for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1h-", svg.partition('"/><path d="')[2]):
        drawn[int(y)][int(x) : int(x) + int(width)] = [1] * int(width)
    assert drawn == [[int(dark) for dark in row] for row in segno.make(URI, error="m").matrix_iter(border=4)]


def test_without_segno_the_secret_is_typed() -> None:
    """In an interpreter where segno cannot be imported."""
    ran = subprocess.run(
        [
            sys.executable,
            "-c",
            (
                "import sys; sys.modules['segno'] = None\n"
                "from tests.core.test_enroll_pages import enroll_page, view\n"
                "print(enroll_page(view()).body.decode())"
            ),
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert "<svg" not in ran.stdout
    assert "Type this secret into your authenticator app" in ran.stdout
    assert "GEZD GNBV" in ran.stdout
