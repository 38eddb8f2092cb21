from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from stepup_mw.errors import StoreUnavailable, Unsupported
from stepup_mw.stores import open_store, refuse_many_workers
from stepup_mw.stores.memory import MemoryStore

from ..contract.samples import make_factor

# Python 3.12 warns of every fork beside threads; here that is what is tried.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.mark.parametrize(
    ("environ", "argv", "multiprocess"),
    [
        ({"WEB_CONCURRENCY": "2"}, ["app.py"], False),
        ({"GUNICORN_CMD_ARGS": "--bind :1 --workers 3"}, ["/usr/bin/gunicorn", "app:app"], False),
        ({"GUNICORN_CMD_ARGS": "-w4"}, ["gunicorn"], False),
        ({}, ["uvicorn", "app:app", "--workers", "4"], False),
        ({}, ["granian", "--workers=2", "app:app"], False),
        ({}, ["stepup", "serve", "app:app", "--workers", "2"], False),
        ({}, ["gunicorn", "-w", "4", "app:app"], False),
        ({}, ["/venv/lib/gunicorn/__main__.py", "-w", "4"], False),
        ({}, ["hypercorn", "-w=4"], False),
        ({}, ["gunicorn", "-w", "1", "-w", "2"], False),
        ({"WEB_CONCURRENCY": "1"}, ["gunicorn", "-w", "2"], False),
        ({}, ["gunicorn"], True),
    ],
)
def test_more_than_one_worker_is_refused_with_the_way_out(
    environ: dict[str, str], argv: list[str], multiprocess: bool
) -> None:
    with pytest.raises(Unsupported, match="use store"):
        refuse_many_workers(environ, argv, multiprocess=multiprocess)


@pytest.mark.parametrize(
    ("environ", "argv"),
    [
        ({}, []),
        ({}, ["app.py"]),
        ({"WEB_CONCURRENCY": "1"}, ["uvicorn", "app:app"]),
        ({"WEB_CONCURRENCY": "many"}, ["uvicorn", "app:app", "--workers"]),
        ({"WEB_CONCURRENCY": "4"}, ["uvicorn", "app:app", "--workers", "1"]),
        ({"GUNICORN_CMD_ARGS": "--name 'unclosed"}, ["gunicorn", "app:app", "-w", "1"]),
        ({}, ["pytest", "-w", "4"]),
        ({}, ["gunicorn", "--worker-class", "gthread", "-w", "x"]),
    ],
)
def test_one_worker_or_none_named_is_fine(environ: dict[str, str], argv: list[str]) -> None:
    refuse_many_workers(environ, argv)
    assert os.getpid()


def test_opening_memory_looks_at_the_environment_of_the_process() -> None:
    code = "from stepup_mw.stores import open_store; open_store('memory://')"
    environ = {**os.environ, "WEB_CONCURRENCY": "3"}
    found = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert "WEB_CONCURRENCY asks for 3 workers" in found.stderr


@pytest.mark.parametrize(
    "url", ["", "mysql://localhost", "sqlite://", "sqlite:///", "sqlite:///:memory:", "memory://x", "sqlite:///a\0b"]
)
def test_other_urls_are_refused_by_name(url: str) -> None:
    with pytest.raises(Unsupported, match=r"use memory://, sqlite:///path, redis:// or postgresql://"):
        open_store(url)


def test_paths_are_taken_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = tmp_path / "a b?c#d%20é.db"
    store = open_store(f"sqlite:///{odd}")
    asyncio.run(store.put_factor(make_factor(), []))
    asyncio.run(store.aclose())
    assert odd.stat().st_size > 0
    monkeypatch.chdir(tmp_path)
    again = open_store("sqlite:///a b?c#d%20é.db")
    assert len(asyncio.run(again.factors("alice"))) == 1
    asyncio.run(again.aclose())


def _answer(call: Callable[[], Awaitable[object]]) -> str:
    try:
        return repr(asyncio.run(call()))  # type: ignore[arg-type]  # every call here is a coroutine
    except BaseException as error:  # noqa: BLE001 - a child must never go on as a second test run
        return type(error).__name__


def _in_a_child(call: Callable[[], Awaitable[object]]) -> str:
    """Fork; what ``call`` gave, or the name of its error."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, _answer(call).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answers:
        text = answers.read()
    os.waitpid(child, 0)
    return text


def test_a_fork_of_a_used_memory_store_does_not_answer() -> None:
    store = MemoryStore()
    asyncio.run(store.put_factor(make_factor(), []))
    assert _in_a_child(lambda: store.consume_step("alice", "f1", 1)) == "StoreUnavailable"
    assert asyncio.run(store.consume_step("alice", "f1", 1))


def test_a_copy_does_not_answer_even_when_the_first_has_ended() -> None:
    """The copy is older than what the first did last."""
    store = MemoryStore()
    reading, writing = os.pipe()
    first = os.fork()
    if not first:
        asyncio.run(store.put_factor(make_factor(), []))
        if os.fork():
            asyncio.run(store.consume_step("alice", "f1", 5))
            os._exit(0)
        while os.getppid() == store._sole._owner:
            time.sleep(0.005)
        os.write(writing, _answer(lambda: store.consume_step("alice", "f1", 5)).encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(first, 0)
    with os.fdopen(reading) as answers:
        assert answers.read() == "StoreUnavailable"


def test_one_of_the_workers_forked_from_an_unused_memory_store_may_use_it() -> None:
    store = MemoryStore()
    assert _in_a_child(lambda: store.unlock("alice")) == "False"
    assert _in_a_child(lambda: store.unlock("alice")) == "False", "the worker before has ended"
    asyncio.run(store.unlock("alice"))
    assert _in_a_child(lambda: store.unlock("alice")) == "StoreUnavailable"


def test_this_process_does_not_answer_while_a_worker_holds_the_store() -> None:
    with pytest.raises(StoreUnavailable, match="sqlite:///"):
        _ask_while_a_child_holds(MemoryStore())


def _ask_while_a_child_holds(store: MemoryStore) -> None:
    held, release = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        asyncio.run(store.unlock("alice"))
        os.write(held[1], b"1")
        os.read(release[0], 1)
        os._exit(0)
    os.read(held[0], 1)
    try:
        asyncio.run(store.unlock("alice"))
    finally:
        os.write(release[1], b"1")
        os.waitpid(child, 0)
        for descriptor in (*held, *release):
            os.close(descriptor)
