"""The matrix: every framework behind every server and proxy, by every operator, bare against wrapped.

``python -m tests.congruence`` prints it as the README shows it; ``--each 1000 --seed 7`` tries all there are, in hours.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from stepup_mw.congruence.operators import OPERATORS
from stepup_mw.congruence.spelling import Spelling, plain

from .banks import PUBLIC
from .serving import PROXIES, SERVERS, Server, banks_of, proxied, ran
from .spelt import SEEDS

COVERED = [seed for seed in SEEDS if seed.target != "/" and not seed.target.startswith("/public/")]

ALWAYS = [
    ("other methods", plain("HEAD", "/files/a/b.txt")),
    ("WebSocket", Spelling("GET", "//live/7", kind="websocket")),
    ("WebSocket", Spelling("GET", "/live/7%0a", kind="websocket")),
    ("WebSocket", Spelling("GET", "/live%2f7", kind="websocket")),
    ("other methods", plain("OPTIONS", "/admin/transfer")),
    ("method spelling", plain("Post", "/accounts/42/transfer")),
    ("newline", Spelling("POST", "/accounts/42/transfer%0a")),
    ("double slash", Spelling("POST", "//accounts/42/transfer")),
    ("encoded separator", Spelling("POST", "/accounts%2f42/transfer")),
    ("trailing slash", Spelling("POST", "/accounts/42/transfer/")),
]
"""What is tried in every cell, whatever else is drawn."""


class Cell(NamedTuple):
    """reached: spellings that ran a covered handler of the bare app; past: those that ran one of the wrapped app, too;
    changed: those that ran another public handler wrapped than bare. operators: how often each was among those that
    reached; plain requests are ""."""

    tried: int = 0
    reached: int = 0
    past: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    operators: Mapping[str, int] = MappingProxyType({})


def spellings(key: str, root_path: str, each: int) -> list[tuple[str, Spelling]]:
    """Each plain request, ``each`` variants of every operator, those in ``ALWAYS``, and mixtures of two; the same
    for the same key."""
    choices = random.Random(key)
    out = [*(("", seed) for seed in SEEDS), *ALWAYS]
    for operator in OPERATORS:
        variants = [other for seed in COVERED for other in operator.apply(seed) if not other.root_path]
        if root_path:
            variants += [other for seed in COVERED for other in operator.apply(seed) if other.root_path == root_path]
        chosen = choices.sample(variants, min(each, len(variants)))
        out += [(operator.name, spelling) for spelling in chosen]
    singles = list(out)
    for _ in range(len(OPERATORS) * each // 3):
        name, spelling = choices.choice(singles)
        second = choices.choice(OPERATORS)
        mixed = [other for other in second.apply(spelling) if not other.root_path]
        if mixed:
            out.append((f"{name} + {second.name}", choices.choice(mixed)))
    return out


class Draw(NamedTuple):
    """``each``: variants of each operator for each framework on each server. ``seed``: another one draws others."""

    each: int = 3
    seed: str = ""


FEW = Draw()


def fill(port: int, front: str, bank: str, server: Server, draw: Draw) -> Cell:
    """Send everything twice."""
    cell = Cell()
    before = itertools.cycle(server.before)
    for name, given in spellings(f"{draw.seed}{front} {bank}", server.root_path, draw.each):
        spelling = given._replace(target=next(before) + given.target) if given.target.startswith("/") else given
        bare, wrapped = (ran(port, spelling, bank, side) for side in ("bare", "wrapped"))
        cell = cell._replace(tried=cell.tried + 1)
        shown = f"{name}: {spelling.shown()}"
        if bare is not None and bare not in PUBLIC:
            used = Counter(cell.operators) + Counter(name.split(" + "))
            cell = cell._replace(reached=cell.reached + 1, operators=used)
        if wrapped is not None and wrapped not in PUBLIC:
            cell = cell._replace(past=(*cell.past, shown))
        elif wrapped not in (None, bare):
            cell = cell._replace(changed=(*cell.changed, shown))
    return cell


def fronts(server: str) -> list[str]:
    """The server itself and the proxies before it."""
    return [server, *(proxy for proxy, behind in PROXIES.items() if server in behind)]


def measure(server: str, port: int, folder: Path, draw: Draw = FEW) -> Iterator[tuple[str, str, Cell]]:
    """(front, bank, cell) for one running server and what stands before it."""
    for number, front in enumerate(fronts(server)):
        with ExitStack() as stack:
            at = port if front == server else stack.enter_context(proxied(front, folder / f"front{number}", port))
            for bank in banks_of(server):
                yield front, bank, fill(at, front, bank, SERVERS[server], draw)
