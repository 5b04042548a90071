"""The table of finished work: where its days lie and what its columns are, for those who write, read and catalogue it.

One row for each object of a sync and each UTC day on which work on it ended; see ``operations.history``.
"""

from __future__ import annotations

from dataclasses import dataclass

from millrace.config.connection import ExecutionRole
from millrace.config.document import Document
from millrace.config.layout import Folder

FOLDER = ".millrace/history"
"""Within a destination's folder; no sync reads or writes keys with a segment ``.millrace``."""
DAY = "day"
"""The partition: ``day=2026-11-28``."""


@dataclass(frozen=True, slots=True)
class HistoryColumn:
    """A column; ``kind`` is a type of Glue, and of Arrow under another name."""

    name: str
    kind: str
    about: str


HISTORY_COLUMNS = (
    HistoryColumn("sync", "string", "the sync's name"),
    HistoryColumn("object", "string", "the source object, s3://bucket/key; of a model's table, its folder"),
    HistoryColumn("state", "string", "converted, quarantined, failed, ignored, superseded or removed"),
    HistoryColumn("started", "timestamp", "when the work began, UTC"),
    HistoryColumn("finished", "timestamp", "when it ended, UTC"),
    HistoryColumn("seconds", "double", "from its beginning to its end; 0 for what was part of other work"),
    HistoryColumn("rows_read", "bigint", "rows of the source"),
    HistoryColumn("rows_written", "bigint", "rows of the outputs"),
    HistoryColumn("rows_quarantined", "bigint", "rows that were put aside"),
    HistoryColumn("rows_filtered", "bigint", "rows that filters left out"),
    HistoryColumn("bytes_read", "bigint", "size of the source"),
    HistoryColumn("bytes_written", "bigint", "size of the outputs"),
    HistoryColumn("outputs", "bigint", "number of outputs"),
    HistoryColumn("gigabyte_seconds", "double", "memory of the function times its seconds; null if not known"),
    HistoryColumn("requests", "bigint", "requests to AWS's services, about"),
    HistoryColumn("dollars", "double", "an estimate by list prices, without storage"),
    HistoryColumn("attempts", "bigint", "attempts at the same work"),
    HistoryColumn("error", "string", "the class of the error, of what failed"),
    HistoryColumn("message", "string", "what went wrong"),
    HistoryColumn("run_id", "string", "the manual run that asked for it"),
    HistoryColumn("big_run", "string", "the big run that did it"),
    HistoryColumn("etag", "string", "the source's ETag"),
    HistoryColumn("version_id", "string", "the source's version"),
    HistoryColumn("schema_version", "bigint", "of the table's schema"),
    HistoryColumn("engine", "string", "the version of the engine"),
    HistoryColumn("fingerprint", "string", "of the sync's configuration"),
    HistoryColumn("fence", "bigint", "the number of the claim"),
)


def find_default_home(document: Document) -> Folder | None:
    """The folder of the history if nobody chose one: in the only destination that the functions write as themselves.

    None if there are several, or none: then somebody has to choose, since one tenant's bucket is no place for the keys
    of another.
    """
    folders = set()
    for name in document.written_connections():
        connection = document.connection(name)
        if not isinstance(connection.auth, ExecutionRole):
            return None
        folders.add(connection.root)
    if len(folders) != 1:
        return None
    (root,) = folders
    return Folder(root.bucket, f"{root.prefix}{FOLDER}")
