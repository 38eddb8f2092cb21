"""``[page]``: how the pages look and what they say, and the files that this table names."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ..errors import TemplateError
from ..pages import Pages
from ..pages.catalogue import LANGUAGES, built_in, places_of
from ..settings import PageSettings
from .document import Flaw
from .kinds import STRICT, Kind, found, refuse_all, suggest, text
from .values import FileName

MAX_LOGO_BYTES = 64 * 1024

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_LOGOS = {".svg": "image/svg+xml", ".png": "image/png", ".webp": "image/webp", ".jpg": "image/jpeg"}


def _read_colour(value: str) -> str:
    if not _COLOUR.fullmatch(value):
        raise ValueError
    return value.lower()


def _read_language(value: str) -> str:
    if not _LANGUAGE.fullmatch(value):
        raise ValueError
    return value


def _read_support(value: str) -> str:
    if not 0 < len(value) <= 200 or not value.isprintable():
        raise ValueError
    return value


def _read_texts(value: Any) -> dict[str, dict[str, str]]:
    """By language, then by the key of a catalogue. Each text has only the places of the one it stands for."""
    if not isinstance(value, dict):
        raise ValueError
    flaws = [flaw for language, texts in value.items() for flaw in _text_flaws(language, texts)]
    if flaws:
        raise refuse_all(flaws)
    return {language: dict(texts) for language, texts in value.items()}


def _text_flaws(language: str, texts: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if not _LANGUAGE.fullmatch(language) or not isinstance(texts, dict):
        yield (language,), "found another table; allowed is a table for each language, such as [page.texts.en]"
        return
    known = built_in("en").texts
    for key, said in texts.items():
        if key not in known:
            yield (language, key), f"there is no such text.{suggest(key, known)}".removesuffix(".")
        elif not isinstance(said, str) or not said.strip():
            yield (language, key), f"found {found(said)}; allowed is a text"
        elif not places_of(said) <= places_of(known[key]):
            places = ", ".join(f"{{{place}}}" for place in sorted(places_of(known[key]))) or "none"
            yield (language, key), f"found {found(said)}; its places can be {places}"


_TEXTS = Kind(
    allowed='a table for each language, such as [page.texts.en] with "challenge.title" = "Is it you?"',
    schema={"type": "object", "additionalProperties": {"type": "object", "additionalProperties": {"type": "string"}}},
    read=_read_texts,
)
Colour = Annotated[str, text('a colour such as "#0b57d0"', _read_colour, pattern="^#[0-9a-fA-F]{6}$")]
Language = Annotated[str, text('a language such as "en" or "de"', _read_language, pattern="^[a-z]{2,3}$")]
Support = Annotated[str, text("a line of 1 to 200 printable characters", _read_support, minLength=1, maxLength=200)]


class Page(BaseModel):
    """How the pages look and what they say."""

    model_config = ConfigDict(**STRICT, title="Page")

    accent: Colour | None = Field(
        default=None,
        description="Colour of buttons and links; made darker or lighter where it could not be read.",
        examples=["#0b57d0"],
    )
    logo: FileName | None = Field(
        default=None, description="An SVG, PNG, WebP or JPEG file of at most 64 KiB.", examples=["logo.svg"]
    )
    support: Support | None = Field(
        default=None, description="Where people get help, below each page.", examples=["Call the help desk, 1234"]
    )
    language: Language = Field(
        default="en", description="Spoken where the browser asks for none that is.", examples=["en", "de"]
    )
    templates: FileName | None = Field(
        default=None,
        description="A folder: challenge.html, layout.html and others go before this package's, de.toml and others "
        "give texts and languages.",
        examples=["stepup-pages"],
    )
    texts: Annotated[dict[str, dict[str, str]], _TEXTS] = Field(
        default={}, description="Single texts, by language.", examples=[{"en": {"challenge.title": "Is it you?"}}]
    )


def page_settings(page: Page, folder: Path) -> PageSettings:
    """The table as the program uses it: a logo that cannot be read is none (``page_flaws`` has said so)."""
    logo = folder / page.logo if page.logo is not None else None
    return PageSettings(
        accent=page.accent,
        logo=_inlined(logo) if logo is not None and _logo_flaw(logo) is None else "",
        support=page.support or "",
        language=page.language,
        templates=folder / page.templates if page.templates is not None else None,
        texts=page.texts,
    )


def page_flaws(page: Page, folder: Path) -> Iterator[Flaw]:
    """What is wrong with the files that the table names, and with a language that nothing speaks."""
    if page.logo is not None and (message := _logo_flaw(folder / page.logo)) is not None:
        yield Flaw(path=("page", "logo"), message=message)
    templates = folder / page.templates if page.templates is not None else None
    if templates is not None and not templates.is_dir():
        yield Flaw(path=("page", "templates"), message=f"found {found(page.templates)}; there is no such folder")
        return
    if templates is None and page.language in LANGUAGES:
        return
    try:
        spoken = Pages(page_settings(page, folder), "check").catalogues
    except TemplateError as error:
        yield Flaw(path=("page", "templates"), message=str(error))
        return
    if page.language not in spoken:
        message = f"found {found(page.language)}; there are texts in {', '.join(spoken)}"
        yield Flaw(path=("page", "language"), message=message)


def _logo_flaw(file: Path) -> str | None:
    if file.suffix.lower() not in _LOGOS:
        return f"found {found(file.name)}; allowed is a file that ends in {', '.join(_LOGOS)}"
    try:
        size = file.stat().st_size
    except OSError as error:
        return f"the file cannot be read: {error.strerror or 'unknown error'}"
    return f"the file has {size} bytes; allowed are at most {MAX_LOGO_BYTES}" if size > MAX_LOGO_BYTES else None


def _inlined(file: Path) -> str:
    return f"data:{_LOGOS[file.suffix.lower()]};base64,{base64.b64encode(file.read_bytes()).decode('ascii')}"
