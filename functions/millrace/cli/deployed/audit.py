"""`millrace audit`: which state every object is in, and what nobody knows of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice, starmap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from millrace.cli.completion import COMPLETE_SYNC
from millrace.cli.configuration import DEFAULT_CONFIG, Config
from millrace.cli.counting import counting, each_alone
from millrace.cli.deployments import Json, Name, get_deployments
from millrace.cli.terminal import print_json, print_line
from millrace.config.document import load
from millrace.errors import UsageError
from millrace.mappings import pick
from millrace.objects.messages import Request
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef
from millrace.operations.audit import WORTH_A_LOOK, Audited, Auditor, Standing
from millrace.operations.lost_outputs import LostOutput, OutputChecker
from millrace.planning.planner import ActiveSync, Planner
from millrace.remote.deployments import Deployments
from millrace.wording import count_of, join_names, list_counts

if TYPE_CHECKING:
    from millrace.aws.deployed import Deployed
    from millrace.aws.dynamodb_ledger import DynamoDBLedger
    from millrace.aws.sqs_requests import SQSRequests
    from millrace.engine.files import FileTarget
    from millrace.ledger.entries import Entry
    from millrace.ledger.stores import LedgerStore
    from millrace.objects.queue import RequestQueue

_PORTION = 1000
"""Keys that are joined with the ledger before the next are listed."""
_NAMED = 10
"""Lost outputs that are named; the report has them all."""
_TROUBLE = (Standing.UNACCOUNTED, Standing.VANISHED, Standing.ALTERED)

SyncsArgument = Annotated[
    list[str] | None,
    typer.Argument(help="Syncs to audit; without any: all that are active.", autocompletion=COMPLETE_SYNC),
]
OutputsOption = Annotated[
    bool, typer.Option("--outputs", help="Look at every output, too: is it there, as it was written?")
]
RestoreOption = Annotated[
    bool, typer.Option("--restore", help="With --outputs: convert again what has lost an output.")
]
ReportOption = Annotated[
    str | None, typer.Option(help="Write one row an object to this Parquet file, or s3://bucket/key.")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Put nothing on the queue.")]


def audit(
    context: typer.Context,
    sync: SyncsArgument = None,
    *,
    config: Config = DEFAULT_CONFIG,
    outputs: OutputsOption = False,
    restore: RestoreOption = False,
    report: ReportOption = None,
    dry_run: DryRunOption = False,
    name: Name = "millrace",
    as_json: Json = False,
) -> None:
    """Account for every object: join the listing of each source with the ledger, and count by state.

    Unaccounted is what has stood there for half an hour and the ledger does not know as it is; younger changes are
    expected. What differs is put on the queue. With --outputs: vanished are objects whose output is gone, altered those
    whose output somebody has written over. The first of them are named. Exit 1 where something was unaccounted,
    vanished or altered.

    Example: millrace audit --config millrace.yaml --outputs --report audit.parquet
    """
    if restore and not outputs:
        raise UsageError("--restore needs --outputs: only what was looked at is converted again")
    document = load(config)
    deployments = get_deployments(context)
    deployed, ledger = deployments.find(name)
    planner = Planner(document)
    syncs = list(map(planner.active_sync, sync or deployed.syncs))
    queues = _open_queues(deployments, deployed, syncs, config)
    auditor = _make_auditor(planner, ledger, look_at_outputs=outputs)
    has_trouble = False
    # One sync whose bucket cannot be listed must not keep the others from being audited: it is told at the end.
    with each_alone() as alone, _report(report, ledger) as rows:
        for active in syncs:
            with alone():
                queue = None if dry_run else queues[active.source_connection]
                counts = _audit_sync(auditor, active, _Asking(queue, is_restoring=restore), rows)
                has_trouble |= any(pick(counts, *_TROUBLE).values())
                _print_counts(active.name, counts, as_json=as_json)
    if has_trouble:
        raise typer.Exit(1)


def _make_auditor(planner: Planner, ledger: DynamoDBLedger, *, look_at_outputs: bool) -> Auditor:
    from millrace.aws.sessions import Sessions  # noqa: PLC0415 - boto3 takes a third of a second to import

    stores = Sessions(planner.document)
    auditor = Auditor(planner=planner, stores=stores, index=ledger)
    if not look_at_outputs:
        return auditor
    return replace(auditor, outputs=OutputChecker(planner=planner, stores=stores, ledger=ledger))


def _open_queues(
    deployments: Deployments, deployed: Deployed, syncs: Sequence[ActiveSync], config: Path
) -> dict[str, SQSRequests]:
    """The queue of each source connection. Raises: UsageError if the deployment lacks one that a sync needs."""
    from millrace.aws.sqs_requests import SQSRequests  # noqa: PLC0415 - boto3 takes a third of a second to import

    sources = {active.source_connection for active in syncs}
    if unknown := sorted(sources - set(deployed.queues)):
        names = join_names(unknown)
        raise UsageError(f"the deployment has no queue for {names}: is {config} the configuration that was deployed?")
    sqs = deployments.client("sqs")
    return {connection: SQSRequests(sqs, url) for connection, url in deployed.queues.items()}


@dataclass(frozen=True, slots=True)
class _Asking:
    """What is put on the queue for what was audited; without a queue nothing is."""

    queue: RequestQueue | None
    is_restoring: bool

    def ask(self, sync: str, portion: Sequence[Audited], now: datetime) -> None:
        """Ask for what differs, and for lost outputs, if they are to be restored, by a run of their own.

        Only a run that a person asked for does again what the ledger has as done.
        """
        if self.queue is not None:
            self.queue.send(self._list_requests(sync, portion, now))

    def _list_requests(self, sync: str, portion: Sequence[Audited], now: datetime) -> Iterator[Request]:
        for audited in portion:
            if audited.request is not None:
                yield audited.request
            if self.is_restoring and audited.lost and audited.entry is not None:
                yield _ask_again(sync, audited.entry.source, now)


def _ask_again(sync: str, source: ObjectRef, now: datetime) -> Request:
    change = ObjectChange(kind=ChangeKind.CREATED, ref=source)
    return Request(change=change, sync=sync, run_id=f"{now:%Y%m%dT%H%M%S%fZ}")


def _audit_sync(auditor: Auditor, sync: ActiveSync, asking: _Asking, rows: ReportRows) -> Counter[str]:
    counts: Counter[str] = Counter()
    now = datetime.now(UTC)
    audited = auditor.audit(sync, now)
    named = 0
    with counting() as show:
        while portion := list(islice(audited, _PORTION)):
            asking.ask(sync.name, portion, now)
            rows.write(sync.name, portion, now)
            lost: list[LostOutput] = []
            for item in portion:
                counts[item.standing] += 1
                lost += item.lost
            show(f"{sync.name}: {count_of(counts.total(), 'object')}")
            for output in lost[: _NAMED - named]:
                print_line(f"{output.loss}: {output.ref}", err=True)
            named = min(_NAMED, named + len(lost))
    return counts


def _print_counts(sync: str, counts: Counter[str], *, as_json: bool) -> None:
    if as_json:
        print_json({"sync": sync, "objects": counts.total(), "unaccounted": 0, **dict(sorted(counts.items()))})
        return
    standings = list_counts(sorted(counts.items()))
    print_line(f"{sync}: {standings or 'no objects'}; unaccounted: {counts[Standing.UNACCOUNTED]:,}")


class ReportRows:
    """The report's rows on their way into a Parquet file; without one they are let go."""

    def __init__(self, target: FileTarget | None, ledger: LedgerStore) -> None:
        self._ledger = ledger
        self._writer: Any = None
        if target is not None:
            import pyarrow as pa  # noqa: PLC0415 - takes time to import, and most audits write no report

            from millrace.engine.formats.registry import FORMATS  # noqa: PLC0415 - as above
            from millrace.engine.options import FileFormat, WriteOptions  # noqa: PLC0415 - as above

            columns = starmap(pa.field, _COLUMNS.items())
            self._schema = pa.schema([*columns, pa.field("modified", pa.timestamp("s", tz="UTC"))])
            self._batch = pa.RecordBatch.from_pylist
            self._writer = FORMATS[FileFormat.PARQUET].write(target, self._schema, WriteOptions())

    def write(self, sync: str, audited: list[Audited], now: datetime) -> None:
        """Write the next rows; what is worth a look is read from the ledger, one GetItem each."""
        if self._writer is not None:
            rows = [item.row(sync, now, self._read_whole(item)) for item in audited]
            self._writer.write(self._batch(rows, schema=self._schema))

    def _read_whole(self, audited: Audited) -> Entry | None:
        if audited.entry is None or audited.standing not in WORTH_A_LOOK:
            return None
        return self._ledger.get(audited.entry.sync, audited.entry.source)

    def close(self) -> None:
        """Write what a Parquet file ends with."""
        if self._writer is not None:
            self._writer.close()


_COLUMNS = {
    **dict.fromkeys(("sync", "key", "standing", "etag", "ledger_etag", "error", "message", "lost_outputs"), "string"),
    **dict.fromkeys(("size", "age_seconds", "attempts"), "int64"),
    **dict.fromkeys(("rows_read", "rows_written", "rows_quarantined", "rows_filtered"), "int64"),
}


@contextmanager
def _report(path: str | None, ledger: LedgerStore) -> Iterator[ReportRows]:
    """The report is there whole, or not at all."""
    if path is None:
        yield ReportRows(None, ledger)
        return
    from millrace.cli.local.sources_and_targets import open_target  # noqa: PLC0415 - boto3 takes a third of a second to import

    with ExitStack() as undo:
        target = open_target(path)
        undo.callback(target.discard)
        rows = ReportRows(target, ledger)
        yield rows
        rows.close()
        target.publish()
