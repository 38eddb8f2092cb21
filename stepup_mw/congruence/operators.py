"""The catalogue: every way of spelling a request otherwise that has got past some gate in front of some router.

An operator gives all its variants of one spelling, fewest first, and none where it does not apply. The catalogue is
the same for the tests of this package and for ``stepup check --app``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from . import targets
from .spelling import Spelling

Apply = Callable[[Spelling], Iterator[Spelling]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """``name`` for people; ``apply`` gives the variants."""

    name: str
    apply: Apply


def _targets(change: Callable[[str], Iterator[str]]) -> Apply:
    """An operator on the path of the target; the query is left alone."""

    def apply(spelling: Spelling) -> Iterator[Spelling]:
        path, mark, query = spelling.target.partition("?")
        for other in change(path):
            if other != path:
                yield spelling._replace(target=other + mark + query)

    return apply


def _script_name(spelling: Spelling) -> Iterator[Spelling]:
    for name in ("SCRIPT_NAME", "Script-Name", "X-Script-Name", "X-Forwarded-Prefix"):
        yield spelling._replace(headers=(*spelling.headers, (name, "/zz")))
        yield spelling._replace(target="/zz" + spelling.target, headers=(*spelling.headers, (name, "/zz")))
    first = "/" + spelling.target[1:].partition("/")[0].partition("?")[0]
    yield spelling._replace(headers=(*spelling.headers, ("SCRIPT_NAME", first)))
    yield spelling._replace(headers=(*spelling.headers, ("PATH_INFO", "/"), ("REQUEST_URI", "/")))


def _root_path(spelling: Spelling) -> Iterator[Spelling]:
    """The app below a root path: prefix given, missing, twice, with more behind it, in the middle."""
    target = spelling.target
    if spelling.root_path or not target.startswith("/"):
        return
    for root in ("/api", "/api/v1", "/api/"):
        bare = root.rstrip("/")
        for other in (bare + target, target, bare + bare + target, bare + "/" + target, bare + "x" + target):
            yield spelling._replace(target=other, root_path=root)
        yield spelling._replace(target="/x" + bare + target, root_path=root)
    first = "/" + target[1:].partition("/")[0].partition("?")[0]
    yield spelling._replace(root_path=first)


def _methods(spelling: Spelling) -> Iterator[Spelling]:
    method = spelling.method
    if spelling.kind == "websocket":
        return
    odd = (method.lower(), method.title(), method.swapcase(), method[0] + method[1:].lower(), "FOO", method + "X")
    for other in dict.fromkeys((*odd, "PO\u017fT".encode().decode("latin-1"), "QUERY", "PROPFIND")):
        if other != method:
            yield spelling._replace(method=other)


def _other_methods(spelling: Spelling) -> Iterator[Spelling]:
    if spelling.kind == "http":
        for other in ("HEAD", "OPTIONS", "TRACE", "GET", "POST", "PUT", "PATCH", "DELETE", "CONNECT"):
            if other != spelling.method:
                yield spelling._replace(method=other)


def _override(spelling: Spelling) -> Iterator[Spelling]:
    """Another method in the request line, this one named elsewhere."""
    for sent in ("GET", "POST"):
        for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X_HTTP_Method_Override"):
            for value in (spelling.method, spelling.method.lower(), f" {spelling.method} "):
                yield spelling._replace(method=sent, headers=(*spelling.headers, (name, value)))
        mark = "&" if "?" in spelling.target else "?"
        yield spelling._replace(method=sent, target=f"{spelling.target}{mark}_method={spelling.method}")


def _websocket(spelling: Spelling) -> Iterator[Spelling]:
    if spelling.kind == "http":
        yield spelling._replace(method="GET", kind="websocket")


def _host(spelling: Spelling) -> Iterator[Spelling]:
    """A Host that breaks out of the URL a framework puts together, and headers that claim another target."""
    path = spelling.target
    for value in ("evil.example/public?x=", "h/public#", "h:80@evil.example", "[::1", "", "h\\public", "xn--"):
        yield spelling._replace(headers=(*(h for h in spelling.headers if h[0] != "Host"), ("Host", value)))
    for name in ("X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Uri", "X-Original-Uri"):
        yield spelling._replace(target="/", headers=(*spelling.headers, (name, path)))
        yield spelling._replace(headers=(*spelling.headers, (name, "/public/x")))
    for name in ("X-Forwarded-Host", "X-Forwarded-Server", "Forwarded", "X-Forwarded-Path", "X-Host"):
        yield spelling._replace(headers=(*spelling.headers, (name, "host=evil.example/public")))
    yield spelling._replace(headers=(*spelling.headers, ("X-Forwarded-For", "127.0.0.1"), ("X-Real-Ip", "127.0.0.1")))
    yield spelling._replace(headers=(*spelling.headers, ("X-Forwarded-Proto", "ws"), ("X-Scheme", "ftp")))


def _underscores(spelling: Spelling) -> Iterator[Spelling]:
    for name in ("X_Auth_User", "X-Auth_User", "Step_Up_Code", "Step_Up_Grant", "X_Forwarded_For", "HTTP_HOST"):
        yield spelling._replace(headers=(*spelling.headers, (name, "alice")))
    yield spelling._replace(headers=(*spelling.headers, ("X_Forwarded_Prefix", "/zz"), ("PATH_INFO", "/public/x")))


OPERATORS: tuple[Operator, ...] = tuple(
    Operator(name=name, apply=apply)
    for name, apply in (
        ("newline", _targets(targets.newline)),
        ("double slash", _targets(targets.double_slash)),
        ("encoded separator", _targets(targets.encoded)),
        ("double encoding", _targets(targets.double_encoded)),
        ("dot segments", _targets(targets.dots)),
        ("backslash", _targets(targets.backslash)),
        ("NUL", _targets(targets.nul)),
        ("case", _targets(targets.case)),
        ("Unicode forms", _targets(targets.unicode)),
        ("path parameters", _targets(targets.params)),
        ("trailing slash", _targets(targets.trailing)),
        ("absolute form", _targets(targets.absolute)),
        ("script name", _script_name),
        ("root path", _root_path),
        ("prefix boundary", _targets(targets.prefix)),
        ("method spelling", _methods),
        ("other methods", _other_methods),
        ("method override", _override),
        ("WebSocket", _websocket),
        ("Host and forwarded", _host),
        ("underscore headers", _underscores),
        ("escapes", _targets(targets.escapes)),
        ("query and fragment", _targets(targets.marks)),
        ("numbers", _targets(targets.values)),
    )
)
"""In the order in which they are shown."""

BY_NAME = {operator.name: operator for operator in OPERATORS}
