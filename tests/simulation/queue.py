"""SQS in memory: at least once, in any order, invisible while somebody works, a dead letter after 1,000 receipts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from millrace.delivery.intake import Grounds
from millrace.objects.messages import Request, compose_message
from tests.simulation.calls import Calls
from tests.simulation.faults import Fault

VISIBILITY_SECONDS = 5401.0
MAX_RECEIVES = 1000
RETENTION_SECONDS = 10 * 86_400.0
MOST_HOPS = 16
"""Messages of the function that lead to one another, before Lambda ends such a chain (Lambda Developer Guide,
"Recursive loop detection")."""
DEAD_LETTER_RETENTION_SECONDS = 14 * 86_400.0


@dataclass(eq=False, slots=True)
class QueuedMessage:
    """One message; it keeps its identity in the dead-letter queue."""

    id: str
    body: str
    sent: float
    visible_at: float
    receives: int = 0
    grounds: Grounds | None = None
    """Why it is a dead letter, as the function said."""
    hops: int = 0
    """Of the function's own messages, each of which was sent while the one before was worked on."""


@dataclass(slots=True)
class Queue:
    """Satisfies RequestQueue and ReconcileQueue for the actor that runs; ids of messages begin with ``letter``."""

    calls: Calls
    letter: str = "m"
    visibility: float = VISIBILITY_SECONDS
    max_receives: int = MAX_RECEIVES
    paused: bool = False
    """Whether the breaker paused the event source: nothing is received."""
    messages: list[QueuedMessage] = field(default_factory=list)
    dead: list[QueuedMessage] = field(default_factory=list)
    expired: list[QueuedMessage] = field(default_factory=list)
    chained: list[QueuedMessage] = field(default_factory=list)
    """Messages that ended too long a chain of the function's own."""
    _ids: int = 0

    def add(self, body: str, delay: float = 0.0) -> QueuedMessage:
        """A new message."""
        self._ids += 1
        now = self.calls.clock.now
        message = QueuedMessage(f"{self.letter}{self._ids}", body, now, now + delay)
        self.messages.append(message)
        return message

    def add_own(self, body: str, delay: float = 0.0) -> None:
        """A message of the function that runs."""
        message, sender = self.add(body, delay), self.calls.scheduler.current
        if sender is not None and sender.name.startswith("convert"):
            message.hops = sender.hops + 1
        if message.hops > MOST_HOPS:
            self.chained.append(message)

    def visible(self) -> list[QueuedMessage]:
        """Those that can be received now; what is older than the retention is gone."""
        if self.paused:
            return []
        now = self.calls.clock.now
        return [message for message in self.messages if message.visible_at <= now]

    def next_visible(self) -> float | None:
        """When the next message can be received."""
        if self.paused:
            return None
        return min((message.visible_at for message in self.messages), default=None)

    def receive(self, message: QueuedMessage) -> bool:
        """Receive it, if it was not received, or kept, too often or too long already."""
        now = self.calls.clock.now
        if now - message.sent > RETENTION_SECONDS:
            self.messages.remove(message)
            self.expired.append(message)
            self.calls.note("sqs expires", message.id)
            return False
        if message.receives >= self.max_receives:
            self.messages.remove(message)
            self.dead.append(message)
            self.calls.note("sqs gives up", message.id, "dead letter")
            return False
        message.receives += 1
        message.visible_at = now + self.visibility
        return True

    def delete(self, message: QueuedMessage) -> None:
        """Acknowledge."""
        if message in self.messages:
            self.messages.remove(message)

    def put_off(self, message: QueuedMessage, seconds: int) -> None:
        """Change the visibility."""

        def change() -> None:
            message.visible_at = self.calls.clock.now + seconds

        self.calls.call("sqs:ChangeMessageVisibility", message.id, change)

    def bury(self, body: str, grounds: Grounds) -> None:
        """Make a dead letter of a body: a message of its own, sent now."""

        def send() -> None:
            self._ids += 1
            now = self.calls.clock.now
            message = QueuedMessage(f"{self.letter}{self._ids}", body, now, now, grounds=grounds)
            self.dead.append(message)
            self.calls.note("buried", message.id, grounds.reason)

        self.calls.call("sqs:SendMessage", "a dead letter", send)

    def pause(self, queue: str) -> None:
        """Stop receiving, as the breaker wants."""

        def stop() -> None:
            self.calls.faults.count(Fault.PAUSED, queue)
            self.paused = True

        self.calls.call("lambda:UpdateEventSourceMapping", queue, stop)

    def redrive(self) -> int:
        """Move the dead letters back: as new messages, where they have not outlived the retention."""
        moved, self.dead = self.dead, []
        for message in moved:
            if self.calls.clock.now - message.sent > DEAD_LETTER_RETENTION_SECONDS:
                self.expired.append(message)
            else:
                self.add(message.body)
        return len(moved)

    def send(self, requests: Iterable[Request], *, delay_seconds: int = 0) -> int:
        """Send all, in one call each."""
        count = 0
        for request in requests:
            body = compose_message(request)
            self.calls.call("sqs:SendMessage", request.change.ref, lambda body=body: self.add_own(body, delay_seconds))  # type: ignore[misc] # bound now
            count += 1
        return count

    def waiting(self) -> int:
        """Approximately."""
        return self.calls.call("sqs:GetQueueAttributes", "", lambda: len(self.visible()))
