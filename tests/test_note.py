"""Signed notes, verifier keys and checkpoints in the C2SP formats."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw import note
from stepup_mw.errors import NoteError

NAME = "bank/stepup-audit"
PEM = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)
SIGNER = note.parse_signer(PEM, NAME)
TEXT = note.format_checkpoint(note.Checkpoint(origin=NAME, size=1000, root=bytes(32)))
NOTE = note.format_note(TEXT, [SIGNER.sign(TEXT)])


def test_the_vkey_of_the_signed_note_specification_is_read() -> None:
    vkey = note.parse_vkey("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    assert (vkey.name, vkey.key_id.hex()) == ("PeterNeumann", "c74f20a3")
    text = (
        "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
        "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6Ryy"
        "BwJnAM=\n"
    )
    found = note.parse_note(text.encode())
    note.verify_note(found, vkey)


def test_a_checkpoint_has_three_lines() -> None:
    assert f"{NAME}\n1000\n{'A' * 43}=\n" == TEXT
    assert note.parse_checkpoint(TEXT).size == 1000
    note.verify_note(note.parse_note(NOTE), SIGNER.vkey)


def test_every_flipped_bit_of_a_note_is_refused() -> None:
    for index in range(len(NOTE) * 8):
        data = bytearray(NOTE)
        data[index // 8] ^= 1 << index % 8
        with pytest.raises(NoteError):
            note.verify_note(note.parse_note(bytes(data)), SIGNER.vkey)


def test_every_cut_of_a_note_is_refused() -> None:
    for size in range(len(NOTE)):
        with pytest.raises(NoteError):
            note.verify_note(note.parse_note(NOTE[:size]), SIGNER.vkey)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_parsing_a_note_ends_in_its_own_spelling_or_an_error(data: bytes) -> None:
    try:
        found = note.parse_note(data)
    except NoteError:
        return
    assert note.format_note(found.text, found.signatures) == data


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bank\n1\n",
        f"bank\n01\n{'A' * 43}=\n",
        f"bank\n1\n{'A' * 43}=\nextension\n",
        f"\n1\n{'A' * 43}=\n",
        "bank\n1\nAAAA\n",
        f"bank\n1\n{'A' * 42}B=\n",
        f"bank\n-1\n{'A' * 43}=\n",
        "bank\n1\nä\n",
    ],
)
def test_what_is_no_checkpoint(text: str) -> None:
    with pytest.raises(NoteError):
        note.parse_checkpoint(text)


def test_a_vkey_is_read_back() -> None:
    assert note.parse_vkey(note.format_vkey(SIGNER.vkey) + "\n") == SIGNER.vkey


@pytest.mark.parametrize(
    "text",
    ["", "bank", "bank+00000000+", "bank+00000000+" + "A" * 44, note.format_vkey(SIGNER.vkey)[:-1], "a b+00+AA=="],
)
def test_what_is_no_vkey(text: str) -> None:
    with pytest.raises(NoteError):
        note.parse_vkey(text)


def test_a_note_of_another_key_is_not_ours() -> None:
    other = note.parse_signer(note.generate_signing_key(), NAME)
    with pytest.raises(NoteError, match="not signed by"):
        note.verify_note(note.parse_note(note.format_note(TEXT, [other.sign(TEXT)])), SIGNER.vkey)


RSA = generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize("pem", [b"", b"no key", PEM[:40], RSA], ids=["empty", "text", "cut", "rsa"])
def test_what_is_no_signing_key(pem: bytes) -> None:
    with pytest.raises(NoteError):
        note.parse_signer(pem, NAME)


def test_a_signer_does_not_show_its_key() -> None:
    assert "PRIVATE" not in repr(SIGNER)
    assert "Ed25519PrivateKey" not in repr(SIGNER)
    assert note.origin_of("bank") == NAME
