"""The shape of the house: who may import whom, and what an import costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import stepup_mw

ROOT = Path(stepup_mw.__file__).parent
FLOORS: dict[str, int] = {
    **dict.fromkeys(["errors", "messages", "encoding", "identifiers", "demands"], 0),
    **dict.fromkeys(["gate", "trail", "signals", "watched", "pages", "enrollment", "revocation", "rotation"], 2),
    **dict.fromkeys(["outbound"], 2),
    **dict.fromkeys(["doors", "stores", "identity", "ship", "imports", "couriers", "routers", "geodata", "agents"], 3),
    **dict.fromkeys(["config", "compose", "congruence", "data_files", "parts", "named", "logout", "cli", "demo"], 4),
    **dict.fromkeys(
        ["required", "decorating", "testing", "drill", "asgi", "wsgi", "django", "django_signals", "", "__main__"], 4
    ),
    **dict.fromkeys(["fastapi", "flask", "litestar"], 4),
    **dict.fromkeys(["forms", "handing_on"], 4),
}
"""By the first part of a module's name; what is not named is of the pure core, floor 1."""

VOCABULARY = {"identity", "imports", "routers"}
"""Packages whose own module only says what its adapters give: floor 1."""

ONLY_UNDER = {
    "pydantic": ("config",),
    "spanned_toml": ("config",),
    "click": ("cli",),
    "starlette": ("doors", "fastapi", "gate", "patterns", "logout", "demo", "routers"),
    "flask": ("flask",),
    "werkzeug": ("demo", "routers"),
    "fastapi": ("fastapi", "routers"),
    "litestar": ("litestar", "routers"),
    "django": ("django", "django_signals", "identity", "imports", "routers"),
    "redis": ("stores",),
    "jwt": ("identity",),
    "boto3": ("ship",),
    "maxminddb": ("geodata",),
    "iptocc": ("geodata",),
    "ua_parser": ("agents",),
    "webauthn": ("passkeys",),
}


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {_name(path): path for path in sorted(ROOT.rglob("*.py"))}


def _floor(module: str) -> int:
    return 1 if module in VOCABULARY else FLOORS.get(module.partition(".")[0], 1)


def _statements(tree: ast.AST, *, deep: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports that run: not those for the type checker; with ``deep``, those inside of functions, too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        elif deep or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _statements(node, deep=deep)


@cache
def _imported(module: str, path: Path, *, deep: bool) -> frozenset[str]:
    """Modules of this package (without its name) and of others (by their first name)."""
    found: set[str] = set()
    stem = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in _statements(ast.parse(path.read_text("utf-8")), deep=deep):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif node.level == 0:
            found.add(node.module or "")
        else:
            base = stem[: len(stem) - node.level + 1] if module else []
            origin = ".".join([*(part for part in base if part), *([node.module] if node.module else [])])
            names = {f"{origin}.{alias.name}".lstrip(".") for alias in node.names}
            found |= {"." + (name if name in MODULES else origin) for name in names}
    return frozenset(found)


def _inside(module: str, *, deep: bool = False) -> set[str]:
    found = _imported(module, MODULES[module], deep=deep)
    return {name[1:] for name in found if name.startswith(".") and name[1:] != module}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_from_its_floor_or_below(module: str) -> None:
    above = {name for name in _inside(module) if _floor(name) > _floor(module)}
    assert not above


def test_there_is_no_cycle() -> None:
    graph = {module: _inside(module) for module in MODULES}
    assert list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("package", ONLY_UNDER)
def test_a_package_is_imported_only_where_it_belongs(package: str) -> None:
    users = {
        module
        for module, path in MODULES.items()
        for name in _imported(module, path, deep=True)
        if name.partition(".")[0] == package and module.partition(".")[0] not in ONLY_UNDER[package]
    }
    assert not users


def test_every_module_says_what_it_owns() -> None:
    silent = [module for module, path in MODULES.items() if not ast.get_docstring(ast.parse(path.read_text("utf-8")))]
    assert not silent


def _spent_ms(statement: str) -> float:
    """Milliseconds of CPU that a fresh interpreter spends on it, the best of several."""
    script = f"import time; t = time.process_time(); {statement}; print((time.process_time() - t) * 1000)"
    runs = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True) for _ in range(7)
    ]
    return min(float(done.stdout) for done in runs)


def test_importing_the_package_costs_at_most_20_ms_more_than_starlette() -> None:
    assert _spent_ms("import stepup_mw") <= _spent_ms("import starlette") + 20


def test_importing_the_package_loads_no_machinery() -> None:
    heavy = {"redis", "click", "pydantic", "jinja2", "cryptography", "sqlite3", "asyncio", "starlette", "orjson"}
    script = f"import sys, stepup_mw; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
