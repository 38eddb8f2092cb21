from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import string
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import Signer

from stepup_mw.errors import BadToken, SealError
from stepup_mw.keyring import DigestPurpose, Keyring, SealPurpose, TokenPurpose, name_key
from stepup_mw.mac import Mac

OLD, NEW, OTHER = b"o" * 16 + b"ld key 0" * 2, b"n" * 16 + b"ew key 1" * 2, b"x" * 16 + b"another " * 2
KEYS = Keyring([OLD, NEW], os.urandom)
BEFORE = Keyring([OLD], os.urandom)
AFTER = Keyring([NEW], os.urandom)
STRANGER = Keyring([OTHER], os.urandom)

TOKENS: tuple[TokenPurpose, ...] = get_args(TokenPurpose)
DIGESTS: tuple[DigestPurpose, ...] = get_args(DigestPurpose)
SEALS: tuple[SealPurpose, ...] = get_args(SealPurpose)
IDS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=30)


@given(st.binary(max_size=200), st.binary(max_size=100))
def test_a_prepared_mac_is_that_of_rfc_2104(key: bytes, data: bytes) -> None:
    mac = Mac(key)
    for _ in range(2):
        assert mac.digest(data) == hmac.digest(key, data, "sha256")
    assert mac.signature(data) == base64.urlsafe_b64encode(mac.digest(data)).rstrip(b"=")


@given(IDS, st.sampled_from(TOKENS))
def test_a_token_is_good_for_its_purpose_and_no_other(identifier: str, purpose: TokenPurpose) -> None:
    token = KEYS.sign(purpose, identifier)
    assert KEYS.unsign(purpose, token) == identifier
    for other in TOKENS:
        if other != purpose:
            with pytest.raises(BadToken, match="signature"):
                KEYS.unsign(other, token)


def _opened(keys: Keyring, token: str) -> str | None:
    try:
        return keys.unsign("grant", token)
    except BadToken:
        return None


@given(IDS, st.data())
def test_a_changed_token_is_nothing_or_the_same_id(identifier: str, data: st.DataObject) -> None:
    token = KEYS.sign("grant", identifier)
    at = data.draw(st.integers(0, len(token)))
    insert = data.draw(st.text(st.characters(max_codepoint=0x2FF), max_size=2))
    drop = data.draw(st.integers(0, 3))
    assert _opened(KEYS, token[:at] + insert + token[at + drop :]) in (None, identifier)


def test_every_flip_of_every_bit_of_a_token_is_nothing_or_the_same_id() -> None:
    token = KEYS.sign("grant", "Zm9vYmFy").encode()
    for at in range(len(token)):
        for bit in range(8):
            flipped = token[:at] + bytes([token[at] ^ (1 << bit)]) + token[at + 1 :]
            assert _opened(KEYS, flipped.decode("latin-1")) in (None, "Zm9vYmFy")


def test_a_signature_has_spare_bits_and_so_meaning_hangs_on_the_id() -> None:
    token = KEYS.sign("grant", "Zm9vYmFy")
    spellings = [token[:-1] + last for last in string.ascii_letters + string.digits + "-_"] + [token + "="]
    opened = [_opened(KEYS, spelling) for spelling in spellings]
    assert set(opened) == {None, "Zm9vYmFy"}
    assert opened.count("Zm9vYmFy") > 1


@pytest.mark.parametrize(
    "token", ["", ".", "a", "a.", ".b", "a.b", "a.b.c", "é.b", "\ud800.b", "a." + "b" * 600, "\0.\0", "a.====", "a\n.b"]
)
def test_garbage_is_a_bad_token(token: str) -> None:
    with pytest.raises(BadToken):
        KEYS.unsign("grant", token)


@given(st.text(st.characters(), max_size=40))
def test_any_text_is_a_bad_token(token: str) -> None:
    with pytest.raises(BadToken):
        KEYS.unsign("device", token)


def test_the_newest_key_signs_and_every_key_opens() -> None:
    assert KEYS.unsign("grant", BEFORE.sign("grant", "id")) == "id"
    assert AFTER.unsign("grant", KEYS.sign("grant", "id")) == "id"
    for keys, token in ((AFTER, BEFORE.sign("grant", "id")), (BEFORE, KEYS.sign("grant", "id"))):
        with pytest.raises(BadToken):
            keys.unsign("grant", token)


def test_a_withdrawn_key_opens_nothing_it_has_sealed() -> None:
    sealed = BEFORE.seal("totp", b"secret", "alice")
    assert KEYS.unseal("totp", sealed, "alice") == b"secret"
    with pytest.raises(SealError, match="not configured"):
        AFTER.unseal("totp", sealed, "alice")
    assert AFTER.unseal("totp", KEYS.seal("totp", b"secret", "alice"), "alice") == b"secret"


@given(st.text(max_size=40), st.text(max_size=40))
def test_digests_of_two_purposes_or_texts_or_keys_differ(one: str, two: str) -> None:
    found = {KEYS.digest(purpose, text) for purpose in DIGESTS for text in {one, two}}
    assert len(found) == len(DIGESTS) * len({one, two})
    assert all(len(digest) == 34 and digest.startswith("h:") for digest in found)
    assert not found & {STRANGER.digest(purpose, one) for purpose in DIGESTS}


def test_a_digest_hangs_on_the_oldest_key_and_takes_any_text() -> None:
    assert KEYS.digest("user", "alice") == BEFORE.digest("user", "alice") != AFTER.digest("user", "alice")
    assert KEYS.digest("session", "\ud800") != KEYS.digest("session", "\ud801")


def test_a_user_id_names_the_newest_key_and_whoever_holds_the_others_finds_their_ids() -> None:
    shown = KEYS.pseudonym("alice")
    assert re.fullmatch(f"h:{name_key(NEW)}:[0-9a-f]{{32}}", shown)
    assert shown == AFTER.pseudonym("alice") != KEYS.pseudonym("bob")
    found = dict(KEYS.pseudonyms("alice"))
    assert found == {
        name_key(NEW): shown,
        name_key(OLD): BEFORE.pseudonym("alice"),
        "": BEFORE.digest("user", "alice"),
    }
    assert BEFORE.pseudonym("alice") not in dict(AFTER.pseudonyms("alice")).values()
    assert not {shown.rpartition(":")[2], found[name_key(OLD)].rpartition(":")[2]} & {found[""][2:]}


@given(st.text(max_size=40), st.text(max_size=40))
def test_ids_of_two_users_differ(one: str, two: str) -> None:
    assert (KEYS.pseudonym(one) == KEYS.pseudonym(two)) == (one == two)


@given(st.binary(max_size=64), st.text(max_size=30), st.text(max_size=30))
def test_a_sealed_secret_opens_where_it_belongs(plain: bytes, user: str, other: str) -> None:
    sealed = KEYS.seal("totp", plain, user)
    assert KEYS.unseal("totp", sealed, user) == plain
    assert KEYS.seal("totp", plain, user) != sealed
    if other != user:
        with pytest.raises(SealError):
            KEYS.unseal("totp", sealed, other)
    with pytest.raises(SealError):
        KEYS.unseal("return_to", sealed, user)


def test_a_purpose_and_a_user_cannot_run_into_each_other() -> None:
    with pytest.raises(SealError):
        KEYS.unseal("return_to", KEYS.seal("totp", b"secret", "\0x"), "x")


@given(st.integers(0, 8 * 60 - 1))
def test_a_changed_seal_does_not_open(bit: int) -> None:
    sealed = bytearray(KEYS.seal("totp", b"GEZDGNBVGY3TQOJQGEZDGNBVGY3T", "alice"))
    assert len(sealed) == 60
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SealError):
        KEYS.unseal("totp", bytes(sealed), "alice")


@given(st.binary(max_size=80))
def test_any_bytes_do_not_open(data: bytes) -> None:
    with pytest.raises(SealError):
        KEYS.unseal("totp", data, "alice")
    with pytest.raises(SealError):
        KEYS.unseal("totp", KEYS.seal("totp", b"x", "alice")[:4] + data, "alice")


def test_a_leaked_seal_shows_nothing_and_another_service_does_not_open_it() -> None:
    secret = b"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    sealed = KEYS.seal("totp", secret, "alice")
    assert secret not in sealed
    assert not any(secret[at : at + 4] in sealed for at in range(len(secret) - 3))
    with pytest.raises(SealError):
        STRANGER.unseal("totp", sealed, "alice")


def test_a_token_is_what_itsdangerous_makes_of_the_same_keys() -> None:
    """So that those of earlier versions stay good, and others can check them."""
    keys = [b"a" * 32, b"b" * 32]
    theirs = Signer(keys, salt="stepup_mw.device.v1", key_derivation="hmac", digest_method=hashlib.sha256)
    ours = Keyring(keys, os.urandom)
    assert ours.sign("device", "abc") == theirs.sign("abc").decode()
    assert ours.unsign("device", theirs.sign("abc").decode()) == "abc"
    old = Signer(keys[:1], salt="stepup_mw.device.v1", key_derivation="hmac", digest_method=hashlib.sha256)
    assert ours.unsign("device", old.sign("abc").decode()) == "abc"
