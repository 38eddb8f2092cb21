"""Existing authenticators from elsewhere: what was read, and what is wrong with it, before anything is written.

One file a source. A source gives rows and flaws and judges no user; ``check_rows`` judges the rows alike, whatever they
came from. No secret is ever in a flaw.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ..errors import EnrollmentError
from ..identity import MAX_USER
from ..state import MAX_FACTORS
from ..totp import parse_secret

MAX_LABEL = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One authenticator to bring in. ``where`` is its place in the source, as messages name it. ``secret`` is base32 as
    it was written; ``last_step`` the last time step used there, -1 where that is not known."""

    where: str
    user: str
    secret: str = field(repr=False)
    label: str = ""
    last_step: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """What is wrong, where."""

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """``rows`` can be judged; ``flaws`` are what could not even be read; ``notes`` what was left out rightly."""

    rows: tuple[Row, ...]
    flaws: tuple[Flaw, ...] = ()
    notes: tuple[str, ...] = ()


class ImportFailed(EnrollmentError):
    """The source as a whole cannot be read; the message says why."""

    code = "import"


def check_rows(rows: Sequence[Row]) -> Iterator[Flaw]:
    """What is wrong with rows, each alone and among themselves."""
    seen: dict[tuple[str, bytes], str] = {}
    counts: Counter[str] = Counter()
    for row in rows:
        counts[row.user] += 1
        if counts[row.user] > MAX_FACTORS:
            yield Flaw(where=row.where, message=f"at most {MAX_FACTORS} authenticators of one user are kept")
        yield from _check_alone(row)
        try:
            known = (row.user, parse_secret(row.secret).encode("ascii"))
        except EnrollmentError as error:
            yield Flaw(where=row.where, message=str(error))
            continue
        if known in seen:
            yield Flaw(where=row.where, message=f"the same authenticator as {seen[known]}")
        seen.setdefault(known, row.where)


def _check_alone(row: Row) -> Iterator[Flaw]:
    if not row.user or len(row.user) > MAX_USER or not row.user.isprintable():
        yield Flaw(where=row.where, message=f"a user name has 1 to {MAX_USER} printable characters")
    if len(row.label) > MAX_LABEL or not row.label.isprintable():
        yield Flaw(where=row.where, message=f"a label has at most {MAX_LABEL} printable characters")


def sound(rows: Sequence[Row], flaws: Iterable[Flaw]) -> tuple[Row, ...]:
    """The rows that no flaw is about."""
    bad = {flaw.where for flaw in flaws}
    return tuple(row for row in rows if row.where not in bad)
