"""The bank's pages. Every value that goes into one is escaped here; callers pass plain text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from html import escape
from importlib.resources import files
from string import Template

from starlette.responses import HTMLResponse

from .bank import Account, Entry, format_cents

_NAV = (("/", "Accounts"), ("/transfer", "Send money"), ("/rates", "Rates"), ("/settings", "Settings"))
_RATES = (("EUR", "1.0824"), ("GBP", "1.2619"), ("CHF", "1.1302"), ("JPY", "0.0066"), ("SEK", "0.0947"))

_TRIES = """<aside class="card"><h2>What asks for a code</h2>
<ol class="tries">
<li><a href="/rates">Look at the rates</a><small>Public. Passes untouched, and leaves no line.</small></li>
<li><a href="/statement.csv">Export a statement</a><small>35 points, and 20 more from a browser that never proved
itself: together over the threshold of 50. Afterwards the download starts by itself. Next time this browser is
known, and it passes without a code.</small></li>
<li><a href="/transfer">Send money</a><small>60 points: always over the threshold. One code covers the review and the
sending, for two minutes. 5,000 or more from an unknown browser is refused.</small></li>
<li><a href="/password">Change the password</a><small>Asks whatever the score.</small></li>
<li><a href="/settings">Close an account</a><small>One code opens exactly this request, once.</small></li>
</ol>
<p class="soft" style="margin:1rem 0 0">The code, and a line for each of your clicks, stand in the terminal.</p>
</aside>"""


def login_page(hint: str, error: str = "", status: int = 200) -> HTMLResponse:
    """``hint``: the name and password to show, for this is a demo."""
    content = f"""<section class="card"><h1>Sign in</h1>
<p class="soft">This is a demo; the way in is {escape(hint)}.</p>
{_error(error)}<form class="plain" method="post" action="/login">
<label for="user">User</label>
<input id="user" name="user" autocomplete="username" autocapitalize="none" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<button type="submit">Sign in</button></form></section>"""
    return _page("Sign in", content, shape="narrow", status=status)


def overview_page(name: str, accounts: Sequence[Account], entries: Sequence[Entry], flash: str) -> HTMLResponse:
    tiles = "".join(
        f'<div class="account">{escape(account.label)}<b>{format_cents(account.cents)}</b>'
        f"<small>{escape(account.iban)}</small></div>"
        for account in accounts
        if not account.closed
    )
    content = f"""{_flash(flash)}<div class="stack"><section class="card"><h1>Hello, {escape(name)}</h1>
<p class="soft">All amounts in LBD, the Linden Bank dollar, which buys nothing.</p>
<div class="accounts">{tiles}</div>
<div class="actions"><a class="button" href="/transfer">Send money</a>
<a class="button quiet" href="/statement.csv">Export statement</a></div></section>
<section class="card"><h2>Latest</h2><table>{_entries(accounts, entries)}</table></section></div>
{_TRIES}"""
    return _page("Accounts", content, user=name, here="/", shape="wide")


def _entries(accounts: Sequence[Account], entries: Sequence[Entry]) -> str:
    labels = {account.id: account.label for account in accounts}
    return "".join(
        f"<tr><td>{escape(entry.who)}<small>{escape(entry.note)} · {escape(labels.get(entry.account, ''))}</small></td>"
        f"<td>{escape(entry.day)}</td>"
        f'<td class="money{" in" if entry.cents > 0 else ""}">{format_cents(entry.cents)}</td></tr>'
        for entry in entries
    )


def transfer_page(name: str, accounts: Sequence[Account], draft: dict[str, str], error: str = "") -> HTMLResponse:
    """The form; ``draft`` has what was typed before (from, to, amount, note)."""
    options = "".join(
        f'<option value="{escape(account.id)}"{" selected" if account.id == draft.get("from") else ""}>'
        f"{escape(account.label)} · {format_cents(account.cents)}</option>"
        for account in accounts
        if not account.closed
    )
    kept = {key: escape(draft.get(key, "")) for key in ("to", "amount", "note")}
    content = f"""<section class="card"><h1>Send money</h1>
<p class="soft">You review it on the next page, before anything is sent.</p>
{_error(error)}<form class="plain" method="post" action="/transfer">
<label for="from">From</label><select id="from" name="from">{options}</select>
<label for="to">To</label><input id="to" name="to" maxlength="64" value="{kept["to"]}" required>
<label for="amount">Amount</label>
<input id="amount" name="amount" inputmode="decimal" value="{kept["amount"]}" required>
<label for="note">Note</label><input id="note" name="note" maxlength="120" value="{kept["note"]}">
<button type="submit">Review</button></form></section>"""
    return _page("Send money", content, user=name, here="/transfer", shape="narrow", status=400 if error else 200)


def review_page(name: str, draft: dict[str, str], label: str, amount: str) -> HTMLResponse:
    hidden = "".join(
        f'<input type="hidden" name="{key}" value="{escape(draft.get(key, ""))}">'
        for key in ("from", "to", "amount", "note")
    )
    content = f"""<section class="card"><h1>Send this?</h1>
<p class="sum">{escape(amount)}</p>
<dl class="what"><dt>To</dt><dd>{escape(draft.get("to", ""))}</dd>
<dt>From</dt><dd>{escape(label)}</dd>
<dt>Note</dt><dd>{escape(draft.get("note", "") or "Transfer")}</dd></dl>
<form class="plain" method="post" action="/transfer/send">{hidden}
<div class="actions" style="margin:0"><button type="submit">Send now</button>
<a class="button quiet" href="/transfer">Back</a></div></form></section>"""
    return _page("Send this?", content, user=name, here="/transfer", shape="narrow")


def password_page(name: str, error: str = "") -> HTMLResponse:
    content = f"""<section class="card"><h1>Change the password</h1>
<p class="soft">You have just proved that it is you, so the bank does not ask for the old one.</p>
{_error(error)}<form class="plain" method="post" action="/password">
<label for="new">New password</label>
<input id="new" name="new" type="password" autocomplete="new-password" minlength="8" required>
<button type="submit">Change it</button></form></section>"""
    return _page(
        "Change the password", content, user=name, here="/settings", shape="narrow", status=400 if error else 200
    )


def settings_page(name: str, accounts: Sequence[Account], flash: str = "", error: str = "") -> HTMLResponse:
    rows = "".join(_closing(account) for account in accounts)
    content = f"""{_flash(flash)}<section class="card"><h1>Settings</h1>{_error(error)}
<div class="row"><p>Password<br><span class="soft">Asks for a code, whatever the score.</span></p>
<a class="button quiet" href="/password">Change</a></div>{rows}
<p class="soft" style="margin:1rem 0 0">Closing is a single form. It waits for the code, and is sent after it: the proof
is for exactly that request, once.</p></section>"""
    return _page("Settings", content, user=name, here="/settings", shape="narrow", status=400 if error else 200)


def _closing(account: Account) -> str:
    what = "Closed" if account.closed else "Empty" if account.cents == 0 else f"Holds {format_cents(account.cents)}"
    button = (
        f'<form class="plain" method="post" action="/accounts/{escape(account.id)}/close">'
        '<button class="danger" type="submit">Close</button></form>'
        if not account.closed and account.cents == 0
        else ""
    )
    return f'<div class="row"><p>{escape(account.label)}<br><span class="soft">{what}</span></p>{button}</div>'


def rates_page(name: str) -> HTMLResponse:
    """``name`` is "" for somebody who has not signed in."""
    rows = "".join(f'<tr><td>{code}</td><td class="money">{rate}</td></tr>' for code, rate in _RATES)
    content = f"""<section class="card"><h1>Rates</h1><p class="soft">LBD for one unit. This page is public: no rule
names it, so the request passes untouched.</p>
<table><tr><th>Currency</th><th class="money">Rate</th></tr>{rows}</table></section>"""
    return _page("Rates", content, user=name, here="/rates", shape="narrow")


def lost_page(name: str) -> HTMLResponse:
    content = '<section class="card"><h1>Not found</h1><p>There is no such page. <a href="/">Accounts</a></p></section>'
    return _page("Not found", content, user=name, shape="narrow", status=404)


def _page(title: str, content: str, *, shape: str, user: str = "", here: str = "", status: int = 200) -> HTMLResponse:
    current = ' aria-current="page"'
    links = "".join(f'<a href="{path}"{current if path == here else ""}>{label}</a>' for path, label in _NAV)
    leave = '<form method="post" action="/logout"><button type="submit">Sign out</button></form>'
    nav = f"<nav>{links}</nav>{leave}" if user else ""
    text = _layout().substitute(title=escape(title), style=_style(), nav=nav, shape=shape, content=content)
    return HTMLResponse(text, status_code=status, headers={"cache-control": "no-store"})


def _flash(text: str) -> str:
    return f'<p class="flash" role="status">{escape(text)}</p>' if text else ""


def _error(text: str) -> str:
    return f'<p class="error" role="alert">{escape(text)}</p>' if text else ""


@cache
def _layout() -> Template:
    return Template(files(__package__).joinpath("pages/layout.html").read_text("utf-8"))


@cache
def _style() -> str:
    return files(__package__).joinpath("pages/style.css").read_text("utf-8")
