"""What would hurt to lose: buckets, their notifications, queues, dead letters, the ledger, the key."""

from __future__ import annotations

import json
from collections.abc import Iterable

from aws_cdk import CfnOutput, Environment, Stack
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.created_bucket import CreatedBucket
from infra.dead_letter_queue import DeadLetterStore
from infra.encryption_key import EncryptionKey
from infra.ledger_table import LedgerTable
from infra.names import Names, construct_id
from infra.notification import ExistingBucketNotifications
from infra.obfuscation_key import ObfuscationKey
from infra.options import Encryption, Options
from infra.source_queue import SourceQueue
from infra.topology import Notification, Topology


class StorageStack(Stack):
    """Outputs: LedgerTable, DeadLetterQueue (URL), Queues (JSON: connection → URL), Buckets (JSON list: created)."""

    def __init__(self, scope: Construct, *, topology: Topology, options: Options, env: Environment) -> None:
        super().__init__(
            scope,
            options.storage_stack,
            env=env,
            termination_protection=not options.emulator,
            description=f"Millrace ({options.name}): buckets, queues and ledger. Losing this stack would hurt.",
        )
        self.key: kms.IKey | None = None
        if options.kms is Encryption.CUSTOMER:
            notifying = sorted({each.folder.bucket for each in topology.notifications})
            self.key = EncryptionKey(self, "Encryption", notifying=notifying, options=options).key
        if topology.obfuscates and options.obfuscation_secret is None:
            ObfuscationKey(self, "Obfuscation", options=options, key=self.key)
        self.ledger = LedgerTable(self, "Ledger", options=options, key=self.key).table
        self.dead_letters = DeadLetterStore(
            self, "DeadLetters", sources=self._list_sources(topology, options), options=options, key=self.key
        ).queue
        notifications = topology.notifications
        self.queues = {
            source.connection: SourceQueue(
                self,
                f"Queue{construct_id(source.connection)}",
                connection=source.connection,
                buckets=[each.folder.bucket for each in notifications if each.connection == source.connection],
                dead_letters=self.dead_letters,
                options=options,
                key=self.key,
            ).queue
            for source in topology.sources
        }
        self._notify(topology, notifications, options)
        self._say(topology)

    def _list_sources(self, topology: Topology, options: Options) -> list[str]:
        """The ARNs of the queues whose dead letters come here: the managed ones, and users' own of this account."""
        names = Names(options.name)
        managed = [
            self.format_arn(service="sqs", resource=names.queue(source.connection)) for source in topology.sources
        ]
        # arn:aws:sqs:eu-central-1:111122223333:uploads
        own_queues = [arn for arn in topology.own_queue_arns if arn.split(":")[3:5] == [self.region, self.account]]
        return [*managed, *own_queues]

    def _notify(self, topology: Topology, notifications: Iterable[Notification], options: Options) -> None:
        created = [bucket.name for bucket in topology.buckets if bucket.created]
        for name in created:
            CreatedBucket(
                self,
                f"Bucket{construct_id(name)}",
                name=name,
                notifications=[each for each in notifications if each.folder.bucket == name],
                queues=self.queues,
                options=options,
                key=self.key,
            )
        existing = [each for each in notifications if each.folder.bucket not in created]
        ExistingBucketNotifications(self, "Existing", notifications=existing, queues=self.queues, options=options)

    def _say(self, topology: Topology) -> None:
        """Write down what the command line looks up."""
        urls = {connection: queue.queue_url for connection, queue in self.queues.items()}
        CfnOutput(self, "LedgerTable", value=self.ledger.table_name)
        CfnOutput(self, "DeadLetterQueue", value=self.dead_letters.queue_url)
        CfnOutput(self, "Queues", value=self.to_json_string(urls))
        CfnOutput(self, "Buckets", value=json.dumps([bucket.name for bucket in topology.buckets if bucket.created]))
