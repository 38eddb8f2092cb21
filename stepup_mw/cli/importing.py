"""``stepup import``: authenticators that people have already, from a CSV file or another library's tables."""

# ruff: noqa: PLC0415 (the help of a command must not load pydantic and cryptography)

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import service
from .failure import FOUND
from .program import command
from .screen import paint, safe, say, say_json

if TYPE_CHECKING:
    from ..gate.services import Services
    from ..imports import Flaw, Reading, Row


@command("import")
@click.argument("source", metavar="FILE")
@click.option("--from", "kind", type=click.Choice(["csv", "django-otp", "flask-security"]), default="csv",
              show_default=True, help="What FILE is.")  # fmt: skip
@click.option("--user-table", metavar="NAME", help="The table of users. [auth_user, or user for flask-security]")
@click.option("--user-column", metavar="NAME", help="Its column with the name. [username, or email for flask-security]")
@click.option("--totp-secrets", type=click.Path(path_type=Path), metavar="FILE",
              help="SECURITY_TOTP_SECRETS of Flask-Security, as a JSON object.")  # fmt: skip
@click.option("--partial", is_flag=True, help="Bring in what is right and leave out the rest.")
@click.option("--dry-run", is_flag=True, help="Check everything, write nothing.")
def bring(
    source: str,
    kind: str,
    user_table: str | None,
    user_column: str | None,
    totp_secrets: Path | None,
    partial: bool,
    dry_run: bool,
    config: Path,
    as_json: bool,
) -> int:
    """Bring in authenticators that people have already.

    FILE is CSV with user,secret or user,secret,label in a line, or with --from the SQLite database of an app with
    django-otp or Flask-Security: a path or sqlite:///path. Other databases are not read; export them to CSV.

    Everything is checked before anything is written. Exit code 1 if something was wrong: nothing is written then, or
    with --partial all the rest is. Nobody's authenticators are replaced, and no recovery codes are made.
    """
    from ..imports import check_rows, sound

    reading = _read(source, kind, user_table, user_column, totp_secrets)
    flaws = [*reading.flaws, *check_rows(reading.rows)]
    rows = () if flaws and not partial else sound(reading.rows, flaws)
    written, known = (0, 0) if dry_run or not rows else _write(config, rows)
    if as_json:
        problems = [{"where": flaw.where, "message": flaw.message} for flaw in flaws]
        say_json({"imported": written, "known": known, "right": len(sound(reading.rows, flaws)), "problems": problems})
    else:
        _show(reading, flaws, written=written, known=known, dry_run=dry_run, partial=partial)
    return FOUND if flaws else 0


def _read(source: str, kind: str, table: str | None, column: str | None, secrets: Path | None) -> Reading:
    from ..imports.database import locate
    from ..imports.django_otp import read_django_otp
    from ..imports.flask_security import read_flask_security, read_secrets
    from ..imports.table import read_csv

    if kind == "csv":
        return read_csv(Path(source))
    path = locate(source)
    if kind == "django-otp":
        return read_django_otp(path, user_table=table or "auth_user", user_column=column or "username")
    opened = read_secrets(secrets) if secrets is not None else {}
    return read_flask_security(path, opened, user_table=table or "user", user_column=column or "email")


def _write(config: Path, rows: tuple[Row, ...]) -> tuple[int, int]:
    """How many were written, and how many were there already."""
    from ..enrollment import bring_in

    async def task(services: Services) -> int:
        return sum([await bring_in(services, row) for row in rows])

    written = service.work(config, task)
    return written, len(rows) - written


def _show(reading: Reading, flaws: list[Flaw], *, written: int, known: int, dry_run: bool, partial: bool) -> None:
    for flaw in flaws:
        say(paint(f"✗ {safe(str(flaw), 400)}", "red"), to_stderr=True)
    for note in reading.notes:
        say(note, to_stderr=True)
    if dry_run or (flaws and not partial):
        say(f"nothing was written: {len(flaws)} wrong of {len(reading.rows) + len(reading.flaws)}", to_stderr=True)
        return
    already = f", {known} were there already" if known else ""
    say(f"{paint('✓', 'green', bold=True)} {written} authenticators brought in{already}.")
    if written:
        say(paint("No recovery codes were made: people make their own on the enroll page.", dim=True))
