"""What backfills need in the stack of functions: who lists and steers, who receives, and the schedule that looks after.

Their queue is in the other stack, as all queues are.
"""

from __future__ import annotations

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from .names import Names
from .options import Options
from .schedules import ScheduledCall, call_on_schedule
from .source_queue import BATCHING_WINDOW_SECONDS

MEMORY_MB = 1024
"""It lists and compares, which is bound by the processor, and reads the files of an inventory."""
_TENDED_EVERY = "rate(5 minutes)"
_BATCH_SIZE = 10
"""As for live files: what one invocation works on between two looks at its time."""


class Backfills(Construct):
    """The event source of ``convert``, off until a backfill begins, and a rule that has ``lister`` look after all.

    Lambda polls an event source that is on: an idle one costs some $0.26 a month, and one that is off nothing. The rule
    costs about a cent: each call reads one item if there is no backfill.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        queue: sqs.IQueue,
        convert: lambda_.IFunction,
        lister: lambda_.IFunction,
        options: Options,
    ) -> None:
        super().__init__(scope, construct_id)
        self._receive(queue, convert, options)
        call_on_schedule(
            self,
            "Tend",
            name=Names(options.name).backfill_rule,
            description=f"{options.name}: see that every backfill comes to its end",
            schedule=_TENDED_EVERY,
            call=ScheduledCall(id="backfill", function=lister, event={"action": "tend"}),
        )
        CfnOutput(Stack.of(self), "BackfillFunction", value=lister.function_name)

    def _receive(self, queue: sqs.IQueue, convert: lambda_.IFunction, options: Options) -> None:
        lambda_.EventSourceMapping(
            self,
            "Receive",
            target=convert,
            event_source_arn=queue.queue_arn,
            batch_size=_BATCH_SIZE,
            max_batching_window=Duration.seconds(BATCHING_WINDOW_SECONDS),
            max_concurrency=options.backfill_concurrency,
            report_batch_item_failures=True,
            # The backfill function switches it on when somebody begins one.
            enabled=False,
        )
