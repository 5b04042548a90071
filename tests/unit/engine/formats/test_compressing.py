"""Compressed outputs: what any tool reads back, the same to the byte whenever they are written."""

from __future__ import annotations

import bz2
import gzip
import io
import json
from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.engine.formats.registry import FORMATS
from millrace.engine.options import (
    TARGET_FORMATS,
    Compression,
    FileFormat,
    OutputCompression,
    ReadOptions,
    WriteOptions,
    output_compressions,
    output_extension,
    recognise,
    words_of,
)
from tests.properties import examples

TEXTS = [
    file_format
    for file_format in FileFormat
    if words_of(file_format).is_written and not words_of(file_format).compresses_inside
]
WHOLE = [one for one in OutputCompression if one.extension]
UNPACK: dict[OutputCompression, Callable[[bytes], bytes]] = {
    OutputCompression.GZIP: gzip.decompress,
    OutputCompression.BZIP2: bz2.decompress,
    OutputCompression.ZSTD: lambda data: pa.CompressedInputStream(pa.BufferReader(data), "zstd").read(),
}
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
ROWS = pa.RecordBatch.from_pydict({"n": list(range(5000)), "text": ["some words, again"] * 5000})


def written(file_format: FileFormat, compression: OutputCompression | None, *batches: pa.RecordBatch) -> bytes:
    sink = io.BytesIO()
    writer = FORMATS[file_format].write(sink, batches[0].schema, WriteOptions(compression=compression))
    for batch in batches:
        writer.write(batch)
    assert writer.close() == sum(batch.num_rows for batch in batches)
    return sink.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("compression", WHOLE)
@pytest.mark.parametrize("file_format", TEXTS)
def test_it_holds_what_is_written_without_compression(file_format: FileFormat, compression: OutputCompression) -> None:
    data = written(file_format, compression, ROWS, ROWS)

    assert UNPACK[compression](data) == written(file_format, None, ROWS, ROWS)
    assert len(data) < 100_000


@pytest.mark.parametrize("compression", WHOLE)
def test_a_file_without_rows_is_whole(compression: OutputCompression) -> None:
    assert UNPACK[compression](written(FileFormat.JSON_DOC, compression, ROWS.slice(0, 0))) == b"[]\n"
    assert UNPACK[compression](written(FileFormat.JSON, compression, ROWS.slice(0, 0))) == b""


@pytest.mark.parametrize("compression", WHOLE)
def test_the_same_rows_are_the_same_bytes(compression: OutputCompression) -> None:
    assert written(FileFormat.CSV, compression, ROWS) == written(FileFormat.CSV, compression, ROWS)


def test_a_gzip_file_tells_neither_time_nor_name() -> None:
    head = written(FileFormat.CSV, OutputCompression.GZIP, ROWS)[:8]

    assert head == b"\x1f\x8b\x08" + bytes(5)


@pytest.mark.slow
@pytest.mark.kernel
@pytest.mark.parametrize("compression", [None, *WHOLE])
@pytest.mark.parametrize("file_format", TEXTS)
@settings(max_examples=examples(15))
@given(
    texts=st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1)
)
def test_what_is_written_is_read_again_by_its_name(
    file_format: FileFormat, compression: OutputCompression | None, texts: list[str | None]
) -> None:
    batch = pa.RecordBatch.from_pydict({"n": range(len(texts)), "text": pa.array(texts, pa.string())})
    data = written(file_format, compression, batch)
    found = recognise("folder/name" + output_extension(file_format, compression))
    assert found is not None
    assert found.stem == "folder/name"

    options = ReadOptions(compression=found.compression, infer_types=False)
    records = FORMATS[found.format].read(io.BytesIO(data), options, report=lambda bad: pytest.fail(str(bad)))

    assert [value for part in records.batches for value in part.column("text").to_pylist()] == texts


@pytest.mark.parametrize("file_format", TARGET_FORMATS)
def test_only_texts_are_named_by_their_compression(file_format: FileFormat) -> None:
    for compression in output_compressions(file_format):
        whole = compression in WHOLE

        assert output_extension(file_format, compression).endswith(f".{compression}") == whole
        assert not whole or file_format in TEXTS
        assert not whole or Compression(compression)


@pytest.mark.parametrize("codec", output_compressions(FileFormat.PARQUET))
def test_parquet_compresses_inside(codec: OutputCompression) -> None:
    import pyarrow.parquet as pq  # noqa: PLC0415 # beside what uses it

    file = pq.ParquetFile(io.BytesIO(written(FileFormat.PARQUET, codec, ROWS)))

    named = {"none": "uncompressed"}.get(codec, codec)
    assert file.metadata.row_group(0).column(1).compression == named.upper()


def test_a_document_is_valid_json_at_every_compression() -> None:
    for compression in WHOLE:
        assert len(json.loads(UNPACK[compression](written(FileFormat.JSON_DOC, compression, ROWS)))) == ROWS.num_rows
