"""The form of an explanation, and the branches of the error tree with what becomes of work that fails so."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class ErrorBranch(enum.Enum):
    """A branch of the error tree: an error's branch is what becomes of the message that led to it."""

    DATA = "DataError"
    CONFIGURATION = "ConfigurationError"
    TRANSIENT = "TransientError"
    MESSAGE = "MessageError"
    QUIET = "quiet"
    COMMAND = "UsageError"

    @property
    def title(self) -> str:
        """The heading of its section."""
        return _TITLES[self]

    @property
    def outcome(self) -> str:
        """What the queue and the ledger do, one sentence a line."""
        return _OUTCOMES[self]


@dataclass(frozen=True, slots=True)
class ErrorGuide:
    """An error class for people; each text has one sentence a line.

    ``example`` is a message as a person sees it. ``outcome`` says what queue and ledger do, if that is not what its
    branch says; the class of a whole branch has its branch's outcome, too.
    """

    name: str
    branch: ErrorBranch
    meaning: str
    example: str
    remedy: str
    outcome: str = ""

    def describe_outcome(self) -> str:
        """What the queue and the ledger do with work that fails so."""
        return self.outcome or self.branch.outcome


_TITLES = {
    ErrorBranch.DATA: "The data",
    ErrorBranch.CONFIGURATION: "Configuration and grants",
    ErrorBranch.TRANSIENT: "What passes by itself",
    ErrorBranch.MESSAGE: "Messages",
    ErrorBranch.QUIET: "No failures",
    ErrorBranch.COMMAND: "Commands",
}
_OUTCOMES = {
    ErrorBranch.DATA: (
        "The object's entry becomes `failed`, with the row and the byte if they are known, and no output appears.\n"
        "The message is acknowledged, and no other object waits for this one."
    ),
    ErrorBranch.CONFIGURATION: (
        "The object's entry becomes `failed`, and its message stays on the queue.\n"
        "If the cause is the same for a whole connection, the queue is paused and an alarm rings; nothing is lost.\n"
        "`millrace resume` goes on."
    ),
    ErrorBranch.TRANSIENT: (
        "The message goes back to its queue and is tried again after a while.\n"
        "After five attempts it is in the dead-letter queue; `millrace redrive` puts it back."
    ),
    ErrorBranch.MESSAGE: "The message goes to the dead-letter queue at once, with the reason, and an alarm rings.",
    ErrorBranch.QUIET: "The message is acknowledged, and nobody is bothered.",
    ErrorBranch.COMMAND: "No queue and no entry knows of it: the command prints the message and ends.",
}
