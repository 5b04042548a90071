"""Receivers of webhooks on loopback, which answer as they are told and remember what they got."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class GotRequest:
    """A request as it was received."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """``answers`` are the next statuses by path; 200 where none is left. ``delay`` is in seconds."""

    port: int = 0
    answers: dict[str, list[int]] = field(default_factory=dict)
    delay: float = 0.0
    got: list[GotRequest] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"http://127.0.0.1:{self.port}"

    def at(self, path: str) -> list[GotRequest]:
        """What came to a path."""
        return [request for request in self.got if request.path == path]

    def answer(self, request: GotRequest) -> int:
        """Remember a request, and give the status."""
        self.got.append(request)
        waited_until = time.monotonic() + self.delay
        while time.monotonic() < waited_until and not self.released.wait(0.05):
            pass
        statuses = self.answers.get(request.path)
        return statuses.pop(0) if statuses else 200


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver at work."""
    receiver = Receiver()

    class PostHandler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = receiver.answer(GotRequest(self.path, headers, self.rfile.read(length)))
            try:
                self.send_response(status)
                self.send_header("content-length", "0")
                if status // 100 == 3:
                    self.send_header("location", "/elsewhere")
                self.end_headers()
            except OSError:
                return  # the sender did not wait so long

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), PostHandler)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
