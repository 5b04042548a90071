"""What a queue that feeds the convert function says of itself; who asks it is an adapter's concern."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from millrace.wording import count_of


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


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitBacklog:
    """What waits to be in its Iceberg table, and what was given up; messages, counted approximately.

    ``put_off`` are those that are worked on, or come back after a failure. ``function`` is the committer's name, and
    ``queue`` that of what waits for it.
    """

    function: str
    queue: str
    waiting: int
    put_off: int
    given_up: int

    def describe(self) -> Iterator[str]:
        """A line of what waits, and one of what somebody has to look after."""
        waiting = count_of(self.waiting, "finished file")
        yield f"Iceberg tables: {waiting} waiting to be committed, {self.put_off:,} worked on or put off"
        if self.given_up:
            yield (
                f"Iceberg tables: {count_of(self.given_up, 'finished file')} could not be committed:"
                f" millrace dead-letters --class commit, or the log of {self.function}, says why. Mend it, then:"
                " millrace redrive --class commit"
            )

    def to_json(self) -> dict[str, Any]:
        """The fields of its line in JSON."""
        return {
            "iceberg_commits": self.function,
            "waiting": self.waiting,
            "put_off": self.put_off,
            "given_up": self.given_up,
        }


def name_of_queue(address: str) -> str:
    """The name in a queue's ARN or URL."""
    return address.replace("/", ":").rpartition(":")[2]
