"""The pages of enrollment: a first authenticator, those a person has, and recovery codes, which are shown once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from ..errors import MissingExtra
from ..messages import Headers, Response
from . import page, shown
from .qr import qr_svg


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One authenticator as its owner sees it; ``since`` in words."""

    factor_id: str
    label: str
    since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrollView:
    """``pending`` and ``back`` are tokens that the forms carry; ``secret`` is base32. ``proof`` says what a change is
    proven with. ``error`` is a sentence about the last try, and ``part`` which form it was, for that one to be open."""

    service: str
    user: str
    url: str
    secret: str
    uri: str
    pending: str
    back: str
    devices: Sequence[Device]
    codes_left: int
    proof: str
    enrolled: bool
    error: str = ""
    part: str = ""
    notice: str = ""
    label: str = ""


def enroll_page(view: EnrollView, *, status: int = 200, headers: Headers = ()) -> Response:
    """The first authenticator, or all that can be done with those there are."""
    title = "Your authenticators" if view.enrolled else "Set up your authenticator"
    content = _overview(view) if view.enrolled else _first(view)
    return page(view.service, title, content, status=status, headers=headers)


def codes_page(
    *, service: str, title: str, text: str, codes: Sequence[str], onward: str, onward_text: str, headers: Headers = ()
) -> Response:
    """What was done, with recovery codes where there are new ones; ``onward`` is a path on this origin, "" for none."""
    rows = "\n".join(shown(code) for code in codes)
    block = (
        f"""<h2>Recovery codes</h2>
<p>Without your device, one of these stands in for its code. Each works once. They are shown <strong>only now</strong>:
print this page, or copy them to where your passwords are.</p>
<pre class="codes" aria-label="Recovery codes">{rows}</pre>
"""
        if codes
        else ""
    )
    button = f'<a class="button" href="{shown(onward)}">{shown(onward_text)}</a>' if onward else ""
    content = f'<h1>{shown(title)}</h1>\n<p class="good" role="status">{shown(text)}</p>\n{block}{button}'
    return page(service, title, content, status=200, headers=headers)


def _first(view: EnrollView) -> str:
    return f"""<h1>Set up your authenticator</h1>
{_said(view)}<p>An authenticator app on your phone shows codes that prove it is you. This takes a minute.</p>
<dl class="what"><dt>Signed in as</dt><dd>{shown(view.user)}</dd></dl>
{_secret(view)}
<form method="post" action="{shown(view.url)}" autocomplete="off">
{_hidden(view)}{_code_field("code", "2. Enter the code it shows now", autofocus=True)}
{_label_field(view)}
<button type="submit">Confirm</button>
</form>
<p class="soft">Nothing is kept until the code is confirmed. Leave this page and the secret is gone.</p>"""


def _overview(view: EnrollView) -> str:
    items = "".join(f"<li><strong>{shown(_name(d))}</strong><br>since {shown(d.since)}</li>" for d in view.devices)
    left = "1 recovery code" if view.codes_left == 1 else f"{view.codes_left or 'No'} recovery codes"
    listed = f'<ul class="devices">{items}</ul>\n' if items else ""
    return f"""<h1>Your authenticators</h1>
{_said(view)}<p>Signed in as <strong>{shown(view.user)}</strong>. {left} left. A change needs {shown(view.proof)}.</p>
{listed}{_add(view)}
{_remove(view)}{_renew(view)}"""


def _add(view: EnrollView) -> str:
    options = "".join(
        f'<option value="{shown(d.factor_id)}">in the place of {shown(_name(d))}</option>' for d in view.devices
    )
    choice = (
        f"""<label class="step" for="replace">Keep it</label>
<select id="replace" name="replace"><option value="">beside what I have</option>{options}</select>
"""
        if options
        else ""
    )
    return f"""<details{_open(view, "")}>
<summary>Add or replace an authenticator</summary>
{_secret(view)}
<form method="post" action="{shown(view.url)}" autocomplete="off">
{_hidden(view)}{_code_field("code", "2. Enter the code the new one shows")}
{_label_field(view)}{choice}{_current("add")}
<button type="submit">Confirm</button>
</form>
</details>"""


def _remove(view: EnrollView) -> str:
    if len(view.devices) < 2:
        return ""
    options = "".join(f'<option value="{shown(d.factor_id)}">{shown(_name(d))}</option>' for d in view.devices)
    return f"""<details{_open(view, "remove")}>
<summary>Remove an authenticator</summary>
<form method="post" action="{shown(view.url)}" autocomplete="off">
<input type="hidden" name="action" value="remove">
<label for="factor_id">Which</label>
<select id="factor_id" name="factor_id">{options}</select>
{_current("remove")}
<button type="submit">Remove</button>
</form>
</details>
"""


def _renew(view: EnrollView) -> str:
    return f"""<details{_open(view, "recovery_codes")}>
<summary>New recovery codes</summary>
<p class="soft">The codes you have now stop working.</p>
<form method="post" action="{shown(view.url)}" autocomplete="off">
<input type="hidden" name="action" value="recovery_codes">
{_current("renew")}
<button type="submit">Make new codes</button>
</form>
</details>"""


def _secret(view: EnrollView) -> str:
    groups = " ".join(view.secret[at : at + 4] for at in range(0, len(view.secret), 4))
    try:
        picture, how = qr_svg(view.uri), "1. Scan with your authenticator app"
        typed = "No camera? Type this secret instead, as a time-based key:"
    except MissingExtra:
        picture, how = "", "1. Type this secret into your authenticator app"
        typed = "As a time-based key, 6 digits:"
    return f"""<h2>{how}</h2>
{picture}
<p class="soft">{typed}</p>
<p class="secret"><code>{shown(groups)}</code></p>"""


def _hidden(view: EnrollView) -> str:
    back = f'<input type="hidden" name="back" value="{_token(view.back)}">\n' if view.back else ""
    return f'<input type="hidden" name="pending" value="{_token(view.pending)}">\n{back}'


def _code_field(name: str, label: str, *, autofocus: bool = False) -> str:
    focus = " autofocus" if autofocus else ""
    return f"""<label class="step" for="{name}">{label}</label>
<input type="text" id="{name}" name="{name}" inputmode="numeric" autocomplete="one-time-code" maxlength="7"
 spellcheck="false" required{focus}>"""


def _label_field(view: EnrollView) -> str:
    return f"""<label class="step" for="label">Name it <span class="soft">(if you like)</span></label>
<input class="plain" type="text" id="label" name="label" maxlength="64" autocomplete="off" placeholder="My phone"
 value="{shown(view.label)}">
"""


def _current(part: str) -> str:
    return f"""<label class="step" for="current_{part}">Code of what you have now</label>
<input type="text" class="long" id="current_{part}" name="current_code" autocomplete="off" maxlength="24"
 spellcheck="false" required>"""


def _said(view: EnrollView) -> str:
    notice = f'<p class="notice" role="status">{shown(view.notice)}</p>\n' if view.notice else ""
    return notice + (f'<p class="error" role="alert" id="error">{shown(view.error)}</p>\n' if view.error else "")


def _open(view: EnrollView, part: str) -> str:
    return " open" if view.error and view.part == part else ""


def _name(device: Device) -> str:
    return device.label or "Authenticator"


def _token(value: str) -> str:
    return escape(value, quote=True)
