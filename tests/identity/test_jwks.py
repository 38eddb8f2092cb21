"""The keys of a provider: read once for many, anew at a bounded rate, good for a bounded time while it is away."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest

from stepup_mw.errors import IdentityUnavailable
from stepup_mw.identity.jwks import MAX_BYTES, KeySource, Pace
from stepup_mw.identity.keyset import MAX_KEYS, parse_keys

from ..core.samples import KEY
from ..servers import free_port
from ..ship.http import closed_port, dripping_port, silent_port
from .issuer import key_set, public_jwk, serving_keys, written

ONE, TWO = public_jwk("rsa1"), public_jwk("ec1")
PACE = Pace(fresh=100, again=10, retry=5, timeout=0.5)


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def source(location: object, now: Time, pace: Pace = PACE) -> KeySource:
    return KeySource(str(location), keep_s=1000, pace=pace, now=now)


def has(keys: KeySource, kid: str = "rsa1") -> bool:
    algorithm = "RS256" if kid.startswith("rsa") else "ES256"
    return asyncio.run(keys.find(kid, algorithm)) is not None


def settle(keys: KeySource) -> None:
    """Waits for a reading in the background."""
    if keys._reading is not None:
        keys._reading[1].exception(5)


def test_many_at_once_ask_the_provider_once() -> None:
    with serving_keys(ONE) as endpoint:
        endpoint.wait_s = 0.1
        keys = source(endpoint.url, Time())

        async def all_at_once() -> list[object]:
            return await asyncio.gather(*(keys.find("rsa1", "RS256") for _ in range(50)))

        assert all(asyncio.run(all_at_once()))
        assert has(keys)
        assert endpoint.asked == 1


def test_the_loop_runs_on_while_keys_are_read() -> None:
    with serving_keys(ONE) as endpoint:
        endpoint.wait_s = 0.3
        keys = source(endpoint.url, Time())

        async def ticks() -> int:
            count, reading = 0, asyncio.ensure_future(keys.find("rsa1", "RS256"))
            while not reading.done():
                await asyncio.sleep(0.01)
                count += 1
            return count

        assert asyncio.run(ticks()) > 5


def test_keys_are_read_anew_in_the_background_and_after_twice_the_time_before_they_count() -> None:
    now = Time()
    with serving_keys(ONE) as endpoint:
        keys = source(endpoint.url, now)
        assert has(keys)
        endpoint.body = key_set(TWO)
        now.now += 101
        assert has(keys)
        settle(keys)
        assert endpoint.asked == 2
        assert not has(keys, "rsa1")
        assert has(keys, "ec1")
        endpoint.body = key_set(ONE)
        now.now += 201
        assert not has(keys, "ec1")
        assert endpoint.asked == 3


def test_an_unknown_key_is_asked_for_at_a_bounded_rate() -> None:
    now = Time()
    with serving_keys(ONE) as endpoint:
        keys = source(endpoint.url, now)
        assert has(keys)
        for _ in range(100):
            assert not has(keys, "ec1")
        assert endpoint.asked == 1
        endpoint.body = key_set(ONE, TWO)
        now.now += 10
        assert has(keys, "ec1")
        for _ in range(100):
            assert not has(keys, "ec9")
        assert endpoint.asked == 2


def test_while_the_provider_is_away_keys_count_for_a_bounded_time_and_then_none_do() -> None:
    now = Time()
    with serving_keys(ONE) as endpoint:
        keys = source(endpoint.url, now)
        assert has(keys)
        endpoint.status = 500
        now.now += 500
        assert has(keys)
        with pytest.raises(IdentityUnavailable):
            has(keys, "ec1")
        now.now += 500
        with pytest.raises(IdentityUnavailable):
            has(keys)
        asked = endpoint.asked
        for _ in range(50):
            with pytest.raises(IdentityUnavailable):
                has(keys)
        assert endpoint.asked == asked
        endpoint.status = 200
        now.now += 5
        assert has(keys)


def test_a_slow_provider_is_waited_for_once_and_not_by_every_request() -> None:
    now = Time()
    with serving_keys(ONE) as endpoint:
        keys = source(endpoint.url, now)
        assert has(keys)
        endpoint.wait_s = 1.0
        now.now += 300
        begun = time.monotonic()
        assert has(keys)
        assert time.monotonic() - begun > 0.4
        now.now += 20
        begun = time.monotonic()
        assert all(has(keys) for _ in range(5))
        assert time.monotonic() - begun < 0.4
        settle(keys)


@pytest.mark.parametrize("port", [silent_port, dripping_port])
def test_silence_and_a_byte_now_and_then_end_at_the_time_out(port: type) -> None:
    begun = time.monotonic()
    with port() as url, pytest.raises(IdentityUnavailable, match="no answer within"):
        has(source(url, Time()))
    assert time.monotonic() - begun < 3


BAD = {
    "not-json": b"<html>",
    "no-object": b"[]",
    "no-keys": b"{}",
    "keys-a-text": b'{"keys": "x"}',
    "empty": b'{"keys": []}',
    "nested": b'{"keys":' + b"[" * 100_000,
    "symmetric-only": key_set({"kty": "oct", "kid": "a", "k": "c2VjcmV0"}),
    "private": key_set({**ONE, "d": "AQAB"}),
    "encrypting-only": key_set({**ONE, "use": "enc"}),
    "not-to-verify": key_set({**ONE, "key_ops": ["encrypt"]}),
    "weak": key_set(public_jwk("weak1")),
    "unknown-kind": key_set({"kty": "XYZ", "kid": "a"}),
    "too-large": b" " * MAX_BYTES + key_set(ONE),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_answer_replaces_nothing_and_is_no_key(name: str, tmp_path: Path) -> None:
    now, path = Time(), written(tmp_path, ONE)
    keys = source(path, now)
    assert has(keys)
    path.write_bytes(BAD[name])
    now.now += 201
    assert has(keys)
    now.now += 1000
    with pytest.raises(IdentityUnavailable):
        has(keys)
    path.write_bytes(key_set(ONE))
    now.now += 5
    assert has(keys)


@pytest.mark.parametrize("status", [302, 404, 500])
def test_only_a_200_is_an_answer(status: int) -> None:
    with serving_keys(ONE) as endpoint:
        endpoint.status = status
        with pytest.raises(IdentityUnavailable, match=str(status)):
            has(source(endpoint.url, Time()))
        assert endpoint.asked == 1


def test_nobody_there_and_no_file(tmp_path: Path) -> None:
    for location in (closed_port(), tmp_path / "no.json", tmp_path):
        with pytest.raises(IdentityUnavailable):
            has(source(location, Time()))


def test_a_provider_that_comes_back_is_heard_without_a_restart() -> None:
    now, port = Time(), free_port()
    keys = source(f"http://127.0.0.1:{port}/jwks", now)
    with pytest.raises(IdentityUnavailable):
        has(keys)
    with serving_keys(ONE, port=port):
        now.now += 5
        assert has(keys)


def test_a_child_reads_for_itself_what_its_parent_was_reading() -> None:
    with serving_keys(ONE) as endpoint:
        endpoint.wait_s = 0.5
        keys = source(endpoint.url, Time(), Pace(timeout=5))
        threading.Thread(target=lambda: has(keys)).start()
        while endpoint.asked == 0:
            time.sleep(0.01)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that there are threads is what this is about
            child = os.fork()
        if child == 0:
            os._exit(0 if has(keys) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        settle(keys)


def test_only_so_many_keys_are_looked_at() -> None:
    many = parse_keys(key_set(*({**ONE, "kid": f"k{number}"} for number in range(MAX_KEYS + 5))))
    assert many.find(f"k{MAX_KEYS - 1}", "RS256") is not None
    assert many.find(f"k{MAX_KEYS}", "RS256") is None


def test_two_keys_of_one_id_are_none() -> None:
    assert parse_keys(key_set(ONE, {**public_jwk("rsa2"), "kid": "rsa1"})).find("rsa1", "RS256") is None


def test_a_key_that_cannot_be_made_is_none() -> None:
    assert parse_keys(key_set({**TWO, "x": "AAAA"})).find("ec1", "ES256") is None


def test_the_extra_is_named_where_it_is_not_installed() -> None:
    code = (
        "import sys; sys.modules['jwt'] = None\n"
        "from stepup_mw.errors import MissingExtra\n"
        "from stepup_mw.config import load_config\n"
        "from stepup_mw.named import make_provider\n"
        "from stepup_mw.origin import Networks\n"
        "identity = dict(provider='jwt', jwks='https://id.example/', issuer='x', audience='y')\n"
        "route = dict(name='a', path='/a')\n"
        f"key = {KEY!r}\n"
        "config = load_config(dict(service='s', identity=identity, routes=[route]), {'STEPUP_SECRET_KEY': key})\n"
        "try: make_provider(config.settings.identity, Networks([]))\n"
        "except MissingExtra as error: assert 'stepup-mw[jwt]' in str(error); sys.exit(3)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 3
