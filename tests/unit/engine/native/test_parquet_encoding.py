"""Row groups by the kernel have the bytes that Arrow gives them, or are left to Arrow; so do whole files."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.engine.formats.parquet import writer as parquet_writer
from millrace.engine.formats.parquet.encoding import Encodings
from millrace.engine.formats.parquet.flat_groups import FlatEncoder, open_flat_encoder
from millrace.engine.formats.parquet.footers import MAGIC, file_end, join_footers, read_footer, split_file
from millrace.engine.options import OutputCompression, WriteOptions
from tests.properties import examples
from tests.unit.engine.formats.builders import Memory
from tests.unit.engine.native.kernels import require_kernel

OPTIONS: dict[str, Any] = {
    "version": "2.6",
    "write_page_checksum": True,
    "store_schema": True,
    "write_page_index": False,
    "store_decimal_as_integer": True,
}
CODECS: tuple[dict[str, Any], ...] = (
    {"compression": "snappy"},
    {"compression": "zstd", "compression_level": 3, "data_page_size": 4 * 2**20},
    {"compression": "none"},
)
LEVELS = (0.0, 0.05, 0.5, 1.0)
"""Shares of nulls."""
SIZES = st.one_of(st.sampled_from([1, 7, 8, 9, 127, 129, 257, 505, 513, 1024, 1025, 3000]), st.integers(1, 2000))
often = settings(max_examples=examples(100), deadline=None)

Draw = Callable[[random.Random], Any]


def _integers(bits: int) -> Draw:
    edge = 2 ** (bits - 1)
    return lambda chance: chance.choice([0, 1, -1, edge - 1, -edge, chance.randrange(-edge, edge)])


def _doubles(chance: random.Random) -> float:
    special = [0.0, -0.0, float("nan"), float("inf"), float("-inf"), 5e-324, 1.7976931348623157e308]
    return chance.choice([*special, chance.random(), chance.randrange(10**6) / 100])


def _floats(chance: random.Random) -> float:
    return chance.choice([0.0, -0.0, float("nan"), float("inf"), chance.randrange(100) / 4])


def _texts(chance: random.Random) -> str:
    size = chance.choice([0, 1, 3, 7, 8, 9, 15, 16, 17, 40])
    return "".join(chance.choice("ab\0é漢") for _ in range(size))


def _long_texts(chance: random.Random) -> str:
    return chance.choice("xyz") * chance.choice([0, 4095, 4096, 4097])


def _bytes(chance: random.Random) -> bytes:
    return chance.randbytes(chance.choice([0, 1, 8, 20]))


def _decimals(digits: int) -> Draw:
    return lambda chance: Decimal(chance.randrange(1 - 10**digits, 10**digits)).scaleb(-2)


KINDS: tuple[tuple[pa.DataType, Draw], ...] = (
    (pa.bool_(), lambda chance: chance.random() < 0.5),
    (pa.int8(), _integers(8)),
    (pa.int16(), _integers(16)),
    (pa.int32(), _integers(32)),
    (pa.int64(), _integers(64)),
    (pa.float32(), _floats),
    (pa.float64(), _doubles),
    (pa.string(), _texts),
    (pa.string(), _long_texts),
    (pa.large_string(), _texts),
    (pa.binary(), _bytes),
    (pa.large_binary(), _bytes),
    (pa.date32(), lambda chance: chance.randrange(-(10**6), 10**6)),
    (pa.time64("us"), lambda chance: chance.randrange(86_400 * 10**6)),
    (pa.timestamp("s"), lambda chance: chance.randrange(-(10**12), 10**12)),
    (pa.timestamp("ms"), _integers(64)),
    (pa.timestamp("us", "UTC"), _integers(64)),
    (pa.timestamp("ns", "Europe/Berlin"), _integers(64)),
    (pa.decimal128(9, 2), _decimals(9)),
    (pa.decimal128(18, 2), _decimals(18)),
)
DATED = (
    *(kind for kind in KINDS if not pa.types.is_timestamp(kind[0]) and not pa.types.is_date(kind[0])),
    (pa.date32(), lambda chance: chance.randrange(-20_000, 80_000)),
    (pa.timestamp("us"), lambda chance: chance.randrange(10**15, 2 * 10**15)),
    (pa.timestamp("s"), lambda chance: chance.randrange(10**9, 2 * 10**9)),
)
"""With days and instants that Python has, too."""


@dataclass(frozen=True, slots=True)
class RowsToWrite:
    """Rows, and how they are written."""

    table: pa.Table
    encodings: Encodings
    options: Mapping[str, Any]


def _nulls(chance: random.Random, share: float | None, rows: int) -> Iterator[bool]:
    """Which rows are null; without a share in runs."""
    while rows > 0:
        run = 1 if share is not None else min(rows, chance.randrange(1, 40))
        is_null = chance.random() < (0.5 if share is None else share)
        yield from [is_null] * run
        rows -= run


def _column(chance: random.Random, drawn: tuple[pa.DataType, Draw], name: str, rows: int) -> tuple[pa.Field, pa.Array]:
    kind, draw = drawn
    few = chance.choice([1, 2, 3, 50, None])
    pool = [draw(chance) for _ in range(few or rows)]
    nulls = _nulls(chance, chance.choice([*LEVELS, None]), rows)
    values = [None if is_null else chance.choice(pool) for is_null in nulls]
    stored = pa.int64() if pa.types.is_temporal(kind) and not pa.types.is_date(kind) else None
    array = pa.array(values, stored or kind).cast(kind)
    return pa.field(name, kind, nullable=array.null_count > 0 or chance.random() < 0.6), array


def _choose_encodings(chance: random.Random, fields: list[pa.Field]) -> Encodings:
    if chance.random() < 0.3:
        return Encodings()
    dictionary = tuple(field.name for field in fields if chance.random() < 0.4)
    deltas = {}
    for field in fields:
        kind = field.type
        is_integer = pa.types.is_integer(kind) or pa.types.is_temporal(kind) or pa.types.is_decimal(kind)
        if is_integer and field.name not in dictionary and chance.random() < 0.8:
            deltas[field.name] = "DELTA_BINARY_PACKED"
    return Encodings(dictionary, deltas)


@st.composite
def cases(draw: st.DrawFn, kinds: tuple[tuple[pa.DataType, Draw], ...]) -> RowsToWrite:
    """Rows in some batches of any size; the values come from a seed, since thousands of draws would take minutes."""
    rows, chance = draw(SIZES), random.Random(draw(st.integers(0, 2**32)))
    columns = [
        _column(chance, chance.choice(kinds), f"c{position}", rows) for position in range(draw(st.integers(1, 4)))
    ]
    fields = [field for field, _ in columns]
    table = pa.Table.from_arrays([array for _, array in columns], schema=pa.schema(fields))
    cuts = sorted(chance.randrange(rows + 1) for _ in range(draw(st.integers(0, 4))))
    pieces = [table.slice(start, end - start) for start, end in zip([0, *cuts], [*cuts, rows], strict=True)]
    return RowsToWrite(pa.concat_tables(pieces), _choose_encodings(chance, fields), draw(st.sampled_from(CODECS)))


def by_arrow(case: RowsToWrite) -> bytes:
    file = pa.BufferOutputStream()
    with pq.ParquetWriter(file, case.table.schema, **OPTIONS, **case.options, **case.encodings.arguments) as writer:
        writer.write_table(case.table, row_group_size=case.table.num_rows)
    return bytes(memoryview(file.getvalue()))


def by_kernel(case: RowsToWrite) -> bytes | None:
    """The file by the kernel, with the schema and all else that Arrow's file has beside the row group."""
    group = open_encoder(case.table.schema).encode(case.table.to_batches(), case.encodings, case.options)
    if group is None:
        return None
    of_arrow = read_footer(bytes(split_file(memoryview(by_arrow(case)))[1]))
    assert group.describe() == of_arrow.groups[0]
    assert group.rows == case.table.num_rows
    return MAGIC + b"".join(group.pieces) + file_end(join_footers([of_arrow], [0]))


def open_encoder(schema: pa.Schema) -> FlatEncoder:
    encoder = open_flat_encoder(require_kernel(), schema)
    assert encoder is not None
    return encoder


@given(cases(KINDS))
@often
def test_a_group_has_the_bytes_that_arrow_gives_it(case: RowsToWrite) -> None:
    data = by_kernel(case)
    if data is None:  # a dictionary that would be too large
        assert case.encodings.dictionary != ()
        assert case.table.nbytes >= 2**20
    else:
        assert data == by_arrow(case)


@given(cases(DATED))
@settings(max_examples=examples(25), deadline=None)
def test_duckdb_and_polars_read_what_arrow_reads(case: RowsToWrite) -> None:
    """Compared as they are printed, so that -0.0 is not 0.0 and NaN is NaN."""
    data = by_kernel(case)
    if data is None:
        return
    rows = [tuple(row.values()) for row in case.table.to_pylist()]

    assert repr([tuple(row.values()) for row in pq.read_table(pa.BufferReader(data)).to_pylist()]) == repr(rows)
    assert repr(polars.read_parquet(data).rows()) == repr(rows)
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file, duckdb.connect() as database:
        file.write(data)
        file.flush()
        assert repr(database.read_parquet(file.name).fetchall()) == repr(rows)


@pytest.mark.parametrize("options", CODECS, ids=["snappy", "zstd", "none"])
def test_pages_are_cut_where_arrow_cuts_them(options: Mapping[str, Any]) -> None:
    """After 20,000 rows, or a megabyte of texts; places in a dictionary take more bits page by page."""
    rows = 45_000
    columns = {
        "growing": pa.array([number // 3 for number in range(rows)]),
        "mixed": pa.array([None if number % 7 == 0 else number * 7919 % 30_011 for number in range(rows)]),
        "text": pa.array([f"{number:060}" for number in range(rows)]),
        "flag": pa.array([number % 20_000 == 0 for number in range(rows)]),
        "moment": pa.array([number * 997 if number < 20_000 else None for number in range(rows)]),
    }
    table = pa.table(columns)
    encodings = Encodings(("growing", "mixed"), {"moment": "DELTA_BINARY_PACKED"})
    case = RowsToWrite(pa.concat_tables([table.slice(0, 1500), table.slice(1500)]), encodings, options)

    assert by_kernel(case) == by_arrow(case)
    assert pq.read_table(pa.BufferReader(by_kernel(case))).equals(table)


LEFT_TO_ARROW = {
    "a dictionary of a megabyte": (pa.array([f"{number:040}" for number in range(30_000)]), True),
    "a null where none may be": (pa.array([1, None]), False),
    "seconds that are no milliseconds": (pa.array([2**62], pa.timestamp("s")), True),
    "a decimal of more digits than its type": (
        pa.Array.from_buffers(pa.decimal128(9, 0), 1, [None, pa.py_buffer((2**31).to_bytes(16, "little"))]),
        True,
    ),
}


@pytest.mark.parametrize("reason", LEFT_TO_ARROW)
def test_what_only_arrow_can_decide_is_left_to_it(reason: str) -> None:
    values, is_nullable = LEFT_TO_ARROW[reason]
    schema = pa.schema([pa.field("a", values.type, nullable=is_nullable)])
    batch = pa.RecordBatch.from_arrays([values], schema=schema)

    assert open_encoder(schema).encode([batch], Encodings(), CODECS[0]) is None


@pytest.mark.parametrize(
    "kind",
    [
        *(pa.null(), pa.uint8(), pa.uint64(), pa.float16(), pa.date64(), pa.time32("s"), pa.duration("s")),
        *(pa.decimal128(19, 2), pa.decimal256(5, 2), pa.binary(3), pa.string_view(), pa.uuid()),
        *(pa.list_(pa.int8()), pa.struct([("a", pa.int8())]), pa.dictionary(pa.int8(), pa.string())),
    ],
    ids=str,
)
def test_other_types_are_left_to_arrow(kind: pa.DataType) -> None:
    assert open_flat_encoder(require_kernel(), pa.schema([("a", pa.int64()), ("b", kind)])) is None


def write_file(table: pa.Table, options: WriteOptions, batch_rows: int) -> bytes:
    sink = Memory()
    writer = parquet_writer.write(sink, table.schema, options)
    for batch in table.to_batches(batch_rows):
        writer.write(batch)
    assert writer.close() == table.num_rows
    return sink.getvalue()


@given(
    case=cases(KINDS),
    rows=st.sampled_from([100, 600, 122_880]),
    batch_rows=st.integers(1, 1200),
    compression=st.sampled_from([None, OutputCompression.ZSTD_INSIDE]),
    processors=st.sampled_from([1, 2]),
)
@settings(max_examples=examples(50), deadline=None)
def test_files_have_the_same_bytes_without_the_kernel(
    case: RowsToWrite, rows: int, batch_rows: int, compression: OutputCompression | None, processors: int
) -> None:
    require_kernel()
    options = WriteOptions(group_rows=rows, compression=compression, processors=processors)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLRACE_NATIVE", "0")
        pure = write_file(case.table, options, batch_rows)

    assert write_file(case.table, options, batch_rows) == pure


def test_a_file_may_have_groups_of_both() -> None:
    """The first group's few texts ask for a dictionary, the second's are too many for one."""
    require_kernel()
    texts = [*["red", "green"] * 20_000, *(f"{number:050}" for number in range(40_000))]
    table = pa.table({"text": texts, "number": range(len(texts))})
    options = WriteOptions(group_rows=40_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLRACE_NATIVE", "0")
        pure = write_file(table, options, 9000)

    data = write_file(table, options, 9000)

    assert data == pure
    assert pq.read_table(pa.BufferReader(data)).equals(table)


@pytest.mark.parametrize("longest_text", [8, 50])
def test_one_group_has_the_same_bytes_whoever_shares_its_columns(longest_text: int) -> None:
    """Texts of 50 characters are a dictionary that is too large for the kernel, beside columns that are not."""
    require_kernel()
    texts = pa.array([f"{number:0{longest_text}}" for number in range(40_000)])
    schema = pa.schema([("text", pa.string()), *((f"number {number}", pa.int64()) for number in range(20))])
    numbers = [pa.array(range(number, number + 40_000)) for number in range(20)]
    batch = pa.RecordBatch.from_arrays([texts, *numbers], schema=schema)

    shared = open_encoder(schema).begin([batch], Encodings(("text",)), CODECS[0])
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(shared.encode_remaining) for _ in range(3)]
    alone = open_encoder(schema).encode([batch], Encodings(("text",)), CODECS[0])

    assert shared.finish() == alone
    assert (alone is None) == (longest_text == 50)
    assert [answer.result() for answer in answers].count(False) == (longest_text == 50)


@pytest.mark.parametrize("rows", [20_000, 200_000])
def test_one_processor_and_several_write_the_same_bytes(rows: int) -> None:
    """More than a megabyte is shared, though it is all that there is; more than a group is many."""
    require_kernel()
    table = pa.table({f"number {number}": pa.array(range(number, rows + number)) for number in range(8)})

    files = {write_file(table, WriteOptions(processors=processors), 9000) for processors in (1, 2, 3)}

    assert len(files) == 1
