"""The port to the machine that carries a big run from phase to phase: AWS Step Functions, or a fake of it."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

RUN_LOST = "RunLost"
"""The name of what a big run failed with whose execution ended without a word."""


class ExecutionStatus(enum.StrEnum):
    """Where an execution is; all but RUNNING are ends."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    ABORTED = "ABORTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One execution of the machine, by the name that it was started under; ``cause`` is why it failed.

    ``argument`` is what it was started with; None in lists.
    """

    name: str
    status: ExecutionStatus
    started: datetime
    stopped: datetime | None = None
    cause: str | None = None
    argument: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MapProgress:
    """How far a phase is that has many parts, by its children: ``done``, ``running`` and ``failed`` of ``parts``."""

    phase: str
    started: datetime
    parts: int
    running: int
    done: int
    failed: int
    stopped: datetime | None = None


class Machine(Protocol):
    """Starts and watches executions."""

    def start(self, name: str, argument: Mapping[str, Any]) -> None:
        """Start an execution; if one of that name was ever started, that is enough and no error."""
        ...

    def describe(self, name: str) -> Execution | None:
        """The execution of that name; None if there is none, or none that is remembered (90 days)."""
        ...

    def stop(self, name: str, reason: str) -> None:
        """End an execution that runs; harmless if it has ended or never was."""
        ...

    def list(self, status: ExecutionStatus | None = None) -> Iterator[Execution]:
        """The newest first; of one status alone where given."""
        ...
