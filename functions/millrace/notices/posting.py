"""One request over the network: to a public address over TLS, with a time limit, and no redirect is followed."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from millrace.config.notices import is_loopback
from millrace.errors import ServiceUnavailable
from millrace.notices.envelopes import WebhookRequest

TIMEOUT_SECONDS = 10.0
"""Of connecting and answering: a receiver notes the event and works later."""
_MOST_ANSWER_BYTES = 4096
"""Of an answer's body: to read it to its end would let a receiver send for ever."""


class _PinnedConnection(http.client.HTTPSConnection):
    """Connects to an address that was looked up and checked, under the host's name.

    A second look-up could give another address: a name that points into the network (CWE-367, CWE-918).
    """

    def __init__(self, host: str, port: int, address: str, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout)
        self._address = address

    def connect(self) -> None:
        """Connect, and check the certificate for the host's name."""
        plain = socket.create_connection((self._address, self.port), self.timeout)
        self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)


@contextmanager
def _limit(connection: http.client.HTTPConnection, seconds: float) -> Iterator[None]:
    """Shut the connection when the time is over, and raise TimeoutError then.

    A socket's own limit is for each read: a receiver that sends a byte every nine seconds would never be over.
    """
    is_over = threading.Event()

    def shut() -> None:
        is_over.set()
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, shut)
    timer.start()
    try:
        yield
    except (OSError, ValueError, http.client.HTTPException) as error:
        if is_over.is_set():
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()
        timer.join()
    # An answer that was cut within its headers looks whole.
    if is_over.is_set():
        raise TimeoutError


def _ask(connection: http.client.HTTPConnection, url: str, request: WebhookRequest) -> int:
    """The status of the answer; of its body a little is read and nothing used."""
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection.request("POST", path, body=request.body, headers=dict(request.headers))
    answer = connection.getresponse()
    answer.read(_MOST_ANSWER_BYTES)
    return answer.status


@dataclass(frozen=True, slots=True)
class HttpPoster:
    """Satisfies ``sending.Poster``. ``may_be_loopback``: on the emulator receivers are on this machine."""

    may_be_loopback: bool = False
    timeout: float = TIMEOUT_SECONDS

    def post(self, url: str, request: WebhookRequest) -> int:
        """Post, and give the status of the answer. Raises ServiceUnavailable if there is none, with the reason."""
        connection = None
        try:
            connection = self._open(url)
            connection.connect()
            with _limit(connection, self.timeout):
                return _ask(connection, url, request)
        except TimeoutError as error:
            raise ServiceUnavailable(f"the receiver did not answer within {self.timeout:g} seconds") from error
        # A ValueError is what a connection raises that was shut while TLS read from it.
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise ServiceUnavailable(f"the receiver could not be reached: {type(error).__name__}: {error}") from error
        finally:
            if connection is not None:
                connection.close()

    def _open(self, url: str) -> http.client.HTTPConnection:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if self.may_be_loopback and is_loopback(host) and parts.scheme == "http":
            return http.client.HTTPConnection(host, parts.port or 80, timeout=self.timeout)
        # The configuration refuses it as well, but a file of it may be older than that rule.
        if parts.scheme != "https":
            raise ServiceUnavailable("only https is sent to; http is for the emulator")
        # Connected to by the address that was looked at: a name may give another one a moment later (DNS rebinding).
        port = parts.port or 443
        return _PinnedConnection(host, port, self._find_address(host, port), self.timeout)

    def _find_address(self, host: str, port: int) -> str:
        """An address of the host; raise ServiceUnavailable if it has one that is not public."""
        addresses = {str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
        for address in sorted(addresses):
            if not ip_address(address).is_global:
                raise ServiceUnavailable(f"{host} is {address}, which is no public address; nothing is sent there")
        return min(addresses)
