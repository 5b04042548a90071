"""The ledger in one DynamoDB table: one item an entry, replaced whole and only on the revision that was read.

The partition key joins sync, bucket and key, so that writes spread over the table. The
indexes are spread over shards by a hash of that key: ``attention`` (by state; entries that are failed, waiting or in
flight), ``finished`` (by UTC day) and ``sources`` (by sync, sorted by key). A state, a day or a sync alone would send
every write of a busy table to one partition.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from millrace.aws.batches import read_items
from millrace.aws.faults import translated
from millrace.aws.item_parts import divide_item, join_item
from millrace.aws.ledger_items import (
    SHARDS,
    item_of,
    to_entry,
    to_fields,
    to_format,
    to_key,
    to_schema,
    to_table,
)
from millrace.errors import ServiceUnavailable
from millrace.ledger.entries import Entry, State
from millrace.ledger.table_entries import (
    FORMAT_MARK,
    SCHEMA_MARK,
    TABLE_MARK,
    AnyEntry,
    FormatEntry,
    SchemaEntry,
    TableEntry,
)
from millrace.objects.references import ObjectRef

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_MERGED_PAGE = 500
"""Items a page where all shards are read side by side: without it, a page is a megabyte, and sixteen are in memory."""


class DynamoDBLedger:
    """Satisfies ``ledger.LedgerStore`` and ``ledger.LedgerIndex``."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def get(self, sync: str, source: ObjectRef) -> Entry | None:
        """One strongly consistent GetItem; so are those below."""
        fields = self._get(sync, source)
        return to_entry(fields) if fields else None

    def get_table(self, sync: str, table: ObjectRef) -> TableEntry | None:
        """A snapshot table's."""
        fields = self._get(sync + TABLE_MARK, table)
        return to_table(fields) if fields else None

    def get_schema(self, sync: str, table: ObjectRef) -> SchemaEntry | None:
        """A table's schema."""
        fields = self._get(sync + SCHEMA_MARK, table)
        return to_schema(fields) if fields else None

    def get_format(self, sync: str, table: ObjectRef) -> FormatEntry | None:
        """A table's format."""
        fields = self._get(sync + FORMAT_MARK, table)
        return to_format(fields) if fields else None

    def _get(self, stored_sync: str, source: ObjectRef) -> dict[str, Any] | None:
        item = self._get_item(to_key(stored_sync, source))
        return to_fields(join_item(item, self._get_part)) if item else None

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
            # Parts before the entry: a worker that dies in between leaves parts that nobody names, never an entry
            # without them.
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
        # By bytes, as DynamoDB sorts within each shard; a merge of another order would leave keys out of place.
        return heapq.merge(*shards, key=lambda entry: entry.source.key.encode())

    def get_many(self, sources: Iterable[tuple[str, ObjectRef]]) -> Iterator[Entry]:
        """Those of the named entries that are there, a hundred in a BatchGetItem; they may lag by a moment."""
        # Twice the same key would be refused.
        keys = list(dict.fromkeys(to_key(sync, source) for sync, source in sources))
        for item in read_items(self._client, self._table, keys, is_consistent=False):
            yield to_entry(to_fields(join_item(item, self._get_part)))

    def items_of_sync(self, sync: str) -> Iterator[str]:
        """The keys of all items of a sync, of whatever kind; satisfies ``forgetting.ForgettableLedger``."""
        for mark in ("", TABLE_MARK, SCHEMA_MARK, FORMAT_MARK):
            for shard in range(SHARDS):
                for item in self._query_items("sources", f"{sync}{mark}#{shard:02}"):
                    yield item["pk"]["S"]

    def forget(self, key: str) -> None:
        """One DeleteItem."""
        with translated("dynamodb:DeleteItem on", self._table):
            self._client.delete_item(TableName=self._table, Key={"pk": {"S": key}})

    def _query(self, index: str, partition: str, *, after: str = "", page: int | None = None) -> Iterator[Entry]:
        for item in self._query_items(index, partition, after=after, page=page):
            # The entries of tables, schemas and formats are in the same indexes under `orders#...`; a sync's own name
            # has no `#`.
            if "#" not in item["sync"]["S"]:
                yield to_entry(to_fields(item))

    def _query_items(
        self, index: str, partition: str, *, after: str = "", page: int | None = None
    ) -> Iterator[dict[str, Any]]:
        condition, values = f"{index}_pk = :pk", {":pk": {"S": partition}}
        # DynamoDB compares sort keys by their UTF-8 bytes, as S3 does in its listings: both can be merged in one pass.
        if after:
            condition += f" AND {index}_sk > :after"
            values[":after"] = {"S": after}
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=index,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            PaginationConfig={"PageSize": page} if page else {},
        )
        with translated("dynamodb:Query on", f"{self._table}/index/{index}"):
            for answer in pages:
                yield from answer["Items"]


def follows(revision: int) -> dict[str, Any]:
    """The condition that the revision before stands there."""
    # A comparison with an attribute that is missing is false in DynamoDB, so that the first revision needs a condition
    # of its own.
    if revision == 1:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    return {
        "ConditionExpression": "revision = :read",
        "ExpressionAttributeValues": {":read": {"N": str(revision - 1)}},
    }
