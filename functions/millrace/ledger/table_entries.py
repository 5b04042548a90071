"""What the ledger keeps of tables beside their files: who may write a snapshot table, a schema, a format.

Each is an item of its own, under the sync's name with a mark; names of syncs hold no ``#``, so it is never a file's.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from functools import total_ordering
from typing import Self
from urllib.parse import quote, unquote

from millrace.engine.options import FileFormat
from millrace.ledger.entries import Entry, Finish, WorkEntry
from millrace.objects.references import ObjectRef, Position

TABLE_MARK = "#table"
SCHEMA_MARK = "#schema"
FORMAT_MARK = "#format"
_LONGEST_KEY = 200
"""Bytes of a quoted key in lineage, which has 2 KB for all that it says (Amazon S3 User Guide, "Working with object
metadata")."""


def table_sync(sync: str) -> str:
    """The name that a snapshot table's entry is stored under."""
    return sync + TABLE_MARK


@total_ordering
@dataclass(frozen=True, slots=True)
class TableOrder(Position):
    """The place of a version of a file among all of its snapshot table's: by its time, then by its key.

    S3 gives the time to the second. Of files of the same second the one whose key is greater counts as newer, which is
    what dated names mean. For example ``00006921A880/in/a.csv/``. With ``~`` at its end it is the deletion of the
    version; until 0.1.0 ``+`` was the same file's next version in that second.
    """

    @classmethod
    def of(cls, modified: datetime, source: ObjectRef) -> Self:
        """The place of a file's version by the time that S3 gives it."""
        return cls(f"{int(modified.timestamp()):012X}/{quote(source.key, safe='/')}/")

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, TableOrder):
            return NotImplemented
        return self._to_sort_key() < other._to_sort_key()

    def _to_sort_key(self) -> tuple[str, bytes, str]:
        # Not the text itself: "in/a.csv/" is greater than "in/a.csv.gz/", and "%3A", a colon, smaller than "0".
        time, _, rest = self.value.partition("/")
        key = self._key
        return time, unquote(key).encode(), rest[len(key) + 1 :]

    @property
    def _key(self) -> str:
        """The file's key, quoted."""
        return self.value.partition("/")[2].rstrip("+~").removesuffix("/")

    def at_deletion(self) -> Self:
        """The place of this version's deletion."""
        return type(self)(self.value + "~")

    def shortened(self) -> Self:
        """The place as lineage carries it: a long key ends in its hash."""
        time, _, rest = self.value.partition("/")
        key = self._key
        return type(self)(f"{time}/{_shorten(key)}{rest[len(key) :]}")

    def is_of(self, source: ObjectRef) -> bool:
        """Whether it is a version of this file, or its deletion."""
        key = quote(source.key, safe="/")
        # The ledger of 0.1.0, and one that was rebuilt from lineage, have long keys shortened.
        return self._key in {key, _shorten(key)}


def _shorten(quoted: str) -> str:
    if len(quoted) <= _LONGEST_KEY:
        return quoted
    return quoted[:_LONGEST_KEY] + hashlib.sha256(quoted.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableEntry(WorkEntry):
    """Who writes a snapshot table, and the file that it is made of; ``source`` is the table.

    ``order`` is the place of that file's version, ``version`` is the version itself: what failed, or was killed,
    changes neither. 0.1.0 stored a file that failed as ``file``, and changed the version's id at each claim.
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

    @property
    def made_of(self) -> ObjectRef | None:
        """The file that it is made of, if the ledger says for sure."""
        if self.file is None or self.order is None or not self.order.is_of(self.file):
            return None
        return self.file

    def is_version(self, etag: str, version_id: str | None) -> bool:
        """Whether it is made of this version of its file."""
        # A claim clears the version id, so after a worker that was killed only the ETag is known.
        return self.version.etag == etag and self.version.version_id in {None, version_id}

    def at_position(self, position: Position | None) -> Self:
        """With a newer file's place; None changes nothing."""
        return self if position is None else replace(self, order=TableOrder(position.value))

    def as_begun(self, position: Position | None) -> Self:
        """As it is: until the work has succeeded, it is made of the file that it was made of before."""
        del position
        return self

    def as_finished(self, finish: Finish) -> Self:
        """As it is: the work itself says of which file it is."""
        del finish
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaEntry:
    """What is remembered of a table's schema; see ``table_schema`` for the bytes.

    ``source`` is the table, ``run_id`` the newest run that began the schema again.
    """

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
class FormatBid:
    """A file that is converted and not published yet, and the format that its table has if it is."""

    format: FileFormat
    file: ObjectRef


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatEntry:
    """The one format of a table's files, None until one is converted; ``bid`` is of the file that may decide it next.

    ``source`` is the table, ``fingerprint`` of the first configuration, ``run_id`` the run that decided it last.
    """

    sync: str
    source: ObjectRef
    revision: int
    fingerprint: str
    format: FileFormat | None
    finished: datetime
    bid: FormatBid | None = None
    run_id: str | None = None

    @property
    def stored_sync(self) -> str:
        """The sync's name with the mark of formats."""
        return self.sync + FORMAT_MARK


AnyEntry = Entry | TableEntry | SchemaEntry | FormatEntry
