"""`millrace audit`: which state every object is in, and what nobody knows of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from millrace.cli.configuration import DEFAULT_CONFIG, Config
from millrace.cli.counting import counting, each_alone
from millrace.cli.deployments import Json, Name, get_deployments
from millrace.cli.terminal import print_json, print_line
from millrace.config.document import load
from millrace.errors import UsageError
from millrace.operations.audit import WORTH_A_LOOK, Audited, Auditor, Standing
from millrace.planning.planner import ActiveSync, Planner

if TYPE_CHECKING:
    from millrace.engine.files import FileTarget
    from millrace.ledger.entries import Entry
    from millrace.ledger.stores import LedgerStore
    from millrace.objects.queue import RequestQueue

_PORTION = 1000


def audit(
    context: typer.Context,
    sync: Annotated[list[str] | None, typer.Argument(help="Syncs to audit; without any: all that are active.")] = None,
    *,
    config: Config = DEFAULT_CONFIG,
    report: Annotated[
        str | None, typer.Option(help="Write one row an object to this Parquet file, or s3://bucket/key.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Put nothing on the queue.")] = False,
    name: Name = "millrace",
    as_json: Json = False,
) -> None:
    """Account for every object: join the listing of each source with the ledger, and count by state.

    Unaccounted is what has stood there for half an hour and the ledger does not know as it is; younger changes are
    expected. What differs is put on the queue. Exit 1 where something was unaccounted.

    Example: millrace audit --config millrace.yaml --report audit.parquet
    """
    document = load(config)
    planner = Planner(document)
    deployments = get_deployments(context)
    deployed, ledger = deployments.find(name)
    syncs = [planner.active_sync(sync_name) for sync_name in sync or deployed.syncs]
    from millrace.aws.sessions import Sessions  # noqa: PLC0415 - boto3 takes a third of a second to import
    from millrace.aws.sqs_requests import SQSRequests  # noqa: PLC0415 - as above

    sources = {active.source_connection for active in syncs}
    if unknown := sorted(sources - set(deployed.queues)):
        raise UsageError(f"the deployment has no queue for {unknown}: is {config} the configuration that was deployed?")
    sqs = deployments.client("sqs")
    queues = {connection: SQSRequests(sqs, url) for connection, url in deployed.queues.items()}
    auditor = Auditor(planner=planner, stores=Sessions(document), index=ledger)
    unaccounted = 0
    with each_alone() as alone, _report(report, ledger) as rows:
        for active in syncs:
            with alone():
                queue = None if dry_run else queues[active.source_connection]
                counts = _audit_sync(auditor, active, queue, rows)
                unaccounted += counts[Standing.UNACCOUNTED]
                _print_counts(active.name, counts, as_json=as_json)
    if unaccounted:
        raise typer.Exit(1)


def _audit_sync(auditor: Auditor, sync: ActiveSync, queue: RequestQueue | None, rows: Rows) -> Counter[str]:
    counts: Counter[str] = Counter()
    now = datetime.now(UTC)
    audited = auditor.audit(sync, now)
    with counting() as show:
        while portion := list(islice(audited, _PORTION)):
            if queue is not None:
                queue.send([one.request for one in portion if one.request is not None])
            rows.write(sync.name, portion, now)
            counts.update(str(one.standing) for one in portion)
            show(f"{sync.name}: {counts.total():,} objects")
    return counts


def _print_counts(sync: str, counts: Counter[str], *, as_json: bool) -> None:
    if as_json:
        print_json({"sync": sync, "objects": counts.total(), "unaccounted": 0, **dict(sorted(counts.items()))})
        return
    standings = ", ".join(f"{count:,} {standing}" for standing, count in sorted(counts.items()))
    print_line(f"{sync}: {standings or 'no objects'}; unaccounted: {counts[Standing.UNACCOUNTED]:,}")


class Rows:
    """The report's rows on their way into a Parquet file; without one they are let go."""

    def __init__(self, target: FileTarget | None, ledger: LedgerStore) -> None:
        self._ledger = ledger
        self._writer: Any = None
        if target is not None:
            import pyarrow as pa  # noqa: PLC0415 - takes time to import, and most audits write no report

            from millrace.engine.formats.registry import FORMATS  # noqa: PLC0415 - as above
            from millrace.engine.options import FileFormat, WriteOptions  # noqa: PLC0415 - as above

            self._schema = pa.schema(
                [(name, pa.type_for_alias(kind)) for name, kind in _COLUMNS.items()]
                + [("modified", pa.timestamp("s", tz="UTC"))]
            )
            self._batch = pa.RecordBatch.from_pylist
            self._writer = FORMATS[FileFormat.PARQUET].write(target, self._schema, WriteOptions())

    def write(self, sync: str, audited: list[Audited], now: datetime) -> None:
        """Write the next rows; what is worth a look is read from the ledger, one GetItem each."""
        if self._writer is not None:
            rows = [one.row(sync, now, self._whole(one)) for one in audited]
            self._writer.write(self._batch(rows, schema=self._schema))

    def _whole(self, one: Audited) -> Entry | None:
        if one.entry is None or one.standing not in WORTH_A_LOOK:
            return None
        return self._ledger.get(one.entry.sync, one.entry.source)

    def close(self) -> None:
        """Write what a Parquet file ends with."""
        if self._writer is not None:
            self._writer.close()


_COLUMNS = {
    **dict.fromkeys(("sync", "key", "standing", "etag", "ledger_etag", "error", "message"), "string"),
    **dict.fromkeys(("size", "age_seconds", "attempts"), "int64"),
    **dict.fromkeys(("rows_read", "rows_written", "rows_quarantined", "rows_filtered"), "int64"),
}


@contextmanager
def _report(path: str | None, ledger: LedgerStore) -> Iterator[Rows]:
    """The report is there whole, or not at all."""
    if path is None:
        yield Rows(None, ledger)
        return
    from millrace.cli.places import open_target  # noqa: PLC0415 - boto3 takes a third of a second to import

    with ExitStack() as undo:
        target = open_target(path)
        undo.callback(target.discard)
        rows = Rows(target, ledger)
        yield rows
        rows.close()
        target.publish()
