"""One day of the history as a Parquet file: rows in, rows out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date
from itertools import islice
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from millrace.deployment.history_columns import DAY, HISTORY_COLUMNS
from millrace.engine.formats.base import ByteSink
from millrace.engine.formats.streams.arrow_sink import PassingSink
from millrace.errors import DataError
from millrace.objects.references import ObjectRef
from millrace.operations.history.work import FinishedWork

_FILE = "history.parquet"
_GROUP_ROWS = 20_000
"""Rows of a row group, which is all that is in memory of a day: some 10 MB."""
_ARROW_TYPES = {
    "string": pa.string(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    # Athena reads Parquet's timestamps of milliseconds and microseconds; they have no zone there, and are UTC.
    "timestamp": pa.timestamp("us"),
}
SCHEMA = pa.schema([pa.field(column.name, _ARROW_TYPES[column.kind]) for column in HISTORY_COLUMNS])


def place_of(home: ObjectRef, day: str) -> ObjectRef:
    """The object of a day; ``home`` is the folder, a key that ends in a slash."""
    return ObjectRef(home.bucket, f"{home.key}{DAY}={day}/{_FILE}")


def day_of(home: ObjectRef, ref: ObjectRef) -> str | None:
    """The day of an object below the folder; None for what is no day's."""
    name, _, file = ref.key.removeprefix(home.key).partition("/")
    text = name.removeprefix(f"{DAY}=")
    if file != _FILE or text == name:
        return None
    try:
        return str(date.fromisoformat(text))
    except ValueError:
        return None


def write_day(rows: Iterable[FinishedWork], sink: ByteSink) -> int:
    """Write the rows as they come, in flat memory; their number. The same rows give the same bytes."""
    pending = iter(rows)
    count = 0
    with pq.ParquetWriter(pa.PythonFile(PassingSink(sink), mode="w"), SCHEMA, compression="zstd") as writer:
        while group := list(islice(pending, _GROUP_ROWS)):
            writer.write_table(pa.Table.from_pylist(list(map(_to_stored, group)), schema=SCHEMA))
            count += len(group)
    return count


def read_day(stream: BinaryIO, ref: ObjectRef) -> Iterator[FinishedWork]:
    """The rows of a day's file, in flat memory; columns that a newer version added are passed over.

    Raises: DataError if it is no such file.
    """
    try:
        file = pq.ParquetFile(stream)
    except pa.ArrowInvalid as invalid:
        raise DataError(f"{ref} is no day of a history: {invalid}") from invalid
    names = [name for name in SCHEMA.names if name in file.schema_arrow.names]
    for batch in file.iter_batches(batch_size=_GROUP_ROWS, columns=names):
        for row in batch.to_pylist():
            yield FinishedWork(**_from_stored(row))


def _to_stored(work: FinishedWork) -> dict[str, object]:
    row = work.to_row()
    for name in ("started", "finished"):
        if row[name] is not None:
            row[name] = row[name].replace(tzinfo=None)
    return row


def _from_stored(row: dict[str, Any]) -> dict[str, Any]:
    """A row's values; a column that an older version did not write is None."""
    values: dict[str, Any] = {name: row.get(name) for name in SCHEMA.names}
    for name in ("started", "finished"):
        if values[name] is not None:
            values[name] = values[name].replace(tzinfo=UTC)
    return values
