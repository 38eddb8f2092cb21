"""A webhook's receiving end: a real HTTP server that keeps what it is sent, with its headers."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks.webhooks import Webhook as Checker

KEY = b"k" * 32
KEY_TEXT = "whsec_a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="


@dataclass
class Inbox:
    """``answers`` are the statuses given next, the last one for ever; ``sent`` is what came: headers and body."""

    answers: list[int] = field(default_factory=lambda: [204])
    sent: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    def notices(self, count: int, *, user: str | None = None) -> list[dict[str, Any]]:
        """The first ``count`` notices (of a user), each checked by the library of Standard Webhooks."""
        until = time.monotonic() + 10
        while time.monotonic() < until:
            mine = [one for one in list(self.sent) if user in (None, json.loads(one[1])["data"]["user_id"])]
            if len(mine) >= count:
                return [self._checked(headers, body) for headers, body in mine]
            time.sleep(0.02)
        raise AssertionError(f"{len(self.sent)} notices, not {count}")

    def _checked(self, headers: dict[str, str], body: bytes) -> dict[str, Any]:
        notice: dict[str, Any] = Checker(KEY_TEXT).verify(body, headers)
        return notice


@contextlib.contextmanager
def receiving(*answers: int) -> Iterator[Inbox]:
    inbox = Inbox(answers=list(answers) or [204])

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            inbox.sent.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(inbox.answers.pop(0) if len(inbox.answers) > 1 else inbox.answers[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    inbox.url = f"http://127.0.0.1:{server.server_address[1]}/hooks/stepup"
    try:
        yield inbox
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
