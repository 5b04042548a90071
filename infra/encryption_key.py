"""One key of the deployment's own, for who wants to hold it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import ArnFormat, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from .names import Names
from .notification import sent_by_buckets
from .options import Options
from .webhook_queue import sent_by_rules


class EncryptionKey(Construct):
    """Encrypts queues, ledger, log groups and created buckets; rotated yearly, kept when the stack goes.

    ``notifying`` are the buckets that notify queues under the key, ``rules`` those of EventBridge that send to some.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        notifying: Sequence[str],
        rules: Sequence[str] = (),
        options: Options,
    ) -> None:
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        self.key = kms.Key(
            self,
            "Key",
            alias=f"alias/{options.name}",
            description=f"Queues, ledger, log groups and created buckets of {options.name}",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.DESTROY if options.emulator else RemovalPolicy.RETAIN,
        )
        if notifying:
            # Without the conditions a bucket of anybody's could have S3 use the key (Amazon SQS Developer Guide,
            # "Access management for encrypted Amazon SQS queues with least privilege policies").
            self._allow("s3", sent_by_buckets(stack, notifying))
        if rules:
            self._allow("events", sent_by_rules(stack, *rules))
        self._allow_log_groups(Names(options.name).log_groups)

    def _allow_log_groups(self, beginning: str) -> None:
        """Let CloudWatch Logs use the key for log groups whose names begin so."""
        stack = Stack.of(self)
        log_groups = stack.format_arn(
            service="logs",
            resource="log-group",
            resource_name=f"{beginning}*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        # CloudWatch Logs names the log group in the encryption context: so the key serves this deployment's groups, and
        # no others of the account (Amazon CloudWatch Logs User Guide, "Encrypt log data using AWS KMS").
        conditions = {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": log_groups}}
        self._allow(f"logs.{stack.region}", conditions, also=("kms:Encrypt",))

    def _allow(self, service: str, conditions: Mapping[str, object], also: tuple[str, ...] = ()) -> None:
        """Let an AWS service use the key for this account: S3 to notify encrypted queues, CloudWatch to keep logs."""
        self.key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal(f"{service}.amazonaws.com")],
                actions=["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey", *also],
                resources=["*"],  # in a key's own policy: this key
                conditions=conditions,
            )
        )
