from __future__ import annotations

from pathlib import Path

import pytest

from stepup_mw.config import load_config
from stepup_mw.errors import ConfigError
from stepup_mw.pages import Pages, say

from .samples import ENVIRON, MINIMAL


def test_a_page_of_ones_own_comes_from_files_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(b"\x89PNG")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "fr.toml").write_text('[challenge]\ntitle = "C\'est vous ?"\n')
    (tmp_path / "stepup.toml").write_text(
        f'{MINIMAL}\n[page]\nlogo = "logo.png"\ntemplates = "mine"\nlanguage = "fr"\naccent = "#FFCC00"\n'
        'support = "1234"\n[page.texts.en]\n"challenge.confirm" = "Yes"\n'
    )
    settings = load_config(tmp_path / "stepup.toml", ENVIRON).settings
    page = settings.page
    assert (page.accent, page.logo, page.support) == ("#ffcc00", "data:image/png;base64,iVBORw==", "1234")
    pages = Pages(page, "bank")
    assert pages.catalogue("").said(say("challenge.title")) == "C'est vous ?"
    assert pages.catalogue("en").said(say("challenge.confirm")) == "Yes"


def test_how_pages_look_is_no_part_of_the_policy(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(MINIMAL)
    (tmp_path / "b.toml").write_text(f'{MINIMAL}\n[page]\naccent = "#ffcc00"\n')
    one, other = (load_config(tmp_path / name, ENVIRON).settings for name in ("a.toml", "b.toml"))
    assert one.policy_version == other.policy_version


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("challenge.html", "\n{{#error}}", "challenge.html:2: {{#error}} is not closed"),
        ("de.toml", "[x", "de.toml: Expected ']' at the end of a table declaration (at end of document)"),
    ],
    ids=["template", "texts"],
)
def test_a_template_with_a_mistake_stops_the_start(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / name).write_text(content)
    (tmp_path / "stepup.toml").write_text(f'{MINIMAL}\n[page]\ntemplates = "mine"\n')
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "stepup.toml", ENVIRON)
    assert str(caught.value).endswith(f"page.templates: {message}")
