"""Tokens that are wrong in one respect, each refused with its reason; and those that are good, in every spelling."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm

from stepup_mw.assertion import Assertion, JwtSettings
from stepup_mw.config.tokens import ALGORITHMS, TOKEN_TYPES
from stepup_mw.errors import AmbiguousRequest, TokenRefused
from stepup_mw.identity import Identity
from stepup_mw.identity.jwt import MAX_TOKEN, JwtProvider
from stepup_mw.settings import IdentitySettings

from ..core.samples import NOW, make_request
from .issuer import AUDIENCE, ISSUER, claims, key_set, mint, private_key, public_jwk, raw, sign

KEYS = (
    public_jwk("rsa1"),
    public_jwk("rsa-ps", alg="PS256"),
    public_jwk("ec1", alg="ES256"),
    public_jwk("p384"),
    public_jwk("ed1"),
    public_jwk("weak1"),
    public_jwk("rsa-enc", use="enc"),
    {"kty": "oct", "kid": "shared", "k": base64.urlsafe_b64encode(b"s" * 32).decode(), "alg": "HS256"},
)


def provider(folder: Path, *, user: str = "", session: str | None = None, **changes: Any) -> JwtProvider:
    path = folder / "jwks.json"
    path.write_bytes(key_set(*KEYS))
    jwt: dict[str, Any] = {
        "jwks": str(path),
        "issuer": ISSUER,
        "audience": (AUDIENCE, "bank"),
        "algorithms": ALGORITHMS,
        "token_types": TOKEN_TYPES,
        "leeway_s": 30,
        "keep_s": 3600,
        **changes,
    }
    identity = IdentitySettings(provider="jwt", user=user, session=session)
    return JwtProvider(identity, JwtSettings(**jwt), lambda: NOW)


def ask(found: JwtProvider, *values: str) -> Identity | None:
    request = make_request(headers=[("authorization", value) for value in values])
    return asyncio.run(found(request))


def good(kid: str = "rsa1", **changes: Any) -> str:
    return mint(kid, NOW, **changes)


GOOD: dict[str, Callable[[], str]] = {
    "rs256": good,
    "rs512": lambda: good(alg="RS512"),
    "ps256": lambda: good("rsa-ps", alg="PS256"),
    "es256": lambda: good("ec1"),
    "es384": lambda: good("p384"),
    "eddsa": lambda: good("ed1"),
    "typ-jwt": lambda: sign(claims(NOW), typ="JWT"),
    "typ-in-full": lambda: sign(claims(NOW), typ="application/AT+JWT"),
    "no-typ": lambda: sign(claims(NOW), typ=None),
    "audience-of-two": lambda: good(aud=["other", "bank"]),
    "inside-the-leeway": lambda: good(exp=int(NOW) - 29, nbf=int(NOW) + 29, iat=int(NOW) + 29),
    "no-kid-and-one-fits": lambda: sign(claims(NOW), "ed1", kid=None),
    "by-hand": lambda: written(claimed(b"")),
    "key-urls-in-the-header": lambda: sign(claims(NOW), jku="http://127.0.0.1:9/", x5u="http://127.0.0.1:9/"),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_token(name: str, tmp_path: Path) -> None:
    found = ask(provider(tmp_path), f"Bearer {GOOD[name]()}")
    assert found is not None
    assert (found.user, found.session) == ("alice", None)
    assert found.assertion is not None
    told = (found.assertion.acr, found.assertion.amr, found.assertion.auth_time)
    assert told == ("urn:mfa", ("pwd", "otp"), NOW - 60)


def confused() -> str:
    """HS256 with the provider's public key as the shared one."""
    public = private_key("rsa1").public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    unsigned = raw({"alg": "HS256", "typ": "at+jwt", "kid": "rsa1"}, claims(NOW)).rstrip(".")
    mac = hmac.digest(pem, unsigned.encode(), "sha256")
    return f"{unsigned}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def shared() -> str:
    unsigned = raw({"alg": "HS256", "typ": "at+jwt", "kid": "shared"}, claims(NOW)).rstrip(".")
    return f"{unsigned}.{base64.urlsafe_b64encode(hmac.digest(b's' * 32, unsigned.encode(), 'sha256')).decode()}"


def changed() -> str:
    head, _, signature = good().split(".")
    body = base64.urlsafe_b64encode(json.dumps(claims(NOW, sub="eve")).encode()).rstrip(b"=").decode()
    return f"{head}.{body}.{signature}"


def cut() -> str:
    head, body, signature = good().split(".")
    short = base64.urlsafe_b64decode(signature + "==")[:-1]
    return f"{head}.{body}.{base64.urlsafe_b64encode(short).rstrip(b'=').decode()}"


def written(payload: bytes, header: bytes = b'{"alg":"RS256","typ":"at+jwt","kid":"rsa1"}') -> str:
    """The very bytes of a payload and a header, signed by the provider."""
    parts = [base64.urlsafe_b64encode(part).rstrip(b"=") for part in (header, payload)]
    signature = RSAAlgorithm(RSAAlgorithm.SHA256).sign(b".".join(parts), private_key("rsa1"))
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


def claimed(more: bytes) -> bytes:
    return json.dumps(claims(NOW)).encode()[:-1] + more + b"}"


HOSTILE: dict[str, tuple[Callable[[], str], str]] = {
    "none": (lambda: raw({"alg": "none", "typ": "at+jwt"}, claims(NOW), b"x"), "algorithm"),
    "None": (lambda: raw({"alg": "None", "typ": "at+jwt"}, claims(NOW), b"x"), "algorithm"),
    "no-signature": (lambda: good().rpartition(".")[0] + ".", "malformed"),
    "no-algorithm": (lambda: raw({"typ": "at+jwt", "kid": "rsa1"}, claims(NOW), b"x"), "algorithm"),
    "algorithm-a-list": (lambda: raw({"alg": ["RS256"], "kid": "rsa1"}, claims(NOW), b"x"), "algorithm"),
    "hmac-with-the-public-key": (confused, "algorithm"),
    "hmac-with-a-key-of-the-set": (lambda: shared().rstrip("="), "algorithm"),
    "signed-by-another": (lambda: sign(claims(NOW), "rsa2", kid="rsa1"), "signature"),
    "claims-changed": (changed, "signature"),
    "signature-cut": (cut, "signature"),
    "unknown-key": (lambda: good("rsa2"), "unknown_key"),
    "no-kid-and-two-fit": (lambda: sign(claims(NOW), "rsa-ps", alg="PS256", kid=None), "unknown_key"),
    "kid-a-number": (lambda: raw({"alg": "RS256", "kid": 7}, claims(NOW), b"x"), "malformed"),
    "kid-a-path": (lambda: sign(claims(NOW), "rsa2", kid="../../etc/passwd"), "unknown_key"),
    "key-for-encryption": (lambda: good("rsa-enc"), "unknown_key"),
    "weak-key": (lambda: good("weak1"), "unknown_key"),
    "another-algorithm-than-the-keys": (lambda: sign(claims(NOW), "rsa-ps", alg="RS256"), "unknown_key"),
    "another-curve-than-the-keys": (lambda: raw({"alg": "ES256", "kid": "p384"}, claims(NOW), b"x"), "unknown_key"),
    "a-key-in-the-header": (lambda: sign(claims(NOW), "rsa2", kid="rsa1", jwk=public_jwk("rsa2")), "signature"),
    "a-key-in-the-header-of-a-new-id": (lambda: sign(claims(NOW), "rsa2", jwk=public_jwk("rsa2")), "unknown_key"),
    "a-certificate-in-the-header": (lambda: sign(claims(NOW), "rsa2", kid="rsa1", x5c=["MIIB"]), "signature"),
    "critical-extension": (lambda: sign(claims(NOW), crit=["exp"], exp=1), "malformed"),
    "critical-extension-of-the-payload": (lambda: sign(claims(NOW), crit=["b64"], b64=True), "malformed"),
    "payload-not-encoded": (lambda: raw({"alg": "RS256", "kid": "rsa1", "b64": False}, claims(NOW), b"x"), "malformed"),
    "id-token-for-a-client": (lambda: good(aud="client-1"), "audience"),
    "log-out-token": (lambda: sign(claims(NOW), typ="logout+jwt"), "type"),
    "dpop-proof": (lambda: sign(claims(NOW), typ="dpop+jwt"), "type"),
    "typ-a-number": (lambda: sign(claims(NOW), typ=7), "type"),
    "another-issuer": (lambda: good(iss="https://evil.example"), "issuer"),
    "issuer-with-a-slash": (lambda: good(iss=ISSUER + "/"), "issuer"),
    "no-issuer": (lambda: good(iss=None), "issuer"),
    "issuer-a-list": (lambda: sign({**claims(NOW), "aud": AUDIENCE, "iss": "x"}), "issuer"),
    "no-audience": (lambda: good(aud=None), "audience"),
    "audience-like-ours": (lambda: good(aud=AUDIENCE + ".evil.example"), "audience"),
    "audience-a-number": (lambda: good(aud=[7]), "audience"),
    "expired": (lambda: good(exp=int(NOW) - 30), "expired"),
    "no-expiry": (lambda: good(exp=None), "claims"),
    "expiry-a-text": (lambda: good(exp=str(int(NOW) + 60)), "claims"),
    "expiry-true": (lambda: good(exp=True), "claims"),
    "expiry-beyond-any-clock": (lambda: good(exp=10**30), "claims"),
    "not-yet": (lambda: good(nbf=int(NOW) + 31), "not_yet"),
    "from-the-future": (lambda: good(iat=int(NOW) + 31), "not_yet"),
    "no-user": (lambda: good(sub=None), "claims"),
    "user-a-number": (lambda: good(sub=7), "claims"),
    "user-empty": (lambda: good(sub=""), "claims"),
    "bound-by-dpop": (lambda: good(cnf={"jkt": "x"}), "bound"),
    "bound-by-mtls": (lambda: good(cnf={"x5t#S256": "x"}), "bound"),
    "user-twice": (lambda: written(claimed(b',"sub":"eve"')), "malformed"),
    "the-same-user-twice": (lambda: written(claimed(b',"sub":"alice"')), "malformed"),
    "expiry-twice": (lambda: written(claimed(b',"exp":99999999999')), "malformed"),
    "a-name-twice-deep-inside": (lambda: written(claimed(b',"a":{"b":1,"b":2}')), "malformed"),
    "a-name-twice-by-escape": (lambda: written(claimed(b',"su\\u0062":"eve"')), "malformed"),
    "algorithm-twice": (
        lambda: written(claimed(b""), b'{"alg":"none","typ":"at+jwt","kid":"rsa1","alg":"RS256"}'),
        "malformed",
    ),
    "kid-twice": (lambda: written(claimed(b""), b'{"kid":"rsa2","alg":"RS256","kid":"rsa1"}'), "malformed"),
    "claims-nested-deeply": (lambda: written(claimed(b',"a":' + b"[" * 4000 + b"]" * 4000)), "malformed"),
    "claims-not-a-number": (lambda: written(claimed(b',"nbf":NaN')), "malformed"),
    "claims-with-a-lone-surrogate": (lambda: written(claimed(b',"x":"\\ud800"').replace(b"alice", b"")), "malformed"),
    "signed-claims-a-list": (lambda: written(b"[]"), "malformed"),
    "signed-claims-no-json": (lambda: written(b"alice"), "malformed"),
    "signed-claims-no-utf-8": (lambda: written(claimed(b',"x":"\xff"')), "malformed"),
    "claims-a-list": (lambda: raw({"alg": "RS256", "kid": "rsa1"}, b"[]", b"x"), "signature"),
    "too-long": (lambda: good(padding="x" * MAX_TOKEN), "too_long"),
    "header-nested-deeply": (lambda: raw_header(b'{"a":' + b"[" * 5000), "malformed"),
    "header-no-object": (lambda: raw_header(b"[]"), "malformed"),
    "header-no-json": (lambda: raw_header(b"{"), "malformed"),
    "two-parts": (lambda: "a.b", "malformed"),
    "five-parts": (lambda: "a.b.c.d.e", "malformed"),
    "with-padding": (lambda: good() + "==", "malformed"),
    "with-a-blank": (lambda: good().replace(".", " ."), "malformed"),
    "in-full-width": (lambda: good()[:-1] + "\xe9", "malformed"),
    "opaque": (lambda: "mF_9.B5f-4.1JqM", "malformed"),
    "empty": (lambda: "", "malformed"),
}  # fmt: skip


def raw_header(header: bytes) -> str:
    _, body, signature = good().split(".")
    return f"{base64.urlsafe_b64encode(header).rstrip(b'=').decode()}.{body}.{signature}"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_token(name: str, tmp_path: Path) -> None:
    make, reason = HOSTILE[name]
    with pytest.raises(TokenRefused) as refused:
        ask(provider(tmp_path), f"Bearer {make()}")
    assert refused.value.reason == reason
    said = refused.value.detail
    assert said.isascii()
    assert '"' not in said
    assert "\\" not in said


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ((), None),
        (("Basic YWxpY2U6eA==",), None),
        (("Negotiate abc",), None),
        (("bearer {}",), "alice"),
        (("BEARER   {}  ",), "alice"),
    ],
    ids=["none", "basic", "negotiate", "lower-case", "blanks"],
)
def test_the_scheme(values: tuple[str, ...], found: str | None, tmp_path: Path) -> None:
    identity = ask(provider(tmp_path), *(value.format(good()) for value in values))
    assert (identity.user if identity else None) == found


@pytest.mark.parametrize(
    "values",
    [
        ("Bearer {0}", "Bearer {0}"),
        ("Bearer {0}", "Basic eA=="),
        ("Basic eA==", "Bearer {0}"),
        ("Bearer {0}, Bearer {0}",),
    ],
    ids=["twice", "before-another", "after-another", "joined"],
)
def test_two_headers_are_a_doubt(values: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(AmbiguousRequest):
        ask(provider(tmp_path), *(value.format(good()) for value in values))


def test_a_dpop_token_is_refused_since_its_proof_is_not_checked(tmp_path: Path) -> None:
    with pytest.raises(TokenRefused) as refused:
        ask(provider(tmp_path), f"DPoP {good()}")
    assert refused.value.reason == "scheme"


def test_only_the_algorithms_and_types_of_the_configuration(tmp_path: Path) -> None:
    narrow = provider(tmp_path, algorithms=("ES256",), token_types=("at+jwt",))
    assert ask(narrow, f"Bearer {good('ec1')}") is not None
    for token, reason in ((good(), "algorithm"), (sign(claims(NOW), "ec1", typ="JWT"), "type")):
        with pytest.raises(TokenRefused) as refused:
            ask(narrow, f"Bearer {token}")
        assert refused.value.reason == reason


def test_the_claims_that_name_user_and_session(tmp_path: Path) -> None:
    named = provider(tmp_path, user="email", session="sid")
    found = ask(named, f"Bearer {good(email='a@bank.example', sid='s1')}")
    assert found is not None
    assert (found.user, found.session) == ("a@bank.example", "s1")
    found = ask(named, f"Bearer {good(email='a@bank.example')}")
    assert found is not None
    assert found.session is None
    for wrong in ({"email": None}, {"email": ["a"]}, {"email": "a", "sid": 7}):
        with pytest.raises(TokenRefused):
            ask(named, f"Bearer {good(**wrong)}")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"acr": None, "amr": None, "auth_time": None}, Assertion()),
        ({"acr": 3, "amr": "otp", "auth_time": "1"}, Assertion()),
        ({"acr": ["urn:mfa"], "amr": {"otp": 1}, "auth_time": True}, Assertion()),
        ({"acr": "", "amr": [7, None, "otp", "x" * 300], "auth_time": -5}, Assertion(amr=("otp",), auth_time=-5)),
        ({"acr": "x" * 257, "amr": ["a"] * 99, "auth_time": 10**20}, Assertion(amr=("a",) * 16)),
        ({"acr": "urn:mfa", "amr": ["otp"], "auth_time": 1.5}, Assertion(acr="urn:mfa", amr=("otp",), auth_time=1.5)),
    ],
    ids=["missing", "other-types", "more-other-types", "odd", "large", "good"],
)
def test_what_is_told_of_the_authentication(changes: dict[str, Any], told: Assertion, tmp_path: Path) -> None:
    found = ask(provider(tmp_path), f"Bearer {good(**changes)}")
    assert found is not None
    assert found.assertion is not None
    assert (found.assertion.acr, found.assertion.amr, found.assertion.auth_time) == (told.acr, told.amr, told.auth_time)


@given(st.text(max_size=200), st.integers(0, 600), st.integers(0, 2))
@settings(max_examples=60, deadline=None)
def test_a_token_with_a_piece_of_anything_in_it_is_refused_or_the_same(piece: str, at: int, how: int) -> None:
    """No spelling of a token means anything but what was signed."""
    token = good()
    odd = (token[:at] + piece + token[at:], token[:at] + piece + token[at + len(piece) :], token[at:])[how]
    request = make_request(headers=[("authorization", f"Bearer {odd}".encode("latin-1", "replace").decode("latin-1"))])
    try:
        found = asyncio.run(FOUND(request))
    except (TokenRefused, AmbiguousRequest):
        return
    assert found is not None
    assert found.user == "alice"


@pytest.fixture(autouse=True, scope="module")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> None:
    global FOUND  # noqa: PLW0603 - one key set for all examples of the property
    FOUND = provider(tmp_path_factory.mktemp("keys"))


FOUND: JwtProvider
