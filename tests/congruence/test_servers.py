"""Every framework behind every server and reverse proxy, by every operator: what runs bare and what runs wrapped.

Real servers, the bytes of each spelling on a socket. And the models of ``congruence.wire``, which the hunt in process
relies on, against what each server really hands to the app.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from stepup_mw.congruence.operators import OPERATORS
from stepup_mw.congruence.wire import handed

from .matrix import Cell, measure
from .serving import SERVERS, ask, request_bytes, serving
from .spelt import SEEDS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


class Running(NamedTuple):
    name: str
    port: int
    folder: Path


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("server")
    with serving(request.param, folder) as port:
        yield Running(request.param, port, folder)


SURE = {
    *("double slash", "encoded separator", "trailing slash", "script name", "method override", "underscore headers"),
    *("Host and forwarded", "escapes"),
}
"""Operators that reach a covered handler on every server, whichever variants are drawn."""


def test_no_spelling_gets_past_the_gate(server: Running) -> None:
    cells: dict[str, Cell] = {}
    for front, bank, cell in measure(*server):
        assert cell.past == (), (front, bank)
        assert cell.changed == (), (front, bank)
        cells[f"{front} {bank}"] = cell
    assert len(cells) >= 2
    assert all(cell.reached >= 8 for cell in cells.values()), cells
    reaching = {name for cell in cells.values() for name, count in cell.operators.items() if count}
    assert reaching >= SURE
    assert len({operator.name for operator in OPERATORS} & reaching) >= 12


def test_a_server_hands_on_what_the_model_says(server: Running) -> None:
    interface, root_path = SERVERS[server.name].interface, SERVERS[server.name].root_path
    adds = root_path if "uvicorn" in server.name else ""  # uvicorn puts it before every path
    keys = ("method", "path", "root_path") if interface == "asgi" else ("REQUEST_METHOD", "PATH_INFO", "SCRIPT_NAME")
    told = 0
    for spelling in [other for operator in OPERATORS for other in operator.apply(SEEDS[0])]:
        if spelling.kind == "websocket" or spelling.root_path:
            continue
        sent = spelling._replace(target=SERVERS[server.name].before[0] + spelling.target)
        head, _, body = ask(server.port, request_bytes(sent, "none", "echo")).partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200") or b"[" not in body:
            continue  # refused by the server, or the answer to a HEAD
        method, *rest = json.loads(body[body.index(b"[") : body.rindex(b"]") + 1])[:3]
        expected = sent._replace(target=adds + sent.target, root_path=root_path)
        models = [[native[key] for key in keys] for _, native in handed(expected, interface)]
        assert [method.upper(), *rest] in [[model[0].upper(), *model[1:]] for model in models], spelling
        told += 1
    assert told > 150
