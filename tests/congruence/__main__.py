"""Prints the matrix of frameworks and servers as the README shows it: ``python -m tests.congruence``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from .banks import BANKS
from .matrix import Cell, fronts, measure
from .serving import SERVERS, serving


def main() -> None:
    cells: dict[tuple[str, str], Cell] = {}
    for server in SERVERS:
        with tempfile.TemporaryDirectory() as folder, serving(server, Path(folder)) as port:
            for front, bank, cell in measure(server, port, Path(folder)):
                cells[_column(front), bank] = _joined(cells.get((_column(front), bank)), cell)
                sys.stderr.write(f"{front} {bank} {cell.tried} {cell.reached} {cell.past} {cell.changed}\n")
    columns = list(dict.fromkeys(_column(front) for server in SERVERS for front in fronts(server)))
    rows = [[bank, *(_shown(cells.get((column, bank))) for column in columns)] for bank in BANKS]
    lines = [["", *columns], ["---", *["---:"] * len(columns)], *rows]
    sys.stdout.write("".join(f"| {' | '.join(line)} |\n" for line in lines))


def _column(front: str) -> str:
    return front.replace(" (WSGI)", "").replace("nginx, rewriting", "nginx")


def _joined(earlier: Cell | None, cell: Cell) -> Cell:
    if earlier is None:
        return cell
    return cell._replace(
        tried=earlier.tried + cell.tried,
        reached=earlier.reached + cell.reached,
        past=earlier.past + cell.past,
    )


def _shown(cell: Cell | None) -> str:
    return "" if cell is None else f"{cell.reached}" if not cell.past else f"**{len(cell.past)} past**"


if __name__ == "__main__":
    main()
