"""`millrace status`, `show`, `reprocess` and `reconcile`: ask and steer a deployment."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from millrace.errors import MillraceError, UsageError
from millrace.ledger.entries import SCHEMA_MARK, Entry, State
from millrace.objects.references import ObjectRef
from millrace.operations.reprocess import Reprocess
from millrace.operations.status import Status, read_status

if TYPE_CHECKING:
    from millrace.aws.deployed import Deployed
    from millrace.aws.dynamodb_ledger import DynamoDBLedger

Name = Annotated[str, typer.Option("--name", help="The deployment's name, as given to cdk deploy.")]
Json = Annotated[bool, typer.Option("--json", help="JSON lines instead of text.")]


def status(
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
    _, ledger = deployment(name)
    found = read_status(ledger, now=datetime.now(UTC), days=days, sync=sync, newest=failures)
    if as_json:
        for one, counts in sorted(found.counts.items()):
            typer.echo(json.dumps({"sync": one, "counts": {state: counts[state] for state in sorted(counts)}}))
        for entry in found.failures:
            typer.echo(json.dumps({"failure": told(entry)}, ensure_ascii=False))
    else:
        _print_status(found, days)


def _print_status(found: Status, days: int) -> None:
    console = Console(highlight=False)
    if not found.counts:
        console.print(f"nothing finished in the last {days} days, and nothing is in flight")
        return
    table = Table("sync", *State, title=f"objects by state, last {days} days")
    for one, counts in sorted(found.counts.items()):
        table.add_row(one, *(f"{counts[state]:,}" if counts[state] else "" for state in State))
    console.print(table)
    if (oldest := found.oldest_in_flight) is not None and oldest.started is not None:
        age = (datetime.now(UTC) - oldest.started).total_seconds()
        console.print(f"in flight the longest: {oldest.source}, for {age:,.0f} s", markup=False)
    for entry in found.failures:
        failure = entry.failure
        if failure is not None:
            console.print(f"failed: {entry.source} ({entry.sync}): {failure.error}: {failure.message}", markup=False)


def show(
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
    deployed, ledger = deployment(name)
    names = [sync + mark for sync in deployed.syncs for mark in ("", SCHEMA_MARK)]
    entries = [entry for sync in names if (entry := ledger.get(sync, source)) is not None]
    if not entries:
        raise MillraceError(
            f"the ledger has no entry for {source} under {list(deployed.syncs)}: it was not uploaded since the "
            "deployment, its event is still on its way, or no sync reads its folder"
        )
    for entry in entries:
        if as_json:
            typer.echo(json.dumps(told(entry), ensure_ascii=False))
        else:
            _print_entry(entry)


def told(entry: Entry) -> dict[str, Any]:
    """An entry for people and programs: what is None or empty is left out."""
    failure = entry.failure
    fields: dict[str, Any] = {
        "sync": entry.sync,
        "source": str(entry.source),
        "state": str(entry.state),
        "reason": entry.reason,
        "error": failure.error if failure else None,
        "class": str(failure.branch) if failure else None,
        "message": failure.message if failure else None,
        "row": failure.row if failure else None,
        "byte": failure.byte if failure else None,
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
        "sequencer": entry.sequencer.value.rstrip("0") if entry.sequencer else None,
        "fence": entry.fence,
        "attempts": entry.attempts,
        "fingerprint": entry.fingerprint,
        "engine": entry.engine,
        "run_id": entry.run_id,
        "schema_version": entry.schema_version,
        "schema_changes": entry.schema_changes,
        "started": entry.started.isoformat() if entry.started else None,
        "finished": entry.finished.isoformat() if entry.finished else None,
        "milliseconds": entry.milliseconds,
    }
    fields |= told_of_schema(entry.schema) if entry.schema else {}
    return {field: value for field, value in fields.items() if value not in (None, [])}


def told_of_schema(schema: bytes) -> dict[str, Any]:
    """A table's fields with their types, and its versions, the newest last."""
    from millrace.delivery.table_schema import TableSchema  # noqa: PLC0415 - pyarrow takes a while to import
    from millrace.engine.tables.fields import kind_of  # noqa: PLC0415 - pyarrow takes a while to import

    found = TableSchema.from_bytes(schema)
    return {
        "fields": {field.name: kind_of(field) for field in found.fields},
        "versions": [asdict(version) for version in found.versions],
    }


def _print_entry(entry: Entry) -> None:
    console = Console(highlight=False, markup=False, soft_wrap=True)
    for field, value in told(entry).items():
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
    deployed, _ = deployment(name)
    answer = _invoke(deployed.reprocess_function, event)
    while not answer["complete"]:
        _tell(answer, as_json=as_json)
        answer = _invoke(
            deployed.reprocess_function, event | {field: answer[field] for field in ("run_id", "start_after")}
        )
    _tell(answer, as_json=as_json)


def _tell(answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(answer, ensure_ascii=False))
        return
    done = "would put" if answer["dry_run"] else "put"
    typer.echo(
        f"run {answer['run_id']}: {done} {answer['selected']:,} objects on the queue; passed over: "
        f"{answer['ignored']:,} of a foreign extension, {answer['out_of_scope']:,} outside the sync's folder"
    )
    for example in answer["examples"]:
        typer.echo(f"  {example}")


def reconcile(
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
    deployed, _ = deployment(name)
    if sync not in deployed.syncs or deployed.reconcile_function is None:
        raise UsageError(f"there is no active sync {sync!r}; the deployment has {sorted(deployed.syncs)}")
    progress = "partial"
    while progress == "partial":
        answer = _invoke(deployed.reconcile_function, {"sync": sync, "calls_left": 0})
        progress = answer["progress"]
        if as_json:
            typer.echo(json.dumps(answer, ensure_ascii=False))
        elif progress in {"partial", "complete"}:
            typer.echo(_compared(answer))
    if progress != "complete":
        raise MillraceError(f"sync {sync!r} was not compared ({progress}): {answer['reason']}. Try again later")


def _compared(answer: dict[str, Any]) -> str:
    done = "compared" if answer["progress"] == "complete" else "so far"
    return (
        f"{answer['sync']}: {done} {answer['compared']:,} objects; put on the queue: {answer['new']:,} new, "
        f"{answer['changed']:,} changed, {answer['gone']:,} gone"
    )


def deployment(name: str) -> tuple[Deployed, DynamoDBLedger]:
    """A deployment's resources, and its ledger."""
    from millrace.aws.deployed import Deployed  # noqa: PLC0415 - boto3 takes a third of a second to import
    from millrace.aws.dynamodb_ledger import DynamoDBLedger  # noqa: PLC0415 - as above

    aws = session()
    deployed = Deployed.find(aws.client("cloudformation"), name)
    return deployed, DynamoDBLedger(aws.client("dynamodb"), deployed.ledger_table)


def session() -> Any:
    """The user's AWS session; raise MillraceError where no region is set."""
    import boto3  # noqa: PLC0415 - takes a third of a second to import

    found = boto3.Session()
    if found.region_name is None:
        raise MillraceError("no AWS region is set; set AWS_REGION, or choose a profile that has one with AWS_PROFILE")
    return found


def _invoke(function: str, event: dict[str, Any]) -> dict[str, Any]:
    import boto3  # noqa: PLC0415 - takes a third of a second to import
    from botocore.config import Config  # noqa: PLC0415 - as above

    from millrace.aws.deployed import invoke  # noqa: PLC0415 - as above

    patient = Config(read_timeout=910, retries={"total_max_attempts": 1})
    return invoke(boto3.client("lambda", config=patient), function, event)
