"""The README's matrix and its words are of what the tests do: every framework, every server, the commands it shows."""

from __future__ import annotations

import re
from pathlib import Path

from stepup_mw.congruence.operators import OPERATORS

from .banks import BANKS
from .serving import PROXIES, SERVERS

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_matrix_has_every_framework_and_every_server() -> None:
    lines = [line.strip("| ").split("|") for line in README.splitlines() if "uvicorn h11" in line or _is_row(line)]
    columns = {cell.strip().replace(", root path", " below /api") for cell in lines[0]} - {""}
    shown = {name.replace(" (WSGI)", "").replace(", rewriting", "") for name in [*SERVERS, *PROXIES]}
    assert columns == shown
    assert len(lines) - 1 == len(BANKS)


def _is_row(line: str) -> bool:
    """A row of numbers only, some left out."""
    return re.fullmatch(r"\| (Starlette|FastAPI|Litestar|Quart|Django|Flask)[^|]*(\| *\d* *){12}\|", line) is not None


def test_the_second_has_every_operator_and_every_framework() -> None:
    names = "|".join(operator.name for operator in OPERATORS)
    rows = re.findall(rf"^\| ({names}) ((?:\| *\d+ *){{{len(BANKS)}}})\|$", README, re.MULTILINE)
    assert [name for name, _ in rows] == [operator.name for operator in OPERATORS]
    assert all(re.search("[1-9]", numbers) for _, numbers in rows)


def test_the_number_of_kinds_is_right() -> None:
    assert f"{len(OPERATORS)} kinds of spelling" in README
