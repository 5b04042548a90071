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
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from millrace.aws.faults import translated
from millrace.ledger.entries import NEEDS_ATTENTION, Branch, Entry, Failure, Output, State
from millrace.objects.references import ObjectRef, Sequencer
from millrace.operations.checkpoints import Checkpoint, Counts

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SHARDS = 16
_MERGED_PAGE = 500
"""Items a page where all shards are read side by side: without it, a page is a megabyte, and sixteen are in memory."""
_TIMES = ("lease_until", "started", "finished")
_ROWS = ("rows_read", "rows_written", "rows_quarantined", "rows_filtered")
_VERSION = ("revision", "fence", "fingerprint", "engine", "etag", "version_id", "size")
_AS_THEY_ARE = (*_VERSION, *_ROWS, "owner", "attempts", "reason", "run_id", "schema_version", "schema_changes")
_SEPARATOR = "\x1f"
_SERIALIZE = TypeSerializer().serialize
_DESERIALIZE = TypeDeserializer().deserialize


class DynamoDBLedger:
    """Satisfies ``ledger.LedgerStore`` and ``ledger.LedgerIndex``."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def get(self, sync: str, source: ObjectRef) -> Entry | None:
        """One strongly consistent GetItem."""
        with translated("dynamodb:GetItem on", self._table):
            answer = self._client.get_item(
                TableName=self._table, Key={"pk": {"S": _partition(sync, source)}}, ConsistentRead=True
            )
        return entry_of(answer["Item"]) if "Item" in answer else None

    def put(self, entry: Entry) -> None:
        """One conditional PutItem; LostRace where another revision stands."""
        with translated("dynamodb:PutItem on", f"{self._table} for {entry.source} (sync {entry.sync!r})"):
            self._client.put_item(TableName=self._table, Item=item_of(entry), **follows(entry.revision))

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

    def _query(self, index: str, partition: str, *, after: str = "", page: int | None = None) -> Iterator[Entry]:
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
                yield from map(entry_of, answer["Items"])


def _partition(sync: str, source: ObjectRef) -> str:
    return _SEPARATOR.join((sync, source.bucket, source.key))


def item_of(entry: Entry) -> dict[str, Any]:
    """An entry as a DynamoDB item; what is None or empty is left out."""
    fields = asdict(entry)
    del fields["source"]
    fields |= {"bucket": entry.source.bucket, "key": entry.source.key}
    fields["sequencer"] = entry.sequencer and entry.sequencer.value
    fields["outputs"] = [_output_fields(output) for output in entry.outputs]
    fields["obsolete"] = [_output_fields(output) for output in entry.obsolete]
    fields["failure"] = {name: value for name, value in (fields["failure"] or {}).items() if value is not None}
    fields |= {name: _time(fields[name]) for name in _TIMES}
    fields["milliseconds"] = entry.milliseconds
    fields |= {"pk": _partition(entry.sync, entry.source)} | _index_keys(entry)
    return {name: _SERIALIZE(value) for name, value in fields.items() if value not in (None, [], {})}


def _output_fields(output: Output) -> dict[str, Any]:
    ref = output.ref
    return {"bucket": ref.bucket, "key": ref.key, "etag": output.etag, "size": output.size, "rows": output.rows}


def _index_keys(entry: Entry) -> dict[str, str]:
    shard = zlib.crc32(_partition(entry.sync, entry.source).encode()) % SHARDS
    keys = {"sources_pk": f"{entry.sync}#{shard:02}", "sources_sk": entry.source.key}
    when = entry.finished or entry.started
    if entry.state in NEEDS_ATTENTION and when is not None:
        keys |= {"attention_pk": f"{entry.state}#{shard:02}", "attention_sk": when.isoformat()}
    if entry.finished is not None:
        keys |= {"finished_pk": f"{entry.finished:%Y-%m-%d}#{shard:02}", "finished_sk": entry.finished.isoformat()}
    return keys


def entry_of(item: Mapping[str, Any]) -> Entry:
    """Read an item back; one from an index lacks what the index does not carry."""
    fields = {name: _plain(_DESERIALIZE(value)) for name, value in item.items()}
    failure, sequencer = fields.get("failure"), fields.get("sequencer")
    rest: dict[str, Any] = {name: fields[name] for name in _AS_THEY_ARE if name in fields}
    rest |= {name: datetime.fromisoformat(fields[name]) for name in _TIMES if name in fields}
    return Entry(
        sync=fields["sync"],
        source=ObjectRef(fields["bucket"], fields["key"]),
        state=State(fields["state"]),
        sequencer=Sequencer(sequencer) if sequencer else None,
        outputs=tuple(map(_output, fields.get("outputs", ()))),
        obsolete=tuple(map(_output, fields.get("obsolete", ()))),
        failure=Failure(**(failure | {"branch": Branch(failure["branch"])})) if failure else None,
        schema=bytes(fields["schema"]) if "schema" in fields else None,
        **rest,
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
        fields["counts"] = Counts(**fields["counts"])
        if "lease_until" in fields:
            fields["lease_until"] = datetime.fromisoformat(fields["lease_until"])
        return Checkpoint(**fields)

    def put(self, checkpoint: Checkpoint) -> None:
        """One conditional PutItem."""
        fields = asdict(checkpoint) | {"lease_until": _time(checkpoint.lease_until)}
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
