"""Where messages wait that nobody could read, and those whose work failed five times."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from .names import Names
from .options import Options

RETENTION = Duration.days(14)
"""The longest that SQS keeps a message."""
_MOST_NAMED_SOURCES = 10
"""A redrive-allow policy names ten queues at most, or allows all of the account and region (Amazon SQS Developer Guide,
"Using dead-letter queues in Amazon SQS")."""


class DeadLetterStore(Construct):
    """One for the whole deployment: a message says by itself whose it is.

    ``sources`` are the ARNs of the queues that may use it: by name, so that they may be made after it.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, sources: Sequence[str], options: Options, key: kms.IKey | None
    ) -> None:
        super().__init__(scope, construct_id)
        self.queue = sqs.Queue(
            self,
            "Queue",
            queue_name=Names(options.name).dead_letters,
            retention_period=RETENTION,
            redrive_allow_policy=self._allow(sources),
            enforce_ssl=True,
            encryption=sqs.QueueEncryption.KMS if key else sqs.QueueEncryption.SQS_MANAGED,
            encryption_master_key=key,
            removal_policy=RemovalPolicy.DESTROY if options.emulator else RemovalPolicy.RETAIN,
        )

    def _allow(self, sources: Sequence[str]) -> sqs.RedriveAllowPolicy:
        if not sources:
            # Without a policy SQS allows every queue of the account: none has to be said.
            return sqs.RedriveAllowPolicy(redrive_permission=sqs.RedrivePermission.DENY_ALL)
        if len(sources) > _MOST_NAMED_SOURCES:
            return sqs.RedriveAllowPolicy(redrive_permission=sqs.RedrivePermission.ALLOW_ALL)
        queues = [sqs.Queue.from_queue_arn(self, f"Source{number}", arn) for number, arn in enumerate(sources)]
        return sqs.RedriveAllowPolicy(redrive_permission=sqs.RedrivePermission.BY_QUEUE, source_queues=queues)
