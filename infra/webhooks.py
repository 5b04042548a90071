"""What webhooks need in the stack of functions: a rule each that chooses events, and who receives from its queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from millrace.deployment.settings import EVENT_SOURCE

from .names import Names, construct_id
from .options import Options
from .source_queue import BATCHING_WINDOW_SECONDS
from .topology import Topology, WebhookTarget

MEMORY_MB = 256
"""It waits for receivers."""
SENDERS = 2
"""Functions side by side for one webhook: the fewest that Lambda takes. A slow receiver has its own queue, and keeps
nobody else's events waiting."""
_BATCH_SIZE = 10


class Webhooks(Construct):
    """``queues`` are those of the webhooks by name, which the storage stack makes; ``sender`` receives from them."""

    def __init__(
        self,
        scope: Construct,
        construct_id_: str,
        *,
        topology: Topology,
        queues: Mapping[str, sqs.IQueue],
        sender: lambda_.IFunction,
        options: Options,
    ) -> None:
        super().__init__(scope, construct_id_)
        for webhook in topology.webhooks:
            self._choose(webhook, queues[webhook.name], options)
            lambda_.EventSourceMapping(
                self,
                f"Receive{construct_id(webhook.name)}",
                target=sender,
                event_source_arn=queues[webhook.name].queue_arn,
                batch_size=_BATCH_SIZE,
                max_batching_window=Duration.seconds(BATCHING_WINDOW_SECONDS),
                max_concurrency=SENDERS,
                report_batch_item_failures=True,
            )
        CfnOutput(Stack.of(self), "WebhookFunction", value=sender.function_name)

    def _choose(self, webhook: WebhookTarget, queue: sqs.IQueue, options: Options) -> None:
        """A rule for the events that a webhook asks for; by name, as its queue's policy names it."""
        events.CfnRule(
            self,
            f"Choose{construct_id(webhook.name)}",
            name=Names(options.name).webhook_queue(webhook.name),
            description=f"{options.name}: events for the webhook {webhook.name}",
            event_pattern=to_pattern(webhook, options.name),
            targets=[events.CfnRule.TargetProperty(id="queue", arn=queue.queue_arn)],
        )


def to_pattern(webhook: WebhookTarget, deployment: str) -> dict[str, Any]:
    """The pattern of the events that a webhook asks for; the configuration keeps it within EventBridge's 2,048."""
    detail: dict[str, Any] = {"deployment": [deployment]}
    if webhook.syncs:
        detail["sync"] = list(webhook.syncs)
    return {"source": [EVENT_SOURCE], "detail-type": list(webhook.detail_types), "detail": detail}
