"""What a deployment's parts beside its ledger say: queues, event sources, comparisons, backfills, big runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from millrace.errors import MillraceError
from millrace.operations.backfills.progress import BackfillProgress, read_shown
from millrace.remote.big_runs import RunView, find_machine, read_running

if TYPE_CHECKING:
    from millrace.aws.circuits import EventSource
    from millrace.aws.deployed import Deployed
    from millrace.operations.checkpoints import Checkpoint
    from millrace.operations.queue_facts import CommitBacklog, QueueFacts
    from millrace.remote.deployments import Deployments

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a deployment's other parts say; ``unknown`` are the questions that AWS did not answer."""

    queues: Sequence[QueueFacts]
    oldest: dict[str, float]
    """The age in seconds of each queue's oldest message, by the queue's name, as far as CloudWatch knows."""
    paused: Sequence[str]
    dead_letters: dict[str, int]
    comparisons: Sequence[Checkpoint]
    backfills: Sequence[BackfillProgress]
    big_runs: Sequence[RunView]
    commits: Sequence[CommitBacklog]
    """What waits for the committer of Iceberg tables; nothing where there are none."""
    unknown: Sequence[str]
    not_catalogued: int = 0
    """How often in the last day a table could not be brought into the catalogue."""


def read_surroundings(deployments: Deployments, deployed: Deployed, name: str) -> Surroundings:
    """Ask queues, event sources, CloudWatch, checkpoints, backfills and the machine; trouble with one is kept.

    ``name`` is the deployment's, by which its metrics are found.
    """
    from millrace.aws import queues  # noqa: PLC0415 - needs boto3, which is slow to import
    from millrace.aws.circuits import FunctionEventSources  # noqa: PLC0415 - needs boto3, which is slow to import
    from millrace.aws.dynamodb_backfills import DynamoDBBackfills  # noqa: PLC0415 - needs boto3, which is slow to import
    from millrace.aws.dynamodb_checkpoints import DynamoDBCheckpoints  # noqa: PLC0415 - needs boto3, which is slow to import
    from millrace.aws.own_metrics import sum_last_day  # noqa: PLC0415 - needs boto3, which is slow to import

    unknown: list[str] = []
    ask = partial(_ask, unknown)
    sqs, cloudwatch = deployments.client("sqs"), deployments.client("cloudwatch")
    sources = ask(lambda: list(FunctionEventSources(deployments.client("lambda"), deployed.convert_function).all()))
    arns = [source.queue for source in sources]
    facts = ask(lambda: list(queues.read_feeding_queues(deployed, sqs, arns)))
    boxes = list(deployed.dead_letter_queues)
    boxes += ask(lambda: queues.find_dead_letter_urls(deployed, sqs, facts))
    dead = ask(lambda: list(map(partial(queues.read_queue, sqs), boxes)))
    checkpoints = DynamoDBCheckpoints(deployments.client("dynamodb"), deployed.ledger_table)
    comparisons = ask(lambda: list(filter(None, map(checkpoints.get, deployed.syncs))))
    backfills = DynamoDBBackfills(deployments.client("dynamodb"), deployed.ledger_table)
    shown = ask(lambda: list(read_shown(backfills, datetime.now(UTC))))
    machine = find_machine(deployments, deployed)
    running = ask(lambda: list(read_running(machine))) if machine else []
    oldest = dict(ask(lambda: list(queues.read_ages(cloudwatch, facts))))
    services = (f"{name}-convert", f"{name}-big-run")
    not_catalogued = sum(ask(lambda: [sum_last_day(cloudwatch, "NotCatalogued", services)]))
    return Surroundings(
        queues=facts,
        oldest=oldest,
        paused=_name_paused(sources),
        dead_letters={queue.name: queue.waiting for queue in dead},
        comparisons=comparisons,
        backfills=shown,
        big_runs=running,
        commits=ask(lambda: queues.read_commit_backlog(deployed, sqs)),
        unknown=unknown,
        not_catalogued=not_catalogued,
    )


def _name_paused(sources: Iterable[EventSource]) -> list[str]:
    return [source.queue.rpartition(":")[2] for source in sources if not source.enabled]


def _ask(unknown: list[str], question: Callable[[], list[T]]) -> list[T]:
    """An answer; trouble with one question is kept, and no other question is left out for it."""
    try:
        return question()
    except MillraceError as error:
        unknown.append(str(error))
        return []
