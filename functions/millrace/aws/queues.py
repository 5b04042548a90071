"""The queues that feed a deployment's convert function, managed or the user's own, and their dead-letter queues."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from millrace.aws.circuits import FunctionEventSources
from millrace.aws.deployed import Deployed
from millrace.aws.faults import translated
from millrace.operations.queue_facts import CommitBacklog, QueueFacts, name_of_queue

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


def find_feeding_arns(deployed: Deployed, lambda_client: Any) -> list[str]:
    """The ARNs of all queues that feed the convert function; needs lambda:ListEventSourceMappings."""
    sources = FunctionEventSources(lambda_client, deployed.convert_function)
    return [source.queue for source in sources.all() if ":sqs:" in source.queue]


def read_feeding_queues(deployed: Deployed, sqs: SQSClient, arns: Iterable[str]) -> Iterator[QueueFacts]:
    """What each queue of these ARNs says of itself."""
    connections = {name_of_queue(url): connection for connection, url in deployed.queues.items()}
    backfills = deployed.backfill_queue
    for arn in arns:
        if backfills is not None and name_of_queue(backfills) == name_of_queue(arn):
            yield replace(read_queue(sqs, backfills), is_backfills=True)
            continue
        connection = connections.get(name_of_queue(arn))
        url = deployed.queues[connection] if connection is not None else find_queue_url(sqs, arn)
        yield read_queue(sqs, url, connection)


def read_queue(sqs: SQSClient, url: str, connection: str | None = None) -> QueueFacts:
    """One GetQueueAttributes."""
    with translated("sqs:GetQueueAttributes of", url):
        attributes: Mapping[Any, str] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    redrive = json.loads(attributes.get("RedrivePolicy") or "{}")
    receives = redrive.get("maxReceiveCount")
    return QueueFacts(
        arn=attributes["QueueArn"],
        url=url,
        connection=connection,
        waiting=int(attributes["ApproximateNumberOfMessages"]),
        hidden=int(attributes["ApproximateNumberOfMessagesNotVisible"]),
        delayed=int(attributes["ApproximateNumberOfMessagesDelayed"]),
        visibility_seconds=int(attributes["VisibilityTimeout"]),
        retention_seconds=int(attributes["MessageRetentionPeriod"]),
        # SQS gives the number back as a number or as text, as it was set.
        max_receives=int(receives) if receives is not None else None,
        dead_letters=redrive.get("deadLetterTargetArn"),
        kms_key=attributes.get("KmsMasterKeyId") or None,
        policy=json.loads(attributes["Policy"]) if attributes.get("Policy") else None,
    )


def find_queue_url(sqs: SQSClient, arn: str) -> str:
    """The URL of a queue, which may be another account's."""
    account, name = arn.split(":")[4:6]
    with translated("sqs:GetQueueUrl of", arn):
        return sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]


def find_dead_letter_urls(deployed: Deployed, sqs: SQSClient, queues: Iterable[QueueFacts]) -> list[str]:
    """The dead-letter queues of the user's own queues, each once, without the deployment's."""
    deployments = name_of_queue(deployed.dead_letter_queue)
    arns: set[str] = set()
    for queue in queues:
        if queue.dead_letters is not None and name_of_queue(queue.dead_letters) != deployments:
            arns.add(queue.dead_letters)
    return [find_queue_url(sqs, arn) for arn in sorted(arns)]


def read_commit_backlog(deployed: Deployed, sqs: SQSClient) -> list[CommitBacklog]:
    """What waits for the committer of Iceberg tables; nothing where there is none."""
    if deployed.commit_queue is None or deployed.commit_dead_letter_queue is None:
        return []
    queue, dead_letters = read_queue(sqs, deployed.commit_queue), read_queue(sqs, deployed.commit_dead_letter_queue)
    backlog = CommitBacklog(
        function=deployed.commit_function or "the commit function",
        queue=queue.name,
        waiting=queue.waiting,
        put_off=queue.hidden + queue.delayed,
        given_up=dead_letters.waiting,
    )
    return [backlog]


def read_ages(cloudwatch: Any, queues: Iterable[QueueFacts]) -> Iterator[tuple[str, float]]:
    """Each queue's name with the seconds that its oldest message waits, as far as CloudWatch knows."""
    for queue in queues:
        age = _read_oldest_age(cloudwatch, queue.name)
        if age is not None:
            yield queue.name, age


def _read_oldest_age(cloudwatch: Any, queue: str) -> float | None:
    """The seconds that a queue's oldest message waits, as CloudWatch last saw it; None if it knows nothing."""
    now = datetime.now(UTC)
    with translated("cloudwatch:GetMetricStatistics of", queue):
        answer = cloudwatch.get_metric_statistics(
            Namespace="AWS/SQS",
            MetricName="ApproximateAgeOfOldestMessage",
            Dimensions=[{"Name": "QueueName", "Value": queue}],
            # CloudWatch shows a minute's figure some minutes late, so that the last minute alone is often empty.
            StartTime=now - timedelta(minutes=15),
            EndTime=now,
            Period=60,
            Statistics=["Maximum"],
        )
    points = sorted(answer.get("Datapoints", ()), key=lambda point: point["Timestamp"])
    return float(points[-1]["Maximum"]) if points else None
