"""Entries of the ledger as documents for people and programs, and where they are found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from millrace.engine.row_counts import RowCounts
from millrace.errors import MillraceError
from millrace.ledger.entries import Entry, Output, State
from millrace.ledger.stores import LedgerStore
from millrace.ledger.table_entries import SchemaEntry
from millrace.objects.lineage import Lineage
from millrace.objects.references import ObjectRef

if TYPE_CHECKING:
    from millrace.remote.deployments import Deployments


def find_entries(ledger: LedgerStore, syncs: Iterable[str], ref: ObjectRef) -> list[Entry | SchemaEntry]:
    """What the ledger has of an object or of a table, under each of the syncs."""
    entries: list[Entry | SchemaEntry] = []
    for sync in syncs:
        entries += filter(None, (ledger.get(sync, ref), ledger.get_schema(sync, ref)))
    return entries


def find_source(deployments: Deployments, output: ObjectRef) -> ObjectRef | None:
    """What an output was made of, as its metadata says; None if nobody may say, or it is no output of ours."""
    from millrace.aws.s3_objects import S3ObjectStore  # noqa: PLC0415 - boto3 takes a third of a second to import

    try:
        head = S3ObjectStore(deployments.client("s3")).head(output)
        lineage = Lineage.from_metadata(head.metadata) if head is not None else None
        return lineage.source_ref() if lineage is not None else None
    except MillraceError:
        return None


def entry_to_json(entry: Entry | SchemaEntry) -> dict[str, Any]:
    """An entry for people and programs: what is None or empty is left out."""
    if isinstance(entry, SchemaEntry):
        return _schema_entry_to_json(entry)
    fields: dict[str, Any] = {
        "sync": entry.sync,
        "source": str(entry.source),
        "state": str(entry.state),
        "reason": entry.reason,
        **_failure_to_json(entry),
        "outputs": list(map(_output_to_json, entry.outputs)),
        **_rows_to_json(entry.rows),
        "source_bytes": entry.version.size,
        "source_etag": entry.version.etag,
        # Stored sequencers are padded with zeros on the right, so that texts of two lengths compare as numbers.
        "sequencer": entry.sequencer.value.rstrip("0") if entry.sequencer else None,
        "fence": entry.fence,
        "attempts": entry.attempts,
        "fingerprint": entry.fingerprint,
        "engine": entry.engine,
        "run_id": entry.run_id,
        "schema_version": entry.schema_version,
        "schema_changes": None if entry.schema_changes is None else entry.schema_changes.text,
        "started": _time_to_json(entry.started),
        "finished": _time_to_json(entry.finished),
        "milliseconds": entry.milliseconds,
    }
    return {field: value for field, value in fields.items() if value not in (None, [])}


def _output_to_json(output: Output) -> dict[str, Any]:
    return {"target": str(output.ref), "rows": output.rows, "bytes": output.size, "etag": output.etag}


def _rows_to_json(rows: RowCounts) -> dict[str, int]:
    return {
        "rows_read": rows.read,
        "rows_written": rows.written,
        "rows_quarantined": rows.quarantined,
        "rows_filtered": rows.filtered,
    }


def _schema_entry_to_json(entry: SchemaEntry) -> dict[str, Any]:
    """A schema in the form that entries of work have, since programs read it so."""
    rows = ("rows_read", "rows_written", "rows_quarantined", "rows_filtered")
    fields: dict[str, Any] = {"sync": entry.stored_sync, "source": str(entry.source), "state": str(State.CONVERTED)}
    fields |= dict.fromkeys((*rows, "fence", "attempts"), 0)
    fields |= {"fingerprint": "", "engine": ""}
    if entry.run_id is not None:
        fields["run_id"] = entry.run_id
    fields |= {"schema_version": entry.schema_version, "finished": entry.finished.isoformat()}
    return fields | schema_to_json(entry.schema)


def _failure_to_json(entry: Entry) -> dict[str, Any]:
    failure = entry.failure
    if failure is None:
        return {}
    return {
        "error": failure.error,
        "class": str(failure.branch),
        "message": failure.message,
        "row": failure.row,
        "byte": failure.byte,
    }


def _time_to_json(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def schema_to_json(schema: bytes) -> dict[str, Any]:
    """A table's fields with their types, and its versions, the newest last."""
    from millrace.delivery.table_schema import TableSchema  # noqa: PLC0415 - pyarrow takes a while to import
    from millrace.engine.tables.fields import kind_of  # noqa: PLC0415 - pyarrow takes a while to import

    table = TableSchema.from_bytes(schema)
    return {
        "fields": {field.name: kind_of(field) for field in table.fields},
        "versions": list(map(asdict, table.versions)),
    }
