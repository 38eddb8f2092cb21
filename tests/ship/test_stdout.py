from __future__ import annotations

import contextlib
import json
import os
from base64 import b64decode

import pytest

from stepup_mw.errors import AnchorError
from stepup_mw.note import Checkpoint
from stepup_mw.ship.sink import Parcel
from stepup_mw.ship.stdout import StdoutSink

PARCEL = Parcel(note="a note\n\n\u2014 x AA==\n".encode(), checkpoint=Checkpoint(origin="o", size=17, root=bytes(32)))


def test_a_checkpoint_is_one_json_line_on_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    StdoutSink(1.0).send(PARCEL)
    out = capfd.readouterr().out
    assert out.endswith("\n")
    assert out.count("\n") == 1
    line = json.loads(out)
    assert (line["stepup"], line["origin"], line["size"]) == ("checkpoint", "o", 17)
    assert b64decode(line["root"]) == bytes(32)
    assert line["note"].encode() == PARCEL.note


def test_a_reader_that_stands_still_is_not_waited_for_for_ever() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writing, b"x" * 65536)
        with pytest.raises(AnchorError, match=r"took nothing for 0\.2 s"):
            StdoutSink(0.2, writing).send(PARCEL)
    finally:
        os.close(reading)
        os.close(writing)


def test_a_reader_that_went_away_is_an_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        with pytest.raises(AnchorError, match="standard output"):
            StdoutSink(0.2, writing).send(PARCEL)
    finally:
        os.close(writing)
    with pytest.raises(AnchorError):
        StdoutSink(0.2, writing).send(PARCEL)
