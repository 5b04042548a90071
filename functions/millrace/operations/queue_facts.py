"""What a queue that feeds the convert function says of itself; who asks it is an adapter's concern."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFacts:
    """A queue's attributes.

    ``connection`` is the source connection of a managed queue, None for a queue of the user's own. ``is_backfills``:
    the queue is that of the backfills, managed, too, and of no connection. ``dead_letters`` is the ARN of its
    dead-letter queue, and ``max_receives`` the receipt after which SQS itself moves a message there; both are None
    without a redrive policy. ``kms_key`` is None for SQS's own encryption. ``waiting``, ``hidden`` and ``delayed``
    count messages, approximately.
    """

    arn: str
    url: str
    connection: str | None
    waiting: int
    hidden: int
    delayed: int
    visibility_seconds: int
    retention_seconds: int
    max_receives: int | None = None
    dead_letters: str | None = None
    kms_key: str | None = None
    policy: Mapping[str, Any] | None = None
    is_backfills: bool = False

    @property
    def name(self) -> str:
        """The queue's."""
        return name_of_queue(self.arn)

    @property
    def is_managed(self) -> bool:
        """Whether the stack made it."""
        return self.connection is not None or self.is_backfills


def name_of_queue(address: str) -> str:
    """The name in a queue's ARN or URL."""
    return address.replace("/", ":").rpartition(":")[2]
