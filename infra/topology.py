"""What a configuration asks of the infrastructure: buckets, sources, destinations, notifications. Pure values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from millrace.config.bulk_sync import SchemaSelection
from millrace.config.connection import (
    AccessKeys,
    Auth,
    Connection,
    ExecutionRole,
    IamRole,
    ManagedQueue,
    Notifications,
    QueueArn,
)
from millrace.config.document import Document
from millrace.config.layout import Folder
from millrace.config.model_sync import ModelSync
from millrace.config.notices import Webhook
from millrace.config.references import Sync
from millrace.deployment.history_columns import find_default_home
from millrace.deployment.permissions import Use, uses


@dataclass(frozen=True, slots=True)
class UsedBucket:
    """A bucket; ``created``: by the stack, otherwise it is there already."""

    name: str
    region: str
    created: bool


@dataclass(frozen=True, slots=True)
class ReadConnection:
    """A connection that an active sync reads."""

    connection: str
    folder: Folder
    auth: Auth
    notifications: Notifications


@dataclass(frozen=True, slots=True)
class WrittenConnection:
    """A connection that an active sync writes."""

    connection: str
    folder: Folder
    auth: Auth


@dataclass(frozen=True, slots=True)
class Notification:
    """What happens in ``folder`` is told to the managed queue of ``connection``."""

    folder: Folder
    connection: str


@dataclass(frozen=True, slots=True)
class Listing:
    """When the source of ``sync`` is listed and compared with the ledger: an EventBridge expression."""

    sync: str
    expression: str


@dataclass(frozen=True, slots=True)
class Catalogued:
    """The databases of catalogued tables: those that are named, and whether the stack's own is wanted, too."""

    databases: tuple[str, ...] = ()
    needs_own: bool = False


@dataclass(frozen=True, slots=True)
class UsedTableBucket:
    """A table bucket by its ARN, and the namespaces in it that tables are kept in."""

    arn: str
    namespaces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Iceberg:
    """The databases of Iceberg tables as of catalogued ones, and the connections that their files are written to.

    ``catalogued_destinations`` are those of tables in Glue, whose metadata lie beside their files; the others' are in
    ``table_buckets``.
    """

    catalogued: Catalogued
    destinations: tuple[WrittenConnection, ...]
    catalogued_destinations: tuple[WrittenConnection, ...] = ()
    table_buckets: tuple[UsedTableBucket, ...] = ()


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """A webhook that is active: events of ``detail_types`` go to it, of these ``syncs`` alone where there are any."""

    name: str
    secret: str
    detail_types: tuple[str, ...]
    syncs: tuple[str, ...]
    is_plain: bool = False


@dataclass(frozen=True, slots=True)
class Topology:
    """All of it.

    ``obfuscates``: some active sync writes hashes in place of a field's values. ``runs``: some active sync makes one
    table of a folder's files, so that a file that changes asks for a run. ``history`` is where finished work is
    exported to if nobody chose another folder. ``catalogued`` is where query engines find tables. ``iceberg``: some
    active sync has tables of Iceberg.
    """

    buckets: tuple[UsedBucket, ...]
    sources: tuple[ReadConnection, ...]
    destinations: tuple[WrittenConnection, ...]
    listings: tuple[Listing, ...]
    obfuscates: bool = False
    runs: bool = False
    history: Folder | None = None
    catalogued: Catalogued = Catalogued()
    webhooks: tuple[WebhookTarget, ...] = ()
    iceberg: Iceberg | None = None

    @property
    def iceberg_tables(self) -> Catalogued:
        """The databases of tables of Iceberg."""
        return self.iceberg.catalogued if self.iceberg is not None else Catalogued()

    @property
    def needs_database(self) -> bool:
        """Whether some sync's tables are in the stack's own database."""
        return self.catalogued.needs_own or self.iceberg_tables.needs_own

    @property
    def notifications(self) -> tuple[Notification, ...]:
        """One for each source with a managed queue; the configuration holds that no two of them overlap."""
        return tuple(
            Notification(source.folder, source.connection)
            for source in self.sources
            if isinstance(source.notifications, ManagedQueue)
        )

    @property
    def created_buckets(self) -> tuple[str, ...]:
        """The names of the buckets that the stack makes."""
        return tuple(bucket.name for bucket in self.buckets if bucket.created)

    def written_folders(self, bucket: str) -> tuple[Folder, ...]:
        """The folders of a bucket that are destinations, each once, whatever identity writes them."""
        folders = {written.folder for written in self.destinations if written.folder.bucket == bucket}
        return tuple(sorted(folders))

    @property
    def own_queue_arns(self) -> tuple[str, ...]:
        """The users' own queues, each once."""
        arns = set()
        for source in self.sources:
            if isinstance(source.notifications, QueueArn):
                arns.add(source.notifications.arn)
        return tuple(sorted(arns))

    @property
    def own_reads(self) -> tuple[Folder, ...]:
        """The folders that the function's own role reads, each once."""
        return _list_own_folders(self.sources)

    @property
    def own_writes(self) -> tuple[Folder, ...]:
        """The folders that the function's own role writes, each once."""
        return _list_own_folders(self.destinations)

    @property
    def roles(self) -> tuple[str, ...]:
        """The ARNs of the roles that it assumes, each once."""
        arns = set()
        for auth in self._auths():
            if isinstance(auth, IamRole):
                arns.add(auth.arn)
        return tuple(sorted(arns))

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names or ARNs of the secrets that it reads, each once."""
        names = set()
        for auth in self._auths():
            # Keys that the document itself holds have no secret; they are refused before anything is deployed.
            if isinstance(auth, AccessKeys) and auth.secret:
                names.add(auth.secret)
        return tuple(sorted(names))

    def _auths(self) -> Iterator[Auth]:
        for source in self.sources:
            yield source.auth
        for destination in self.destinations:
            yield destination.auth


def _list_own_folders(connections: Iterable[ReadConnection | WrittenConnection]) -> tuple[Folder, ...]:
    """The folders that need no other identity than the function's own."""
    folders = set()
    for connection in connections:
        if isinstance(connection.auth, ExecutionRole):
            folders.add(connection.folder)
    return tuple(sorted(folders))


def describe(document: Document) -> Topology:
    """What ``document`` asks for. Syncs that are not active need no queue and get no grant."""
    active = document.active_syncs()
    sources, destinations = [], []
    for connection in sorted(document.connections, key=lambda connection: connection.name):
        used = uses(document, connection.name)
        if Use.SOURCE in used:
            sources.append(_source(connection))
        if Use.DESTINATION in used:
            destinations.append(_destination(connection))
    return Topology(
        buckets=_buckets(document.connections),
        sources=tuple(sources),
        destinations=tuple(destinations),
        listings=tuple(_listings(document, active)),
        obfuscates=any(map(_is_obfuscating, active)),
        runs=any(_is_run(document, sync) for sync in active),
        history=find_default_home(document),
        catalogued=_find_catalogued(document),
        webhooks=tuple(map(_to_target, filter(_is_active, document.webhooks))),
        iceberg=_find_iceberg(document),
    )


def _is_active(webhook: Webhook) -> bool:
    return webhook.active


def _to_target(webhook: Webhook) -> WebhookTarget:
    names = sorted(name.detail_type for name in webhook.wanted_events)
    return WebhookTarget(
        name=webhook.name,
        secret=webhook.secret,
        detail_types=tuple(names),
        syncs=webhook.syncs or (),
        is_plain=webhook.is_plain,
    )


def _listings(document: Document, syncs: Iterable[Sync]) -> Iterator[Listing]:
    """The syncs with a schedule; one that is run by hand alone has no expression."""
    for sync in syncs:
        expression = document.schedule_of(sync).expression
        if expression is not None:
            yield Listing(sync.name, expression)


def _find_catalogued(document: Document) -> Catalogued:
    databases = set()
    for sync in document.active_syncs():
        if sync.glue is not None:
            databases.add(sync.glue.database)
    return Catalogued(tuple(sorted(filter(None, databases))), needs_own=None in databases)


def _find_iceberg(document: Document) -> Iceberg | None:
    databases: set[str | None] = set()
    namespaces: defaultdict[str, set[str]] = defaultdict(set)
    in_glue, in_buckets = set(), set()
    for sync in document.active_syncs():
        if sync.iceberg is None:
            continue
        destination = document.destination_connection_of(sync)
        if sync.iceberg.table_bucket is None:
            # None is the deployment's own database, which the storage stack makes.
            databases.add(sync.iceberg.database)
            in_glue.add(destination)
        else:
            namespaces[sync.iceberg.table_bucket].add(sync.iceberg.database or "")
            in_buckets.add(destination)
    if not in_glue | in_buckets:
        return None
    return Iceberg(
        Catalogued(tuple(sorted(filter(None, databases))), needs_own=None in databases),
        destinations=_list_destinations(document, in_glue | in_buckets),
        catalogued_destinations=_list_destinations(document, in_glue),
        table_buckets=tuple(UsedTableBucket(arn, tuple(sorted(namespaces[arn]))) for arn in sorted(namespaces)),
    )


def _list_destinations(document: Document, names: Iterable[str]) -> tuple[WrittenConnection, ...]:
    return tuple(_destination(document.connection(name)) for name in sorted(names))


def _is_run(document: Document, sync: Sync) -> bool:
    """Whether a sync builds a model of many objects, which no single event can start."""
    return isinstance(sync, ModelSync) and document.model(sync.model).key is None


def _is_obfuscating(sync: Sync) -> bool:
    if isinstance(sync, ModelSync):
        return False
    return any(_has_obfuscated_field(schema) for schema in sync.schemas or () if schema.enabled)


def _has_obfuscated_field(schema: SchemaSelection) -> bool:
    return any(field.enabled and field.obfuscated for field in schema.fields or ())


def _buckets(connections: Iterable[Connection]) -> tuple[UsedBucket, ...]:
    """Each bucket once, whatever number of connections use folders of it; created if one of them says so."""
    buckets: dict[str, UsedBucket] = {}
    for connection in connections:
        earlier = buckets.get(connection.bucket)
        # Two connections may have folders of one bucket, and only one of them says that it is to be made.
        created = connection.create_bucket or (earlier is not None and earlier.created)
        buckets[connection.bucket] = UsedBucket(connection.bucket, connection.region, created)
    return tuple(buckets[name] for name in sorted(buckets))


def _source(connection: Connection) -> ReadConnection:
    return ReadConnection(connection.name, connection.root, connection.auth, connection.notifications)


def _destination(connection: Connection) -> WrittenConnection:
    return WrittenConnection(connection.name, connection.root, connection.auth)


def refusals(document: Document, region: str | None) -> list[str]:
    """What cannot be deployed, one sentence each; ``region`` is the stacks', None if it is not known yet."""
    return [*document.inline_secret_problems(), *_elsewhere(document, region)]


def _elsewhere(document: Document, region: str | None) -> Iterator[str]:
    """S3 notifies queues of its own region only, Lambda receives from queues of its own, a stack creates in its own."""
    if region is None:
        return
    for connection in document.connections:
        match connection.notifications:
            case ManagedQueue() if connection.region != region:
                yield (
                    f"connection {connection.name!r} wants a managed queue, but its bucket is in {connection.region} "
                    f"and the stacks go to {region}: S3 notifies queues of its own region only. Deploy to "
                    f"{connection.region}, or set enable_event_notifications to false"
                )
            case QueueArn(arn) if arn.split(":")[3] != region:
                yield (
                    f"connection {connection.name!r} names a queue in {arn.split(':')[3]}, and the stacks go to "
                    f"{region}: a function receives from queues of its own region only. Deploy to {arn.split(':')[3]}"
                )
        if connection.create_bucket and connection.region != region:
            yield (
                f"connection {connection.name!r} wants its bucket created in {connection.region}, and the stacks go to "
                f"{region}: a stack creates in its own region only. Deploy to {connection.region}, or create the "
                "bucket and set create_bucket to false"
            )
