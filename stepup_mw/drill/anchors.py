"""An anchor that is down: one of the drill's own, which refuses, then hangs, then answers. No real anchor is asked."""

from __future__ import annotations

import http.server
import threading
import time
from base64 import b64encode
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import TrailUnavailable
from ..events import other
from ..identifiers import IdentifierSource
from ..settings import AnchorSettings
from ..ship import Shipper
from ..ship.witness import COSIGNATURE, WitnessKey
from .lab import found_in, marks_of
from .values import NotPossible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from ..trail import Trail
    from .lab import Ground, Lab
    from .values import Score

_TIMEOUT_S = 2.0
_PATIENCE_S = 20.0
_LINES = 5


class _Witness(http.server.ThreadingHTTPServer):
    """A stand-in for a witness: it cosigns whatever it is shown. Bound at once, it refuses until ``activate``, then
    hangs until ``answers`` is set."""

    daemon_threads = True

    def __init__(self) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - slow to load

        super().__init__(("127.0.0.1", 0), _Handler, bind_and_activate=False)
        self.server_bind()
        self.key: Ed25519PrivateKey = Ed25519PrivateKey.generate()
        self.asked, self.answers = threading.Event(), threading.Event()
        self.own = WitnessKey(name="drill-witness", public=self.key.public_key().public_bytes_raw())

    @property
    def anchor(self) -> AnchorSettings:
        key = f"{self.own.name}+{self.own.key_id.hex()}+{b64encode(COSIGNATURE + self.own.public).decode()}"
        url = f"http://127.0.0.1:{self.server_address[1]}"
        return AnchorSettings(kind="witness", url=url, key=key, timeout_s=_TIMEOUT_S)

    def activate(self) -> None:
        self.server_activate()
        threading.Thread(target=self.serve_forever, args=(0.05,), name="drill-witness", daemon=True).start()

    def cosign(self, body: bytes) -> bytes:
        text = body.partition(b"\n\n")[2].rpartition(b"\n\n")[0] + b"\n"
        now = int(time.time())
        signature = self.key.sign(f"cosignature/v1\ntime {now}\n".encode() + text)
        data = b64encode(self.own.key_id + now.to_bytes(8) + signature).decode()
        return f"\u2014 {self.own.name} {data}\n".encode()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Witness

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.set()
        if not self.server.answers.wait(_PATIENCE_S):
            return
        answer = self.server.cosign(body)
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing: the terminal is the drill's."""


def dead_anchor(lab: Lab, score: Score) -> None:
    if not lab.signed:
        raise NotPossible("without audit.signing_key_file there are no checkpoints to anchor")
    score.expect(5)
    witness = _Witness()
    limits = {"max_unanchored_lines": _LINES, "max_unanchored_then": "deny", "durability": "commit"}
    ground = lab.ground("dead-anchor", anchors=(witness.anchor,), rotate_size=None, **limits)
    with _service(ground) as (trail, shipper):
        names = _append(ground, trail, "refused")
        down = _until(lambda: marks_of(ground.audit, "sink_failed"))
        score.case("refuses: on record", "" if down else "no sink_failed line came")
        score.case("refuses: requests are held back", "" if _held_back(shipper) else "requests went through")
        witness.activate()
        score.case("hangs: no line waits", _while_it_hangs(ground, trail, witness, names))
        witness.answers.set()
        back = _until(lambda: marks_of(ground.audit, "sink_recovered"))
        score.case("comes back: on record", "" if back else "no sink_recovered line came")
        trail.checkpoint_now()
        flows = _until(lambda: not _held_back(shipper))
        score.case("comes back: requests go on", "" if flows else "requests are still held back")
    witness.shutdown()
    witness.server_close()
    score.case("the trail", found_in(ground, names))
    score.said = f"{len(names)} lines meanwhile, none waited {_TIMEOUT_S:g} s; audit/sink_failed and sink_recovered"


@contextmanager
def _service(ground: Ground) -> Iterator[tuple[Trail, Shipper]]:
    """The trail and what ships it, as a service runs them."""
    trail, new_id = ground.open(), IdentifierSource()

    def record(event_type: str, phase: str, detail: Mapping[str, Any]) -> None:
        now = time.time()
        line = other(event_type, phase, now=now, event_id=new_id(now), service=ground.service, detail=detail)
        trail.post([line])

    shipper = Shipper(ground.trail, ground.service, clock=time.time, record=record, every_s=0.05)
    shipper.start()
    try:
        yield trail, shipper
    finally:
        with shipper.ending():
            trail.close()


def _append(ground: Ground, trail: Trail, name: str) -> list[str]:
    names = [f"dead-anchor-{name}-{number}" for number in range(_LINES + 1)]
    for each in names:
        trail.append_blocking([ground.record(each)])
    trail.checkpoint_now()
    return names


def _while_it_hangs(ground: Ground, trail: Trail, witness: _Witness, names: list[str]) -> str:
    if not witness.asked.wait(_PATIENCE_S):
        return "the anchor was not asked again"
    begun = time.monotonic()
    names += _append(ground, trail, "hung")
    waited = time.monotonic() - begun
    return "" if waited < _TIMEOUT_S else f"{_LINES + 1} lines took {waited:.1f} s"


def _held_back(shipper: Shipper) -> bool:
    try:
        shipper.window.check()
    except TrailUnavailable:
        return True
    return False


def _until(happened: Callable[[], object]) -> bool:
    until = time.monotonic() + _PATIENCE_S
    while not happened():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True
