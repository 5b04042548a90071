"""One log line and one metric per outcome, with constant keys."""

from __future__ import annotations

import enum
from typing import Any

from millrace.delivery.worker import Outcome
from millrace.ledger.entries import DONE, State


class Severity(enum.Enum):
    """How loud an outcome is told."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def severity(outcome: Outcome) -> Severity:
    """ERROR for what failed, WARNING for what must come back, INFO for the rest."""
    if outcome.result == State.FAILED:
        return Severity.ERROR
    return Severity.INFO if outcome.acknowledge else Severity.WARNING


def metric_names(outcome: Outcome) -> tuple[str, ...]:
    """The outcome's metrics: ``Converted``, ``AlreadyDone``, ``Failed`` and so on; and ``SchemaEvolved``."""
    own = "".join(word.capitalize() for word in outcome.result.split())
    return (own, "SchemaEvolved") if _schema_changes(outcome) else (own,)


def _schema_changes(outcome: Outcome) -> str | None:
    """What this very work changed of its table's schema."""
    return outcome.entry.schema_changes if outcome.entry is not None and outcome.result in DONE else None


def fields(outcome: Outcome) -> dict[str, Any]:
    """The keys of the outcome's log line; what is unknown is left out."""
    told: dict[str, Any] = {
        "object": str(outcome.source),
        "sync": outcome.sync,
        "reason": outcome.reason,
        "retry_after_seconds": outcome.retry_after,
    }
    entry = outcome.entry
    if entry is not None:
        told |= {
            "targets": [str(output.ref) for output in entry.outputs] or None,
            "rows": entry.rows_written,
            "rows_quarantined": entry.rows_quarantined or None,
            "milliseconds": entry.milliseconds,
            "attempt": entry.attempts,
            "error": entry.failure.error if entry.failure else None,
            "row": entry.failure.row if entry.failure else None,
            "byte": entry.failure.byte if entry.failure else None,
            "run_id": entry.run_id,
            "schema_version": entry.schema_version,
            "schema_changes": _schema_changes(outcome),
        }
    return {name: value for name, value in told.items() if value is not None}
