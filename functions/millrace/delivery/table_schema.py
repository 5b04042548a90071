"""The schema of a table of many files, remembered in the ledger under the sync's name with ``#schema``.

It is of the source's fields, before any is chosen, renamed or left out: a change of the configuration changes nothing
of it. It only ever widens, version by version; each version is put on the one that was read, so that of two workers who
widen it at once the second sees what the first did. A field of which no value was seen yet has the type null. Where the
entry is lost, the next files build it anew.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime

import pyarrow as pa

from millrace.engine.tables.fields import kind_of
from millrace.engine.types.printing import form_of
from millrace.errors import TooBig
from millrace.ledger.entries import is_newer_run
from millrace.ledger.schema_changes import FieldChange, FieldChangeKind, SchemaChanges
from millrace.ledger.stores import LedgerStore
from millrace.ledger.table_entries import SchemaEntry
from millrace.objects.messages import Request
from millrace.objects.references import ObjectRef

MOST_BYTES = 350_000
"""DynamoDB's items end at 400 kB (Amazon DynamoDB Developer Guide, "Item size")."""
_KEPT_VERSIONS = 20
"""What was changed by older versions nobody asks for, and the item has an end."""
_TABLE = b"millrace.table"


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaVersion:
    """What a version brought, by which object and when (ISO 8601)."""

    number: int
    source: str
    when: str
    changes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSchema:
    """A table's fields, and the newest versions, the last of which they are."""

    fields: pa.Schema
    versions: tuple[SchemaVersion, ...]

    @property
    def version(self) -> int:
        """The number of the newest version."""
        return self.versions[-1].number

    def to_bytes(self) -> bytes:
        """Compressed, for an entry of the ledger; raise TooBig where it would not fit into one."""
        versions = json.dumps(list(map(asdict, self.versions)), ensure_ascii=False)
        # Arrow's own form of a schema keeps types, forms and nesting; names in it are much alike, so that it packs
        # well.
        data = zlib.compress(self.fields.with_metadata({_TABLE: versions}).serialize().to_pybytes(), 9)
        if len(data) > MOST_BYTES:
            raise TooBig(
                f"the table has {len(self.fields):,} fields, whose names and types take {len(data):,} bytes;"
                f" {MOST_BYTES:,} can be remembered of a table. Choose fields, with automatically_add_new_fields: none;"
                " or let every object be a table of its own"
            )
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> TableSchema:
        """Read back what ``to_bytes`` gave."""
        schema = pa.ipc.read_schema(pa.py_buffer(zlib.decompress(data)))
        versions = [SchemaVersion(**version) for version in json.loads(schema.metadata[_TABLE])]
        return cls(fields=schema.remove_metadata(), versions=tuple(versions))


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What was read of a table: its schema, None where it has none or is to have another, and the entry to follow."""

    sync: str
    table: ObjectRef
    entry: SchemaEntry | None
    schema: TableSchema | None

    @property
    def fields(self) -> pa.Schema | None:
        """The fields that a file is held to."""
        return self.schema.fields if self.schema else None

    def changed(self, fields: pa.Schema) -> SchemaChanges | None:
        """What the fields change of those that were remembered; None for a table's first."""
        if self.schema is None or fields.equals(self.schema.fields, check_metadata=True):
            return None
        return SchemaChanges.of(list(_list_changes(self.schema.fields, fields)))

    def put(self, fields: pa.Schema, source: ObjectRef, request: Request, ledger: LedgerStore, now: datetime) -> int:
        """Remember the fields, where they are others, and give their version.

        Raises LostRace where another schema has been put since.
        """
        if self.schema is not None and fields.equals(self.schema.fields, check_metadata=True):
            return self.schema.version
        schema = self._with_next_version(fields, source, now)
        entry = SchemaEntry(
            sync=self.sync,
            source=self.table,
            revision=1,
            schema=schema.to_bytes(),
            schema_version=schema.version,
            run_id=self._find_last_reset(request),
            finished=now,
        )
        if self.entry is not None:
            entry = replace(entry, revision=self.entry.revision + 1)
        ledger.put(entry)
        return schema.version

    def _find_last_reset(self, request: Request) -> str | None:
        """The newest run that began the schema again: of any other run an older one would look like a newer reset.

        Example: run 4 resets and makes its first files; a late file of run 3, which resets nothing, widens the schema.
        If the entry said run 3 then, the next file of run 4 would begin the schema once more.
        """
        if self.schema is None and request.reset_schema:
            return request.run_id
        return self.entry.run_id if self.entry is not None else None

    def _with_next_version(self, fields: pa.Schema, source: ObjectRef, now: datetime) -> TableSchema:
        """The schema to remember: its versions go on after those of the entry, also if it begins again."""
        earlier = _stored(self.entry)
        versions: tuple[SchemaVersion, ...] = ()
        number, changes = 1, "the first"
        if earlier is not None:
            versions, number, changes = earlier.versions, earlier.version + 1, "begun anew"
        changed = self.changed(fields)
        version = SchemaVersion(
            number=number,
            source=str(source),
            when=now.isoformat(timespec="seconds"),
            changes=changes if changed is None else changed.text,
        )
        return TableSchema(fields=fields, versions=(*versions, version)[-_KEPT_VERSIONS:])


def remembered(sync: str, table: ObjectRef, request: Request, ledger: LedgerStore) -> Remembered:
    """What the ledger has of a table; a run that is to begin anew has no schema before its first file gave it one."""
    entry = ledger.get_schema(sync, table)
    schema = None
    if entry is not None and not _begins_anew(entry, request):
        schema = _stored(entry)
    return Remembered(sync=sync, table=table, entry=entry, schema=schema)


def _stored(entry: SchemaEntry | None) -> TableSchema | None:
    return TableSchema.from_bytes(entry.schema) if entry is not None else None


def _begins_anew(entry: SchemaEntry, request: Request) -> bool:
    return request.reset_schema and is_newer_run(request.run_id, entry.run_id)


def _list_changes(before: pa.Schema, after: pa.Schema) -> Iterator[FieldChange]:
    earlier = {field.name: field for field in before}
    for field in after:
        old = earlier.get(field.name)
        if old is None:
            yield FieldChange(field=field.name, kind=FieldChangeKind.ADDED, after=kind_of(field))
        elif not old.equals(field, check_metadata=True):
            yield _to_change(old, field)


def _to_change(old: pa.Field, new: pa.Field) -> FieldChange:
    before, after = kind_of(old), kind_of(new)
    if before != after:
        return FieldChange(field=new.name, kind=FieldChangeKind.TYPE, before=before, after=after)
    # Both are times, or both numbers as text: what they differ in is how the file writes them.
    form = form_of(new) or "as usual"
    return FieldChange(field=new.name, kind=FieldChangeKind.FORM, before=before, after=after, form=form)
