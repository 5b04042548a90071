"""A loopback proxy before the emulator that answers some calls with 500 or 503, and passes on everything else."""

from __future__ import annotations

import contextlib
import http.client
import random
import re
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_SERVICE = re.compile(r"/([a-z0-9-]+)/aws4_request")
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "expect", "date", "server"})
_INVOCATION = "amz-sdk-invocation-id"
_S3 = "<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>injected</Message></Error>"
_DYNAMODB = '{{"__type": "com.amazonaws.dynamodb.v20120810#{code}", "message": "injected"}}'
_ANSWERS = {
    "s3": ((500, _S3.format(code="InternalError")), (503, _S3.format(code="SlowDown"))),
    "dynamodb": (
        (500, _DYNAMODB.format(code="InternalServerError")),
        (503, _DYNAMODB.format(code="ServiceUnavailable")),
    ),
}
"""By service, what it says when it fails and when it is overburdened."""


@dataclass
class Trouble:
    """Which calls of S3 and DynamoDB fail: ``share`` of the requests, half of them after they were done.

    botocore repeats what failed, and so hides nearly all of it; of each ``stubborn``-th request that is struck all
    repetitions fail, too, so that the function gets to see the error.
    """

    seed: int
    share: float
    stubborn: int = 10
    passed: Counter[str] = field(default_factory=Counter)
    struck: Counter[tuple[str, int, bool]] = field(default_factory=Counter)
    gave_up: int = 0
    _doomed: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._choice = random.Random(self.seed)

    def strike(self, service: str, invocation: str) -> tuple[int, str, bool] | None:
        """The answer to give instead, and whether the call is to be done all the same; None: leave it alone."""
        with self._lock:
            self.passed[service] += 1
            if service not in _ANSWERS:
                return None
            if invocation not in self._doomed:
                if self._choice.random() >= self.share:
                    return None
                if self._choice.randrange(self.stubborn) == 0:
                    self._doomed.add(invocation)
                    self.gave_up += 1
            status, body = self._choice.choice(_ANSWERS[service])
            applied = self._choice.random() < 0.5
            self.struck[service, status, applied] += 1
            return status, body, applied


@contextlib.contextmanager
def troubled(upstream: str, trouble: Trouble) -> Iterator[str]:
    """Run a proxy before ``upstream`` (host:port) and yield its URL."""

    class Handler(_Handler):
        server_side = upstream
        faults = trouble

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.socket.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server_side: str
    faults: Trouble

    def setup(self) -> None:
        super().setup()
        self._upstream = http.client.HTTPConnection(self.server_side, timeout=60)

    def finish(self) -> None:
        self._upstream.close()
        with contextlib.suppress(OSError):  # a worker that was killed reads no answer
            super().finish()

    def handle(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            super().handle()

    def handle_expect_100(self) -> bool:
        """Ask for the body at once: what is said waits in a buffer otherwise, and the caller for a second."""
        granted = super().handle_expect_100()
        self.wfile.flush()
        return granted

    def log_message(self, *_said: object) -> None:
        """Say nothing."""

    def do(self) -> None:
        """Pass a request on, or strike it."""
        body = self._body()
        found = _SERVICE.search(self.headers.get("authorization", ""))
        struck = self.faults.strike(found[1] if found else "", self.headers.get(_INVOCATION, ""))
        if struck is None:
            self._answer(*self._forwarded(body))
            return
        status, said, applied = struck
        if applied:
            self._forwarded(body)
        self._answer(status, [("Content-Type", "application/xml")], said.encode())

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do  # noqa: N815 -- named by http.server

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _forwarded(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        if body:
            headers["Content-Length"] = str(len(body))
        self._upstream.request(self.command, self.path, body or None, headers)
        answer = self._upstream.getresponse()
        return answer.status, answer.getheaders(), answer.read()

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        head = self.command == "HEAD"
        for name, value in headers:
            if name.lower() not in _HOP_BY_HOP and (head or name.lower() != "content-length"):
                self.send_header(name, value)
        if not head and status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not head:
            self.wfile.write(body)
