"""What a configuration asks of the infrastructure: buckets, sources, destinations, notifications. Pure values."""

from __future__ import annotations

from dataclasses import dataclass

from millrace.config.layout import Folder


@dataclass(frozen=True, slots=True)
class OwnRole:
    """The function's own role reads and writes."""


@dataclass(frozen=True, slots=True)
class AssumedRole:
    """A role that the function assumes reads and writes."""

    arn: str


@dataclass(frozen=True, slots=True)
class StoredKeys:
    """Access keys that a Secrets Manager secret holds read and write."""

    secret: str


Identity = OwnRole | AssumedRole | StoredKeys


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket; ``created``: by the stack, otherwise it is there already."""

    name: str
    region: str
    created: bool


@dataclass(frozen=True, slots=True)
class Source:
    """A connection that an active bulk sync reads; ``queue_arn`` is the user's own queue of notifications."""

    connection: str
    folder: Folder
    identity: Identity
    notified: bool
    queue_arn: str | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """A connection that an active bulk sync writes."""

    connection: str
    folder: Folder
    identity: Identity


@dataclass(frozen=True, slots=True)
class Notification:
    """What happens in ``folder`` is told to the managed queue of ``connection``."""

    folder: Folder
    connection: str


@dataclass(frozen=True, slots=True)
class Topology:
    """All of it."""

    buckets: tuple[Bucket, ...]
    sources: tuple[Source, ...]
    destinations: tuple[Destination, ...]

    @property
    def notifications(self) -> tuple[Notification, ...]:
        """The fewest that cover every notified source.

        S3 refuses two notifications of one event whose prefixes overlap. Whoever receives an event plans for every
        sync that wants the object, so the widest folder speaks for those within it.
        """
        notified = sorted((source for source in self.sources if source.notified), key=lambda source: source.folder)
        widest: list[Notification] = []
        for source in notified:
            if not any(notification.folder.contains(source.folder) for notification in widest):
                widest.append(Notification(source.folder, source.connection))
        return tuple(widest)

    @property
    def own_queue_arns(self) -> tuple[str, ...]:
        """The users' own queues, each once."""
        return tuple(sorted({source.queue_arn for source in self.sources if source.queue_arn}))

    def identities(self, kind: type[Identity]) -> tuple[Identity, ...]:
        """Those of one kind, each once, in order."""
        found = {connection.identity for connection in (*self.sources, *self.destinations)}
        return tuple(sorted((identity for identity in found if isinstance(identity, kind)), key=repr))
