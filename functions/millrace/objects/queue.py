"""The port of queues that take our own requests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from millrace.objects.messages import Request


class RequestQueue(Protocol):
    """A source connection's queue, for our own requests."""

    def send(self, requests: Iterable[Request], *, delay_seconds: int = 0) -> int:
        """Send all, to be seen after a delay of at most 900 seconds; the number sent."""
        ...
