"""What the terminal shows first: where the bank is, how to get in, the QR code, and lines to copy for the API."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from ..cli.qr import render_qr
from ..cli.screen import fields, pad, paint, width_of
from ..errors import MissingExtra

_GAP = 4
_PAY = """'{"to": "Bob", "amount": 25}'"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """``recovery_codes`` are there at the first start only; ``password`` is "" where the person has changed it."""

    url: str
    user: str
    password: str
    secret: str
    uri: str
    recovery_codes: Sequence[str]
    folder: Path
    audit: Path


def welcome(facts: Facts, width: int, *, qr: bool, color: bool) -> str:
    """The whole greeting for a terminal ``width`` columns wide; ``qr`` if it can show one."""
    text = _facts(facts)
    picture = _picture(facts.uri, color=color) if qr else []
    wide = max([width_of(line) for line in text] + [0]) + max([width_of(line) for line in picture] + [0])
    if picture and wide + _GAP + 2 <= width:
        body = _beside(picture, text)
    else:
        body = [*text, *(["", *(f"  {line}" for line in picture)] if picture else [])]
    return "\n".join(["", *body, "", *_shell(facts), "", rule("Audit trail", width)])


def rule(title: str, width: int) -> str:
    """A heading across the screen."""
    line = "─" * max(0, min(width, 100) - len(title) - 5)
    return f"{paint('──', dim=True)} {paint(title, bold=True)} {paint(line, dim=True)}"


def _facts(facts: Facts) -> list[str]:
    groups = [facts.secret[start : start + 4] for start in range(0, len(facts.secret), 4)]
    password = paint(facts.password, bold=True) if facts.password else paint("the one you have set", dim=True)
    doors = [
        ("Open", paint(facts.url, "cyan", bold=True)),
        ("Sign in", f"{paint(facts.user, bold=True)} / {password}"),
    ]
    return [
        f"  {paint('Linden Bank', 'green', bold=True)}",
        "  " + paint("A small bank with a login of its own. stepup_mw is", dim=True),
        "  " + paint("wrapped around it and asks again before what matters.", dim=True),
        "",
        *fields(doors).split("\n"),
        "",
        f"  {paint('Authenticator', bold=True)}",
        "  Scan the code, or type the secret",
        f"  {' '.join(groups[:4])}",
        f"  {' '.join(groups[4:])}",
        "  " + paint("No phone at hand? The code is shown below.", dim=True),
        "  " + paint("Each code works once.", dim=True),
        "",
        f"  {paint('No authenticator either?', bold=True)}",
        *_recovery(facts.recovery_codes),
    ]


def _recovery(codes: Sequence[str]) -> list[str]:
    if not codes:
        return ["  " + paint("The recovery codes were shown at the first start.", dim=True)]
    return [
        f"  A recovery code: {paint(codes[0], bold=True)}",
        "  " + paint("It works once, in place of a code.", dim=True),
    ]


def _picture(uri: str, *, color: bool) -> list[str]:
    try:
        return render_qr(uri, color=color).split("\n")
    except MissingExtra:
        return []


def _beside(left: Sequence[str], right: Sequence[str]) -> list[str]:
    columns = max(width_of(line) for line in left) + _GAP
    top = [""] * max(0, (len(left) - len(right)) // 2)
    pairs = zip_longest(left, [*top, *right], fillvalue="")
    return [f"  {pad(one, columns)}{other}".rstrip() for one, other in pairs]


def _shell(facts: Facts) -> list[str]:
    lines = [f"  {paint('The same from a shell', bold=True)}"]
    for comment, block in shell_blocks(facts):
        lines += [f"  {paint('# ' + comment, dim=True)}", *(f"  {line}" for line in block)]
    return lines


def shell_blocks(facts: Facts) -> list[tuple[str, list[str]]]:
    """What to paste into a shell, block by block in one session, each with what it is for."""
    pay = '--json "$pay" $bank/api/transfers'
    code = f"$(stepup code {facts.user})"
    folder = shlex.quote(str(facts.folder))
    two_steps = [
        f"curl -K api {pay} | tee ask",
        f"""curl -K api --json '{{"code": "'{code}'"}}' $bank$(grep -o '/_stepup/[^"]*/verify' ask) | tee proof""",
        f"""curl -K api -H "Step-Up-Grant: $(grep -o 'grant":"[^"]*' proof | cut -c9-)" {pay}""",
    ]
    return [
        ("here are the configuration, the keys, the trail, and curl's options: api", [f"cd {folder}"]),
        ("a transfer, with its code", [f"bank={facts.url} pay={_PAY}", f'curl -K api -H "Step-Up-Code: {code}" {pay}']),
        ("or in two steps, with the next code: the 401 says where to prove it", two_steps),
        ("the trail", ["stepup tail", "stepup verify"]),
    ]
