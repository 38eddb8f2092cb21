"""The pages a person sees: the challenge, what came of it, and refusals in words. No script, nothing from elsewhere.

Every value that goes into a page is escaped here; callers pass plain text.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from string import Template

from ..encoding import safe_text
from ..messages import Headers, Response

SERVICE_UNKNOWN = "Step-up check"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeView:
    """What the challenge page shows. ``error`` is a sentence about the last try, "" for none; ``lasts`` and ``ends``
    are words (``"5m"``, ``"07:30 UTC"``). ``returns``: after the code the browser goes back to a page it came
    from; else the person is told to send the form again."""

    service: str
    user: str
    route: str
    method: str
    path: str
    why: str
    lasts: str
    ends: str
    verify_url: str
    cancel_url: str
    recovery: bool
    returns: bool
    error: str = ""
    notice: str = ""


def challenge_page(view: ChallengeView, *, status: int = 200, headers: Headers = ()) -> Response:
    """The question: who asks, for what, why, until when, and the field for the code."""
    error = f'<p class="error" role="alert" id="error">{shown(view.error)}</p>' if view.error else ""
    described = ' aria-invalid="true" aria-describedby="error"' if view.error else ""
    back = (
        ""
        if view.returns
        else ('<p class="soft">What you were sending is not kept. After the code, go back and send it once more.</p>')
    )
    notice = f'<p class="notice" role="status">{shown(view.notice)}</p>\n' if view.notice else ""
    content = f"""<h1>Confirm it is you</h1>
{notice}<p>{shown(view.why)}</p>
<dl class="what">
<dt>Action</dt><dd>{shown(view.route)}<br><code>{shown(view.method)} {shown(view.path)}</code></dd>
<dt>Signed in as</dt><dd>{shown(view.user)}</dd>
</dl>
{error}
<form method="post" action="{shown(view.verify_url)}" autocomplete="off">
<label for="code">Code from your authenticator app</label>
<input type="text" id="code" name="code" inputmode="numeric" autocomplete="one-time-code" maxlength="7"
 spellcheck="false" autofocus required{described}>
<button type="submit">Confirm</button>
</form>
{_recovery(view)}
<form method="post" action="{shown(view.cancel_url)}"><button class="quiet" type="submit">Cancel</button></form>
{back}<p class="soft">The proof lasts {shown(view.lasts)}. This question ends at {shown(view.ends)}.</p>"""
    return page(view.service, "Confirm it is you", content, status=status, headers=headers)


def _recovery(view: ChallengeView) -> str:
    if not view.recovery:
        return ""
    return f"""<details>
<summary>Use a recovery code instead</summary>
<form method="post" action="{shown(view.verify_url)}" autocomplete="off">
<label for="recovery">Recovery code</label>
<input class="long" type="text" id="recovery" name="code" autocomplete="off" autocapitalize="characters"
 maxlength="24" spellcheck="false" required>
<button type="submit">Confirm</button>
</form>
</details>"""


def notice_page(
    *, title: str, text: str, status: int, service: str = SERVICE_UNKNOWN, back: str = "", headers: Headers = ()
) -> Response:
    """One message in words; ``back`` is a path on this origin for a button, "" for none."""
    button = f'<a class="button" href="{shown(back)}">Go back</a>' if back else ""
    content = f"<h1>{shown(title)}</h1>\n<p>{shown(text)}</p>\n{button}"
    return page(service, title, content, status=status, headers=headers)


def page(service: str, title: str, content: str, *, status: int, headers: Headers) -> Response:
    """A whole page around ``content``, which is HTML made here."""
    text = _layout().substitute(service=shown(service), title=shown(title), content=content)
    return Response(status=status, headers=(*_security_headers(), *headers), body=text.encode())


def shown(value: str) -> str:
    """Plain text as it stands in a page, at most 512 characters, nothing in it markup."""
    return escape(safe_text(value, 512), quote=True)


@cache
def _layout() -> Template:
    return Template(files(__package__).joinpath("layout.html").read_text("utf-8"))


@cache
def _security_headers() -> Headers:
    """No script, no frame, no foreign origin, no store; the one style block is named by its hash."""
    layout = _layout().template
    style = layout[layout.index("<style>") + len("<style>") : layout.index("</style>")]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return (
        (b"content-type", b"text/html; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"content-security-policy", policy.encode()),
        (b"x-frame-options", b"DENY"),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"same-origin"),
        (b"cross-origin-opener-policy", b"same-origin"),
    )
