"""What S3 tells the queue, and how an existing bucket is asked to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import quote_plus

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_notifications as destinations
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from .names import construct_id
from .options import Options
from .topology import Notification

EVENTS = ("s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectRestore:Completed", "s3:LifecycleExpiration:*")
"""Every way into a bucket (a plain PUT is only one of four), every way out of it, and the return from an archive."""


def filter_prefix(prefix: str, options: Options) -> str:
    """``prefix`` as a notification's filter spells it: form-encoded, a space as `+`, slashes as they are.

    So the Amazon S3 User Guide, "Configuring event notifications using object key name filtering"; an unencoded `=`
    matches nothing. The emulator compares without decoding.
    """
    return prefix if options.emulator else quote_plus(prefix, safe="/!*'()")


def sent_by_buckets(stack: Stack, buckets: Iterable[str]) -> dict[str, object]:
    """The conditions that S3 meets if it acts for one of these buckets, and the bucket is this account's."""
    arns = [f"arn:{stack.partition}:s3:::{bucket}" for bucket in buckets]
    # Both: a bucket's ARN names no account, so that after a bucket is deleted somebody else may make one of its name
    # (Amazon S3 User Guide, "Granting permissions to publish event notification messages").
    return {"ArnEquals": {"aws:SourceArn": arns}, "StringEquals": {"aws:SourceAccount": stack.account}}


class ExistingBucketNotifications(Construct):
    """Adds our notifications to buckets that are there already, beside what their owners have configured.

    A bucket has one notification configuration, replaced as a whole. The CDK's resource reads what stands there, adds
    ours and takes ours away again when the stack goes (read in its code; a later change of ours gives the others new
    ids, and nothing else of them changes). The other way, an EventBridge rule, would
    need the owner to switch EventBridge on first, which is the same one configuration. Its role is ours because the
    one that the CDK would make may change the notifications of every bucket.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        notifications: Mapping[str, Iterable[Notification]],
        queues: Mapping[str, sqs.Queue],
        options: Options,
    ) -> None:
        """``notifications`` are those of each bucket by its name."""
        super().__init__(scope, construct_id)
        self._options = options
        if not notifications:
            return
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        for name, group in notifications.items():
            bucket = s3.Bucket.from_bucket_attributes(
                self, name, bucket_name=name, notifications_handler_role=role.without_policy_updates()
            )
            for notification in group:
                self._notify(bucket, notification, queues[notification.connection])
            self._allow(role, bucket)

    def _notify(self, bucket: s3.IBucket, notification: Notification, queue: sqs.Queue) -> None:
        # Named by its ARN: its policy stands already, and the CDK adds a wider one to a queue that it can change.
        named = sqs.Queue.from_queue_arn(self, construct_id(repr(notification)), queue.queue_arn)
        prefix = notification.folder.prefix
        filters = [s3.NotificationKeyFilter(prefix=filter_prefix(prefix, self._options))] if prefix else []
        for event in EVENTS:
            bucket.add_event_notification(_EVENT_TYPES[event], destinations.SqsDestination(named), *filters)
        # S3 sends a test message when it is configured, and refuses a queue that does not yet let it.
        bucket.node.add_dependency(queue.node.find_child("Policy"))

    def _allow(self, role: iam.Role, bucket: s3.IBucket) -> None:
        """One policy a bucket: when the bucket is taken out, it goes after its notifications, which need it to go."""
        policy = iam.Policy(
            self,
            f"Policy{construct_id(bucket.bucket_name)}",
            roles=[role],
            statements=[
                iam.PolicyStatement(
                    actions=["s3:GetBucketNotification", "s3:PutBucketNotification"], resources=[bucket.bucket_arn]
                )
            ],
        )
        bucket.node.add_dependency(policy)


_EVENT_TYPES = {
    "s3:ObjectCreated:*": s3.EventType.OBJECT_CREATED,
    "s3:ObjectRemoved:*": s3.EventType.OBJECT_REMOVED,
    "s3:ObjectRestore:Completed": s3.EventType.OBJECT_RESTORE_COMPLETED,
    "s3:LifecycleExpiration:*": s3.EventType.LIFECYCLE_EXPIRATION,
}
