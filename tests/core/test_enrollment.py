from __future__ import annotations

import asyncio
import base64
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw import recovery
from stepup_mw.enrollment import EnrollmentError, enroll, parse_secret, revoke, unlock
from stepup_mw.errors import TrailUnavailable
from stepup_mw.gate.services import Services
from stepup_mw.settings import AccountThrottle, AddressThrottle
from tests.contract.samples import keep_grant, make_grant

from .samples import NOW, SECRET, Shelf, make


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (SECRET, SECRET),
        (SECRET.lower(), SECRET),
        ("GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ\n", SECRET),
        ("gezd-gnbv-gy3t-qojq-gezd-gnbv-gy3t-qojq", SECRET),
        ("GEZDGNBVGY3TQOJQGEZDGNBVGY======", "GEZDGNBVGY3TQOJQGEZDGNBVGY"),
        ("GEZDGNBVGY3TQOJQGEZDGNBVGY", "GEZDGNBVGY3TQOJQGEZDGNBVGY"),
    ],
    ids=["as it is", "lower case", "in groups", "hyphens", "128 bits, padded", "128 bits"],
)
def test_a_secret_is_read_as_people_write_it(text: str, secret: str) -> None:
    assert parse_secret(text) == secret


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "0 bits"),
        ("GEZDGNBV", "40 bits"),
        ("GEZDGNBVGY3TQOJQGEZDGNBV", "120 bits"),
        ("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ1", "base32"),
        ("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQA", "base32"),
        ("GEZD=GNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "base32"),
        ("otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "base32"),
        ("\u0131EZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "base32"),
        ("\uff27EZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "base32"),
        ("\ud800" * 32, "base32"),
    ],
)
def test_a_secret_that_is_none_is_refused_and_not_repeated(text: str, why: str) -> None:
    with pytest.raises(EnrollmentError, match=why) as refused:
        parse_secret(text)
    assert not text or text not in str(refused.value)


@given(st.binary(min_size=16, max_size=64))
def test_a_secret_keeps_its_bytes(data: bytes) -> None:
    secret = parse_secret(base64.b32encode(data).decode())
    assert base64.b32decode(secret + "=" * (-len(secret) % 8)) == data
    assert pyotp.TOTP(secret).byte_secret() == data


@given(st.text(st.characters(), max_size=60))
def test_any_text_is_a_secret_or_an_error(text: str) -> None:
    try:
        secret = parse_secret(text)
    except EnrollmentError:
        return
    assert parse_secret(secret) == secret


def in_store(services: Services, user: str = "alice") -> tuple[Any, ...]:
    async def look() -> tuple[Any, ...]:
        store = services.store
        grants = await store.grants(user, now=NOW)
        return await store.factors(user), await store.recovery_left(user), grants, await store.failures(user)

    return asyncio.run(look())


def test_a_new_secret_has_160_bits_and_is_sealed_for_its_user() -> None:
    services = make()
    made = asyncio.run(enroll(services, "alice"))
    assert len(base64.b32decode(made.secret)) == 20
    factors, left, _, _ = in_store(services)
    assert made.secret.encode() not in factors[0].sealed
    assert services.keyring.unseal("totp", factors[0].sealed, "alice").decode() == made.secret
    assert left == len(made.recovery_codes) == recovery.COUNT
    uri = urlsplit(made.uri)
    assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", "/bank:alice")
    assert parse_qs(uri.query) == {"secret": [made.secret], "issuer": ["bank"]}


def test_recovery_codes_are_kept_as_digests_of_their_user() -> None:
    services = make()
    alice = asyncio.run(enroll(services, "alice"))
    asyncio.run(enroll(services, "bob"))
    code = recovery.parse_code(alice.recovery_codes[0])
    of_alice, of_bob = (services.keyring.digest("recovery", f"{user}\0{code}") for user in ("alice", "bob"))
    assert not asyncio.run(services.store.consume_recovery("alice", of_bob))
    assert not asyncio.run(services.store.consume_recovery("bob", of_alice))
    assert asyncio.run(services.store.consume_recovery("alice", of_alice))
    assert not asyncio.run(services.store.consume_recovery("alice", of_alice))


def test_a_replaced_factor_voids_what_came_before() -> None:
    shelf = Shelf()
    services = make(shelf)
    first = asyncio.run(enroll(services, "alice", secret=SECRET))
    asyncio.run(keep_grant(services.store, make_grant(user="alice", expires_at=NOW + 99, proved_at=NOW)))
    for _ in range(5):
        limits = {"account": AccountThrottle(), "limit": AddressThrottle()}
        asyncio.run(services.store.take_attempt("alice", "a", now=NOW, **limits))  # type: ignore[arg-type]  # by name
    second = asyncio.run(enroll(services, "alice"))
    assert (first.replaced, second.replaced) == (False, True)
    assert first.secret == SECRET != second.secret
    factors, left, grants, failures = in_store(services)
    assert len(factors) == 1
    assert (left, grants, failures) == (recovery.COUNT, (), (0, 0.0))
    old = services.keyring.digest("recovery", f"alice\0{recovery.parse_code(first.recovery_codes[0])}")
    assert not asyncio.run(services.store.consume_recovery("alice", old))
    assert shelf.steps() == ["enrollment/enrolled", "enrollment/replaced"]


def test_everything_an_operator_does_is_on_record_without_secrets() -> None:
    shelf = Shelf()
    services = make(shelf)
    made = asyncio.run(enroll(services, "alice"))
    for _ in range(5):
        limits = {"account": AccountThrottle(), "limit": AddressThrottle()}
        asyncio.run(services.store.take_attempt("alice", "a", now=NOW, **limits))  # type: ignore[arg-type]  # by name
    assert asyncio.run(unlock(services, "alice"))
    assert not asyncio.run(unlock(services, "alice"))
    assert asyncio.run(revoke(services, "alice")) == 1
    assert asyncio.run(revoke(services, "alice")) == 0
    assert shelf.steps() == ["enrollment/enrolled", "throttle/unlocked", "enrollment/removed"]
    assert [line["user_id"] for line in shelf.lines()] == ["alice"] * 3
    written = b"".join(shelf.records)
    for secret in (made.secret, *made.recovery_codes, *(code.replace("-", "") for code in made.recovery_codes)):
        assert secret.encode() not in written


@pytest.mark.parametrize("user", ["", "a" * 257, "al\nice", "al\x1bice", "\u202ealice", "\ud800"], ids=ascii)
def test_a_name_that_cannot_stand_in_a_line_is_not_enrolled(user: str) -> None:
    shelf = Shelf()
    with pytest.raises(EnrollmentError, match="1 to 256 printable"):
        asyncio.run(enroll(make(shelf), user))
    assert shelf.records == []


def test_what_cannot_be_put_on_record_is_not_done() -> None:
    class Broken(Shelf):
        async def append(self, *_: Any, **__: Any) -> None:
            raise TrailUnavailable("no space")

    shelf = Broken()
    services = make(shelf)
    with pytest.raises(TrailUnavailable):
        asyncio.run(enroll(services, "alice"))
    assert in_store(services)[0] == ()
