"""The challenge page's time to first byte on a busy server, beside that of the app's own pages, in turns."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from ..http.doors import CONFIG, Door, serving
from ..http.steps import BROWSER, TRANSFER
from .rounds import table

IN_FLIGHT = 16
PROBES = 60


async def _first_byte_s(host: str, port: int, request: bytes) -> float:
    """From the last byte of a request to the first of its answer, on a connection of its own."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(request)
    begun = time.perf_counter()
    first = await reader.read(1)
    spent = time.perf_counter() - begun
    rest = await reader.read()
    writer.close()
    assert (first + rest).startswith(b"HTTP/1.1 200"), (first + rest)[:200]
    return spent


async def _load(host: str, port: int, request: bytes, until: asyncio.Event) -> None:
    while not until.is_set():
        await _first_byte_s(host, port, request)


async def _round(host: str, port: int, busy: bytes, bare: bytes, page: bytes) -> tuple[float, float]:
    """Median milliseconds of the app's page and of ours, asked in turns while others keep the server busy."""
    done = asyncio.Event()
    others = [asyncio.create_task(_load(host, port, busy, done)) for _ in range(IN_FLIGHT)]
    spent: tuple[list[float], list[float]] = ([], [])
    for _ in range(PROBES):
        for number, request in enumerate((bare, page)):
            spent[number].append(await _first_byte_s(host, port, request))
    done.set()
    await asyncio.gather(*others)
    return statistics.median(spent[0]) * 1000, statistics.median(spent[1]) * 1000


def _requests(door: Door) -> tuple[bytes, bytes]:
    """GET of the app's own page, and of a challenge's."""
    person = "page-reader"
    door.enroll(person)
    with door.client(person, **BROWSER) as browser:
        page = browser.post(TRANSFER, data={"to": "bob", "amount": "1"}).headers["location"]
        cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        headers = {**dict(browser.headers), "Host": "x", "Cookie": cookies, "Connection": "close"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if name.lower() != "accept-encoding")
    bare, ours = [f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode() for path in ("/public", page)]
    return bare, ours


def measure(rounds: int) -> str:
    """Medians of the rounds: milliseconds to the first byte, and the ratio within each round."""
    with tempfile.TemporaryDirectory() as folder, serving("asgi", Path(folder), CONFIG.read_text()) as door:
        bare, page = _requests(door)
        host, port = door.url.removeprefix("http://").split(":")
        found = [asyncio.run(_round(host, int(port), bare, bare, page)) for _ in range(rounds)]
    ratios = sorted(ours / theirs for theirs, ours in found)
    theirs, ours = (statistics.median(times) for times in zip(*found, strict=True))
    spread = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    rows = [["the app's own page", f"{theirs:.1f} ms", "1.00"], ["the challenge page", f"{ours:.1f} ms", spread]]
    head = f"uvicorn, {IN_FLIGHT} others in flight | to the first byte | of the app's own"
    return f"### The page\n\n{table(head, rows)}"
