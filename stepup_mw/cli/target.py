"""The user's app: from ``module:app`` to the object, and whether it speaks ASGI or WSGI."""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from .failure import CommandError
from .screen import safe

Interface = Literal["asgi", "wsgi"]


def probe(name: str, *, factory: bool, wanted: Interface | None) -> Interface:
    """Import the app in a process that ends with it, and say what it is: what an import opens must not be shared by
    the workers, and a broken app must be told of before anything listens. CommandError as for ``load_app``."""
    order = json.dumps({"name": name, "factory": factory, "wanted": wanted})
    command = [sys.executable, "-m", __name__, order]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ourselves
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        raise CommandError(f"importing {name} ended the process (exit code {done.returncode})") from None
    if "error" in answer:
        raise CommandError(answer["error"])
    return "asgi" if answer["interface"] == "asgi" else "wsgi"


def _answer(order: str) -> dict[str, str]:
    asked = json.loads(order)
    try:
        found = load_app(asked["name"], factory=asked["factory"])
        return {"interface": asked["wanted"] or detect(found, asked["name"])}
    except CommandError as error:
        return {"error": str(error)}


def load_app(name: str, *, factory: bool = False) -> Any:
    """The object that ``package.module:attribute`` names; with ``factory``, what it gives when called.

    CommandError, in a sentence, whatever goes wrong in the user's code.
    """
    module_name, colon, attribute = name.partition(":")
    if not module_name or not colon or not attribute:
        raise CommandError(f"{safe(name, 80)!r} is not MODULE:APP; write for example bank.main:app")
    found: Any = _import(module_name)
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise CommandError(f"{module_name} has no {part!r}{_suggest(found)}") from None
    return _made(found, name) if factory else found


def _import(module_name: str) -> Any:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name == error.name or module_name.startswith(error.name + ".")):
            raise CommandError(f"there is no module {module_name!r} here ({Path.cwd()}) or installed") from None
        raise CommandError(f"{module_name} needs {error.name!r}, which is not installed") from None
    except (Exception, SystemExit) as error:
        raise CommandError(f"importing {module_name} failed: {_told(error)}") from error


def _made(maker: Any, name: str) -> Any:
    if not callable(maker):
        raise CommandError(f"{name} is no factory: it cannot be called")
    try:
        return maker()
    except (Exception, SystemExit) as error:
        raise CommandError(f"the factory {name} failed: {_told(error)}") from error


def _told(error: BaseException) -> str:
    """``ValueError at bank.py:12: …``: the last line of a traceback and its place."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}: {safe(error, 300)}"


def _suggest(module: Any) -> str:
    """Names in a module that look like an app."""
    names = [name for name, value in vars(module).items() if name[:1] != "_" and looks_like(value)]
    return f"; it has {', '.join(names[:5])}" if names else ""


def looks_like(value: Any) -> Interface | None:
    """What an object can only be; None for everything else, classes and plain functions of no such shape among it."""
    if inspect.isclass(value) or not callable(value) or inspect.ismodule(value):
        return None
    if callable(getattr(value, "wsgi_app", None)):  # Flask: its __call__ has the shape, its name is the surer sign
        return "wsgi"
    call = _call_of(value)
    count = _positional(call)
    if count == 3:
        return "asgi"
    return "wsgi" if count == 2 and not inspect.iscoroutinefunction(call) else None


def detect(value: Any, name: str) -> Interface:
    """ASGI (``app(scope, receive, send)``) or WSGI (``app(environ, start_response)``), else CommandError."""
    found = looks_like(value)
    if found is not None:
        return found
    if inspect.isclass(value):
        raise CommandError(f"{name} is a class; name an app, or a function that makes one with --factory")
    if callable(value) and _positional(_call_of(value)) == 0:
        raise CommandError(f"{name} takes no arguments: a factory? then say --factory")
    raise CommandError(f"{name} looks neither like ASGI nor like WSGI; --interface says which it is")


def _call_of(value: Any) -> Callable[..., Any]:
    while isinstance(value, functools.partial):
        if value.args or value.keywords:
            return value
        value = value.func
    if inspect.isroutine(value):
        return value
    call: Callable[..., Any] = value.__call__
    return call


def _positional(call: Callable[..., Any]) -> int | None:
    """How many arguments must be given; None where that cannot be known (``*args``)."""
    try:
        parameters = inspect.signature(call).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return None
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(parameter.kind in kinds and parameter.default is parameter.empty for parameter in parameters)


if __name__ == "__main__":
    with os.fdopen(os.dup(1), "w") as _out:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what the app prints is no answer
        json.dump(_answer(sys.argv[1]), _out)
    os._exit(0)  # threads that the import began do not matter
