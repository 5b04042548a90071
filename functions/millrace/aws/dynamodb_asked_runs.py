"""The reprocesses that are followed, in one item of the ledger's table, which is in none of its indexes."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from millrace.aws.ledger_items import asdict_with_time_texts
from millrace.aws.revised_rows import put_revised, read_rows, to_rows_attribute
from millrace.deployment.settings import ASKED_RUNS_KEY
from millrace.operations.asked_runs import AskedRun, AskedRuns, AskingCall
from millrace.operations.backfills.board import BackfillCounts

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_TIMES = ("started", "finished")


class DynamoDBAskedRuns:
    """Satisfies ``operations.asked_runs.AskedRunStore``."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def asked_runs(self) -> AskedRuns:
        """One strongly consistent GetItem."""
        revision, rows = read_rows(self._client, self._table, ASKED_RUNS_KEY)
        return AskedRuns(revision=revision, runs=tuple(map(_to_run, rows)))

    def put_asked_runs(self, runs: AskedRuns) -> None:
        """One conditional PutItem."""
        rows = to_rows_attribute(list(map(_from_run, runs.runs)))
        put_revised(self._client, self._table, ASKED_RUNS_KEY, runs.revision, rows, purpose="reprocesses")


def _from_run(run: AskedRun) -> dict[str, Any]:
    return asdict_with_time_texts(run, _TIMES)


def _to_run(fields: dict[str, Any]) -> AskedRun:
    finished = fields["finished"]
    return AskedRun(
        run_id=fields["run_id"],
        sync=fields["sync"],
        started=datetime.fromisoformat(fields["started"]),
        calls=tuple(AskingCall(**call) for call in fields["calls"]),
        counts=BackfillCounts(**fields["counts"]),
        reached=fields["reached"],
        is_asked=fields["is_asked"],
        finished=datetime.fromisoformat(finished) if finished else None,
        is_begin_told=fields["is_begin_told"],
    )
