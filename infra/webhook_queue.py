"""The queue of a webhook: events that a rule of EventBridge puts there, until their receiver has taken them."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from .names import Names
from .options import Options
from .source_queue import SourceQueue


class WebhookQueue(Construct):
    """As a source's queue is, but a rule sends to it, and no bucket."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        webhook: str,
        dead_letters: sqs.IQueue,
        options: Options,
        key: kms.IKey | None,
    ) -> None:
        super().__init__(scope, construct_id)
        # The rule has the queue's name.
        name = Names(options.name).webhook_queue(webhook)
        self.queue = SourceQueue(
            self, "Queue", queue_name=name, buckets=[], dead_letters=dead_letters, options=options, key=key
        ).queue
        self.queue.add_to_resource_policy(
            iam.PolicyStatement(
                sid="RuleSends",
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[self.queue.queue_arn],
                conditions=sent_by_rules(Stack.of(self), name),
            )
        )


def sent_by_rules(stack: Stack, *names: str) -> dict[str, object]:
    """The conditions that EventBridge meets if it acts for one of these rules of this account."""
    arns = [stack.format_arn(service="events", resource="rule", resource_name=name) for name in names]
    return {"ArnEquals": {"aws:SourceArn": arns}, "StringEquals": {"aws:SourceAccount": stack.account}}
