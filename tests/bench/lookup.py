"""(e) Finding the rule: how the time grows from 10 to 10,000 rules, for a hit and for misses."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from starlette.routing import Match as RouteMatch
from starlette.routing import Route

from stepup_mw import paths
from stepup_mw.policy import Policy, Rule

from .rounds import Case, interleave, table

SIZES = (10, 100, 1_000, 10_000)
SHAPES: dict[str, Callable[[int], str]] = {
    "prefix": lambda i: f"/api/v1/area{i}/{{id}}/users/{{uid}}/delete",
    "suffix": lambda i: f"/api/v1/tenants/{{id}}/users/{{uid}}/action{i}",
}
KINDS = ("hit", "near miss", "far miss", "a miss seen before")
PROBES = 64


def measure(rounds: int) -> str:
    """Nanoseconds a look-up for each shape of rules, and the growth from the smallest to the largest."""
    parts = ["### (e) Finding the rule among N"]
    for shape, path in SHAPES.items():
        results = interleave(
            {f"{kind} {size}": run for size in SIZES for kind, run in _cases(path, size).items()}, rounds=rounds
        )
        rows = []
        for kind in KINDS:
            found = [results[f"{kind} {size}"].best / PROBES for size in SIZES]
            rows.append([kind, *(f"{value:,.0f}" for value in found), f"{found[-1] / found[0]:.1f}"])
        rows.append(_starlette(path, rounds))
        parts.append(table(f"ns, rules told apart by their {shape} | 10 | 100 | 1,000 | 10,000 | 10,000 : 10", rows))
    return "\n\n".join(parts)


def _cases(path: Callable[[int], str], size: int) -> dict[str, Case]:
    policy = Policy([Rule(name=f"r{i}", path=path(i), version="") for i in range(size)])
    match, never_seen = policy.match, paths.quick(policy.gate, lambda *_: True, longest=-1)
    hits, near, far = _probes(path, size)

    def hit(count: int) -> None:
        for _ in range(count):
            for probe in hits:
                match("GET", probe, "", None)

    misses = _missing(never_seen, near), _missing(never_seen, far), _missing(policy.concerns, near)
    return dict(zip(KINDS, (hit, *misses), strict=True))


def _missing(concerns: paths.Concerns, probes: list[str]) -> Case:
    def miss(count: int) -> None:
        for _ in range(count):
            for probe in probes:
                concerns(probe, "", None)

    return miss


def _probes(path: Callable[[int], str], size: int) -> tuple[list[str], list[str], list[str]]:
    chosen = random.Random(7).choices(range(size), k=PROBES)
    hits = [path(i).replace("{id}", f"t{i}").replace("{uid}", str(i * 7)) for i in chosen]
    near = [probe.replace("delete", "view").replace("action", "view") for probe in hits]
    return hits, near, [f"/static/js/chunk{number}.js" for number in range(PROBES)]


def _starlette(path: Callable[[int], str], rounds: int) -> list[str]:
    """A list of Starlette routes asked in order, as a router does it."""
    best = []
    for size in SIZES[:3]:
        routes = [Route(path(i), endpoint=_nothing, methods=["GET"]) for i in range(size)]
        hits, _, _ = _probes(path, size)

        def linear(count: int, routes: list[Route] = routes, hits: list[str] = hits) -> None:
            for _ in range(count):
                for probe in hits:
                    scope = {"type": "http", "path": probe, "method": "GET", "root_path": ""}
                    next(route for route in routes if route.matches(scope)[0] is RouteMatch.FULL)

        best.append(interleave({"linear": linear}, rounds=max(3, rounds // 4))["linear"].best / PROBES)
    return ["Starlette routes, hit", *(f"{value:,.0f}" for value in best), "", f"({best[-1] / best[0]:.0f} at 1,000)"]


async def _nothing(request: Any) -> None: ...
