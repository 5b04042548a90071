"""What a valid document asks for that this version does not do yet, and how much that matters."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from millrace.config.bulk_sync import BulkMode, BulkSync, Discover, NormalizeNames
from millrace.config.connection import Connection
from millrace.config.layout import DirectorySnapshot
from millrace.config.model import Model
from millrace.config.model_sync import ModelSync


class Severity(enum.StrEnum):
    """Whether a deployment may go on."""

    WARNING = "warning"
    """It does not run; everything else does."""
    REFUSED = "refused"
    """It would give another result than asked for."""


@dataclass(frozen=True, slots=True)
class NotYet:
    """One thing that this version does not do; prints as a line for people."""

    path: str
    reason: str
    severity: Severity

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def not_yet(
    *,
    connections: Mapping[str, Connection],
    models: Mapping[str, Model],
    model_syncs: Mapping[str, ModelSync],
    bulk_syncs: Mapping[str, BulkSync],
) -> Iterator[NotYet]:
    """Yield what is not done yet; the mappings go from paths to items."""
    for path in models:
        yield NotYet(path, "models are validated, but not run by this version", Severity.WARNING)
    for path in model_syncs:
        yield NotYet(path, "model syncs are validated, but not run by this version", Severity.WARNING)
    by_name = {connection.name: (path, connection) for path, connection in connections.items()}
    told: set[str] = set()
    for path, sync in bulk_syncs.items():
        if not sync.active:
            continue
        yield from _bulk_sync(path, sync)
        there, connection = by_name[sync.source_connection]
        if there not in told:
            told.add(there)
            yield from _source(f"{there}.configuration", connection)


def _source(path: str, connection: Connection) -> Iterator[NotYet]:
    if isinstance(connection.layout, DirectorySnapshot):
        yield NotYet(
            f"{path}.is_directory_snapshot",
            "directories are not tables in this version; use is_single_table alone, or neither",
            Severity.REFUSED,
        )


def _bulk_sync(path: str, sync: BulkSync) -> Iterator[NotYet]:
    refused = {
        "mode": (sync.mode is BulkMode.SNAPSHOT, "snapshot is not done by this version; use replicate"),
        "schemas": (sync.schemas is not None, "tables cannot be chosen in this version; leave schemas out for all"),
        "automatically_add_new_fields": (
            sync.automatically_add_new_fields is not Discover.ALL,
            "this version writes every field; leave it out",
        ),
        "normalize_names": (
            "normalize_names" in sync.model_fields_set and sync.normalize_names is NormalizeNames.ENABLED,
            "this version keeps names as they are; leave it out, or say disabled",
        ),
        "disable_record_timestamps": (
            not sync.disable_record_timestamps,
            "this version adds no _millrace_synced_at; leave it out, or say true",
        ),
    }
    for field, (asked, reason) in refused.items():
        if asked:
            yield NotYet(f"{path}.{field}", reason, Severity.REFUSED)
