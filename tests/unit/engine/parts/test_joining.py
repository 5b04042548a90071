"""Outputs of parts are joined into what one writer would have written, and any reader reads it."""

from __future__ import annotations

import bz2
import gzip
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.engine.formats.base import BadRow
from millrace.engine.formats.registry import FORMATS
from millrace.engine.formats.streams.decompression import open_unpacked
from millrace.engine.options import FileFormat, OutputCompression, ReadOptions, WriteOptions
from millrace.engine.parts.bodies import BODY_FORMATS
from millrace.engine.parts.joining import JoinPlan, Literal, PartOutput, Piece, join_plan
from millrace.engine.parts.uploading import GluedPart, UploadLimits, plan_upload
from millrace.errors import CannotBeCut, MiscountedRows, TooBig
from tests.properties import examples

TEXTS = (FileFormat.CSV, FileFormat.JSON, FileFormat.JSON_DOC)
AROUND = (None, OutputCompression.GZIP, OutputCompression.ZSTD, OutputCompression.BZIP2)
UNPACK: dict[OutputCompression | None, Callable[[bytes], bytes]] = {
    None: bytes,
    OutputCompression.GZIP: gzip.decompress,
    OutputCompression.BZIP2: bz2.decompress,
    OutputCompression.ZSTD: lambda data: open_unpacked(io.BytesIO(data)).read(2**30),
}
SCHEMA = pa.schema([("id", pa.int64()), ('na"me,\nof', pa.string())])
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
PARTS = st.lists(st.lists(st.tuples(st.integers(0, 2**40), st.none() | TEXT), max_size=5), min_size=1, max_size=6)


def fail(bad: BadRow) -> None:
    pytest.fail(str(bad))


def to_batch(rows: Sequence[tuple[int, str | None]], schema: pa.Schema = SCHEMA) -> pa.RecordBatch:
    columns = [[row[0] for row in rows], [row[1] for row in rows]]
    return pa.RecordBatch.from_arrays(
        [pa.array(*column) for column in zip(columns, schema.types, strict=True)], schema=schema
    )


def written(
    file_format: FileFormat,
    options: WriteOptions,
    batches: Sequence[pa.RecordBatch],
    formats: object = None,
) -> bytes:
    sink = io.BytesIO()
    writer = (BODY_FORMATS if formats is None else FORMATS)[file_format].write(sink, batches[0].schema, options)
    for batch in batches:
        if batch.num_rows:
            writer.write(batch)
    writer.close()
    return sink.getvalue()


def as_part(data: bytes, rows: int) -> PartOutput:
    @contextmanager
    def open_part() -> Iterator[BinaryIO]:
        yield io.BytesIO(data)

    return PartOutput(size=len(data), rows=rows, open=open_part)


def put_together(plan: JoinPlan, contents: Sequence[bytes]) -> bytes:
    pieces = list[bytes]()
    for piece in plan.pieces:
        assert piece.size > 0
        pieces.append(piece.content if isinstance(piece, Literal) else contents[piece.part][piece.start : piece.end])
    joined = b"".join(pieces)
    assert len(joined) == plan.size
    return joined


def joined(file_format: FileFormat, options: WriteOptions, batches: Sequence[pa.RecordBatch]) -> bytes:
    contents = [written(file_format, options, [batch]) for batch in batches]
    parts = [as_part(data, batch.num_rows) for data, batch in zip(contents, batches, strict=True)]
    plan = join_plan(file_format, options.compression, parts)
    assert plan.rows == sum(batch.num_rows for batch in batches)
    return put_together(plan, contents)


@pytest.mark.slow
@pytest.mark.kernel
@pytest.mark.parametrize("file_format", TEXTS)
@settings(max_examples=examples(60))
@given(parts=PARTS, compression=st.sampled_from(AROUND))
def test_text_is_that_of_one_writer(
    file_format: FileFormat, parts: list[list[tuple[int, str | None]]], compression: OutputCompression | None
) -> None:
    batches = [to_batch(rows) for rows in parts]
    data = joined(file_format, WriteOptions(compression=compression), batches)
    assert UNPACK[compression](data) == written(file_format, WriteOptions(), batches, FORMATS)


@pytest.mark.slow
@pytest.mark.kernel
@pytest.mark.parametrize("file_format", [FileFormat.PARQUET, FileFormat.AVRO])
@settings(max_examples=examples(30))
@given(parts=PARTS)
def test_a_binary_file_holds_the_rows_of_one_writer(
    file_format: FileFormat, parts: list[list[tuple[int, str | None]]]
) -> None:
    batches = [to_batch(rows, pa.schema([("id", pa.int64()), ("name", pa.string())])) for rows in parts]
    options = WriteOptions(lineage={"millrace.source": "s3://a/b"}, group_rows=2)
    data = joined(file_format, options, batches)
    records = FORMATS[file_format].read(io.BytesIO(data), ReadOptions(), report=fail)
    rows = [row for batch in records.batches for row in batch.to_pylist()]
    assert rows == [row for batch in batches for row in batch.to_pylist()]


def test_parquet_of_full_parts_has_the_bytes_of_one_writer() -> None:
    schema = pa.schema([("id", pa.int64()), ("name", pa.string())])
    batches = [
        to_batch([(number, "x" * (number % 7)) for number in range(start, start + 6)], schema) for start in (0, 6)
    ]
    options = WriteOptions(lineage={"millrace.rows": "of a test"}, group_rows=3)
    assert joined(FileFormat.PARQUET, options, batches) == written(FileFormat.PARQUET, options, batches, FORMATS)


ROWS = [[(number, f"text {number}") for number in range(start, start + 400)] for start in range(0, 2000, 400)]
PLAIN = pa.schema([("id", pa.int64()), ("name", pa.string())])
TABLE = pa.Table.from_batches([to_batch(rows, PLAIN) for rows in ROWS])


def compressed(file_format: FileFormat, compression: OutputCompression) -> bytes:
    return joined(file_format, WriteOptions(compression=compression), [to_batch(rows, PLAIN) for rows in ROWS])


class TestReadersOfSeveralMembers:
    @pytest.mark.slow
    @pytest.mark.kernel
    @pytest.mark.parametrize("compression", AROUND[1:])
    @pytest.mark.parametrize("file_format", TEXTS)
    def test_our_own(self, compression: OutputCompression, file_format: FileFormat) -> None:
        data = compressed(file_format, compression)
        records = FORMATS[file_format].read(io.BytesIO(data), ReadOptions(), report=fail)
        assert pa.Table.from_batches(list(records.batches)).to_pydict() == TABLE.to_pydict()

    @pytest.mark.parametrize(
        ("compression", "codec"),
        [(OutputCompression.GZIP, "gzip"), (OutputCompression.ZSTD, "zstd"), (OutputCompression.BZIP2, "bz2")],
    )
    def test_arrow(self, compression: OutputCompression, codec: str) -> None:
        data = compressed(FileFormat.CSV, compression)
        stream = pa.CompressedInputStream(pa.BufferReader(data), codec)
        assert pyarrow.csv.read_csv(stream).equals(TABLE)

    @pytest.mark.slow
    @pytest.mark.kernel
    @pytest.mark.parametrize("compression", [OutputCompression.GZIP, OutputCompression.ZSTD])
    @pytest.mark.parametrize("file_format", TEXTS)
    def test_duckdb(self, compression: OutputCompression, file_format: FileFormat, tmp_path: Path) -> None:
        path = tmp_path / f"x.{file_format}{compression.extension}"
        path.write_bytes(compressed(file_format, compression))
        read = duckdb.read_csv if file_format is FileFormat.CSV else duckdb.read_json
        assert read(str(path)).to_arrow_table().cast(PLAIN).to_pydict() == TABLE.to_pydict()

    @pytest.mark.parametrize("compression", [OutputCompression.GZIP, OutputCompression.ZSTD])
    def test_polars(self, compression: OutputCompression, tmp_path: Path) -> None:
        path = tmp_path / f"x.csv{compression.extension}"
        path.write_bytes(compressed(FileFormat.CSV, compression))
        assert pl.read_csv(path).to_arrow().cast(PLAIN).to_pydict() == TABLE.to_pydict()


class TestJoinedParquet:
    def test_every_reader_reads_it(self, tmp_path: Path) -> None:
        path = tmp_path / "x.parquet"
        path.write_bytes(joined(FileFormat.PARQUET, WriteOptions(), [to_batch(rows, PLAIN) for rows in ROWS]))
        assert pq.read_table(path).equals(TABLE)
        assert duckdb.read_parquet(str(path)).to_arrow_table().cast(PLAIN).equals(TABLE)
        assert pl.read_parquet(path).to_arrow().cast(PLAIN).equals(TABLE)

    @pytest.mark.slow
    def test_a_footer_longer_than_what_is_read_at_first(self) -> None:
        schema = pa.schema([(f"a column of a long name, number {number}", pa.int64()) for number in range(900)])
        batch = pa.RecordBatch.from_pylist([{"a column of a long name, number 7": 7}], schema=schema)
        data = joined(FileFormat.PARQUET, WriteOptions(), [batch, batch])
        assert pq.read_table(io.BytesIO(data)).num_rows == 2

    def test_other_rows_than_were_counted(self) -> None:
        data = written(FileFormat.PARQUET, WriteOptions(), [to_batch(ROWS[0], PLAIN)])
        with pytest.raises(MiscountedRows, match="400 rows, 399 were expected"):
            join_plan(FileFormat.PARQUET, None, [as_part(data, 399)])

    def test_other_lineage(self) -> None:
        contents = [
            written(FileFormat.PARQUET, WriteOptions(lineage={"a": value}), [to_batch(ROWS[0], PLAIN)])
            for value in "xy"
        ]
        with pytest.raises(MiscountedRows, match="defect"):
            join_plan(FileFormat.PARQUET, None, [as_part(data, 400) for data in contents])


class TestRefusedJoins:
    def test_orc(self) -> None:
        data = written(FileFormat.ORC, WriteOptions(), [to_batch(ROWS[0], PLAIN)])
        with pytest.raises(CannotBeCut, match=r"orc cannot be joined .* write csv"):
            join_plan(FileFormat.ORC, None, [as_part(data, 400)])

    @pytest.mark.parametrize("compression", AROUND)
    def test_other_headers(self, compression: OutputCompression | None) -> None:
        other = pa.schema([("id", pa.int64()), ("other", pa.string())])
        contents = [
            written(FileFormat.CSV, WriteOptions(compression=compression), [to_batch(ROWS[0], schema)])
            for schema in (PLAIN, other)
        ]
        with pytest.raises(MiscountedRows, match="part 1 has other columns"):
            join_plan(FileFormat.CSV, compression, [as_part(data, 400) for data in contents])

    def test_rows_that_are_not_there(self) -> None:
        parts = [as_part(b"", 3), as_part(b"", 3)]
        with pytest.raises(MiscountedRows, match="0 bytes holds no rows"):
            join_plan(FileFormat.CSV, None, parts)


LIMITS = UploadLimits(smallest=10, largest=40, most_parts=1000)


@given(sizes=st.lists(st.integers(1, 130), min_size=1, max_size=30), literals=st.sets(st.integers(0, 29)))
def test_an_upload_has_every_byte_once_in_order_and_parts_within_the_limits(
    sizes: list[int], literals: set[int]
) -> None:
    pieces = list[Literal | Piece]()
    contents = [bytes([number]) * size for number, size in enumerate(sizes)]
    for number, content in enumerate(contents):
        pieces.append(Literal(content) if number in literals else Piece(number, 0, len(content)))
    upload = plan_upload(JoinPlan(tuple(pieces), 0), LIMITS)
    flat = list[Literal | Piece]()
    for part in upload:
        flat += part.pieces if isinstance(part, GluedPart) else [part]
    assert put_together(JoinPlan(tuple(flat), 0), contents) == b"".join(contents)
    assert all(part.size >= LIMITS.smallest for part in upload[:-1])
    assert all(part.size <= LIMITS.largest for part in upload if isinstance(part, Piece))
    longest = max(
        [LIMITS.smallest * 2, *(len(contents[number]) + LIMITS.smallest for number in literals if number < len(sizes))]
    )
    assert all(part.size < longest for part in upload if isinstance(part, GluedPart))


def test_an_upload_of_too_many_parts_says_what_to_do() -> None:
    plan = JoinPlan(tuple(Piece(number, 0, 20) for number in range(1001)), 0)
    with pytest.raises(TooBig, match=r"1,001 parts, 1,000 are the most.*part_bytes"):
        plan_upload(plan, LIMITS)


def test_large_parts_are_copied_but_for_what_a_small_one_before_them_lacks() -> None:
    plan = JoinPlan((Piece(0, 0, 2), Piece(1, 0, 20), Piece(2, 0, 3)), 0)
    assert plan_upload(plan, UploadLimits(smallest=5)) == (
        GluedPart((Piece(0, 0, 2), Piece(1, 0, 3))),
        Piece(1, 3, 20),
        GluedPart((Piece(2, 0, 3),)),
    )
