"""What would hurt to lose: buckets, their notifications, queues, dead letters, the ledger, the key."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from aws_cdk import CfnOutput, Environment, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from millrace.config.connection import ManagedQueue

from .catalog import CatalogDatabase
from .commit_queue import CommitQueue
from .created_bucket import CreatedBucket
from .dead_letter_queue import DeadLetterStore
from .encryption_key import EncryptionKey
from .ledger_table import LedgerTable
from .names import Names, construct_id
from .notification import ExistingBucketNotifications
from .obfuscation_key import ObfuscationKey
from .options import Encryption, Options
from .source_queue import SourceQueue
from .topology import Notification, Topology
from .webhook_queue import WebhookQueue


class StorageStack(Stack):
    """Outputs: LedgerTable, DeadLetterQueue (URL), Queues (JSON: connection → URL), Buckets (JSON list: created).

    And BackfillQueue (URL), where something is read; Database (name), where tables are catalogued in it; CommitQueue
    and CommitDeadLetterQueue (URLs), if there are tables of Iceberg.
    """

    def __init__(self, scope: Construct, *, topology: Topology, options: Options, env: Environment) -> None:
        super().__init__(
            scope,
            options.storage_stack,
            # By its own name wherever it is made: within another construct the CDK would put that one's before it.
            stack_name=options.storage_stack,
            env=env,
            # The ledger and the buckets are kept when the stack goes, but a new stack cannot take them over by itself.
            termination_protection=not options.emulator,
            description=f"Millrace ({options.name}): buckets, queues and ledger. Losing this stack would hurt.",
        )
        self.key = self._make_key(topology, options)
        if topology.obfuscates and options.obfuscation_secret is None:
            ObfuscationKey(self, "Obfuscation", options=options, key=self.key)
        # The dead letters come before the queues that send there: they name them by ARN, which is known without them.
        self.ledger = LedgerTable(self, "Ledger", options=options, key=self.key).table
        sources = list(self._list_sources(topology, options))
        self.dead_letters = DeadLetterStore(self, "DeadLetters", sources=sources, options=options, key=self.key).queue
        self.queues = dict(self._make_queues(topology, options))
        if topology.sources:
            self._make_backfill_queue(options)
        if topology.needs_database:
            CatalogDatabase(self, "Catalog", options=options)
        self._make_webhook_queues(topology, options)
        if topology.iceberg is not None:
            CommitQueue(self, "Commits", options=options, key=self.key)
        self._notify(topology, options)
        self._say(topology)

    def _make_key(self, topology: Topology, options: Options) -> kms.IKey | None:
        if options.kms is not Encryption.CUSTOMER:
            return None
        notifying = sorted(_group_by_bucket(topology.notifications))
        rules = [Names(options.name).webhook_queue(webhook.name) for webhook in topology.webhooks]
        return EncryptionKey(self, "Encryption", notifying=notifying, rules=rules, options=options).key

    def _make_queues(self, topology: Topology, options: Options) -> Iterator[tuple[str, sqs.Queue]]:
        """A managed queue for each source, also for one whose events the user's own queue gets: requests go there."""
        for source in topology.sources:
            is_notified = isinstance(source.notifications, ManagedQueue)
            queue = SourceQueue(
                self,
                f"Queue{construct_id(source.connection)}",
                queue_name=Names(options.name).queue(source.connection),
                buckets=[source.folder.bucket] if is_notified else [],
                dead_letters=self.dead_letters,
                options=options,
                key=self.key,
            )
            yield source.connection, queue.queue

    def _make_backfill_queue(self, options: Options) -> None:
        """A queue that no event comes to, so that live files never wait behind a backfill."""
        queue = SourceQueue(
            self,
            "BackfillQueue",
            queue_name=Names(options.name).backfill_queue,
            buckets=[],
            dead_letters=self.dead_letters,
            options=options,
            key=self.key,
        ).queue
        CfnOutput(self, "BackfillQueueUrl", value=queue.queue_url).override_logical_id("BackfillQueue")

    def _make_webhook_queues(self, topology: Topology, options: Options) -> None:
        """A queue for each webhook, so that a receiver that is slow or down keeps no other waiting."""
        urls = {}
        for webhook in topology.webhooks:
            urls[webhook.name] = WebhookQueue(
                self,
                f"Webhook{construct_id(webhook.name)}",
                webhook=webhook.name,
                dead_letters=self.dead_letters,
                options=options,
                key=self.key,
            ).queue.queue_url
        if urls:
            CfnOutput(self, "WebhookQueues", value=self.to_json_string(urls))

    def _list_sources(self, topology: Topology, options: Options) -> Iterator[str]:
        """The ARNs of the queues whose dead letters come here: the managed ones, and users' own of this account."""
        names = Names(options.name)
        for source in topology.sources:
            yield self.format_arn(service="sqs", resource=names.queue(source.connection))
        if topology.sources:
            yield self.format_arn(service="sqs", resource=names.backfill_queue)
        for webhook in topology.webhooks:
            yield self.format_arn(service="sqs", resource=names.webhook_queue(webhook.name))
        for arn in topology.own_queue_arns:
            # arn:aws:sqs:eu-central-1:111122223333:uploads
            if arn.split(":")[3:5] == [self.region, self.account]:
                yield arn

    def _notify(self, topology: Topology, options: Options) -> None:
        notifications = _group_by_bucket(topology.notifications)
        for name in topology.created_buckets:
            CreatedBucket(
                self,
                f"Bucket{construct_id(name)}",
                name=name,
                written=topology.written_folders(name),
                notifications=notifications.pop(name, ()),
                queues=self.queues,
                options=options,
                key=self.key,
            )
        # Those that are left are of buckets that are there already.
        ExistingBucketNotifications(self, "Existing", notifications=notifications, queues=self.queues, options=options)

    def _say(self, topology: Topology) -> None:
        """Write down what the command line looks up."""
        urls = {connection: queue.queue_url for connection, queue in self.queues.items()}
        CfnOutput(self, "LedgerTable", value=self.ledger.table_name)
        CfnOutput(self, "DeadLetterQueue", value=self.dead_letters.queue_url)
        CfnOutput(self, "Queues", value=self.to_json_string(urls))
        CfnOutput(self, "Buckets", value=json.dumps(topology.created_buckets))


def _group_by_bucket(notifications: Iterable[Notification]) -> dict[str, list[Notification]]:
    """Notifications by the name of their bucket, in their order."""
    groups: dict[str, list[Notification]] = {}
    for notification in notifications:
        groups.setdefault(notification.folder.bucket, []).append(notification)
    return groups
