"""What commits to Iceberg tables need in the stack of functions: who receives, and when snapshots expire."""

from __future__ import annotations

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from .names import Names
from .options import Options
from .schedules import ScheduledCall, call_on_schedule

MEMORY_MB = 1024
"""It reads the footers of files and writes manifests; importing what does that takes a second of a whole processor."""
COMMITTERS = 5
"""Functions side by side, of which no two are for one table: SQS gives out a table's next messages when those before
are done. More tables than these wait for each other for a few seconds, and leave the account's pool to conversions."""
BATCH_SIZE = 10
"""The most that a queue with an order gives at once: they are one commit a table."""
_EXPIRY = "rate(1 day)"


class Commits(Construct):
    """``committer`` receives from ``queue``, and is called once a day to expire snapshots. Output: CommitFunction."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        queue: sqs.IQueue,
        committer: lambda_.IFunction,
        options: Options,
    ) -> None:
        super().__init__(scope, construct_id)
        # A queue with an order has no batching window.
        lambda_.EventSourceMapping(
            self,
            "Receive",
            target=committer,
            event_source_arn=queue.queue_arn,
            batch_size=BATCH_SIZE,
            max_concurrency=COMMITTERS,
            report_batch_item_failures=True,
        )
        call_on_schedule(
            self,
            "Expire",
            name=Names(options.name).expiry_rule,
            description=f"{options.name}: expire old snapshots of Iceberg tables",
            schedule=_EXPIRY,
            call=ScheduledCall(id="commit", function=committer, event={"expire": "due"}),
        )
        CfnOutput(Stack.of(self), "CommitFunction", value=committer.function_name)
