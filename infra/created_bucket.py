"""A bucket of the configuration that the stack makes: `create_bucket: true`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from millrace.config.layout import Folder

from .acknowledged import acknowledge
from .notification import EVENTS, filter_prefix
from .options import Options
from .topology import Notification

# Nobody sees these in a listing, and all are paid for: parts of uploads that a killed worker left, versions behind an
# overwrite, and delete markers that hide nothing any more.
_SWEEP = s3.LifecycleRule(
    id="sweep",
    abort_incomplete_multipart_upload_after=Duration.days(7),
    noncurrent_version_expiration=Duration.days(30),
    expired_object_delete_marker=True,
)

RUNS = ".millrace/runs/"
"""The folder within a destination where big runs keep their parts; its dot hides it from every sync."""


class CreatedBucket(Construct):
    """Private, TLS only, encrypted, versioned, kept when the stack goes.

    ``written`` are its folders that are destinations. Versions make a read exact (it names the version that the event
    told of) and an overwrite a matter of 30 days.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        written: Iterable[Folder],
        notifications: Iterable[Notification],
        queues: Mapping[str, sqs.Queue],
        options: Options,
        key: kms.IKey | None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.bucket = self._make_bucket(name, options, key)
        for number, folder in enumerate(written):
            self.bucket.add_lifecycle_rule(id=f"big-runs-{number}", **_forget_runs(folder))
        acknowledge(
            self.bucket,
            "AwsSolutions-S1",
            "The ledger records every read and write of the sync. Access logs need a bucket and a retention that are "
            "the owner's to choose; create_bucket: false takes a bucket that has them.",
        )
        self._notify(tuple(notifications), queues, options)

    def _make_bucket(self, name: str, options: Options, key: kms.IKey | None) -> s3.Bucket:
        return s3.Bucket(
            self,
            "Bucket",
            bucket_name=name,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            # Without access control lists, so that what another account uploads is the bucket owner's to read.
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            versioned=True,
            encryption=s3.BucketEncryption.KMS if key else s3.BucketEncryption.S3_MANAGED,
            encryption_key=key,
            # One request to KMS a bucket and a while, not one an object: KMS limits and bills requests (Amazon S3 User
            # Guide, "Reducing the cost of SSE-KMS with Amazon S3 Bucket Keys").
            bucket_key_enabled=key is not None,
            lifecycle_rules=[_SWEEP],
            removal_policy=RemovalPolicy.DESTROY if options.emulator else RemovalPolicy.RETAIN,
        )

    def _notify(
        self, notifications: tuple[Notification, ...], queues: Mapping[str, sqs.Queue], options: Options
    ) -> None:
        """Say it in the bucket's own properties: no custom resource, and nothing else configures this bucket."""
        if not notifications:
            return
        resource = self.bucket.node.default_child
        assert isinstance(resource, s3.CfnBucket)  # noqa: S101 -- tells the type checker what the CDK always makes
        configurations: list[s3.CfnBucket.QueueConfigurationProperty] = []
        for notification in notifications:
            queue = queues[notification.connection]
            configurations += _configure(queue, filter_prefix(notification.folder.prefix, options))
            # S3 tries the queue when it is told of it, so that the queue's policy must stand by then.
            self.bucket.node.add_dependency(queue.node.find_child("Policy"))
        resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            queue_configurations=configurations
        )


def _forget_runs(folder: Folder) -> dict[str, Any]:
    """A run deletes its parts when it ends; this is for runs that were killed, and for the versions behind.

    A prefix is written as it is, unlike that of a notification's filter.
    """
    return {
        "prefix": f"{folder.prefix}{RUNS}",
        "expiration": Duration.days(7),
        "noncurrent_version_expiration": Duration.days(1),
        "abort_incomplete_multipart_upload_after": Duration.days(7),
    }


def _configure(queue: sqs.Queue, prefix: str) -> Iterator[s3.CfnBucket.QueueConfigurationProperty]:
    """One for each kind of event: S3 takes one event in each."""
    for event in EVENTS:
        yield s3.CfnBucket.QueueConfigurationProperty(event=event, queue=queue.queue_arn, filter=_filter(prefix))


def _filter(prefix: str) -> s3.CfnBucket.NotificationFilterProperty | None:
    if not prefix:
        return None
    rule = s3.CfnBucket.FilterRuleProperty(name="prefix", value=prefix)
    return s3.CfnBucket.NotificationFilterProperty(s3_key=s3.CfnBucket.S3KeyFilterProperty(rules=[rule]))
