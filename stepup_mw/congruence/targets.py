"""Other spellings of the path of a target. Each function gives all its variants, and may give the path itself."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from urllib.parse import quote, unquote


def _slashes(path: str) -> list[int]:
    """The places of the slashes: the first and the last few."""
    found = [place for place, char in enumerate(path) if char == "/"]
    return found if len(found) <= 6 else [*found[:4], *found[-2:]]


def _letters(path: str) -> list[int]:
    """One place inside each segment."""
    return [place + 1 for place in _slashes(path) if path[place + 1 : place + 2].isalnum()]


def _at(path: str, places: list[int], text: str, *, instead: int = 0) -> Iterator[str]:
    for place in places:
        yield path[:place] + text + path[place + instead :]


def newline(path: str) -> Iterator[str]:
    for text in ("%0a", "%0A", "%0d%0a", "%0a/", "%0a%0a", "/%0a", "%0b", "%c2%85", "%e2%80%a8"):
        yield path + text
    yield from _at(path, _slashes(path)[1:], "%0a")
    yield "/%0a" + path


def double_slash(path: str) -> Iterator[str]:
    yield from ("/" + path, "//" + path, path + "//")
    yield from _at(path, _slashes(path), "/")


def encoded(path: str) -> Iterator[str]:
    yield from _at(path, _slashes(path)[1:], "%2f", instead=1)
    yield from ("/" + path[1:].replace("/", "%2F"), "/%2f" + path[1:], path.replace("/", "%2f"), path + "%2f")


def double_encoded(path: str) -> Iterator[str]:
    yield from _at(path, _slashes(path)[1:], "%252f", instead=1)
    yield from ("/%252f" + path[1:], path.replace("%", "%25"), path + "%250a")
    for place in _letters(path):
        yield f"{path[:place]}%25{ord(path[place]):02x}{path[place + 1 :]}"


def dots(path: str) -> Iterator[str]:
    for text in ("/.", "/x/..", "/%2e", "/x/%2e%2e", "/x/.%2e", "/x%2f..", "/x/..;"):
        yield from _at(path, _slashes(path)[:3], text)
    yield from (path + "/.", path + "/x/..", path + "/..", path + ".", "/.." + path, path + "/%2e")


def backslash(path: str) -> Iterator[str]:
    for text in ("\\", "%5c"):
        yield from _at(path, _slashes(path), text, instead=1)
    yield from ("/\\" + path[1:], path + "\\", path + "%5c", "/x\\.." + path)


def nul(path: str) -> Iterator[str]:
    yield from (path + "%00", path + "%00.css", path + "%00/x", "/%00" + path, path + "/%00")
    yield from _at(path, _letters(path), "%00")


def case(path: str) -> Iterator[str]:
    yield from (path.upper(), path.title(), path.swapcase(), path.lower())
    yield from (path[:place] + path[place].swapcase() + path[place + 1 :] for place in _letters(path))


def unicode(path: str) -> Iterator[str]:
    for place in _letters(path):
        wide = chr(ord(path[place]) + 0xFEE0) if "!" <= path[place] <= "~" else path[place]
        yield path[:place] + quote(wide) + path[place + 1 :]
        for text in ("%e2%80%8b", "%cc%81", "%e9", "%ff", "%ed%a0%80"):  # zero width, combining, latin-1, no UTF-8
            yield path[: place + 1] + text + path[place + 1 :]
    for text in ("%ef%bc%8f", "%e2%88%95", "%c0%af", "%e0%80%af", "%af"):  # slashes that are none, or are badly written
        yield from _at(path, _slashes(path)[1:], text, instead=1)
    yield path.replace("s", "%c5%bf").replace("k", "%e2%84%aa")  # long s, Kelvin sign: folded to s and k
    whole = unquote(path)
    if not whole.isascii():
        for form in ("NFC", "NFD", "NFKC", "NFKD"):
            yield quote(unicodedata.normalize(form, whole), safe="/")
        yield quote(whole, safe="/", encoding="latin-1", errors="ignore")


def params(path: str) -> Iterator[str]:
    for text in (";", ";v=1", "%3b", ";a=1;b=2"):
        yield path + text
        yield from _at(path, _slashes(path)[1:], text)
    yield "/;x" + path


def trailing(path: str) -> Iterator[str]:
    yield from (path + "/", path.rstrip("/"), path + "//", path + "/ ".replace(" ", "%20"), path + "/;", path + "/%2f")


def absolute(path: str) -> Iterator[str]:
    for start in ("http://h", "http://evil.example", "HTTP://h:80", "https://h", "http://user@h", "ftp://h", "x://"):
        yield start + path
    yield from ("http://h/" + path, "//h" + path, "http:" + path, "http:/" + path, path.removeprefix("/"))


def prefix(path: str) -> Iterator[str]:
    """In and out of where the gate answers itself, and just beside it."""
    for own in ("/_stepup", "/_stepup/"):
        yield from (own + "/.." + path, own + "/%2e%2e" + path, own + "%2f.." + path, own + "/../.." + path)
    yield from ("/_stepup;x/.." + path, "/_stepup\\.." + path, "/_stepupx" + path, "//_stepup/.." + path)
    yield from (path + "/_stepup", path + "?/_stepup/", "/_stepup" + path)


def escapes(path: str) -> Iterator[str]:
    for place in _letters(path):
        yield f"{path[:place]}%{ord(path[place]):02x}{path[place + 1 :]}"
        yield f"{path[:place]}%{ord(path[place]):02X}{path[place + 1 :]}"
        yield f"{path[:place]}%u00{ord(path[place]):02x}{path[place + 1 :]}"
    yield "/" + "".join(f"%{ord(char):02x}" if char.isalnum() else char for char in path[1:])


def marks(path: str) -> Iterator[str]:
    for text in ("%3f", "%23", "?x=1", "#", "#/public", "%3fx=1", "??", "%20", "%09", "+", "&x=1", "*", ".json", ":80"):
        yield path + text
    yield from ("/%20" + path, "/%09" + path, "/public/x?" + path, "/public/x#" + path, "/public%3f" + path)


def values(path: str) -> Iterator[str]:
    """Other ways to write a number: what one router takes for an int, another takes for text."""
    for place, char in enumerate(path):
        if char == "7":
            for other in ("-7", "+7", "%2b7", "07", "7.0", "7e0", "%d9%a7", "%ef%bc%97", "1_7", "%207", "7%20", "0x7"):
                yield path[:place] + other + path[place + 1 :]
