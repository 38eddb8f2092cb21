"""The pages a person sees, each ``pages.page(name, view, request's language)``. Nothing in them is from elsewhere.

A page is a template of ``html/`` within ``html/layout.html``, with the texts of one language. Every value is escaped
by ``template``; callers pass plain text, or a ``Said`` for a text of the catalogue.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

from ..errors import TemplateError
from ..messages import Headers, Response
from ..settings import PageSettings
from .catalogue import LANGUAGES, Catalogue, Said, Text, built_in, choose, english, read_texts, say
from .colours import accents_of
from .template import Markup, read_template, render

__all__ = ["Catalogue", "Markup", "Pages", "Said", "english", "say"]

_BLOCK = re.compile(r"<(style|script)>(.*?)</\1>", re.DOTALL)
_LANGUAGE_FILE = re.compile(r"[a-z]{2,3}\.toml", re.ASCII)


class Pages:
    """The pages of one configuration. TemplateError where a template or a text of its own cannot be read."""

    def __init__(self, settings: PageSettings, service: str) -> None:
        self.service = service
        self.catalogues = _catalogues(settings)
        self._default = settings.language
        sources = _sources(settings.templates)
        names, english_texts = frozenset(sources), self.catalogues["en"]
        self._templates = {
            name: read_template(f"{name}.html", source, names, english_texts) for name, source in sources.items()
        }
        self._script = Markup(files(__package__).joinpath("html/page.js").read_text("utf-8"))
        self._brand = Markup(_brand(settings.accent))
        self._logo, self._support = settings.logo, settings.support
        policy = _policy(
            [*sources.values(), f"<style>{self._brand}</style><script>{self._script}</script>"], self._logo
        )
        self._headers: Headers = (*_HEADERS, (b"content-security-policy", policy.encode("ascii")))

    def catalogue(self, accepted: str) -> Catalogue:
        """The texts for an ``Accept-Language``."""
        return choose(accepted, self.catalogues, self._default)

    def page(
        self, name: str, view: object, *, title: Said, accepted: str, status: int = 200, headers: Headers = ()
    ) -> Response:
        """A whole page around the template ``name`` of ``view``, a mapping or a dataclass."""
        texts = self.catalogue(accepted)
        around = {
            "title": title,
            "service": self.service,
            "language": texts.language,
            "support": self._support,
            "logo": self._logo,
            "brand": self._brand,
            "script": self._script,
        }
        inner = render(self._templates[name], self._templates, texts, view, around)
        html = render(self._templates["layout"], self._templates, texts, view, {**around, "content": inner})
        language = (b"content-language", texts.language.encode("ascii"))
        return Response(status=status, headers=(*self._headers, language, *headers), body=html.encode())


_HEADERS: Headers = (
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"vary", b"accept-language"),
    (b"x-frame-options", b"DENY"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


def _policy(sources: list[str], logo: str) -> str:
    """No frame, no foreign origin, no style and no script but those of the templates, each named by its hash. The
    hashes are those of the templates as they are written, never of a page that was made from them."""
    hashes: dict[str, list[str]] = {"style": [], "script": []}
    for source in sources:
        for block in _BLOCK.finditer(source):
            digest = base64.b64encode(hashlib.sha256(block[2].encode()).digest()).decode("ascii")
            if block[2] and not block[2].startswith("{{") and digest not in hashes[block[1]]:
                hashes[block[1]].append(digest)
    allowed = "; ".join(
        f"{kind}-src " + " ".join(f"'sha256-{digest}'" for digest in found) for kind, found in hashes.items()
    )
    image = "; img-src data:" if logo else ""
    return f"default-src 'none'; {allowed}{image}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"


def _brand(accent: str | None) -> str:
    if accent is None:
        return ""
    found = accents_of(accent)
    return (
        f":root{{--accent:{found.light};--on-accent:{found.on_light}}}"
        f"@media (prefers-color-scheme:dark){{:root{{--accent:{found.dark};--on-accent:{found.on_dark}}}}}"
    )


@cache
def _own() -> Mapping[str, str]:
    return {
        file.name.removesuffix(".html"): file.read_text("utf-8")
        for file in files(__package__).joinpath("html").iterdir()
        if file.name.endswith(".html")
    }


def _sources(folder: Path | None) -> dict[str, str]:
    """The templates of this package, and those that stand in their place or beside them."""
    sources = dict(_own())
    if folder is not None:
        for file in sorted(folder.glob("*.html")):
            sources[file.stem] = _read(file)
    return sources


def _catalogues(settings: PageSettings) -> dict[str, Catalogue]:
    """By language: this package's, with the texts of the folder and then those of the configuration in their place. A
    language of the folder's own speaks English where it has no text."""
    spoken: dict[str, dict[str, Text]] = {language: dict(built_in(language).texts) for language in LANGUAGES}
    if settings.templates is not None:
        for file in sorted(settings.templates.glob("*.toml")):
            if _LANGUAGE_FILE.fullmatch(file.name):
                texts = spoken.setdefault(file.stem, dict(built_in("en").texts))
                texts.update(_read_texts(file))
    for language, own in settings.texts.items():
        spoken.setdefault(language, dict(built_in("en").texts)).update(own)
    return {language: Catalogue(language, texts) for language, texts in spoken.items()}


def _read_texts(file: Path) -> dict[str, Text]:
    try:
        return read_texts(_read(file))
    except ValueError as error:
        raise TemplateError(file.name, 0, str(error)) from None


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateError(file.name, 0, f"cannot be read: {getattr(error, 'strerror', None) or 'no UTF-8'}") from None
