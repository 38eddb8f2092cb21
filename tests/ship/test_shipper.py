"""The background threads of one process: begin, fail, recover, close, fork; and what they put on record."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from stepup_mw.compose import Assembly, assemble
from stepup_mw.config.init import write_init
from stepup_mw.note import origin_of
from stepup_mw.settings import AnchorSettings
from stepup_mw.ship import Shipper, read_receipt
from stepup_mw.ship.shipper import TRIES
from stepup_mw.trail.files import Layout

from ..config.samples import ENVIRON, mapping
from ..servers import until
from ..trail.parts import SERVICE
from .cosigner import Cosigner, cosigner
from .http import closed_port, serving, silent_port
from .parts import public_key, with_anchors, write
from .weed import weed

ORIGIN = origin_of(SERVICE)


class Book:
    """What was put on record."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def __call__(self, event_type: str, phase: str, detail: Mapping[str, Any]) -> None:
        self.lines.append((event_type, phase, json.loads(json.dumps(dict(detail)))))

    def phases(self) -> list[str]:
        return [phase for _, phase, _ in self.lines]


def _shipper(folder: Path, book: Book, *anchors: AnchorSettings, **changes: Any) -> Shipper:
    found = with_anchors(folder, *anchors, **changes)
    return Shipper(found, SERVICE, clock=time.time, record=book, every_s=0.02)


def _close(shipper: Shipper) -> None:
    with shipper.ending():
        pass


@pytest.fixture
def made(tmp_path: Path) -> Iterator[tuple[Cosigner, AnchorSettings]]:
    write(tmp_path, 1)
    with cosigner(ORIGIN, public_key(tmp_path)) as (found, url):
        yield found, AnchorSettings(kind="witness", url=url, key=found.vkey, timeout_s=2)


def test_new_checkpoints_are_shipped_as_they_come(made: tuple[Cosigner, AnchorSettings], tmp_path: Path) -> None:
    witness, anchor = made
    book = Book()
    shipper = _shipper(tmp_path, book, anchor)
    shipper.start()
    shipper.start()
    for _ in range(3):
        before = witness.seen[0]
        until(lambda before=before: witness.seen[0] > before)  # type: ignore[misc]
        write(tmp_path, 1)
    _close(shipper)
    assert book.lines == []


def test_what_is_down_is_told_once_and_its_end_too(made: tuple[Cosigner, AnchorSettings], tmp_path: Path) -> None:
    witness, anchor = made
    up, tries, book = False, 0, Book()

    def answer(path: str, body: bytes) -> tuple[int, str, bytes]:
        nonlocal tries
        tries += 1
        return witness.answer(path, body) if up else (500, "text/plain", b"")

    with serving(answer) as url:
        down = AnchorSettings(kind="witness", url=f"{url}/w", key=anchor.key, timeout_s=2)
        shipper = _shipper(tmp_path, book, down)
        shipper.start()
        until(lambda: book.phases() == ["sink_failed"])
        assert tries >= TRIES
        until(lambda: tries > TRIES + 1)
        assert book.phases() == ["sink_failed"]
        up = True
        until(lambda: book.phases() == ["sink_failed", "sink_recovered"])
        _close(shipper)
    (_, _, failed), (_, _, recovered) = book.lines
    assert failed["sink"] == recovered["sink"] == down.name
    assert failed["from_seq"] == recovered["from_seq"] == 0
    assert recovered["to_seq"] == witness.seen[0] - 1
    assert "answered 500" in failed["why"]


def test_one_that_hangs_keeps_nothing_from_the_other(made: tuple[Cosigner, AnchorSettings], tmp_path: Path) -> None:
    witness, anchor = made
    with silent_port() as url:
        stuck = AnchorSettings(kind="witness", url=url, key=anchor.key, timeout_s=1)
        book = Book()
        shipper = _shipper(tmp_path, book, stuck, anchor)
        shipper.start()
        begun = time.monotonic()
        until(lambda: witness.seen[0] > 0)
        assert time.monotonic() - begun < 0.9
        until(lambda: book.phases() == ["sink_failed"])
        assert "no answer within 1 s" in book.lines[0][2]["why"]
        _close(shipper)


def test_a_failure_outlives_the_process_and_is_not_told_again(
    made: tuple[Cosigner, AnchorSettings], tmp_path: Path
) -> None:
    witness, anchor = made
    dead = AnchorSettings(kind="witness", url=closed_port(), key=anchor.key, timeout_s=2)
    first, second = Book(), Book()
    for book in (first, second):
        shipper = _shipper(tmp_path, book, dead)
        shipper.start()
        until((tmp_path / "audit" / "anchors" / f"{dead.name}.json").exists)
        time.sleep(0.5)
        _close(shipper)
    assert first.phases() == ["sink_failed"]
    assert second.phases() == []
    assert witness.requests == []


def test_closing_does_not_wait_for_a_dead_anchor(made: tuple[Cosigner, AnchorSettings], tmp_path: Path) -> None:
    with silent_port() as url:
        shipper = _shipper(tmp_path, Book(), AnchorSettings(kind="witness", url=url, key=made[1].key, timeout_s=60))
        shipper.start()
        time.sleep(0.2)
        begun = time.monotonic()
        _close(shipper)
        assert time.monotonic() - begun < 8


def test_a_close_that_is_interrupted_is_waited_for_by_the_next(
    made: tuple[Cosigner, AnchorSettings], tmp_path: Path
) -> None:
    earlier = set(threading.enumerate())  # a close that waits for no dead anchor leaves its thread behind for a while
    with silent_port() as url:
        shipper = _shipper(tmp_path, Book(), AnchorSettings(kind="witness", url=url, key=made[1].key, timeout_s=1))
        shipper.start()
        time.sleep(0.1)
        threading.Timer(0.1, signal.pthread_kill, (threading.main_thread().ident or 0, signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            _close(shipper)
        _close(shipper)
    left = set(threading.enumerate()) - earlier
    assert not [thread for thread in left if thread.name.startswith("stepup-ship-witness")]


def test_what_no_one_foresaw_ends_no_thread(made: tuple[Cosigner, AnchorSettings], tmp_path: Path) -> None:
    witness, anchor = made
    folder = tmp_path / "audit" / "anchors"
    folder.parent.joinpath("anchors").write_bytes(b"a file where a folder belongs")
    shipper = _shipper(tmp_path, Book(), anchor)
    shipper.start()
    time.sleep(0.3)
    assert witness.requests == []
    folder.unlink()
    until(lambda: witness.seen[0] > 0)
    _close(shipper)


def test_a_forked_child_ships_by_itself(made: tuple[Cosigner, AnchorSettings], tmp_path: Path) -> None:
    witness, anchor = made
    shipper = _shipper(tmp_path, Book(), anchor)
    shipper.start()
    until(lambda: witness.seen[0] > 0)
    _close(shipper)
    before = witness.seen[0]
    write(tmp_path, 1)
    pid = os.fork()
    if pid == 0:
        try:
            shipper.start()
            until(lambda: read_receipt(tmp_path / "audit" / "anchors" / f"{anchor.name}.json").size > before)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert witness.seen[0] > before


def test_the_alert_is_told_once(made: tuple[Cosigner, AnchorSettings], tmp_path: Path) -> None:
    book = Book()
    dead = AnchorSettings(kind="witness", url=closed_port(), key=made[1].key, timeout_s=2)
    shipper = _shipper(tmp_path, book, dead, max_unanchored_lines=2)
    shipper.start()
    until(lambda: "unanchored" in book.phases())
    time.sleep(0.3)
    _close(shipper)
    assert book.phases().count("unanchored") == 1
    assert next(detail for _, phase, detail in book.lines if phase == "unanchored")["lines"] > 2


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPUP_SECRET_KEY", ENVIRON["STEPUP_SECRET_KEY"])


def _assembly(folder: Path, **anchor: Any) -> Assembly:
    write_init(folder, "bank", random=lambda size: bytes(range(size)))
    audit = {
        "path": str(folder / "audit" / "stepup.jsonl"),
        "signing_key_file": str(folder / "stepup-audit.key"),
        "anchor": [anchor],
    }
    return assemble(mapping(audit=audit, store={"url": "memory://"}))


def test_the_last_checkpoint_of_a_service_is_shipped_while_it_closes(tmp_path: Path) -> None:
    bucket = weed().bucket()
    assembly = _assembly(tmp_path, kind="s3", bucket=bucket, endpoint_url=weed().endpoint, region="us-east-1")
    assembly.start()
    until((tmp_path / "audit" / "stepup.jsonl").exists)
    asyncio.run(assembly.aclose())
    lines = (tmp_path / "audit" / "stepup.jsonl").read_bytes().splitlines()
    stopped = next(number for number, line in enumerate(lines) if b'"phase":"stop"' in line)
    sizes = [int(key.rpartition("/")[2].split("-")[0]) for key in weed().keys(bucket)]
    assert max(sizes) > stopped
    assert not Layout(tmp_path / "audit" / "stepup.jsonl").sealed()


def test_a_service_without_anchors_loads_and_starts_nothing(tmp_path: Path) -> None:
    write_init(tmp_path, "bank", random=lambda size: bytes(range(size)))
    audit = {"path": str(tmp_path / "audit" / "stepup.jsonl")}
    assembly = assemble(mapping(audit=audit, store={"url": "memory://"}))
    assert assembly.shipper is None
    assembly.gate.services.journal.check_window()
    assembly.close()
