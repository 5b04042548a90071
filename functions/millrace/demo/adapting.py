"""A configuration as the emulator can run it: what of it is of an account or another region is replaced, and named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from millrace.config.bulk_sync import DestinationConfiguration
from millrace.config.connection import Connection, ExecutionRole, QueueArn
from millrace.config.document import Document, parse
from millrace.config.fields import MANAGED
from millrace.config.model_sync import TargetConfiguration
from millrace.config.s3_configuration import AuthMode
from millrace.demo.emulator import ACCOUNT, REGION

_KEYS_AND_ROLES = (
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_credentials_secret",
    "iam_role_arn",
)


@dataclass(frozen=True, slots=True)
class AdaptedConfiguration:
    """What is deployed, and one sentence for each thing that is not as it was written."""

    document: Document
    notes: list[str] = field(default_factory=list)

    def list_missing_buckets(self) -> list[str]:
        """The buckets that the stack takes for granted, each once."""
        connections = self.document.connections
        created = {connection.bucket for connection in connections if connection.create_bucket}
        # A dict keeps the order of the connections, which a set does not.
        named = dict.fromkeys(connection.bucket for connection in connections)
        return [bucket for bucket in named if bucket not in created]

    def list_databases(self) -> list[str]:
        """The Glue databases that the stack takes for granted, each once."""
        names = set()
        for sync in self.document.active_bulk_syncs():
            names.add(_find_database(sync.destination_configuration))
        for model_sync in self.document.active_model_syncs():
            names.add(_find_database(model_sync.target.configuration))
        return sorted(filter(None, names))

    def list_table_buckets(self) -> list[str]:
        """The names of the table buckets of Iceberg tables, each once."""
        names = set()
        for sync in self.document.active_syncs():
            if sync.iceberg is not None and sync.iceberg.table_bucket is not None:
                names.add(sync.iceberg.table_bucket.rpartition("/")[2])
        return sorted(names)


def _find_database(place: DestinationConfiguration | TargetConfiguration) -> str | None:
    """The database of Glue that a destination names; that of a table bucket is its namespace."""
    return place.database if place.table_bucket is None else None


def adapt_document(document: Document) -> AdaptedConfiguration:
    """Replace regions, identities and queues of others, and leave webhooks out.

    Raises InvalidConfiguration if the result contradicts itself, such as two managed queues over one folder.
    """
    data: dict[str, Any] = document.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    notes: list[str] = []
    for connection, written in zip(document.connections, data.get("connections", ()), strict=True):
        notes += _adapt_connection(connection, written["configuration"])
    for bulk_sync in data.get("bulk_syncs", ()):
        notes += _adapt_table_bucket(bulk_sync["name"], bulk_sync.get("destination_configuration", {}))
    for model_sync in data.get("model_syncs", ()):
        notes += _adapt_table_bucket(model_sync["name"], model_sync["target"].get("configuration", {}))
    for webhook in data.pop("webhooks", ()):
        notes.append(f"webhook {webhook['name']!r}: nothing is sent")
    return AdaptedConfiguration(parse(data), notes)


def _adapt_table_bucket(sync: str, place: dict[str, Any]) -> Iterator[str]:
    """A table bucket of the same name, in the emulator's account and region."""
    arn = place.get("table_bucket")
    if arn is not None:
        here = f"arn:aws:s3tables:{REGION}:{ACCOUNT}:bucket/{arn.rpartition('/')[2]}"
        if arn != here:
            yield f"sync {sync!r}: its tables are in the emulator's {here}, not in {arn}"
        place["table_bucket"] = here


def _adapt_connection(connection: Connection, fields: dict[str, Any]) -> Iterator[str]:
    about = f"connection {connection.name!r}"
    if connection.region != REGION:
        yield f"{about}: its bucket is in {REGION}, not in {connection.region}"
        fields["s3_bucket_region"] = REGION
    if not isinstance(connection.auth, ExecutionRole):
        yield f"{about}: the functions use their own role, not {connection.configuration.auth_mode}"
        fields["auth_mode"] = AuthMode.EXECUTION_ROLE.value
        for key in _KEYS_AND_ROLES:
            fields.pop(key, None)
    if isinstance(connection.notifications, QueueArn):
        yield f"{about}: a queue of the deployment hears of changes, not {connection.notifications.arn}"
        fields["event_queue_arn"] = MANAGED
