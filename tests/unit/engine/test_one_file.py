"""A conversion: whole or discarded, begun again with wider types, its rows counted."""

from __future__ import annotations

import io
import json
import threading
from typing import Any

import pyarrow as pa
import pytest

from millrace.engine.destination import Converted, Destination, discard_all
from millrace.engine.one_file import ConversionContext, convert
from millrace.engine.options import (
    TARGET_FORMATS,
    BadRows,
    FileFormat,
    ReadOptions,
    WorkSizes,
    WriteOptions,
    recognise,
)
from millrace.engine.recipe import Recipe
from millrace.errors import MillraceError, OutOfTime, RaggedRow, UnsupportedType, ValueDoesNotFit
from tests.places import REAL_DATA
from tests.unit.engine.formats.builders import Memory, table

SHARED = REAL_DATA
"""Published files, kept beside the repository and not in it."""


class OpenedSource:
    """Opens sinks and remembers them."""

    def __init__(self) -> None:
        self.sinks: list[Memory] = []

    def __call__(self, _directory: str | None = None) -> Memory:
        self.sinks.append(Memory())
        return self.sinks[-1]


def run(
    data: bytes, to: str, opened: OpenedSource, aside: OpenedSource | None = None, **options: Any
) -> Converted[Memory]:
    on_batch = options.pop("on_batch", lambda _rows: None)
    recipe = Recipe(
        source_format=FileFormat.CSV, target_format=FileFormat(to), read=ReadOptions(**options), write=WriteOptions()
    )
    return convert(io.BytesIO(data), recipe, Destination(opened, aside), ConversionContext(on_batch=on_batch))


SMALL_BLOCKS = WorkSizes(block=8, csv_sample=1)
"""Types from the first row alone, a batch a row or two."""


def test_a_value_that_contradicts_the_types_begins_the_output_anew() -> None:
    opened = OpenedSource()
    data = b"a,b\n" + b"1,x\n" * 50 + b"1.5,x\n" + b"2,x\n" * 50

    done = run(data, "parquet", opened, work=SMALL_BLOCKS)

    assert [sink.discarded for sink in opened.sinks] == [True, False]
    assert done.parts[0].sink is opened.sinks[-1]
    assert table(done.parts[0].sink.getvalue())["a"].to_pylist() == [1.0] * 50 + [1.5] + [2.0] * 50


@pytest.mark.parametrize("options", [{}, {"column_types": {"b": "text"}}])
def test_a_column_is_typed_by_its_values_however_late_they_come(options: dict[str, Any]) -> None:
    done = run(b"a,b\n" + b",x\n" * 50 + b"1,x\n", "json", OpenedSource(), work=SMALL_BLOCKS, **options)

    assert done.parts[0].sink.getvalue().splitlines()[49:] == [b'{"a":null,"b":"x"}', b'{"a":1,"b":"x"}']


def test_widening_happens_once_however_often_types_change() -> None:
    opened = OpenedSource()
    data = b"a,b\n1,x\n2,x\n1.5,x\n10.10,x\nx,true\n,x\n"

    done = run(data, "csv", OpenedSource(), work=SMALL_BLOCKS).parts[0].sink.getvalue()
    run(data, "json", opened, work=SMALL_BLOCKS)

    assert done == data
    assert len(opened.sinks) == 2


def test_bad_rows_are_put_aside_once_though_the_file_is_read_again() -> None:
    opened, aside = OpenedSource(), OpenedSource()
    data = b"a,b\n1,x\n7\n" + b"2,x\n" * 20 + b"x,x\n8\n"

    done = run(data, "parquet", opened, aside, bad_rows=BadRows.QUARANTINE, work=SMALL_BLOCKS)

    assert [sink.discarded for sink in aside.sinks] == [True, False]
    assert done.quarantine is aside.sinks[-1]
    assert [json.loads(line)["raw"] for line in aside.sinks[-1].getvalue().splitlines()] == ["7", "8"]
    assert (done.rows.read, done.rows.written, done.rows.quarantined) == (24, 22, 2)


def test_without_bad_rows_no_quarantine_is_opened() -> None:
    aside = OpenedSource()

    done = run(b"a,b\n1,2\n", "json", OpenedSource(), aside, bad_rows=BadRows.QUARANTINE)

    assert done.quarantine is None
    assert aside.sinks == []


def test_an_error_discards_what_was_written() -> None:
    opened = OpenedSource()

    with pytest.raises(RaggedRow):
        run(b"a,b\n" + b"1,2\n" * 20 + b"3\n", "csv", opened, work=SMALL_BLOCKS)

    assert [sink.discarded for sink in opened.sinks] == [True]


def test_an_error_that_is_kept_keeps_no_thread() -> None:
    data = b"a,b\n" + b"1,2\n" * 500 + b"x,1\n" + b"1,2\n" * 500
    work = WorkSizes(processors=2, block=64, csv_sample=64)

    with pytest.raises(ValueDoesNotFit) as kept:
        run(data, "parquet", OpenedSource(), column_types={"a": "integer"}, work=work)

    names = [thread.name for thread in threading.enumerate()]
    assert kept.value.row == 501
    assert [name for name in names if name.startswith("parallel")] == []


def test_the_caller_can_stop_between_batches() -> None:
    opened = OpenedSource()
    heard: list[int] = []

    def stop(rows: int) -> None:
        heard.append(rows)
        if rows >= 10:
            raise OutOfTime("no time left")

    with pytest.raises(OutOfTime):
        run(b"a,b\n" + b"1,2\n" * 50, "csv", opened, on_batch=stop, work=SMALL_BLOCKS)

    assert heard == sorted(heard)
    assert opened.sinks[0].discarded


def test_an_error_of_the_sink_stays_what_it_is() -> None:
    class FullDisk(Memory):
        def write(self, _data: Any) -> int:
            raise OSError(28, "No space left on device")

    recipe = Recipe(
        source_format=FileFormat.CSV, target_format=FileFormat.PARQUET, read=ReadOptions(), write=WriteOptions()
    )
    full = FullDisk()

    with pytest.raises(OSError, match="No space"):
        convert(io.BytesIO(b"a\n1\n"), recipe, Destination(lambda _directory: full))

    assert full.discarded


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGET_FORMATS)
@pytest.mark.parametrize(
    "name",
    [
        "birdstrikes.csv",
        "country-codes.csv",
        "marvel-wikia-data.csv",
        "thanksgiving-2015-poll-data.csv",
        "movies.json",
        "earthquakes.jsonl",
        "alltypes_plain.parquet",
        "nested_structs.rust.parquet",
    ],
)
def test_published_files_become_every_format(name: str, target: FileFormat) -> None:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"the published file {name} is not beside the repository")
    known = recognise(name)
    assert known is not None
    recipe = Recipe(source_format=known.format, target_format=target, read=ReadOptions(), write=WriteOptions())

    done = convert(io.BytesIO(path.read_bytes()), recipe, Destination(Memory))
    back = Recipe(source_format=target, target_format=FileFormat.PARQUET, read=ReadOptions(), write=WriteOptions())
    if (name, target) == ("nested_structs.rust.parquet", FileFormat.ORC):
        # A sum of times is one of the year 52,952: the file holds it, Arrow's reader of ORC cannot, and says so.
        with pytest.raises(UnsupportedType, match="nanoseconds cannot hold"):
            convert(io.BytesIO(done.parts[0].sink.getvalue()), back, Destination(Memory))
        return
    again = convert(io.BytesIO(done.parts[0].sink.getvalue()), back, Destination(Memory))

    assert done.rows.read == done.rows.written == again.rows.written > 0
    assert isinstance(table(again.parts[0].sink.getvalue()), pa.Table)


def test_every_error_of_the_engine_is_one_of_ours() -> None:
    with pytest.raises(MillraceError):
        run(b"a\n1\n", "json", OpenedSource(), encoding="no-such")


def test_a_sink_that_cannot_be_discarded_keeps_no_other() -> None:
    """What is left of an upload costs money until somebody finds it."""

    class Stubborn:
        discarded = False

        def write(self, data: bytes | memoryview, /) -> int:
            return len(data)

        def discard(self) -> None:
            self.discarded = True
            raise OSError("not now")

    sinks = [Stubborn(), Stubborn(), Stubborn()]

    with pytest.raises(OSError, match="not now"):
        discard_all(sinks)

    assert [sink.discarded for sink in sinks] == [True] * 3
