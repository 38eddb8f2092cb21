"""An identity provider of the tests: its keys, its key set, tokens that are good or wrong in one respect."""

from __future__ import annotations

import base64
import http.server
import json
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ISSUER, AUDIENCE = "https://id.example", "https://bank.example"


@cache
def private_key(kid: str) -> Any:
    """Of the kind that the id begins with: rsa, ec, p384, ed, weak."""
    if kid.startswith("ec"):
        return ec.generate_private_key(ec.SECP256R1())
    if kid.startswith("p384"):
        return ec.generate_private_key(ec.SECP384R1())
    if kid.startswith("ed"):
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, 1024 if kid.startswith("weak") else 2048)


def public_jwk(kid: str, **more: Any) -> dict[str, Any]:
    """The public half, as a key set has it."""
    key = private_key(kid).public_key()
    kinds: dict[str, Any] = {"ec": ECAlgorithm, "p3": ECAlgorithm, "ed": OKPAlgorithm}
    return {**kinds.get(kid[:2], RSAAlgorithm).to_jwk(key, as_dict=True), "kid": kid, "use": "sig", **more}


def key_set(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": list(keys)}).encode()


def claims(now: float | None = None, **changes: Any) -> dict[str, Any]:
    """Those of a good access token of alice, who authenticated a minute ago; None takes one out."""
    now = time.time() if now is None else now
    whole = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "alice",
        "iat": int(now) - 5,
        "exp": int(now) + 300,
        "jti": "t1",
        "acr": "urn:mfa",
        "amr": ["pwd", "otp"],
        "auth_time": int(now) - 60,
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


def mint(kid: str = "rsa1", now: float | None = None, /, *, alg: str = "", **changes: Any) -> str:
    """A token signed by the key of that id."""
    return sign(claims(now, **changes), kid, alg=alg)


def sign(payload: dict[str, Any], key: str = "rsa1", /, *, alg: str = "", **header: Any) -> str:
    """Any claims under any header, signed by any key; ``kid=None`` and the like take a part of the header out."""
    algorithm = alg or {"ec": "ES256", "p3": "ES384", "ed": "EdDSA"}.get(key[:2], "RS256")
    whole = {"typ": "at+jwt", "kid": key, **header}
    if whole["typ"] is None:
        whole["typ"] = ""  # PyJWT puts in a typ of its own where there is none, and takes out an empty one
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a key is weak
        return jwt.encode(
            payload, private_key(key), algorithm, {name: value for name, value in whole.items() if value is not None}
        )


def raw(header: dict[str, Any], payload: bytes | dict[str, Any], signature: bytes = b"") -> str:
    """A token by hand, whatever stands in it."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    parts = (json.dumps(header).encode(), body, signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


class Endpoint:
    """What the server of a key set answers, to be changed at any time; counts who asks."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.status = 200
        self.body = key_set(*keys)
        self.wait_s = 0.0
        self.asked = 0
        self.url = ""

    def answer(self) -> tuple[int, bytes]:
        self.asked += 1
        time.sleep(self.wait_s)
        return self.status, self.body


@contextmanager
def serving_keys(*keys: dict[str, Any], port: int = 0) -> Iterator[Endpoint]:
    """A server of a key set on this host."""
    endpoint = Endpoint(*keys)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = endpoint.answer()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    endpoint.url = f"http://127.0.0.1:{server.server_address[1]}/jwks"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def written(folder: Path, *keys: dict[str, Any]) -> Path:
    path = folder / "jwks.json"
    path.write_bytes(key_set(*keys))
    return path
