"""The ledger in one DynamoDB table: one item an entry, replaced whole and only on the revision that was read.

The partition key joins sync, bucket and key, so that writes spread over the table. The
indexes are spread over shards by a hash of that key: ``attention`` (by state; entries that are failed, waiting or in
flight), ``finished`` (by UTC day) and ``sources`` (by sync, sorted by key). A state, a day or a sync alone would send
every write of a busy table to one partition.
"""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, assert_never

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from millrace.aws.faults import translated
from millrace.aws.item_parts import divide_item, join_item
from millrace.engine.options import FileFormat
from millrace.engine.row_counts import NO_ROWS, RowCounts
from millrace.errors import ServiceUnavailable
from millrace.ledger.entries import NEEDS_ATTENTION, Branch, Entry, Failure, Output, State, WorkEntry
from millrace.ledger.table_entries import (
    FORMAT_MARK,
    SCHEMA_MARK,
    TABLE_MARK,
    AnyEntry,
    FormatBid,
    FormatEntry,
    SchemaEntry,
    TableEntry,
    TableOrder,
)
from millrace.objects.references import ObjectRef, Sequencer, SourceVersion
from millrace.operations.checkpoints import Checkpoint, Counts

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SHARDS = 16
_MERGED_PAGE = 500
"""Items a page where all shards are read side by side: without it, a page is a megabyte, and sixteen are in memory."""
_TIMES = ("lease_until", "started", "finished")
_CHECKPOINT_TIMES = ("lease_until", "put_off_since", "completed")
_ROWS = ("read", "written", "quarantined", "filtered")
"""Counts of rows, each stored under its name after ``rows_``."""
_VERSION = ("etag", "version_id", "size")
_WORK = ("revision", "fence", "fingerprint", "engine", "owner", "attempts", "run_id")
_SINCE_0_2 = ("deaths", "deployment")
"""Numbers that 0.1.0 did not write; 0 is left out, so that its items stay as they are."""
_ENTRY = ("reason", "schema_version", "schema_changes", "built_etag")
_SEPARATOR = "\x1f"
_SERIALIZE = TypeSerializer().serialize
_DESERIALIZE = TypeDeserializer().deserialize


class DynamoDBLedger:
    """Satisfies ``ledger.LedgerStore`` and ``ledger.LedgerIndex``."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def get(self, sync: str, source: ObjectRef) -> Entry | None:
        """One strongly consistent GetItem; so are those below."""
        fields = self._get(sync, source)
        return _to_entry(fields) if fields else None

    def get_table(self, sync: str, table: ObjectRef) -> TableEntry | None:
        """A snapshot table's."""
        fields = self._get(sync + TABLE_MARK, table)
        return _to_table(fields) if fields else None

    def get_schema(self, sync: str, table: ObjectRef) -> SchemaEntry | None:
        """A table's schema."""
        fields = self._get(sync + SCHEMA_MARK, table)
        return _to_schema(fields) if fields else None

    def get_format(self, sync: str, table: ObjectRef) -> FormatEntry | None:
        """A table's format."""
        fields = self._get(sync + FORMAT_MARK, table)
        return _to_format(fields) if fields else None

    def _get(self, stored_sync: str, source: ObjectRef) -> dict[str, Any] | None:
        item = self._get_item(_partition(stored_sync, source))
        return _to_fields(join_item(item, self._get_part)) if item else None

    def _get_item(self, key: str) -> Mapping[str, Any]:
        with translated("dynamodb:GetItem on", self._table):
            answer = self._client.get_item(TableName=self._table, Key={"pk": {"S": key}}, ConsistentRead=True)
        return answer.get("Item", {})

    def _get_part(self, key: str) -> Mapping[str, Any]:
        part = self._get_item(key)
        if not part:
            raise ServiceUnavailable(
                f"the table {self._table} lacks {key!r}, a part of an entry: was it restored whole?"
            )
        return part

    def put(self, entry: AnyEntry) -> None:
        """One conditional PutItem, and one before it for each part that does not fit; LostRace for another revision."""
        item, parts = divide_item(item_of(entry))
        with translated("dynamodb:PutItem on", f"{self._table} for {entry.source} (sync {entry.stored_sync!r})"):
            for part in parts:
                self._client.put_item(TableName=self._table, Item=part)
            self._client.put_item(TableName=self._table, Item=item, **follows(entry.revision))

    def needing_attention(self, state: State) -> Iterator[Entry]:
        """Query every shard of a state."""
        for shard in range(SHARDS):
            yield from self._query("attention", f"{state}#{shard:02}")

    def finished_on(self, day: str) -> Iterator[Entry]:
        """Query every shard of a day."""
        for shard in range(SHARDS):
            yield from self._query("finished", f"{day}#{shard:02}")

    def of_sync(self, sync: str, *, after: str = "") -> Iterator[Entry]:
        """Merge the shards of a sync, each sorted by key; a page of each is in memory."""
        shards = (
            self._query("sources", f"{sync}#{shard:02}", after=after, page=_MERGED_PAGE) for shard in range(SHARDS)
        )
        return heapq.merge(*shards, key=lambda entry: entry.source.key.encode())

    def items_of_sync(self, sync: str) -> Iterator[str]:
        """The keys of all items of a sync, of whatever kind; satisfies ``forgetting.ForgettableLedger``."""
        for stored_sync in (sync, *(sync + mark for mark in (TABLE_MARK, SCHEMA_MARK, FORMAT_MARK))):
            for shard in range(SHARDS):
                for item in self._query_items("sources", f"{stored_sync}#{shard:02}"):
                    yield item["pk"]["S"]

    def forget(self, key: str) -> None:
        """One DeleteItem."""
        with translated("dynamodb:DeleteItem on", self._table):
            self._client.delete_item(TableName=self._table, Key={"pk": {"S": key}})

    def _query(self, index: str, partition: str, *, after: str = "", page: int | None = None) -> Iterator[Entry]:
        for item in self._query_items(index, partition, after=after, page=page):
            if "#" not in item["sync"]["S"]:
                yield _to_entry(_to_fields(item))

    def _query_items(
        self, index: str, partition: str, *, after: str = "", page: int | None = None
    ) -> Iterator[dict[str, Any]]:
        values: dict[str, Any] = {":pk": {"S": partition}} | ({":after": {"S": after}} if after else {})
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=index,
            KeyConditionExpression=f"{index}_pk = :pk" + (f" AND {index}_sk > :after" if after else ""),
            ExpressionAttributeValues=values,
            PaginationConfig={"PageSize": page} if page else {},
        )
        with translated("dynamodb:Query on", f"{self._table}/index/{index}"):
            for answer in pages:
                yield from answer["Items"]


def _partition(sync: str, source: ObjectRef) -> str:
    return _SEPARATOR.join((sync, source.bucket, source.key))


def item_of(entry: AnyEntry) -> dict[str, Any]:
    """An entry as a DynamoDB item; what is None or empty is left out."""
    fields = _to_stored(entry)
    fields |= {"sync": entry.stored_sync, "bucket": entry.source.bucket, "key": entry.source.key}
    fields |= {"revision": entry.revision, "run_id": entry.run_id}
    fields |= {"pk": _partition(entry.stored_sync, entry.source)} | _index_keys(entry)
    return {name: _SERIALIZE(value) for name, value in fields.items() if value not in (None, [], {})}


def _to_stored(entry: AnyEntry) -> dict[str, Any]:
    match entry:
        case Entry():
            sequencer = entry.sequencer.value if entry.sequencer else None
            return _work_fields(entry) | {"sequencer": sequencer} | {name: getattr(entry, name) for name in _ENTRY}
        case TableEntry(order=order, file=file):
            sequencer = order.value if order else None
            return _work_fields(entry) | {"sequencer": sequencer, "reason": str(file) if file else None}
        case SchemaEntry():
            return _NO_WORK | {
                "finished": entry.finished.isoformat(),
                "schema": entry.schema,
                "schema_version": entry.schema_version,
            }
        case FormatEntry():
            return _NO_WORK | {
                "finished": entry.finished.isoformat(),
                "fingerprint": entry.fingerprint,
                "reason": str(entry.format) if entry.format is not None else None,
                "bid": _bid_fields(entry.bid) if entry.bid is not None else None,
            }
        case _:
            assert_never(entry)


def _work_fields(entry: WorkEntry) -> dict[str, Any]:
    fields: dict[str, Any] = {name: getattr(entry, name) for name in _WORK}
    fields |= {name: getattr(entry.version, name) for name in _VERSION}
    fields |= _rows_fields(entry.rows)
    fields |= {name: getattr(entry, name) or None for name in _SINCE_0_2}
    fields |= {name: _time(getattr(entry, name)) for name in _TIMES}
    failure = asdict(entry.failure) if entry.failure else {}
    return fields | {
        "state": str(entry.state),
        "outputs": [_output_fields(output) for output in entry.outputs],
        "obsolete": [_output_fields(output) for output in entry.obsolete],
        "failure": {name: value for name, value in failure.items() if value is not None},
        "milliseconds": entry.milliseconds,
    }


def _bid_fields(bid: FormatBid) -> dict[str, str]:
    return {"format": str(bid.format), "file": str(bid.file)}


def _rows_fields(rows: RowCounts) -> dict[str, int]:
    return {f"rows_{name}": getattr(rows, name) for name in _ROWS}


_NO_WORK = {"state": str(State.CONVERTED), "fingerprint": "", "engine": "", "fence": 0, "attempts": 0} | _rows_fields(
    NO_ROWS
)
"""What is stored of a schema or a format beside what it says: until 0.1.0 these were entries of finished work."""


def _output_fields(output: Output) -> dict[str, Any]:
    ref = output.ref
    return {"bucket": ref.bucket, "key": ref.key, "etag": output.etag, "size": output.size, "rows": output.rows}


def _index_keys(entry: AnyEntry) -> dict[str, str]:
    shard = zlib.crc32(_partition(entry.stored_sync, entry.source).encode()) % SHARDS
    keys = {"sources_pk": f"{entry.stored_sync}#{shard:02}", "sources_sk": entry.source.key}
    if isinstance(entry, WorkEntry) and entry.state in NEEDS_ATTENTION:
        when = entry.finished or entry.started
        if when is not None:
            keys |= {"attention_pk": f"{entry.state}#{shard:02}", "attention_sk": when.isoformat()}
    if entry.finished is not None:
        keys |= {"finished_pk": f"{entry.finished:%Y-%m-%d}#{shard:02}", "finished_sk": entry.finished.isoformat()}
    return keys


def entry_of(item: Mapping[str, Any]) -> AnyEntry:
    """Read a whole item back, of whatever kind it is."""
    fields = _to_fields(item)
    mark = fields["sync"].partition("#")[1:]
    match "".join(mark):
        case "#table":
            return _to_table(fields)
        case "#schema":
            return _to_schema(fields)
        case "#format":
            return _to_format(fields)
        case _:
            return _to_entry(fields)


def _to_fields(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(_DESERIALIZE(value)) for name, value in item.items()}


def _to_entry(fields: Mapping[str, Any]) -> Entry:
    """An object's or a build's; one from an index lacks what the index does not carry."""
    sequencer = fields.get("sequencer")
    rest = {name: fields[name] for name in _ENTRY if name in fields}
    return Entry(**_to_work(fields), sequencer=Sequencer(sequencer) if sequencer else None, **rest)


def _to_table(fields: Mapping[str, Any]) -> TableEntry:
    order, file = fields.get("sequencer"), fields.get("reason")
    return TableEntry(
        **_to_work(fields),
        order=TableOrder(order) if order else None,
        file=ObjectRef.parse(file) if file else None,
    )


def _to_schema(fields: Mapping[str, Any]) -> SchemaEntry:
    return SchemaEntry(
        **_to_identity(fields),
        schema=bytes(fields["schema"]),
        schema_version=fields["schema_version"],
        finished=datetime.fromisoformat(fields["finished"]),
    )


def _to_format(fields: Mapping[str, Any]) -> FormatEntry:
    bid = fields.get("bid")
    return FormatEntry(
        **_to_identity(fields),
        fingerprint=fields["fingerprint"],
        format=FileFormat(fields["reason"]) if "reason" in fields else None,
        bid=FormatBid(format=FileFormat(bid["format"]), file=ObjectRef.parse(bid["file"])) if bid else None,
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
    failure = fields.get("failure")
    work = {name: fields[name] for name in (*_WORK, *_SINCE_0_2) if name in fields}
    work |= {name: datetime.fromisoformat(fields[name]) for name in _TIMES if name in fields}
    work["version"] = SourceVersion(**{name: fields[name] for name in _VERSION if name in fields})
    # An entry from an index has no rows, since the index does not carry them.
    work["rows"] = RowCounts(**{name: fields.get(f"rows_{name}", 0) for name in _ROWS})
    return (
        work
        | _to_identity(fields)
        | {
            "state": State(fields["state"]),
            "outputs": tuple(map(_output, fields.get("outputs", ()))),
            "obsolete": tuple(map(_output, fields.get("obsolete", ()))),
            "failure": Failure(**(failure | {"branch": Branch(failure["branch"])})) if failure else None,
        }
    )


def _output(fields: Mapping[str, Any]) -> Output:
    return Output(
        ref=ObjectRef(fields["bucket"], fields["key"]), etag=fields["etag"], size=fields["size"], rows=fields["rows"]
    )


def _time(value: datetime | None) -> str | None:
    return value.isoformat() if value else None


def _plain(value: Any) -> Any:
    """DynamoDB's numbers as integers, at any depth; all of ours are whole."""
    match value:
        case Decimal():
            return int(value)
        case dict():
            return {name: _plain(inner) for name, inner in value.items()}
        case list():
            return [_plain(inner) for inner in value]
        case _:
            return value


class DynamoDBCheckpoints:
    """Satisfies ``reconciliation.Checkpoints``: one item a sync, in the ledger's table and in none of its indexes."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def get(self, sync: str) -> Checkpoint | None:
        """One strongly consistent GetItem."""
        with translated("dynamodb:GetItem on", self._table):
            answer = self._client.get_item(TableName=self._table, Key=_checkpoint_key(sync), ConsistentRead=True)
        if "Item" not in answer:
            return None
        fields = {name: _plain(_DESERIALIZE(value)) for name, value in answer["Item"].items() if name != "pk"}
        fields |= {name: Counts(**fields[name]) for name in ("counts", "last") if name in fields}
        fields |= {name: datetime.fromisoformat(fields[name]) for name in _CHECKPOINT_TIMES if name in fields}
        return Checkpoint(**fields)

    def put(self, checkpoint: Checkpoint) -> None:
        """One conditional PutItem."""
        fields = asdict(checkpoint) | {name: _time(getattr(checkpoint, name)) for name in _CHECKPOINT_TIMES}
        item = {name: _SERIALIZE(value) for name, value in fields.items() if value is not None}
        with translated("dynamodb:PutItem on", f"{self._table} for the checkpoint of sync {checkpoint.sync!r}"):
            self._client.put_item(
                TableName=self._table, Item=item | _checkpoint_key(checkpoint.sync), **follows(checkpoint.revision)
            )


def _checkpoint_key(sync: str) -> dict[str, Any]:
    return {"pk": {"S": f"{sync}{_SEPARATOR}"}}


def follows(revision: int) -> dict[str, Any]:
    """The condition that the revision before stands there."""
    if revision == 1:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    return {
        "ConditionExpression": "revision = :read",
        "ExpressionAttributeValues": {":read": {"N": str(revision - 1)}},
    }
