"""Where messages wait that five receives could not settle."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.names import Names
from infra.options import Options

RETENTION = Duration.days(14)
"""The longest that SQS keeps a message."""


class DeadLetterQueue(Construct):
    """One for the whole deployment: a message says by itself whose it is."""

    def __init__(self, scope: Construct, construct_id: str, *, options: Options, key: kms.IKey | None) -> None:
        super().__init__(scope, construct_id)
        self.queue = sqs.Queue(
            self,
            "Queue",
            queue_name=Names(options.name).dead_letters,
            retention_period=RETENTION,
            enforce_ssl=True,
            encryption=sqs.QueueEncryption.KMS if key else sqs.QueueEncryption.SQS_MANAGED,
            encryption_master_key=key,
            removal_policy=RemovalPolicy.DESTROY if options.emulator else RemovalPolicy.RETAIN,
        )
