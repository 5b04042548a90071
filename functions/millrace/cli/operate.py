"""`millrace status`, `show`, `reprocess` and `reconcile`: ask and steer a deployment."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from millrace.cli.deployments import Json, Name, get_deployments
from millrace.cli.terminal import Terminal, print_json, print_line
from millrace.errors import MillraceError, UsageError
from millrace.ledger.entries import Entry, State
from millrace.ledger.table_entries import SchemaEntry
from millrace.objects.references import ObjectRef
from millrace.operations.reprocess import Reprocess
from millrace.operations.status import Status, read_status
from millrace.texts import escape_controls


def status(
    context: typer.Context,
    *,
    name: Name = "millrace",
    sync: Annotated[str | None, typer.Option(help="Of this sync alone.")] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="Count what finished in so many UTC days.")] = 7,
    failures: Annotated[int, typer.Option(min=0, help="How many of the newest failures to show.")] = 10,
    as_json: Json = False,
) -> None:
    """Count objects by sync and state, and show the newest failures.

    What failed, waits or is in flight is counted however old it is; the rest by the day it finished.
    """
    _, ledger = get_deployments(context).find(name)
    counted = read_status(ledger, now=datetime.now(UTC), days=days, sync=sync, newest=failures)
    if as_json:
        _print_status_json(counted)
    else:
        _print_status(counted, days)


def _print_status_json(counted: Status) -> None:
    for sync, counts in sorted(counted.counts.items()):
        by_state = {str(state): count for state, count in sorted(counts.items())}
        print_json({"sync": sync, "counts": by_state})
    for entry in counted.failures:
        print_json({"failure": entry_to_json(entry)})


def _print_status(counted: Status, days: int) -> None:
    console = Terminal(highlight=False)
    if not counted.counts:
        console.print(f"nothing finished in the last {days} days, and nothing is in flight")
        return
    table = Table("sync", *State, title=f"objects by state, last {days} days")
    for sync, counts in sorted(counted.counts.items()):
        cells = [f"{counts[state]:,}" if counts[state] else "" for state in State]
        table.add_row(escape_controls(sync), *cells)
    console.print(table)
    oldest = counted.oldest_in_flight
    if oldest is not None and oldest.started is not None:
        age = (datetime.now(UTC) - oldest.started).total_seconds()
        console.print(f"in flight the longest: {oldest.source}, for {age:,.0f} s", markup=False)
    for entry in counted.failures:
        _print_failure(console, entry)


def _print_failure(console: Console, entry: Entry) -> None:
    failure = entry.failure
    if failure is not None:
        console.print(f"failed: {entry.source} ({entry.sync}): {failure.error}: {failure.message}", markup=False)


def show(
    context: typer.Context,
    address: Annotated[str, typer.Argument(help="The source object: s3://bucket/key.")],
    *,
    name: Name = "millrace",
    as_json: Json = False,
) -> None:
    """Show what the ledger knows of one source object, under each sync; or of a table, by its folder and name.

    Examples: millrace show "s3://acme-in/landing/2026 q1.csv"
              millrace show s3://acme-in/landing/orders
    """
    source = ObjectRef.parse(address)
    deployed, ledger = get_deployments(context).find(name)
    kept = [entry for sync in deployed.syncs for entry in (ledger.get(sync, source), ledger.get_schema(sync, source))]
    entries = [entry for entry in kept if entry is not None]
    if not entries:
        raise MillraceError(
            f"the ledger has no entry for {source} under {list(deployed.syncs)}: it was not uploaded since the "
            "deployment, its event is still on its way, or no sync reads its folder"
        )
    for entry in entries:
        if as_json:
            print_json(entry_to_json(entry))
        else:
            _print_entry(entry)


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
        "outputs": [
            {"target": str(output.ref), "rows": output.rows, "bytes": output.size, "etag": output.etag}
            for output in entry.outputs
        ],
        "rows_read": entry.rows_read,
        "rows_written": entry.rows_written,
        "rows_quarantined": entry.rows_quarantined,
        "rows_filtered": entry.rows_filtered,
        "source_bytes": entry.size,
        "source_etag": entry.etag,
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
        "versions": [asdict(version) for version in table.versions],
    }


def _print_entry(entry: Entry | SchemaEntry) -> None:
    console = Terminal(highlight=False, markup=False, soft_wrap=True)
    for field, value in entry_to_json(entry).items():
        if field == "outputs":
            for output in value:
                console.print(f"output:       {output['target']} ({output['rows']:,} rows, {output['bytes']:,} bytes)")
        elif field == "versions":
            for version in value:
                console.print(
                    f"version {version['number']}: {version['changes']} ({version['source']}, {version['when']})"
                )
        else:
            console.print(f"{field + ':':<18}{value}")
    console.print()


def reprocess(
    context: typer.Context,
    sync: Annotated[str, typer.Argument(help="The sync whose objects are converted again.")],
    *,
    key: Annotated[list[str] | None, typer.Option(help="A key, or s3://bucket/key; may be given often.")] = None,
    prefix: Annotated[str | None, typer.Option(help="All objects below this prefix.")] = None,
    state: Annotated[str | None, typer.Option(help="All objects in this state: failed, waiting or in flight.")] = None,
    name: Name = "millrace",
    reset_schema: Annotated[
        bool, typer.Option("--reset-schema", help="Forget the tables' schemas: what is converted makes new ones.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, and put nothing on the queue.")] = False,
    as_json: Json = False,
) -> None:
    """Convert objects again, also what is converted; without a choice: all objects of the sync.

    Examples: millrace reprocess to-parquet --state failed
              millrace reprocess to-parquet --key "in/2026 q1.csv"
    """
    event: dict[str, Any] = {"sync": sync, "keys": key, "prefix": prefix, "state": state, "dry_run": dry_run}
    event |= {"reset_schema": reset_schema or None}
    event = {field: value for field, value in event.items() if value is not None}
    Reprocess.parse(event)
    deployments = get_deployments(context)
    deployed, _ = deployments.find(name)
    answer = deployments.invoke(deployed.reprocess_function, event)
    while not answer["complete"]:
        _print_answer(answer, as_json=as_json)
        answer = deployments.invoke(
            deployed.reprocess_function, event | {field: answer[field] for field in ("run_id", "start_after")}
        )
    _print_answer(answer, as_json=as_json)


def _print_answer(answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    done = "would put" if answer["dry_run"] else "put"
    print_line(
        f"run {answer['run_id']}: {done} {answer['selected']:,} objects on the queue; passed over: "
        f"{answer['ignored']:,} of a foreign extension, {answer['out_of_scope']:,} outside the sync's folder"
    )
    for example in answer["examples"]:
        print_line(f"  {example}")


def reconcile(
    context: typer.Context,
    sync: Annotated[str, typer.Argument(help="The sync whose source is compared with the ledger.")],
    *,
    name: Name = "millrace",
    as_json: Json = False,
) -> None:
    """Compare a sync's source with the ledger now: what is new, changed or gone is put on the queue.

    Each line is what the deployed function has done so far; a long comparison takes several calls. Exit 1 where another
    comparison of the sync is at work, or too many messages wait.

    Example: millrace reconcile to-parquet
    """
    deployments = get_deployments(context)
    deployed, _ = deployments.find(name)
    if sync not in deployed.syncs or deployed.reconcile_function is None:
        raise UsageError(f"there is no active sync {sync!r}; the deployment has {sorted(deployed.syncs)}")
    progress = "partial"
    while progress == "partial":
        answer = deployments.invoke(deployed.reconcile_function, {"sync": sync, "calls_left": 0})
        progress = answer["progress"]
        if as_json:
            print_json(answer)
        elif progress in {"partial", "complete"}:
            print_line(_describe_comparison(answer))
    if progress != "complete":
        raise MillraceError(f"sync {sync!r} was not compared ({progress}): {answer['reason']}. Try again later")


def _describe_comparison(answer: dict[str, Any]) -> str:
    done = "compared" if answer["progress"] == "complete" else "so far"
    return (
        f"{answer['sync']}: {done} {answer['compared']:,} objects; put on the queue: {answer['new']:,} new, "
        f"{answer['changed']:,} changed, {answer['gone']:,} gone"
    )
