"""Many items of a DynamoDB table by their keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from millrace.aws.faults import translated
from millrace.engine.parallel import in_order
from millrace.errors import ServiceUnavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_BATCH = 100
"""Items of one BatchGetItem (Amazon DynamoDB API Reference, "BatchGetItem")."""
_READERS = 4
_TRIES = 8


def read_items(
    client: DynamoDBClient, table: str, keys: Sequence[str], *, is_consistent: bool
) -> Iterator[Mapping[str, Any]]:
    """The items that are there, several batches at a time; DynamoDB refuses a key that repeats."""
    batches = (keys[start : start + _BATCH] for start in range(0, len(keys), _BATCH))
    for items in in_order(partial(_read_batch, client, table, is_consistent), batches, workers=_READERS):
        yield from items


def _read_batch(
    client: DynamoDBClient,
    table: str,
    is_consistent: bool,  # noqa: FBT001 - partial gives it by its place
    keys: Sequence[str],
) -> list[Mapping[str, Any]]:
    """All items of one batch; DynamoDB may leave some for the next call, of which it answers 16 MB at most."""
    items: list[Mapping[str, Any]] = []
    asked: Any = {table: {"Keys": [{"pk": {"S": key}} for key in keys], "ConsistentRead": is_consistent}}
    for _ in range(_TRIES):
        with translated("dynamodb:BatchGetItem on", table):
            answer = client.batch_get_item(RequestItems=asked)
        items += answer["Responses"].get(table, [])
        asked = answer.get("UnprocessedKeys")
        if not asked:
            return items
    raise ServiceUnavailable(f"{table} left items unread {_TRIES} times in a row; try again")
