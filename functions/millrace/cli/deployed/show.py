"""`millrace show`: what the ledger knows of one object, of the source of an output, or of a table."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer

from millrace.cli.deployments import Deployments, Json, Name, get_deployments
from millrace.cli.terminal import Terminal, print_json
from millrace.engine.row_counts import RowCounts
from millrace.errors import MillraceError
from millrace.ledger.entries import Entry, Output, State
from millrace.ledger.stores import LedgerStore
from millrace.ledger.table_entries import SchemaEntry
from millrace.objects.lineage import Lineage
from millrace.objects.references import ObjectRef
from millrace.wording import count_of, join_names

_LABEL_WIDTH = 18


def show(
    context: typer.Context,
    address: Annotated[str, typer.Argument(help="A source object, a table or an output: s3://bucket/key.")],
    *,
    name: Name = "millrace",
    as_json: Json = False,
) -> None:
    """Show what the ledger knows of one source object, under each sync; or of a table, by its folder and name.

    Of an output it shows the source that the output was made of, if you may read the output's metadata.

    Examples: millrace show "s3://acme-in/landing/2026 q1.csv"
              millrace show s3://acme-in/landing/orders
              millrace show s3://acme-lake/orders.parquet
    """
    ref = ObjectRef.parse(address)
    deployments = get_deployments(context)
    deployed, ledger = deployments.find(name)
    entries = _find_entries(ledger, deployed.syncs, ref)
    if not entries and (source := _find_source(deployments, ref)) is not None:
        entries = _find_entries(ledger, deployed.syncs, source)
    if not entries:
        raise _refuse_unknown(ref, deployed.syncs)
    for entry in entries:
        if as_json:
            print_json(entry_to_json(entry))
        else:
            _print_entry(entry)


def _refuse_unknown(ref: ObjectRef, syncs: Collection[str]) -> MillraceError:
    return MillraceError(
        f"the ledger has no entry for {ref} under {join_names(syncs, before_last='or')}: it was not "
        "uploaded since the deployment, its event is still on its way, or no sync reads its folder; nor is it an "
        "output whose metadata you may read"
    )


def _find_entries(ledger: LedgerStore, syncs: Iterable[str], ref: ObjectRef) -> list[Entry | SchemaEntry]:
    entries: list[Entry | SchemaEntry] = []
    for sync in syncs:
        entries += filter(None, (ledger.get(sync, ref), ledger.get_schema(sync, ref)))
    return entries


def _find_source(deployments: Deployments, output: ObjectRef) -> ObjectRef | None:
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
        "schema_changes": entry.schema_changes,
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


def _print_entry(entry: Entry | SchemaEntry) -> None:
    """One field a line, all values in one column."""
    console = Terminal(highlight=False, markup=False, soft_wrap=True)
    for label, value in _to_lines(entry):
        console.print(f"{label + ':':<{_LABEL_WIDTH}}{value}")
    console.print()


def _to_lines(entry: Entry | SchemaEntry) -> Iterator[tuple[str, str]]:
    """A label and a text for each line."""
    for field, value in entry_to_json(entry).items():
        if field in _LINES:
            yield from _LINES[field](value)
        elif isinstance(value, int):
            yield field.replace("_", " "), f"{value:,}"
        else:
            yield field.replace("_", " "), str(value)


def _to_output_lines(outputs: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for output in outputs:
        counts = f"{count_of(output['rows'], 'row')}, {count_of(output['bytes'], 'byte')}"
        yield "output", f"{output['target']} ({counts})"


def _to_version_lines(versions: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for version in versions:
        yield f"version {version['number']}", f"{version['changes']} ({version['source']}, {version['when']})"


def _to_field_lines(fields: dict[str, str]) -> Iterator[tuple[str, str]]:
    for name, kind in fields.items():
        yield "field", f"{name}: {kind}"


_LINES: dict[str, Callable[[Any], Iterator[tuple[str, str]]]] = {
    "outputs": _to_output_lines,
    "versions": _to_version_lines,
    "fields": _to_field_lines,
}
"""Fields that have a line for each of their parts."""
