"""Pages of the ledger's indexes: all shards are asked side by side, each for no more than a page needs."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from millrace.aws.faults import translated
from millrace.aws.ledger_items import SHARDS, to_entry, to_fields
from millrace.ledger.entries import Entry, State
from millrace.ledger.table_entries import SCHEMA_MARK
from millrace.objects.references import ObjectRef

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_FIRST_ITEMS = 60
"""Items that each shard is asked for at first: a list shows 50, and with bad luck all are of one shard."""
_MORE_ITEMS = 500
"""Items of a further request to a shard, which only a long list needs."""

Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _IndexQuery:
    """A question to all shards of one value of an index; ``condition`` is of the sort key, over ``values``."""

    index: str
    partition: str
    condition: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    is_newest_first: bool = False

    def to_request(self, shard: int) -> dict[str, Any]:
        """The question to one shard."""
        values = {":pk": {"S": f"{self.partition}#{shard:02}"}}
        for name, value in self.values.items():
            values[name] = {"S": value}
        return {
            "IndexName": self.index,
            "KeyConditionExpression": f"{self.index}_pk = :pk{self.condition}",
            "ExpressionAttributeValues": values,
            "ScanIndexForward": not self.is_newest_first,
        }


class DynamoDBPages:
    """Satisfies ``ledger.stores.LedgerPages``."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client: Any = client
        self._table = table

    def newest_finished(self, day: str, *, until: str = "") -> Iterator[Entry]:
        """Query the shards of a day."""
        return self._read(_newest_until("finished", day, until))

    def newest_in_state(self, state: State, *, until: str = "") -> Iterator[Entry]:
        """Query the shards of a state."""
        return self._read(_newest_until("attention", str(state), until))

    def below_prefix(self, sync: str, prefix: str, *, start: str = "") -> Iterator[Entry]:
        """Query the shards of a sync."""
        query = _IndexQuery(index="sources", partition=sync)
        if start:
            # A key condition has one comparison: behind the first page the prefix ends the reading.
            values = {":start": start}
            query = _IndexQuery(index="sources", partition=sync, condition=" AND sources_sk >= :start", values=values)
        elif prefix:
            values = {":prefix": prefix}
            condition = " AND begins_with(sources_sk, :prefix)"
            query = _IndexQuery(index="sources", partition=sync, condition=condition, values=values)
        return takewhile(lambda entry: entry.source.key.startswith(prefix), self._read(query))

    def tables_of(self, sync: str) -> Iterator[ObjectRef]:
        """Query the shards of a sync's schemas."""
        for item in self._read_items(_IndexQuery(index="sources", partition=sync + SCHEMA_MARK)):
            yield ObjectRef(item["bucket"]["S"], item["key"]["S"])

    def _read(self, query: _IndexQuery) -> Iterator[Entry]:
        """The entries of objects and builds; those of tables, schemas and formats are in the same indexes."""
        for item in self._read_items(query):
            if "#" not in item["sync"]["S"]:
                yield to_entry(to_fields(item))

    def _read_items(self, query: _IndexQuery) -> Iterator[dict[str, Any]]:
        """The items of all shards, merged."""
        with ThreadPoolExecutor(SHARDS) as pool:
            first_answers = list(pool.map(partial(self._ask, query, limit=_FIRST_ITEMS), range(SHARDS)))
        shards = []
        for shard, first in enumerate(first_answers):
            shards.append(self._go_on(query, shard, first))
        by_place = _to_place(query.index)
        yield from heapq.merge(*shards, key=by_place, reverse=query.is_newest_first)

    def _go_on(self, query: _IndexQuery, shard: int, answer: Answer) -> Iterator[dict[str, Any]]:
        yield from answer["Items"]
        while "LastEvaluatedKey" in answer:
            answer = self._ask(query, shard, limit=_MORE_ITEMS, start=answer["LastEvaluatedKey"])
            yield from answer["Items"]

    def _ask(self, query: _IndexQuery, shard: int, *, limit: int, start: Answer | None = None) -> Answer:
        request = query.to_request(shard)
        if start is not None:
            request["ExclusiveStartKey"] = start
        with translated("dynamodb:Query on", f"{self._table}/index/{query.index}"):
            answer: Answer = self._client.query(TableName=self._table, Limit=limit, **request)
        return answer


def _newest_until(index: str, partition: str, until: str) -> _IndexQuery:
    if not until:
        return _IndexQuery(index=index, partition=partition, is_newest_first=True)
    condition, values = f" AND {index}_sk <= :until", {":until": until}
    return _IndexQuery(index=index, partition=partition, condition=condition, values=values, is_newest_first=True)


def _to_place(index: str) -> Callable[[Mapping[str, Any]], bytes]:
    """The order that DynamoDB keeps within a shard: by the sort key's UTF-8 bytes."""

    def place(item: Mapping[str, Any]) -> bytes:
        text: str = item[f"{index}_sk"]["S"]
        return text.encode()

    return place
