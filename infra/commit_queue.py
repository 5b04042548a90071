"""The queue of the committer of Iceberg tables: in order of each table, so that nobody commits to one side by side."""

from __future__ import annotations

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from .dead_letter_queue import RETENTION as RETENTION_OF_DEAD_LETTERS
from .names import Names
from .options import Options
from .source_queue import RETENTION, visibility_seconds

MAX_RECEIVES = 100
"""A message that fails is put off for a quarter of an hour in the end: about a day of tries. A grant that is taken away
for a night costs nothing, and what can never be committed keeps its table's others waiting for no longer."""


class CommitQueue(Construct):
    """Encrypted, TLS only, and for the functions' own messages. Outputs: CommitQueue, CommitDeadLetterQueue (URLs)."""

    def __init__(self, scope: Construct, construct_id: str, *, options: Options, key: kms.IKey | None) -> None:
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        dead_letters = self._make_dead_letters(options, key)
        queue = sqs.Queue(
            self,
            "Queue",
            queue_name=Names(options.name).commit_queue,
            fifo=True,
            visibility_timeout=Duration.seconds(visibility_seconds(options)),
            retention_period=RETENTION,
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=MAX_RECEIVES),
            enforce_ssl=True,
            encryption=_to_encryption(key),
            encryption_master_key=key,
        )
        CfnOutput(stack, "CommitQueueUrl", value=queue.queue_url).override_logical_id("CommitQueue")
        CfnOutput(stack, "CommitDeadLettersUrl", value=dead_letters.queue_url).override_logical_id(
            "CommitDeadLetterQueue"
        )

    def _make_dead_letters(self, options: Options, key: kms.IKey | None) -> sqs.Queue:
        """What a queue with an order gives up goes to a queue with an order, and to no other."""
        names = Names(options.name)
        arn = Stack.of(self).format_arn(service="sqs", resource=names.commit_queue)
        # By its ARN: each of the two queues names the other, and one has to be made first.
        source = sqs.Queue.from_queue_arn(self, "Source", arn)
        return sqs.Queue(
            self,
            "DeadLetters",
            queue_name=names.commit_dead_letters,
            fifo=True,
            retention_period=RETENTION_OF_DEAD_LETTERS,
            redrive_allow_policy=sqs.RedriveAllowPolicy(
                redrive_permission=sqs.RedrivePermission.BY_QUEUE, source_queues=[source]
            ),
            enforce_ssl=True,
            encryption=_to_encryption(key),
            encryption_master_key=key,
            removal_policy=RemovalPolicy.DESTROY if options.emulator else RemovalPolicy.RETAIN,
        )


def _to_encryption(key: kms.IKey | None) -> sqs.QueueEncryption:
    return sqs.QueueEncryption.KMS if key else sqs.QueueEncryption.SQS_MANAGED
