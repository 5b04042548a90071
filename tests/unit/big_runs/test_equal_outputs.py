"""A big run gives what one invocation gives: value for value, type for type, row for row."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from millrace.ledger.entries import State
from millrace.objects.references import ObjectRef
from tests.configurations import bulk_sync
from tests.unit.big_runs.running import RunWorld, twin_of
from tests.world import World

ROWS = 60


def to_csv() -> bytes:
    lines = ["id,zip,price,note,when"]
    for number in range(ROWS):
        note = f'"line one\nof ""{number}"""' if number % 7 == 0 else f"n{number}"
        price = f"{number}.5" if number > 40 else str(number)
        lines.append(f"{number},{number:05},{price},{note},2026-11-{number % 28 + 1:02}")
    return ("\n".join(lines) + "\n").encode()


def to_rows() -> list[dict[str, Any]]:
    rows = []
    for number in range(ROWS):
        row: dict[str, Any] = {"id": number, "note": f"n,{number} ü", "nested": {"a": [number, None], "b": {}}}
        if number > 50:
            row["late"] = number / 2
        rows.append(row)
    return rows


def to_json_lines() -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in to_rows())


def to_parquet() -> bytes:
    buffer = io.BytesIO()
    table = pa.table({"id": range(ROWS), "note": [f"n{number}" for number in range(ROWS)]})
    pq.write_table(table, buffer, row_group_size=9)
    return buffer.getvalue()


SOURCES = {
    "orders.csv": to_csv(),
    "orders.jsonl": to_json_lines(),
    "orders.json": json.dumps(to_rows()).encode(),
    "orders.parquet": to_parquet(),
    "orders.csv.gz": gzip.compress(to_csv()),
}
EXTENSIONS = {"csv": ".csv", "json": ".jsonl", "json-doc": ".json", "parquet": ".parquet"}


def content(world: World, ref: ObjectRef) -> object:
    """An output as its readers see it; the layout of Parquet's pages is nobody's."""
    data = world.store.data(ref)
    if ref.key.endswith(".parquet"):
        table = pq.read_table(io.BytesIO(data))
        return table.schema, table.schema.metadata, table.to_pylist()
    return data


@pytest.mark.slow
@pytest.mark.parametrize("to", EXTENSIONS)
@pytest.mark.parametrize("name", SOURCES)
def test_every_source_becomes_every_target(name: str, to: str) -> None:
    source, target = ObjectRef("acme-in", f"in/{name}"), ObjectRef("acme-out", f"lake/orders{EXTENSIONS[to]}")
    syncs = (bulk_sync(to=to),)
    world = RunWorld(syncs=syncs, part_bytes=400)
    whole = twin_of(world)

    waiting = world.one(world.upload(SOURCES[name], source))
    assert waiting.result is State.WAITING
    assert world.drive() == "done", world.entry(source)
    whole.one(whole.upload(SOURCES[name], source))

    entry, expected = world.entry(source), whole.entry(source)
    assert (entry.state, entry.rows, entry.version) == (State.CONVERTED, expected.rows, expected.version)
    assert content(world, target) == content(whole, target)
    assert world.store.buckets["acme-out"][target.key].etag == entry.outputs[0].etag
    assert world.store.buckets["acme-out"][target.key].metadata["millrace-rows"] == str(ROWS)
    assert len({event.index for event in world.events}) > 3
    assert world.homes() == []
