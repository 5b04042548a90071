"""The ledger's table in memory, as a client of DynamoDB: keys, and indexes that are sorted as DynamoDB sorts them."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from millrace.deployment.settings import LEDGER_INDEXES

Item = dict[str, Any]
_LAST = "\U0010ffff"


@dataclass
class FakeTableClient:
    """As much of the client as the ledger, its pages, checkpoints, circuits and backfills need; ``calls`` are counted.

    Conditions of puts are not looked at: the contract suites do that. An item of an index has all of its attributes.
    """

    items: dict[str, Item] = field(default_factory=dict)
    indexes: dict[tuple[str, str], list[tuple[bytes, str]]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def put_item(self, *, Item: Item, **_condition: Any) -> dict[str, Any]:  # noqa: N803 - AWS's name
        """Replace it, in the indexes, too."""
        key = Item["pk"]["S"]
        for place, entry in self._places(self.items.get(key, {})):
            self.indexes[place].remove(entry)
        self.items[key] = Item
        for place, entry in self._places(Item):
            insort(self.indexes.setdefault(place, []), entry)
        return {}

    def get_item(self, *, Key: Mapping[str, Any], **_options: Any) -> dict[str, Any]:  # noqa: N803 - AWS's name
        """One item."""
        self.calls.append("get")
        item = self.items.get(Key["pk"]["S"])
        return {"Item": item} if item is not None else {}

    def batch_get_item(self, *, RequestItems: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N803 - AWS's name
        """Many items."""
        self.calls.append("batch get")
        ((table, request),) = RequestItems.items()
        keys = [key["pk"]["S"] for key in request["Keys"]]
        return {"Responses": {table: [self.items[key] for key in keys if key in self.items]}}

    def query(
        self,
        *,
        IndexName: str,  # noqa: N803 - AWS's name
        KeyConditionExpression: str,  # noqa: N803 - AWS's name
        ExpressionAttributeValues: Mapping[str, Any],  # noqa: N803 - AWS's name
        ScanIndexForward: bool = True,  # noqa: N803 - AWS's name
        Limit: int = 1000,  # noqa: N803 - AWS's name
        ExclusiveStartKey: Mapping[str, Any] | None = None,  # noqa: N803 - AWS's name
        **_options: Any,
    ) -> dict[str, Any]:
        """A page of one partition of an index."""
        self.calls.append("query")
        values = {name: value["S"] for name, value in ExpressionAttributeValues.items()}
        entries = self.indexes.get((IndexName, values.pop(":pk")), [])
        begin, end = _bounds(entries, KeyConditionExpression, values)
        if ExclusiveStartKey is not None:
            last = (ExclusiveStartKey["sk"].encode(), ExclusiveStartKey["pk"]["S"])
            begin, end = (
                (bisect_left(entries, last) + 1, end) if ScanIndexForward else (begin, bisect_left(entries, last))
            )
        chosen = entries[begin : begin + Limit] if ScanIndexForward else entries[max(begin, end - Limit) : end][::-1]
        answer: dict[str, Any] = {"Items": [self.items[key] for _, key in chosen[: end - begin]]}
        if end - begin > Limit:
            place, key = chosen[-1]
            answer["LastEvaluatedKey"] = {"pk": {"S": key}, "sk": place.decode()}
        return answer

    def get_paginator(self, _operation: str) -> FakeQueryPages:
        """Pages of a query."""
        return FakeQueryPages(self)

    def _places(self, item: Item) -> Iterator[tuple[tuple[str, str], tuple[bytes, str]]]:
        for index in LEDGER_INDEXES:
            if f"{index}_pk" in item:
                place = item.get(f"{index}_sk", {"S": ""})["S"].encode()
                yield (index, item[f"{index}_pk"]["S"]), (place, item["pk"]["S"])


def _bounds(entries: list[tuple[bytes, str]], expression: str, values: Mapping[str, str]) -> tuple[int, int]:
    """The entries that a condition on the sort key chooses."""
    if ":until" in values:
        return 0, bisect_left(entries, (values[":until"].encode(), _LAST))
    if ":start" in values:
        return bisect_left(entries, (values[":start"].encode(), "")), len(entries)
    if ":after" in values:
        return bisect_left(entries, (values[":after"].encode(), _LAST)), len(entries)
    if ":prefix" in values:
        prefix = values[":prefix"].encode()
        return bisect_left(entries, (prefix, "")), bisect_left(entries, (prefix + b"\xff", ""))
    assert "AND" not in expression
    return 0, len(entries)


@dataclass
class FakeQueryPages:
    """Pages of a query, each from where the last one ended."""

    client: FakeTableClient

    def paginate(self, *, PaginationConfig: Any = None, **request: Any) -> Iterator[dict[str, Any]]:  # noqa: N803 - AWS's name
        """All pages."""
        answer = self.client.query(**request)
        yield answer
        while "LastEvaluatedKey" in answer:
            answer = self.client.query(**request, ExclusiveStartKey=answer["LastEvaluatedKey"])
            yield answer
