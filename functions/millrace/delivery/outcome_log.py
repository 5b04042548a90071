"""One log line and one metric per outcome, with constant keys."""

from __future__ import annotations

import enum
from typing import Any

from millrace.delivery.worker import Outcome
from millrace.ledger.entries import DONE, Entry, Failure, State
from millrace.mappings import leave_out_none


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
    name = "".join(word.capitalize() for word in outcome.result.split())
    return (name, "SchemaEvolved") if _schema_changes(outcome) else (name,)


def _schema_changes(outcome: Outcome) -> str | None:
    """What this very work changed of its table's schema."""
    if outcome.entry is None or outcome.entry.schema_changes is None or outcome.result not in DONE:
        return None
    return outcome.entry.schema_changes.text


def fields(outcome: Outcome) -> dict[str, Any]:
    """The keys of the outcome's log line; what is unknown is left out."""
    line: dict[str, Any] = {
        "object": str(outcome.source),
        "sync": outcome.sync,
        "reason": outcome.reason,
        "retry_after_seconds": outcome.retry_after,
    }
    if outcome.entry is not None:
        line |= _to_work(outcome.entry) | {"schema_changes": _schema_changes(outcome)}
    return leave_out_none(line)


def _to_work(entry: Entry) -> dict[str, Any]:
    return {
        "targets": [str(output.ref) for output in entry.outputs] or None,
        "rows": entry.rows.written,
        "rows_quarantined": entry.rows.quarantined or None,
        "milliseconds": entry.milliseconds,
        "attempt": entry.attempts,
        "run_id": entry.run_id,
        "schema_version": entry.schema_version,
        **_to_place(entry.failure),
    }


def _to_place(failure: Failure | None) -> dict[str, Any]:
    if failure is None:
        return {}
    return {"error": failure.error, "row": failure.row, "byte": failure.byte}
