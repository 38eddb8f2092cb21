"""Time stamps by ``openssl ts``, checked by the package and by openssl itself."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stepup_mw.errors import AnchorError, MissingExtra
from stepup_mw.note import Checkpoint
from stepup_mw.settings import AnchorSettings
from stepup_mw.ship.rfc3161 import TimestampSink, check_token, load_client
from stepup_mw.ship.sink import Parcel

from .authority import Authority, authority, openssl_accepts
from .http import closed_port, serving, silent_port

PARCEL = Parcel(note=b"a note", checkpoint=Checkpoint(origin="bank/stepup-audit", size=17, root=bytes(32)))
STEM = "17-0000000000000000"


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Authority, str]]:
    with authority(tmp_path_factory.mktemp("tsa") / "keys") as found:
        yield found


def _anchor(url: str, ca: Path, **changes: Any) -> AnchorSettings:
    return AnchorSettings(kind="rfc3161", url=url, ca_file=ca, **{"timeout_s": 5.0, **changes})


def _send(url: str, ca: Path, folder: Path, **changes: Any) -> Path:
    TimestampSink(_anchor(url, ca, **changes), folder).send(PARCEL)
    return folder / f"{STEM}.tsr"


def _refusal(url: str, ca: Path, folder: Path, **changes: Any) -> str:
    with pytest.raises(AnchorError) as caught:
        _send(url, ca, folder, **changes)
    assert not folder.exists()
    return str(caught.value)


@pytest.mark.parametrize("name", ["sha256", "sha512"])
def test_a_stamp_is_kept_beside_its_note_and_openssl_accepts_it(
    name: Any, tsa: tuple[Authority, str], tmp_path: Path
) -> None:
    made, url = tsa
    token = _send(url, made.ca, tmp_path / "kept", hash=name)
    note = token.with_suffix(".note")
    assert note.read_bytes() == b"a note"
    assert openssl_accepts(note, token, made.ca)
    stamped = check_token(load_client(), _anchor(url, made.ca), token.read_bytes(), b"a note", nonce=None)
    assert abs(stamped - time.time()) < 60


def test_a_stamp_that_is_kept_is_not_asked_for_again(tsa: tuple[Authority, str], tmp_path: Path) -> None:
    made, url = tsa
    token = _send(url, made.ca, tmp_path / "kept")
    before = token.read_bytes()
    _send(closed_port(), made.ca, tmp_path / "kept")
    assert token.read_bytes() == before


@pytest.mark.parametrize("note", [b"a note.", b"A note", b""])
def test_a_stamp_is_about_its_bytes_alone(note: bytes, tsa: tuple[Authority, str], tmp_path: Path) -> None:
    made, url = tsa
    token = _send(url, made.ca, tmp_path / "kept").read_bytes()
    with pytest.raises(AnchorError, match="does not hold"):
        check_token(load_client(), _anchor(url, made.ca), token, note, nonce=None)


def test_no_bit_of_a_stamp_can_be_changed_for_another_time(tsa: tuple[Authority, str], tmp_path: Path) -> None:
    made, url = tsa
    token = _send(url, made.ca, tmp_path / "kept").read_bytes()
    anchor = _anchor(url, made.ca)
    told = check_token(load_client(), anchor, token, b"a note", nonce=None)
    for place in range(0, len(token), 23):
        changed = bytearray(token)
        changed[place] ^= 1
        try:
            assert check_token(load_client(), anchor, bytes(changed), b"a note", nonce=None) == told
        except AnchorError:
            continue


def test_an_authority_of_another_name_is_not_believed(tsa: tuple[Authority, str], tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    assert "does not hold" in _refusal(tsa[1], other.ca, tmp_path / "kept")


def test_a_stamp_of_yesterday_is_not_taken_for_todays(tsa: tuple[Authority, str], tmp_path: Path) -> None:
    made, url = tsa
    token = _send(url, made.ca, tmp_path / "kept").read_bytes()
    with serving(lambda _path, _body: (200, "application/timestamp-reply", token)) as replaying:
        assert "Nonce" in _refusal(replaying, made.ca, tmp_path / "again")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((500, "text/plain", b"no"), "answered 500"),
        ((200, "text/plain", b""), "no time stamp from"),
        ((200, "text/plain", b"\x30\x03\x02\x01\x00"), "no time stamp from"),
        ((200, "text/plain", b"x" * 70_000), "more than 65536 bytes"),
    ],
)
def test_an_answer_that_is_no_stamp(
    answer: tuple[int, str, bytes], said: str, tsa: tuple[Authority, str], tmp_path: Path
) -> None:
    with serving(lambda _path, _body: answer) as url:
        assert said in _refusal(url, tsa[0].ca, tmp_path / "kept")


def test_a_closed_port_and_a_silent_one_end_in_time(tsa: tuple[Authority, str], tmp_path: Path) -> None:
    assert "refused" in _refusal(closed_port(), tsa[0].ca, tmp_path / "kept")
    with silent_port() as url:
        assert "no answer within 0.3 s" in _refusal(url, tsa[0].ca, tmp_path / "kept", timeout_s=0.3)


def test_certificates_that_are_gone(tsa: tuple[Authority, str], tmp_path: Path) -> None:
    assert "no time stamp" in _refusal(tsa[1], tmp_path / "gone.pem", tmp_path / "kept")


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "rfc3161_client", None)
    with pytest.raises(MissingExtra, match=r"pip install 'stepup-mw\[timestamp\]'"):
        TimestampSink(_anchor("http://tsa.example", tmp_path), tmp_path)
