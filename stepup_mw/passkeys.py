"""Passkeys (WebAuthn Level 3): what a browser is asked for, and what its answer proves. Pure; py_webauthn verifies.

User verification is always required, and the origin, the relying party's id, the challenge and the signature are
checked by it. The count of signatures is the caller's to compare: it must rise where an authenticator keeps one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from .encoding import b64url_decode, b64url_encode
from .errors import MissingExtra, PasskeyError

if TYPE_CHECKING:
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

PREFIX = "passkey:"
"""Begins the id of a factor that is a passkey."""

MAX_ANSWER = 16 * 1024
"""Bytes of a browser's answer as JSON."""

TIMEOUT_MS = 120_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RelyingParty:
    """``rp_id``: the domain that passkeys are for; ``origins``: where they may be used, ``https://host[:port]``."""

    rp_id: str
    name: str
    origins: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """One credential. ``public_key`` is COSE; ``sign_count`` 0 for an authenticator that keeps none; ``backed_up``:
    it is kept on more than one device."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    aaguid: str
    backed_up: bool
    transports: tuple[str, ...] = ()

    @property
    def factor_id(self) -> str:
        return factor_id_of(self.credential_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """What an answer proved: which credential signed, and its count."""

    credential_id: bytes
    sign_count: int


def factor_id_of(credential_id: bytes) -> str:
    """The id of the factor: a digest, for a credential's id may have a thousand bytes."""
    return PREFIX + hashlib.sha256(credential_id).hexdigest()[:32]


def format_passkey(passkey: Passkey) -> bytes:
    """As it is sealed: a JSON array."""
    return orjson.dumps(
        [b64url_encode(passkey.credential_id), b64url_encode(passkey.public_key), passkey.sign_count, passkey.aaguid,
         passkey.backed_up, passkey.transports]
    )  # fmt: skip


def parse_passkey(data: bytes) -> Passkey:
    """The other way; ValueError for what nobody wrote here."""
    credential_id, public_key, sign_count, aaguid, backed_up, transports = orjson.loads(data)
    return Passkey(
        credential_id=b64url_decode(credential_id),
        public_key=b64url_decode(public_key),
        sign_count=sign_count,
        aaguid=aaguid,
        backed_up=backed_up,
        transports=tuple(transports),
    )


def creation_options(
    party: RelyingParty, *, user_handle: bytes, user: str, challenge: bytes, held: Sequence[Passkey]
) -> dict[str, Any]:
    """``PublicKeyCredentialCreationOptionsJSON`` for ``navigator.credentials.create``."""
    webauthn = _library()
    from webauthn.helpers import structs  # noqa: PLC0415 - an extra, and slow to load

    options = webauthn.generate_registration_options(
        rp_id=party.rp_id,
        rp_name=party.name,
        user_id=user_handle,
        user_name=user,
        challenge=challenge,
        timeout=TIMEOUT_MS,
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            resident_key=structs.ResidentKeyRequirement.PREFERRED,
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=_described(held),
    )
    found: dict[str, Any] = orjson.loads(webauthn.options_to_json(options))
    return found


def request_options(party: RelyingParty, *, challenge: bytes, held: Sequence[Passkey]) -> dict[str, Any]:
    """``PublicKeyCredentialRequestOptionsJSON`` for ``navigator.credentials.get``."""
    webauthn = _library()
    from webauthn.helpers import structs  # noqa: PLC0415 - an extra, and slow to load

    options = webauthn.generate_authentication_options(
        rp_id=party.rp_id,
        challenge=challenge,
        timeout=TIMEOUT_MS,
        allow_credentials=_described(held),
        user_verification=structs.UserVerificationRequirement.REQUIRED,
    )
    found: dict[str, Any] = orjson.loads(webauthn.options_to_json(options))
    return found


def verify_creation(answer: Mapping[str, Any], *, party: RelyingParty, challenge: bytes) -> Passkey:
    """The new passkey (WebAuthn Level 3, section 7.1). PasskeyError for an answer that proves none."""
    webauthn = _library()
    try:
        made = webauthn.verify_registration_response(
            credential=dict(answer),
            expected_challenge=challenge,
            expected_rp_id=party.rp_id,
            expected_origin=list(party.origins),
            require_user_verification=True,
        )
        transports = answer["response"].get("transports") or []
        return Passkey(
            credential_id=made.credential_id,
            public_key=made.credential_public_key,
            sign_count=made.sign_count,
            aaguid=str(made.aaguid),
            backed_up=made.credential_backed_up,
            transports=tuple(str(name)[:16] for name in transports[:8]),
        )
    except Exception as error:  # whatever a browser sends may upset any part of the parser
        raise PasskeyError(_why(error)) from error


def verify_assertion(
    answer: Mapping[str, Any], *, passkey: Passkey, party: RelyingParty, challenge: bytes
) -> Assertion:
    """What the answer proves (WebAuthn Level 3, section 7.2). PasskeyError for one that proves nothing."""
    webauthn = _library()
    try:
        found = webauthn.verify_authentication_response(
            credential=dict(answer),
            expected_challenge=challenge,
            expected_rp_id=party.rp_id,
            expected_origin=list(party.origins),
            credential_public_key=passkey.public_key,
            credential_current_sign_count=0,  # compared by the caller, who must also take it
            require_user_verification=True,
        )
    except Exception as error:  # whatever a browser sends may upset any part of the parser
        raise PasskeyError(_why(error)) from error
    if found.credential_id != passkey.credential_id:
        raise PasskeyError("another credential")
    return Assertion(credential_id=found.credential_id, sign_count=found.new_sign_count)


def credential_id_of(answer: Mapping[str, Any]) -> bytes:
    """Which credential an answer says it is from. PasskeyError where it does not say."""
    try:
        return b64url_decode(str(answer["id"]))
    except (KeyError, ValueError):
        raise PasskeyError("no id") from None


def parse_answer(text: str) -> dict[str, Any] | None:
    """A browser's answer as a form field has it: a JSON object; None for anything else."""
    if len(text) > MAX_ANSWER:
        return None
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _described(held: Sequence[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    from webauthn.helpers.structs import (  # noqa: PLC0415 - an extra, and slow to load
        AuthenticatorTransport,
        PublicKeyCredentialDescriptor,
    )

    known = {each.value: each for each in AuthenticatorTransport}
    return [
        PublicKeyCredentialDescriptor(
            id=passkey.credential_id,
            transports=[known[name] for name in passkey.transports if name in known] or None,
        )
        for passkey in held
    ]


def _library() -> Any:
    try:
        import webauthn  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtra("a passkey", "webauthn", "passkeys") from None
    return webauthn


def _why(error: Exception) -> str:
    """A word for the log; what the browser sent does not go into it."""
    return type(error).__name__
