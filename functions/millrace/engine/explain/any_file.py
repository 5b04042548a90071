"""Files explained: what they are, what type each column gets, and the first value that keeps it from a narrower one."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import BinaryIO

from millrace.engine.explain.csv_file import explain_csv, explain_fixed_width, explain_log
from millrace.engine.explain.facts import Content, Explanation
from millrace.engine.explain.json_file import explain_json
from millrace.engine.explain.parquet_file import explain_parquet
from millrace.engine.explain.settled_types import settle_content
from millrace.engine.explain.typed_file import explain_avro, explain_excel, explain_orc, explain_xml
from millrace.engine.formats.streams.decompression import find_compression
from millrace.engine.options import Compression, FileFormat, ReadOptions, words_of
from millrace.errors import TruncatedFile

_EXPLAIN: Mapping[FileFormat, Callable[[BinaryIO, ReadOptions], Content]] = {
    FileFormat.CSV: explain_csv,
    FileFormat.JSON: explain_json,
    FileFormat.JSON_DOC: explain_json,
    FileFormat.PARQUET: explain_parquet,
    FileFormat.AVRO: explain_avro,
    FileFormat.ORC: explain_orc,
    FileFormat.XML: explain_xml,
    FileFormat.EXCEL: explain_excel,
    FileFormat.FIXED_WIDTH: explain_fixed_width,
    FileFormat.LOG: explain_log,
}


def explain_file(source: BinaryIO, file_format: FileFormat, options: ReadOptions) -> Explanation:
    """Read a seekable source from beginning to end, and tell what conversion makes of it.

    What is wrong with the content is a part of the explanation; raises InvalidConfiguration for options that are wrong.
    """
    size = source.seek(0, io.SEEK_END)
    source.seek(0)
    content = settle_content(_EXPLAIN[file_format](source, options), source, file_format, options)
    return Explanation(
        format=file_format, compression=_compression_of(source, file_format, options), size=size, content=content
    )


def _compression_of(source: BinaryIO, file_format: FileFormat, options: ReadOptions) -> Compression:
    """What the first bytes say; the name's word counts for a file that was cut within them."""
    if words_of(file_format).compresses_inside:
        return options.compression
    try:
        return find_compression(source, options.compression)
    except TruncatedFile:
        return options.compression
