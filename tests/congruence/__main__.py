"""Prints the matrix of frameworks, servers and operators as the README shows it: ``python -m tests.congruence``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from stepup_mw.congruence.operators import OPERATORS

from .banks import BANKS
from .matrix import FEW, Cell, Draw, fronts, measure
from .serving import SERVERS, serving


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--each", type=int, default=FEW.each, help="variants of each operator for each cell")
    options.add_argument("--seed", default=FEW.seed, help="another one draws other variants")
    draw = Draw(**vars(options.parse_args()))
    past = 0
    cells: dict[tuple[str, str], Cell] = {}
    for server in SERVERS:
        with tempfile.TemporaryDirectory() as folder, serving(server, Path(folder)) as port:
            for front, bank, cell in measure(server, port, Path(folder), draw):
                past += len(cell.past) + len(cell.changed)
                cells[_column(front), bank] = _joined(cells.get((_column(front), bank)), cell)
                sys.stderr.write(f"{front} {bank} {cell.tried} {cell.reached} {cell.past} {cell.changed}\n")
    columns = list(dict.fromkeys(_column(front) for server in SERVERS for front in fronts(server)))
    _write(["", *columns], [[bank, *(_shown(cells.get((column, bank))) for column in columns)] for bank in BANKS])
    _write(
        ["", *BANKS],
        [[operator.name, *(_reached(cells, bank, operator.name) for bank in BANKS)] for operator in OPERATORS],
    )
    sys.exit(1 if past else 0)


def _write(head: list[str], rows: list[list[str]]) -> None:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    sys.stdout.write("".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n")


def _reached(cells: dict[tuple[str, str], Cell], bank: str, operator: str) -> str:
    """How often an operator was among those that ran a covered handler of the bare app, over all servers."""
    return str(sum(cell.operators.get(operator, 0) for (_, name), cell in cells.items() if name == bank))


def _column(front: str) -> str:
    return front.replace(" (WSGI)", "").replace("nginx, rewriting", "nginx")


def _joined(earlier: Cell | None, cell: Cell) -> Cell:
    if earlier is None:
        return cell
    return cell._replace(
        tried=earlier.tried + cell.tried,
        reached=earlier.reached + cell.reached,
        past=earlier.past + cell.past,
        operators=Counter(earlier.operators) + Counter(cell.operators),
    )


def _shown(cell: Cell | None) -> str:
    return "" if cell is None else f"{cell.reached}" if not cell.past else f"**{len(cell.past)} past**"


if __name__ == "__main__":
    main()
