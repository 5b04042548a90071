"""The managed queue of a source connection: notifications of S3, and our own requests."""

from __future__ import annotations

from collections.abc import Iterable

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from millrace.deployment.settings import VISIBILITY_FACTOR

from .notification import sent_by_buckets
from .options import Options

RETENTION = Duration.days(10)
"""Shorter than the dead letters': SQS counts a message's days from its first sending, also after it has moved it there
(Amazon SQS Developer Guide, "Using dead-letter queues in Amazon SQS"). So four days are left at least."""
MAX_RECEIVES = 1000
"""The most that SQS allows (Amazon SQS API Reference, "SetQueueAttributes"). Receipts are no attempts: a message comes
back while it waits. The function counts attempts and makes the dead letters itself; SQS does so only if it cannot."""
BATCHING_WINDOW_SECONDS = 1


def visibility_seconds(options: Options) -> int:
    """Six times the function's timeout and the batching window, as Lambda's documentation asks for.

    A shorter one shows a message again while a throttled function still holds it.
    """
    return VISIBILITY_FACTOR * options.timeout_seconds + BATCHING_WINDOW_SECONDS


class SourceQueue(Construct):
    """Encrypted, TLS only; ``buckets`` may notify it, for this account alone. Backfills have one that none notifies."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        queue_name: str,
        buckets: Iterable[str],
        dead_letters: sqs.IQueue,
        options: Options,
        key: kms.IKey | None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.queue = sqs.Queue(
            self,
            "Queue",
            queue_name=queue_name,
            visibility_timeout=Duration.seconds(visibility_seconds(options)),
            retention_period=RETENTION,
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=MAX_RECEIVES),
            enforce_ssl=True,
            # SQS's own key or the deployment's: S3 cannot notify a queue under the AWS-managed key alias/aws/sqs.
            encryption=sqs.QueueEncryption.KMS if key else sqs.QueueEncryption.SQS_MANAGED,
            encryption_master_key=key,
        )
        # Without a managed notification no bucket may send: the queue is for our own requests then.
        if notifying := sorted(set(buckets)):
            self._allow(notifying)

    def _allow(self, buckets: Iterable[str]) -> None:
        self.queue.add_to_resource_policy(
            iam.PolicyStatement(
                sid="BucketsNotify",
                principals=[iam.ServicePrincipal("s3.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[self.queue.queue_arn],
                conditions=sent_by_buckets(Stack.of(self), buckets),
            )
        )
