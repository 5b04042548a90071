"""A conversion's stages work beside each other: in order, bounded, and with nothing left behind when one fails."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from millrace.engine import outputs
from millrace.engine.destination import Destination
from millrace.engine.formats.base import RecordWriter, Text
from millrace.engine.formats.registry import FORMATS
from millrace.engine.one_file import ConversionContext, convert
from millrace.engine.options import TARGET_FORMATS, FileFormat, ReadOptions, WorkSizes, WriteOptions
from millrace.engine.parallel import BackgroundWork
from millrace.engine.recipe import Recipe
from millrace.engine.row_counts import RowCounts
from millrace.engine.transform.spec import TableTransform
from millrace.errors import MiscountedRows, OutOfTime, UnsupportedType
from tests.unit.engine.formats.builders import Memory, parquet, table

TARGETS = TARGET_FORMATS
RENDERED = sorted(name for name, entry in FORMATS.items() if entry.render)


def recipe(source: FileFormat, target: FileFormat, partition_key: str | None = None, *, processors: int = 2) -> Recipe:
    return Recipe(
        source_format=source,
        target_format=target,
        read=ReadOptions(work=WorkSizes(processors=processors)),
        write=WriteOptions(),
        transform=TableTransform(partition_key=partition_key),
    )


def groups(count: int) -> bytes:
    """A Parquet file of row groups of 500 rows: a reader gives each as a batch."""
    file, rows = io.BytesIO(), range(count * 500)
    pq.write_table(pa.table({"id": list(rows), "half": [row % 2 for row in rows]}), file, row_group_size=500)
    return file.getvalue()


def lines(rows: int) -> bytes:
    return b"".join(b'{"id":%d,"half":%d,"text":"row %d"}\n' % (row, row % 2, row) for row in range(rows))


def put_fifty(work: Callable[[int], None], then: Callable[[], None] = lambda: None) -> None:
    with BackgroundWork(work, room=100, workers=2) as beside:
        for item in range(50):
            beside.put(item, 1)
        then()


def test_work_beside_keeps_the_order() -> None:
    done: list[int] = []

    with BackgroundWork(done.append, room=3, workers=2) as beside:
        for item in range(100):
            beside.put(item, 1)

    assert done == list(range(100))


def test_what_waits_is_bounded() -> None:
    gate, held = threading.Event(), 0

    def work(_item: int) -> None:
        gate.wait(5)

    with BackgroundWork(work, room=10, workers=2) as beside:
        for _ in range(3):
            beside.put(0, 3)
            held += 1
        threading.Timer(0.05, gate.set).start()
        began = time.monotonic()
        beside.put(0, 3)
        waited = time.monotonic() - began

    assert held == 3
    assert waited > 0.02


def test_after_an_error_nothing_more_is_worked_on() -> None:
    seen: list[int] = []

    def work(item: int) -> None:
        seen.append(item)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        put_fifty(work)

    assert seen == [0]


def test_leaving_by_an_error_forgets_what_waits() -> None:
    gate, seen = threading.Event(), []

    def work(item: int) -> None:
        seen.append(item)
        gate.wait(5)

    def interrupt() -> None:
        threading.Timer(0.02, gate.set).start()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        put_fifty(work, interrupt)

    assert len(seen) <= 1


def test_one_processor_has_no_thread() -> None:
    done, before = list[int](), threading.active_count()

    def count_threads(_rows: int) -> None:
        done.append(threading.active_count())

    with BackgroundWork(count_threads, room=1, workers=1) as beside:
        beside.put(1, 1)
    convert(
        io.BytesIO(groups(3)),
        recipe(FileFormat.PARQUET, FileFormat.CSV, processors=1),
        Destination(Memory),
        ConversionContext(on_batch=count_threads),
    )

    assert len(done) > 3
    assert set(done) == {before}


@pytest.mark.slow
@pytest.mark.kernel
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("partition_key", [None, "half"])
def test_one_processor_and_two_write_the_same_bytes(target: FileFormat, partition_key: str | None) -> None:
    made = []
    for count in (1, 2):
        how = recipe(FileFormat.PARQUET, target, partition_key, processors=count)
        done = convert(io.BytesIO(groups(3)), how, Destination(Memory))
        made.append([(part.directory, part.rows, part.sink.getvalue()) for part in done.parts])

    assert made[0] == made[1]
    assert sum(rows for _, rows, _ in made[0]) == 1500


@pytest.mark.slow
@pytest.mark.kernel
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("partition_key", [None, "half"])
def test_a_stop_leaves_no_thread_and_no_output(target: FileFormat, partition_key: str | None) -> None:
    before, sinks = threading.active_count(), []

    def opened(_directory: str | None) -> Memory:
        sinks.append(Memory())
        return sinks[-1]

    def stop(rows: int) -> None:
        if rows > 2000:
            raise OutOfTime("no time left")

    data = groups(8)
    with pytest.raises(OutOfTime):
        convert(
            io.BytesIO(data),
            recipe(FileFormat.PARQUET, target, partition_key),
            Destination(opened),
            ConversionContext(on_batch=stop),
        )

    assert threading.active_count() == before
    assert all(sink.discarded for sink in sinks)


def test_an_error_of_rendering_rises_as_it_is_and_leaves_no_thread() -> None:
    before = threading.active_count()
    data = parquet(value=pa.array([[("a", 1), ("a", 2)]], pa.map_(pa.string(), pa.int64())))

    with pytest.raises(UnsupportedType, match="'a' twice"):
        convert(io.BytesIO(data), recipe(FileFormat.PARQUET, FileFormat.JSON), Destination(Memory))

    assert threading.active_count() == before


def test_what_is_discarded_hears_nothing_more_of_its_writer() -> None:
    """Arrow's writers finish their file when they are collected; an upload must not begin again by that."""
    writes: list[int] = []

    class Heard(Memory):
        def write(self, data: Any) -> int:
            writes.append(self.discarded)
            return super().write(data)

    def stop(_rows: int) -> None:
        raise OutOfTime("no time left")

    with pytest.raises(OutOfTime):
        convert(
            io.BytesIO(lines(10)),
            recipe(FileFormat.JSON, FileFormat.PARQUET),
            Destination(Heard),
            ConversionContext(on_batch=stop),
        )

    assert True not in writes


class _Loses:
    """A writer that forgets a row of every batch."""

    def __init__(self, inner: RecordWriter) -> None:
        self._inner = inner

    def write(self, rows: pa.RecordBatch | Text) -> None:
        batch = rows if isinstance(rows, pa.RecordBatch) else None
        assert batch is not None
        self._inner.write(batch.slice(1))

    def close(self) -> int:
        return self._inner.close()


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("partition_key", [None, "half"])
def test_a_writer_that_loses_a_row_is_noticed(target: FileFormat, partition_key: str | None) -> None:
    begin = FORMATS[target].write
    losing = replace(FORMATS[target], write=lambda *given: _Loses(begin(*given)), render=None)
    context = ConversionContext(formats={target: losing})
    sinks: list[Memory] = []

    def opened(_directory: str | None) -> Memory:
        sinks.append(Memory())
        return sinks[-1]

    with pytest.raises(MiscountedRows, match="nothing is published"):
        convert(io.BytesIO(lines(10)), recipe(FileFormat.JSON, target, partition_key), Destination(opened), context)

    assert all(sink.discarded for sink in sinks)


@pytest.mark.parametrize("target", RENDERED)
def test_a_renderer_that_loses_a_row_is_noticed(target: FileFormat) -> None:
    render = FORMATS[target].render
    assert render is not None
    losing = replace(FORMATS[target], render=lambda batch, into: render(batch.slice(1), into))
    context = ConversionContext(formats={target: losing})

    with pytest.raises(MiscountedRows, match=r"9 rows.*10 were given"):
        convert(io.BytesIO(lines(10)), recipe(FileFormat.JSON, target), Destination(Memory), context)


def test_a_transform_that_loses_a_row_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def loses(batch: pa.RecordBatch, field: str) -> list[tuple[str | None, pa.RecordBatch]]:
        return [("0", batch.slice(1))]

    monkeypatch.setattr(outputs, "split", loses)

    with pytest.raises(MiscountedRows, match=r"10 rows were read, but 9 written"):
        convert(io.BytesIO(lines(10)), recipe(FileFormat.JSON, FileFormat.JSON, "half"), Destination(Memory))


def test_rows_that_add_up_are_no_error() -> None:
    RowCounts(read=6, written=3, quarantined=2, filtered=1).check()


def test_parts_keep_their_rows_in_order() -> None:
    done = convert(
        io.BytesIO(groups(4)),
        recipe(FileFormat.PARQUET, FileFormat.PARQUET, "half"),
        Destination(Memory),
    )

    for part in done.parts:
        ids = table(part.sink.getvalue())["id"].to_pylist()
        assert ids == sorted(ids)


def test_one_item_needs_no_thread_and_is_worked_on_before_the_end() -> None:
    threads: list[int] = []

    def work(_item: str) -> None:
        threads.append(threading.get_ident())

    with BackgroundWork(work, room=10, workers=2) as beside:
        beside.put("only", 1)

    assert threads == [threading.get_ident()]


def test_an_only_item_is_forgotten_where_an_error_ends_the_work() -> None:
    done: list[str] = []

    def give_one_and_fail() -> None:
        with BackgroundWork(done.append, room=10, workers=2) as beside:
            beside.put("only", 1)
            raise ValueError("other")

    with pytest.raises(ValueError, match="other"):
        give_one_and_fail()
    assert done == []


def test_the_error_of_an_only_item_rises_at_the_end() -> None:
    def fail(_item: str) -> None:
        raise ValueError("no room")

    with pytest.raises(ValueError, match="no room"), BackgroundWork(fail, room=10, workers=2) as beside:
        beside.put("only", 1)
