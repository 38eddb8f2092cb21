from __future__ import annotations

import time

import pytest

from stepup_mw.errors import AnchorError
from stepup_mw.ship.exchange import post

from .http import closed_port, dripping_port, serving, silent_port


def _echo(path: str, body: bytes) -> tuple[int, str, bytes]:
    return 201, "text/plain; charset=utf-8", path.encode() + b" " + body


def test_an_answer_comes_back_whole() -> None:
    with serving(_echo) as url:
        answer = post(f"{url}/a/b?c=d", b"hello", "text/plain", timeout_s=5, limit=100)
    assert answer == (201, "text/plain", b"/a/b?c=d hello")


def test_what_is_too_long_is_refused_and_not_read() -> None:
    with (
        serving(lambda _path, _body: (200, "text/plain", b"x" * 5000)) as url,
        pytest.raises(AnchorError, match="more than 1000 bytes"),
    ):
        post(url, b"", "text/plain", timeout_s=5, limit=1000)


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    with serving(lambda _path, _body: (302, "text/plain", b"")) as url:
        assert post(url, b"", "text/plain", timeout_s=5, limit=10).status == 302


def test_nobody_listening_is_said_at_once() -> None:
    url = closed_port()
    with pytest.raises(AnchorError, match="refused"):
        post(url, b"", "text/plain", timeout_s=5, limit=10)


@pytest.mark.parametrize("port", [silent_port, dripping_port])
def test_silence_and_a_byte_now_and_then_end_at_the_time_out(port: type) -> None:
    begun = time.monotonic()
    with port() as url, pytest.raises(AnchorError, match=r"no answer within 0\.4 s"):
        post(url, b"", "text/plain", timeout_s=0.4, limit=10)
    assert 0.3 < time.monotonic() - begun < 2


@pytest.mark.parametrize("url", ["http://[::1", "http://nowhere.invalid/", "http://127.0.0.1:99999/"])
def test_a_url_that_leads_nowhere_is_an_error_of_ours(url: str) -> None:
    with pytest.raises((AnchorError, ValueError)):
        post(url, b"", "text/plain", timeout_s=2, limit=10)
