"""What the ledger keeps of tables beside their files: who may write a snapshot table, a schema, a format.

Each is an item of its own, under the sync's name with a mark; names of syncs hold no ``#``, so it is never a file's.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self
from urllib.parse import quote

from millrace.engine.options import FileFormat
from millrace.ledger.entries import Entry, Finish, State, WorkEntry
from millrace.objects.references import ObjectRef, Position

TABLE_MARK = "#table"
SCHEMA_MARK = "#schema"
FORMAT_MARK = "#format"
_LONGEST_KEY = 200


def table_sync(sync: str) -> str:
    """The name that a snapshot table's entry is stored under."""
    return sync + TABLE_MARK


@dataclass(frozen=True, slots=True, order=True)
class TableOrder(Position):
    """The place of a version of a file among all of its snapshot table's: by its time, then by its key.

    S3 gives the time to the second. Of files of the same second the one whose key is greater counts as newer, which is
    what dated names mean. For example ``00006921A880/in/a.csv/``. With ``+`` at its end it is the same file's next
    version in that second, with ``~`` the deletion of the version.
    """

    @classmethod
    def of(cls, modified: datetime, source: ObjectRef) -> Self:
        """The place of a file's version by the time that S3 gives it."""
        return cls(f"{int(modified.timestamp()):012X}/{_short_key(source)}/")

    def at_deletion(self) -> Self:
        """The place of this version's deletion."""
        return type(self)(self.value + "~")

    def next_in_same_second(self) -> Self:
        """The place of the same file's next version to which S3 gives the same second."""
        return type(self)(self.value + "+")

    def is_of(self, source: ObjectRef) -> bool:
        """Whether it is this file's version, or its deletion."""
        return self.value.partition("/")[2].rstrip("+~") == _short_key(source) + "/"


def _short_key(source: ObjectRef) -> str:
    key = quote(source.key, safe="/")
    if len(key) > _LONGEST_KEY:
        return key[:_LONGEST_KEY] + hashlib.sha256(key.encode()).hexdigest()[:16]
    return key


@dataclass(frozen=True, slots=True, kw_only=True)
class TableEntry(WorkEntry):
    """Who writes a snapshot table, and the file that it was last made of, or should have been; ``source`` is the table.

    ``order`` is the place of the newest file that the table was made of: one that failed does not count.
    """

    order: TableOrder | None = None
    file: ObjectRef | None = None

    @property
    def stored_sync(self) -> str:
        """The sync's name with the mark of tables."""
        return table_sync(self.sync)

    @property
    def position(self) -> TableOrder | None:
        """The newest file's."""
        return self.order

    def at_position(self, position: Position | None) -> Self:
        """With a newer file's place; None changes nothing."""
        return self if position is None else replace(self, order=TableOrder(position.value))

    def as_begun(self, position: Position | None) -> Self:
        """With no file: until the work has succeeded, an older one may still be the newest that can be read."""
        del position
        return replace(self, file=None)

    def as_finished(self, finish: Finish) -> Self:
        """As it is: the work itself says of which file it is."""
        del finish
        return self


def unseen_table(sync: str, table: ObjectRef, *, fingerprint: str, engine: str) -> TableEntry:
    """What the first entry of a snapshot table is made of; never put itself."""
    return TableEntry(
        sync=sync,
        source=table,
        state=State.WAITING,
        revision=0,
        fence=0,
        fingerprint=fingerprint,
        engine=engine,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaEntry:
    """What is remembered of a table's schema; see ``table_schema`` for the bytes. ``source`` is the table."""

    sync: str
    source: ObjectRef
    revision: int
    schema: bytes
    schema_version: int
    finished: datetime
    run_id: str | None = None

    @property
    def stored_sync(self) -> str:
        """The sync's name with the mark of schemas."""
        return self.sync + SCHEMA_MARK


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatEntry:
    """The one format of a table's files. ``source`` is the table, ``fingerprint`` of the first configuration."""

    sync: str
    source: ObjectRef
    revision: int
    fingerprint: str
    format: FileFormat
    finished: datetime
    run_id: str | None = None

    @property
    def stored_sync(self) -> str:
        """The sync's name with the mark of formats."""
        return self.sync + FORMAT_MARK


AnyEntry = Entry | TableEntry | SchemaEntry | FormatEntry
