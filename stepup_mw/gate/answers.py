"""What the gate says to a client: problem documents (RFC 9457), challenges (RFC 9110, RFC 9470), redirects, pages.

Score and signals are never told. Every answer is ``no-store``; every redirect stays on the origin.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlsplit

import orjson

from ..assertion import default_acr
from ..errors import TokenRefused
from ..messages import Headers, Request, Response
from ..pages import Said, english, say
from ..policy import Rule
from ..state import Challenge
from .services import Services

NO_STORE = (b"cache-control", b"no-store")
NO_HEADERS: Headers = ()
RETRY_UNAVAILABLE_S = 5

_QUALITY = re.compile(r";\s*q=([0-9.]+)")


def problem(kind: str, status: int, detail: Said, *, headers: Headers = (), **members: Any) -> Response:
    """``application/problem+json`` with ``urn:stepup:<kind>`` as its type, in English whoever reads it."""
    body = {
        "type": f"urn:stepup:{kind}",
        "title": english(say(f"title.{kind}")),
        "status": status,
        "detail": english(detail),
        **members,
    }
    return Response(
        status=status,
        headers=((b"content-type", b"application/problem+json"), NO_STORE, *headers),
        body=orjson.dumps(body),
    )


def refusal(
    services: Services,
    request: Request,
    kind: str,
    status: int,
    detail: Said,
    *,
    back: str = "",
    headers: Headers = (),
    **members: Any,
) -> Response:
    """A problem for an API client, the same said on a page for a person, in their language, with a way ``back``."""
    if is_navigation(request):
        return notice(services, request, say(f"title.{kind}"), detail, status=status, back=back, headers=headers)
    return problem(kind, status, detail, headers=headers, **members)


def notice(
    services: Services,
    request: Request,
    title: Said,
    text: Said,
    *,
    status: int,
    back: str = "",
    headers: Headers = (),
) -> Response:
    """A page with one message; ``back`` is a path on this origin for a button, "" for none."""
    view = {"text": text, "back": back}
    return page(services, request, "notice", view, title=title, status=status, headers=headers)


def page(
    services: Services,
    request: Request,
    template: str,
    view: object,
    *,
    title: Said,
    status: int = 200,
    headers: Headers = (),
) -> Response:
    """A page in the language the request asks for."""
    accepted = request.header_text(b"accept-language")
    return services.pages.page(template, view, title=title, accepted=accepted, status=status, headers=headers)


def as_json(status: int, body: Mapping[str, Any], *, headers: Headers = ()) -> Response:
    return Response(
        status=status,
        headers=((b"content-type", b"application/json"), NO_STORE, *headers),
        body=orjson.dumps(body),
    )


def not_allowed(services: Services, request: Request, methods: Sequence[str]) -> Response:
    """405, and the methods there are."""
    named = ", ".join(methods)
    detail = say("refused.method", allowed=named)
    return refusal(services, request, "method-not-allowed", 405, detail, headers=((b"allow", named.encode("ascii")),))


def not_found(services: Services, request: Request) -> Response:
    """404 for what is no page or endpoint of this package's."""
    return refusal(services, request, "not-found", 404, say("refused.nowhere"))


def redirect(location: str, *, headers: Headers = ()) -> Response:
    """``303 See Other`` to a path on this origin, or to the configured login page."""
    return Response(
        status=303, headers=((b"location", location.encode("ascii", "ignore")), NO_STORE, *headers), body=b""
    )


def unavailable(services: Services, request: Request) -> Response:
    """The store, the trail or the identity provider does not answer: nothing is let through."""
    return refusal(
        services,
        request,
        "unavailable",
        503,
        say("refused.unavailable"),
        headers=((b"retry-after", str(RETRY_UNAVAILABLE_S).encode()),),
    )


def challenge_header(
    services: Services, request: Request, rule: Rule, text: str = "A fresh proof of identity is required"
) -> tuple[bytes, bytes]:
    """``WWW-Authenticate``: RFC 9470 for a request that came with an access token, else the scheme ``StepUp``; that one
    also where tokens are read and another one would not help."""
    scheme = request.header_text(b"authorization").partition(" ")[0].lower()
    reads_tokens = bool(rule.acr or rule.amr)
    if scheme in ("bearer", "dpop") and not (reads_tokens and rule.grant == "request"):
        classes = rule.acr if reads_tokens else default_acr(rule.factors)
        acr = f'acr_values="{" ".join(classes)}", ' if classes else ""
        value = (
            'Bearer error="insufficient_user_authentication", '
            f'error_description="{text}", {acr}max_age="{rule.max_age_s}"'
        )
    else:
        value = f'StepUp realm="{services.settings.service}", max_age="{rule.max_age_s}"'
    return b"www-authenticate", value.encode("ascii")


def token_refused(services: Services, request: Request, error: TokenRefused) -> Response:
    """401 for an access token that says nothing here (RFC 6750 section 3.1)."""
    header = f'Bearer error="invalid_token", error_description="{error.detail}"'.encode("ascii")
    detail = say("refused.token", why=error.detail)
    return refusal(services, request, "login-required", 401, detail, headers=((b"www-authenticate", header),))


def login_challenge(services: Services) -> tuple[bytes, bytes]:
    """``WWW-Authenticate`` for a request of nobody."""
    scheme = "Bearer" if services.settings.identity.jwt is not None else "StepUp"
    return b"www-authenticate", f'{scheme} realm="{services.settings.service}"'.encode("ascii")


def plain_challenge(services: Services) -> tuple[bytes, bytes]:
    """``WWW-Authenticate`` for a 401 that is not about a rule's freshness (RFC 9110 section 11.6.1 wants one)."""
    return b"www-authenticate", f'StepUp realm="{services.settings.service}"'.encode("ascii")


def endpoint(services: Services, request: Request, path: str) -> str:
    """The URL path of an endpoint as the client sees it: below the root path and the prefix."""
    inside = request.root_path.strip("/")  # never "//": that would name a host
    root = "/" + quote(inside, safe="/:@!$&'()*+,;=~-._", errors="replace") if inside else ""
    return f"{root}{services.settings.challenge.prefix}/{path}"


def target_of(request: Request) -> str:
    """Where a browser goes after its code, as a path on this origin: exactly one leading slash, nothing that names a
    host. A GET goes back to where it was; what was sent is not kept, so it goes to the page it was sent from, or ""."""
    if request.method == "GET":
        whole = request.path if request.path.startswith(request.root_path) else request.root_path + request.path
        return local_target(whole.encode("utf-8", "surrogateescape"), request.query)
    sent_from = urlsplit(request.header_text(b"referer")[:2048])
    if not sent_from.netloc or sent_from.netloc.lower() != request.header_text(b"host").lower():
        return ""
    return local_target(unquote_to_bytes(sent_from.path), sent_from.query.encode("latin-1", "replace"))


def local_target(path: bytes, query: bytes) -> str:
    """A path on this origin: exactly one leading slash, nothing that names a host."""
    target = "/" + quote(path, safe="/:@!$&'()*+,;=~-._").lstrip("/")
    asked = quote(query, safe="/?:@!$&'()*+,;=~-._%")
    return f"{target}?{asked}" if asked else target


def is_cross_site(request: Request) -> bool:
    """Whether a browser says that another site made this request (Fetch Metadata, else Origin against Host)."""
    site = request.header(b"sec-fetch-site")
    if site is not None:
        return site not in (b"same-origin", b"none")
    origin = request.header(b"origin")
    if origin is None:
        return False
    try:
        named = urlsplit(origin.decode("latin-1")).netloc.lower()
    except ValueError:
        return True
    return not named or named != request.header_text(b"host").lower()


def is_same_origin(request: Request) -> bool:
    """Whether a browser says that a page of this origin made this request. False where nothing says so."""
    site = request.header(b"sec-fetch-site")
    if site is not None:
        return site == b"same-origin"
    return request.header(b"origin") is not None and not is_cross_site(request)


def is_form(request: Request) -> bool:
    """Whether the body is a form's, by its type; a navigation without one is taken for a form."""
    kind = request.header_text(b"content-type").partition(";")[0].strip().lower()
    return kind == "application/x-www-form-urlencoded" or (not kind and is_navigation(request))


def wants_page(request: Request, challenge: Challenge) -> bool:
    """A person at the page, not a program: a navigation, or the form of a challenge that a navigation met."""
    return is_navigation(request) or (is_form(request) and bool(challenge.browser))


def is_navigation(request: Request) -> bool:
    """A browser that goes to a page and prefers HTML, not a script or an API client."""
    if request.kind != "http" or request.header(b"x-requested-with") is not None:
        return False
    if request.header_text(b"authorization").partition(" ")[0].lower() in ("bearer", "dpop"):
        return False
    mode = request.header(b"sec-fetch-mode")
    if mode is not None and mode != b"navigate":
        return False
    accept = request.header_text(b"accept")[:1024].lower()
    html = _quality(accept, ("text/html", "application/xhtml+xml"))
    return html > 0 and html >= _quality(accept, ("application/json", "application/problem+json"))


def _quality(accept: str, types: Sequence[str]) -> float:
    best = 0.0
    for part in accept.split(","):
        name = part.partition(";")[0].strip()
        if name in types:
            found = _QUALITY.search(part)
            try:
                best = max(best, float(found[1]) if found else 1.0)
            except ValueError:
                continue
    return best
