"""Backfills in the ledger's table, in none of its indexes: the board, key ranges, and the tickets that are settled."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from millrace.aws.batches import read_items
from millrace.aws.faults import translated
from millrace.aws.ledger_items import asdict_with_time_texts, to_time_text
from millrace.aws.revised_rows import put_revised, read_rows, to_rows_attribute
from millrace.objects.messages import Ticket, TicketResult
from millrace.operations.backfills.board import (
    Backfill,
    BackfillCounts,
    BackfillState,
    Board,
    KeyRange,
    PortionResult,
    Span,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_MARK = "\x1fbackfill\x1f"
"""No sync's name is empty, so that no entry's key begins like this."""
_BOARD = f"{_MARK}board"
_RANGE, _PORTION = "range", "portion"
_TIMES = ("started", "finished", "paused_at", "idle_since")
_COUNTS = ("earlier", "counts")


class DynamoDBBackfills:
    """Satisfies ``operations.backfills.board.BackfillStore`` and ``delivery.tickets.TicketBook``."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def board(self) -> Board:
        """One strongly consistent GetItem."""
        revision, rows = read_rows(self._client, self._table, _BOARD)
        return Board(revision=revision, backfills=tuple(map(_to_row, rows)))

    def put_board(self, board: Board) -> None:
        """One conditional PutItem."""
        self._put(_BOARD, board.revision, to_rows_attribute(list(map(_from_row, board.backfills))))

    def ranges(self, backfill: str, names: Sequence[str]) -> dict[str, KeyRange]:
        """Strongly consistent, a hundred at a time."""
        items = self._read_items([_key(backfill, _RANGE, name) for name in names], is_consistent=True)
        ranges = (_to_range(json.loads(item["range"]["S"]), int(item["revision"]["N"])) for item in items)
        return {key_range.name: key_range for key_range in ranges}

    def put_range(self, key_range: KeyRange) -> None:
        """One conditional PutItem."""
        fields = asdict(replace(key_range, lease_until=None))
        del fields["revision"]
        fields["lease_until"] = to_time_text(key_range.lease_until)
        key = _key(key_range.backfill, _RANGE, key_range.name)
        self._put(key, key_range.revision, {"range": {"S": json.dumps(fields)}})

    def count(self, tickets: Iterable[Ticket], result: TicketResult) -> None:
        """One UpdateItem, which adds to a set of numbers: the same numbers once more change nothing."""
        counted = list(tickets)
        if not counted:
            return
        first = counted[0]
        numbers = sorted({str(ticket.number) for ticket in counted})
        with translated("dynamodb:UpdateItem on", f"{self._table} for the backfill {first.backfill!r}"):
            self._client.update_item(
                TableName=self._table,
                Key={"pk": {"S": _key(first.backfill, _PORTION, first.portion)}},
                UpdateExpression="ADD #result :numbers",
                ExpressionAttributeNames={"#result": str(result)},
                ExpressionAttributeValues={":numbers": {"NS": numbers}},
            )

    def results(self, backfill: str, portions: Sequence[str]) -> Iterator[PortionResult]:
        """Eventually consistent: a count may lag behind by a second, and is never too high."""
        keys = [_key(backfill, _PORTION, portion) for portion in portions]
        for item in self._read_items(keys, is_consistent=False):
            yield PortionResult(*(_to_numbers(item, name) for name in TicketResult))

    def stopped(self) -> frozenset[str]:
        """The names of the backfills that somebody gave up lately."""
        rows = self.board().backfills
        return frozenset(row.name for row in rows if row.state is BackfillState.STOPPED)

    def _read_items(self, keys: Sequence[str], *, is_consistent: bool) -> Iterator[Mapping[str, Any]]:
        return read_items(self._client, self._table, keys, is_consistent=is_consistent)

    def _put(self, key: str, revision: int, attributes: Mapping[str, Any]) -> None:
        put_revised(self._client, self._table, key, revision, attributes, purpose="backfills")


def _key(backfill: str, kind: str, name: str) -> str:
    return f"{_MARK}{backfill}\x1f{kind}\x1f{name}"


def _to_numbers(item: Mapping[str, Any], name: str) -> frozenset[int]:
    return frozenset(map(int, item.get(name, {}).get("NS", ())))


def _from_row(row: Backfill) -> dict[str, Any]:
    return asdict_with_time_texts(row, _TIMES)


def _to_row(fields: dict[str, Any]) -> Backfill:
    for name in _TIMES:
        text = fields[name]
        fields[name] = datetime.fromisoformat(text) if text else None
    for name in _COUNTS:
        fields[name] = BackfillCounts(**fields[name])
    return Backfill(**{**fields, "state": BackfillState(fields["state"])})


def _to_range(fields: dict[str, Any], revision: int) -> KeyRange:
    lease = fields.pop("lease_until")
    return KeyRange(
        backfill=fields["backfill"],
        name=fields["name"],
        revision=revision,
        span=Span(**fields["span"]),
        after=fields["after"],
        counts=BackfillCounts(**fields["counts"]),
        portions=tuple(fields["portions"]),
        children=tuple(Span(**span) for span in fields["children"]),
        lease_until=datetime.fromisoformat(lease) if lease else None,
        is_listed=fields["is_listed"],
    )
