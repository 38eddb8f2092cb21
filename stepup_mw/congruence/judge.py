"""What the gate would decide about a request, asked through the package's own doors and by the gate's own matching.

Nothing behind the matching is there: no identity, no store, no trail. A request that meets a rule is "asked".
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from ..demands import Demand
from ..doors.asgi import AsgiDoor
from ..doors.wsgi import WsgiDoor
from ..errors import AmbiguousRequest
from ..gate.matching import find_rule, own_place
from ..messages import UNTOUCHED, Lease, Pass, Request, Response
from ..policy import Policy, Rule, at_least_as_strict

_ANSWERED = Response(status=401)


class Verdict(NamedTuple):
    """pass: the app gets the request unseen. asked: ``rule`` holds. refused: an ambiguous target, ``reason``. own: one
    of the gate's own pages answers."""

    kind: Literal["pass", "asked", "refused", "own"]
    rule: Rule | None = None
    reason: str = ""

    def covers(self, wanted: Rule) -> bool:
        """Whether a request that this was said of was held at least as strictly as that rule wants."""
        return self.kind != "pass" and (self.rule is None or at_least_as_strict(self.rule, wanted))


PASS = Verdict("pass")


class Judge:
    """Both doors around nothing, with a gate that only matches. ``root_path``: the one that the app gives itself."""

    def __init__(self, policy: Policy, root_path: str = "") -> None:
        self.policy = policy
        self.concerns = policy.concerns
        self.gate: Any = self
        self.keeps = 0
        self._said = PASS
        self._asgi = AsgiDoor(_asgi_end, self, own_root=root_path)
        self._wsgi = WsgiDoor(_wsgi_end, self)

    def judge(self, native: dict[str, Any]) -> Verdict:
        """The verdict on a scope or an environ; it is left as it is."""
        self._said = PASS
        if "wsgi.version" in native:
            list(self._wsgi(dict(native), lambda *_: lambda _: None))
        else:
            work = self._asgi(dict(native), _receive, _send)
            try:
                work.send(None)
            except StopIteration:
                pass
            else:
                raise AssertionError("the gate waited for something")
        return self._said

    async def handle(self, request: Request) -> Pass | Response:
        return self.handle_blocking(request)

    def handle_blocking(self, request: Request) -> Pass | Response:
        if own_place(request, self.policy.prefix) is not None:
            self._said = Verdict("own")
            return _ANSWERED
        try:
            match = find_rule(self.policy, request)
        except AmbiguousRequest as error:
            self._said = Verdict("refused", reason=error.reason)
            return _ANSWERED
        if match is None:
            return UNTOUCHED
        self._said = Verdict("asked", match.rule)
        return _ANSWERED

    def form_token_blocking(self, request: Request, method: str, path: str) -> str:  # noqa: ARG002 - the door's shape
        return ""

    def demand_blocking(self, _request: Request, _demand: Demand, before: Pass) -> Pass | Response:
        """Nothing runs inside that could ask."""
        return before

    def left_blocking(self, _lease: Lease) -> float:
        """Nothing goes on."""
        return 0.0

    def start(self) -> None:
        """Nothing to start."""

    def close(self) -> None:
        """Nothing to close."""

    async def aclose(self) -> None:
        """Nothing to close."""


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(_message: Any) -> None:
    return None


async def _asgi_end(_scope: Any, _receive: Any, _send: Any) -> None:
    return None


def _wsgi_end(_environ: Any, _start_response: Any) -> list[bytes]:
    return []
