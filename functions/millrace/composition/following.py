"""Who tells of runs that people and schedules ask for, and who follows them to their ends."""

from __future__ import annotations

from millrace.aws.dynamodb_asked_runs import DynamoDBAskedRuns
from millrace.aws.dynamodb_backfills import DynamoDBBackfills
from millrace.composition.base import Foundation, utc_now
from millrace.composition.telling import LazyBus
from millrace.notices.levels import Levels
from millrace.operations.following import RunFollower
from millrace.operations.run_events import RunTeller


def run_teller(base: Foundation) -> RunTeller:
    """Tells of runs as the configuration asks; no client is made before there is something to say."""
    return RunTeller(base.settings.name, Levels.of(base.document), LazyBus(base).send)


def run_follower(base: Foundation) -> RunFollower:
    """Follows reprocesses to their ends as the configuration asks."""
    dynamodb, table = base.sessions.client("dynamodb"), base.settings.ledger_table
    return RunFollower(
        store=DynamoDBAskedRuns(dynamodb, table),
        results=DynamoDBBackfills(dynamodb, table).results,
        runs=run_teller(base),
        now=utc_now,
    )
