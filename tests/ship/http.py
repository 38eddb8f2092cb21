"""Small HTTP servers for the tests, each on a free port in a thread; and ports where nobody answers, or too slowly."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
import time
from collections.abc import Callable, Iterator

from ..servers import free_port

Handle = Callable[[str, bytes], tuple[int, str, bytes]]
"""Path and body to status, content type and body."""


@contextlib.contextmanager
def serving(handle: Handle) -> Iterator[str]:
    """The base URL of a server that answers each POST by ``handle``."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, content_type, answer = handle(self.path, body)
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def closed_port() -> str:
    """A URL where nobody listens."""
    return f"http://127.0.0.1:{free_port()}"


@contextlib.contextmanager
def silent_port() -> Iterator[str]:
    """A URL whose server takes connections and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextlib.contextmanager
def dripping_port(every_s: float = 0.05) -> Iterator[str]:
    """A URL whose server sends a header a byte at a time, for ever: each byte in time, the whole never."""
    done = threading.Event()
    server = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        while not done.is_set():
            with contextlib.suppress(OSError):
                connection, _ = server.accept()
                with connection:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                    while not done.is_set():
                        connection.sendall(b"a")
                        time.sleep(every_s)

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
    finally:
        done.set()
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()
