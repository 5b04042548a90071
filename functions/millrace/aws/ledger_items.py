"""The ledger's entries as items of DynamoDB, and back: recorded items of 0.1.0 are read for ever.

Fields that an entry lacks are left out of its item. An item carries the keys of the indexes that it is in.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any, assert_never

from millrace.engine.options import FileFormat
from millrace.engine.row_counts import NO_ROWS, RowCounts
from millrace.ledger.entries import (
    NEEDS_ATTENTION,
    Announcement,
    BigRunFacts,
    Branch,
    BuildFacts,
    Entry,
    Failure,
    Output,
    State,
    WorkEntry,
    time_of,
)
from millrace.ledger.schema_changes import SchemaChanges
from millrace.ledger.table_entries import AnyEntry, FormatBid, FormatEntry, SchemaEntry, TableEntry, TableOrder
from millrace.mappings import get_fields, leave_out_empty, leave_out_none, pick
from millrace.objects.references import ObjectRef, Sequencer, SourceVersion

SHARDS = 16
"""Partitions of each index: one takes 1,000 writes a second (DynamoDB Developer Guide, "Partition key design")."""
SEPARATOR = "\x1f"
_TIMES = ("lease_until", "started", "finished")
_VERSION = ("etag", "version_id", "size")
_WORK = ("revision", "fence", "fingerprint", "engine", "owner", "attempts", "run_id")
_SINCE_0_2 = ("deaths", "deployment", "shape", "open_run")
"""What 0.1.0 did not write; 0 is left out, so that its items stay as they are."""
_ENTRY = ("reason", "schema_version")
_BUILD = ("built_etag", "refused_etag")
_BIG_RUN = ("name", "execution", "connection")


def to_key(sync: str, source: ObjectRef) -> str:
    """The partition key of an entry; ``sync`` is as it is stored, with its mark."""
    return SEPARATOR.join((sync, source.bucket, source.key))


def item_of(entry: AnyEntry) -> dict[str, Any]:
    """An entry as a DynamoDB item; what is None or empty is left out."""
    fields = _to_stored(entry)
    fields |= {"sync": entry.stored_sync, "bucket": entry.source.bucket, "key": entry.source.key}
    fields |= {"revision": entry.revision, "run_id": entry.run_id}
    fields |= {"pk": to_key(entry.stored_sync, entry.source)} | _index_keys(entry)
    return serialize_fields(fields)


def _to_stored(entry: AnyEntry) -> dict[str, Any]:
    match entry:
        case Entry():
            fields = _work_fields(entry) | get_fields(entry, *_ENTRY) | get_fields(entry.build, *_BUILD)
            return fields | _schema_changes_fields(entry.schema_changes) | _big_run_fields(entry.big_run)
        case TableEntry():
            return _work_fields(entry) | {"reason": _text(entry.file)}
        case SchemaEntry():
            fields = _NO_WORK | get_fields(entry, "schema", "schema_version")
        case FormatEntry():
            fields = _NO_WORK | {"fingerprint": entry.fingerprint, "reason": _text(entry.format)}
            if entry.bid is not None:
                fields |= {"bid": {"format": str(entry.bid.format), "file": str(entry.bid.file)}}
        case _:
            assert_never(entry)
    return fields | {"finished": entry.finished.isoformat()}


def _work_fields(entry: WorkEntry) -> dict[str, Any]:
    fields = get_fields(entry, *_WORK) | get_fields(entry.version, *_VERSION) | _rows_fields(entry.rows)
    fields |= leave_out_empty(get_fields(entry, *_SINCE_0_2) | {"dead_owners": list(entry.dead_owners)})
    for name in _TIMES:
        fields[name] = to_time_text(getattr(entry, name))
    if entry.failure is not None:
        fields["failure"] = leave_out_none(asdict(entry.failure))
    if entry.announcement is not None:
        fields["announcement"] = leave_out_none(asdict(entry.announcement))
    if entry.position is not None:
        fields["sequencer"] = entry.position.value
    return fields | {
        "state": str(entry.state),
        "outputs": list(map(_output_fields, entry.outputs)),
        "obsolete": list(map(_output_fields, entry.obsolete)),
        "milliseconds": entry.milliseconds,
    }


def _big_run_fields(run: BigRunFacts | None) -> dict[str, Any]:
    if run is None:
        return {}
    return {"big_run": get_fields(run, *_BIG_RUN) | {"home": str(run.home)}}


def _schema_changes_fields(changes: SchemaChanges | None) -> dict[str, Any]:
    """The text, as 0.1.0 had it, and what it says field by field."""
    if changes is None:
        return {}
    fields: dict[str, Any] = {"schema_changes": changes.text}
    return fields | {"changed_fields": changes.to_document()} if changes.fields else fields


def _text(value: object | None) -> str | None:
    return None if value is None else str(value)


def _rows_fields(rows: RowCounts) -> dict[str, int]:
    return {f"rows_{name}": count for name, count in asdict(rows).items()}


_NO_WORK: dict[str, Any] = {"state": str(State.CONVERTED), "fingerprint": "", "engine": "", "fence": 0, "attempts": 0}
_NO_WORK |= _rows_fields(NO_ROWS)
"""What is stored of a schema or a format beside what it says: until 0.1.0 these were entries of finished work."""


def _output_fields(output: Output) -> dict[str, Any]:
    ref = output.ref
    return {"bucket": ref.bucket, "key": ref.key, "etag": output.etag, "size": output.size, "rows": output.rows}


def _index_keys(entry: AnyEntry) -> dict[str, str]:
    shard = zlib.crc32(to_key(entry.stored_sync, entry.source).encode()) % SHARDS
    keys = {"sources_pk": f"{entry.stored_sync}#{shard:02}", "sources_sk": entry.source.key}
    # An item without an index's key is not in that index: what is settled leaves `attention` by itself.
    if isinstance(entry, WorkEntry) and entry.state in NEEDS_ATTENTION:
        when = time_of(entry)
        if when is not None:
            keys |= {"attention_pk": f"{entry.state}#{shard:02}", "attention_sk": when.isoformat()}
    if entry.finished is not None:
        keys |= {"finished_pk": f"{entry.finished:%Y-%m-%d}#{shard:02}", "finished_sk": entry.finished.isoformat()}
    return keys


def entry_of(item: Mapping[str, Any]) -> AnyEntry:
    """Read a whole item back, of whatever kind it is."""
    fields = to_fields(item)
    mark = fields["sync"].partition("#")[1:]
    match "".join(mark):
        case "#table":
            return to_table(fields)
        case "#schema":
            return to_schema(fields)
        case "#format":
            return to_format(fields)
        case _:
            return to_entry(fields)


def to_fields(item: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an item, or of what an index has of it, without DynamoDB's types."""
    return {name: _deserialize(value) for name, value in item.items()}


def to_entry(fields: Mapping[str, Any]) -> Entry:
    """An object's or a build's; one from an index lacks what the index does not carry."""
    sequencer = None
    if "sequencer" in fields:
        sequencer = Sequencer(fields["sequencer"])
    build = BuildFacts(**pick(fields, *_BUILD))
    entry = Entry(**_to_work(fields), sequencer=sequencer, build=build, **pick(fields, *_ENTRY))
    if "schema_changes" in fields:
        changes = SchemaChanges.from_document(fields["schema_changes"], fields.get("changed_fields"))
        entry = replace(entry, schema_changes=changes)
    return replace(entry, big_run=_to_big_run(fields["big_run"])) if "big_run" in fields else entry


def _to_big_run(fields: Mapping[str, Any]) -> BigRunFacts:
    return BigRunFacts(**pick(fields, *_BIG_RUN), home=ObjectRef.parse(fields["home"]))


def to_table(fields: Mapping[str, Any]) -> TableEntry:
    """A snapshot table's: its ``reason`` is its file."""
    entry = TableEntry(**_to_work(fields))
    if "sequencer" in fields:
        entry = replace(entry, order=TableOrder(fields["sequencer"]))
    if "reason" in fields:
        entry = replace(entry, file=ObjectRef.parse(fields["reason"]))
    return entry


def to_schema(fields: Mapping[str, Any]) -> SchemaEntry:
    """A table's schema."""
    return SchemaEntry(
        **_to_identity(fields),
        schema=bytes(fields["schema"]),
        schema_version=fields["schema_version"],
        finished=datetime.fromisoformat(fields["finished"]),
    )


def to_format(fields: Mapping[str, Any]) -> FormatEntry:
    """A table's format: its ``reason``, once it is decided."""
    file_format, bid = None, None
    if "reason" in fields:
        file_format = FileFormat(fields["reason"])
    if "bid" in fields:
        bid = FormatBid(format=FileFormat(fields["bid"]["format"]), file=ObjectRef.parse(fields["bid"]["file"]))
    return FormatEntry(
        **_to_identity(fields),
        fingerprint=fields["fingerprint"],
        format=file_format,
        bid=bid,
        finished=datetime.fromisoformat(fields["finished"]),
    )


def _to_identity(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "sync": fields["sync"].partition("#")[0],
        "source": ObjectRef(fields["bucket"], fields["key"]),
        "revision": fields["revision"],
        "run_id": fields.get("run_id"),
    }


def _to_work(fields: Mapping[str, Any]) -> dict[str, Any]:
    work = pick(fields, *_WORK, *_SINCE_0_2) | _to_identity(fields)
    for name, text in pick(fields, *_TIMES).items():
        work[name] = datetime.fromisoformat(text)
    if "failure" in fields:
        failure = fields["failure"]
        work["failure"] = Failure(**{**failure, "branch": Branch(failure["branch"])})
    if "announcement" in fields:
        work["announcement"] = Announcement(**fields["announcement"])
    return work | {
        "version": SourceVersion(**pick(fields, *_VERSION)),
        "rows": _to_rows(fields),
        "state": State(fields["state"]),
        "outputs": tuple(map(_output, fields.get("outputs", ()))),
        "obsolete": tuple(map(_output, fields.get("obsolete", ()))),
        "dead_owners": tuple(fields.get("dead_owners", ())),
    }


def _to_rows(fields: Mapping[str, Any]) -> RowCounts:
    """An entry from an index has none, since the index does not carry them."""
    if "rows_read" not in fields:
        return NO_ROWS
    return RowCounts(
        read=fields["rows_read"],
        written=fields["rows_written"],
        quarantined=fields["rows_quarantined"],
        filtered=fields["rows_filtered"],
    )


def _output(fields: Mapping[str, Any]) -> Output:
    return Output(
        ref=ObjectRef(fields["bucket"], fields["key"]), etag=fields["etag"], size=fields["size"], rows=fields["rows"]
    )


def to_time_text(value: datetime | None) -> str | None:
    """ISO 8601 with the offset, in microseconds."""
    return None if value is None else value.isoformat()


def asdict_with_time_texts(item: Any, times: Iterable[str]) -> dict[str, Any]:
    """All fields of a dataclass, with a text for each of those that are times."""
    fields = asdict(item)
    for name in times:
        fields[name] = to_time_text(fields[name])
    return fields


def serialize_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields as DynamoDB's API has them, each with its type; what is None or empty is left out."""
    return {name: _serialize(value) for name, value in fields.items() if value not in (None, [], {})}


def _serialize(value: Any) -> dict[str, Any]:
    """A value as DynamoDB's API has it: ``{"N": "7"}`` for 7.

    boto3 has this, too, and with it much that takes time to import and is not used.
    """
    if type(value) in _AS_THEY_ARE:
        return {_AS_THEY_ARE[type(value)]: value}
    match value:
        case None:
            return {"NULL": True}
        case int():
            return {"N": str(value)}
        case str():
            # A member of an enumeration.
            return {"S": str(value)}
        case list() | tuple():
            return {"L": list(map(_serialize, value))}
        case dict():
            return {"M": {name: _serialize(inner) for name, inner in value.items()}}
    raise TypeError(f"{type(value).__name__} is not written to the ledger")


_AS_THEY_ARE = {bool: "BOOL", str: "S", bytes: "B"}
"""Kinds whose values the API takes as they are, with DynamoDB's names of them."""


def _deserialize(typed: Mapping[str, Any]) -> Any:
    """The value; all of our numbers are whole."""
    # DynamoDB's own form: {"N": "12"}, {"L": [{"S": "a"}]}, {"NULL": true}.
    ((kind, value),) = typed.items()
    match kind:
        case "NULL":
            return None
        case "N":
            return int(value)
        case "L":
            return list(map(_deserialize, value))
        case "M":
            return {name: _deserialize(inner) for name, inner in value.items()}
        case "B":
            return bytes(value)
    return value
