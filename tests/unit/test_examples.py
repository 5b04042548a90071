"""Every example does what it says: its configuration is sound, and its outputs are those that are committed."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Sequence

import jsonschema
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from millrace.config.json_schema import schema
from millrace.config.reading import read
from millrace.engine.formats.registry import FORMATS
from millrace.engine.options import FileFormat, ReadOptions
from millrace.ledger.entries import State, WorkEntry
from millrace.objects.messages import Request
from tests.examples import FOLDER, NAMES, Example, files

SCHEMA = jsonschema.Draft202012Validator(schema())
_Order = Callable[[list[Request]], Sequence[Request]]


def _shuffled_and_doubled(requests: list[Request]) -> list[Request]:
    doubled = [*requests, *requests]
    random.Random(1).shuffle(doubled)
    return doubled


ORDERS: dict[str, _Order] = {
    "in order": list,
    "reversed": lambda requests: requests[::-1],
    "shuffled and doubled": _shuffled_and_doubled,
}


def _table(data: bytes) -> pa.Table:
    """Values, names and types; what the writer notes beside them is left out."""
    return pq.read_table(io.BytesIO(data)).replace_schema_metadata(None)


def _avro(data: bytes) -> pa.Table:
    """The same of Avro."""
    records = FORMATS[FileFormat.AVRO].read(io.BytesIO(data), ReadOptions(), report=lambda bad: pytest.fail(str(bad)))
    return pa.Table.from_batches(list(records.batches), records.schema)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_is_sound(name: str) -> None:
    """It loads, fits the JSON Schema, and holds no secret."""
    example = Example(name)
    document = example.document

    assert SCHEMA.is_valid(read(example.folder / "millrace.yaml"))
    assert document.inline_secrets() == []


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_it_makes_what_is_expected(name: str, order: _Order) -> None:
    """To the byte, and nothing else; in any order of events."""
    example = Example(name)
    expected = files(example.folder / "expected")

    outputs = example.outputs(example.done(order))

    assert sorted(outputs) == sorted(expected)
    for path, data in expected.items():
        if path.endswith(".parquet"):
            assert _table(outputs[path]).equals(_table(data)), path
        elif path.endswith(".avro"):
            assert _avro(outputs[path]).equals(_avro(data)), path
        else:
            assert outputs[path] == data, path


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_is_all_accounted_for(name: str) -> None:
    """Nothing fails or waits, and every row read is written, put aside or filtered."""
    entries = Example(name).done().ledger.entries.values()

    assert entries
    for entry in entries:
        if not isinstance(entry, WorkEntry):
            continue
        assert entry.state not in {State.FAILED, State.IN_FLIGHT, State.WAITING}, entry
        assert entry.rows.read == entry.rows.written + entry.rows.quarantined + entry.rows.filtered


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_doing_it_again_writes_nothing(name: str) -> None:
    """The same events once more, on a warm ledger."""
    run = Example(name).run()
    run.work(run.uploads())
    once, writes = run.outputs(), run.store.calls.count("put")

    run.work(run.uploads())

    assert (run.outputs(), run.store.calls.count("put")) == (once, writes)


def test_every_example_is_listed() -> None:
    """Under its name, in the README of the folder."""
    text = (FOLDER / "README.md").read_text(encoding="utf-8")

    assert [name for name in NAMES if f"]({name})" not in text] == []
