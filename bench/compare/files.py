"""The data as files: CSV, JSON lines, one JSON array, Parquet, and what compresses them."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench.compare.datasets import DATASETS, Dataset

_ROWS_A_GROUP = 122_880
_MIB = 2**20


def text_of(values: pa.Array) -> pa.Array:
    """Scalars as the sources print them; doubles always with a point."""
    if pa.types.is_floating(values.type):
        printed = values.cast(pa.string())
        return pc.if_else(pc.match_substring(printed, "."), printed, pc.binary_join_element_wise(printed, ".0", ""))
    if values.type == pa.timestamp("ms"):
        return values.cast(pa.timestamp("s")).cast(pa.string())
    return values.cast(pa.string())


def _csv_field(values: pa.Array) -> pa.Array:
    texts = text_of(values)
    if pa.types.is_string(values.type):
        quoted = pc.binary_join_element_wise('"', pc.replace_substring(texts, '"', '""'), '"', "")
        texts = pc.if_else(pc.match_substring_regex(texts, '[",\r\n]'), quoted, texts)
    return pc.fill_null(texts, "")


def _csv(blocks: Iterator[pa.Table]) -> Iterator[bytes]:
    for number, block in enumerate(blocks):
        if number == 0:
            yield (",".join(block.column_names) + "\n").encode()
        fields = [_csv_field(column.combine_chunks()) for column in block.columns]
        yield _bytes(pc.binary_join_element_wise(pc.binary_join_element_wise(*fields, ","), "\n", ""))


def _json_value(values: pa.Array) -> pa.Array:
    kind = values.type
    if pa.types.is_struct(kind):
        parts: list[pa.Array | str] = []
        for place, field in enumerate(kind):
            parts += [f"{',' if place else '{'}{json.dumps(field.name)}:", _json_value(values.field(place))]
        return pc.binary_join_element_wise(*parts, "}", "")
    if pa.types.is_list(kind):
        lists = pa.ListArray.from_arrays(values.offsets, _json_value(values.values))
        return pc.binary_join_element_wise("[", pc.binary_join(lists, ","), "]", "")
    texts = text_of(values)
    if pa.types.is_string(kind):
        for found, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n")):
            texts = pc.replace_substring(texts, found, escaped)
        texts = pc.binary_join_element_wise('"', texts, '"', "")
    return pc.fill_null(texts, "null")


def _json_lines(blocks: Iterator[pa.Table]) -> Iterator[bytes]:
    for block in blocks:
        rows = _json_value(block.to_struct_array().combine_chunks())
        yield _bytes(pc.binary_join_element_wise(rows, "\n", ""))


def _json_array(blocks: Iterator[pa.Table]) -> Iterator[bytes]:
    begin = "[\n"
    for block in blocks:
        rows = _json_value(block.to_struct_array().combine_chunks())
        yield begin.encode() + _bytes(pc.binary_join_element_wise(rows, ",\n", ""))[:-2]
        begin = ",\n"
    yield b"\n]\n"


def _bytes(texts: pa.Array) -> bytes:
    _validity, offsets, data = texts.buffers()
    return bytes(memoryview(data)[: memoryview(offsets).cast("i")[len(texts)]])


def _write_parquet(path: Path, blocks: Iterator[pa.Table]) -> None:
    first = next(blocks)
    with pq.ParquetWriter(path, first.schema, compression="snappy") as writer:
        for block in (first, *blocks):
            writer.write_table(block, row_group_size=_ROWS_A_GROUP)


def _open_plain(path: Path) -> BinaryIO:
    return path.open("wb")


def _open_gzip(path: Path) -> BinaryIO:
    return gzip.GzipFile(path, "wb", compresslevel=6, mtime=0)  # type: ignore[return-value]


def _open_zstd(path: Path) -> BinaryIO:
    return pa.CompressedOutputStream(str(path), "zstd")  # type: ignore[no-any-return]


_TEXT: dict[str, Callable[[Iterator[pa.Table]], Iterator[bytes]]] = {
    "csv": _csv,
    "jsonl": _json_lines,
    "json": _json_array,
}
_OPEN: dict[str, Callable[[Path], BinaryIO]] = {"": _open_plain, "gz": _open_gzip, "zst": _open_zstd}


def write(path: Path, dataset: Dataset, extension: str, size: int) -> None:
    """Write a file of about ``size`` bytes of text; ``extension`` is such as ``csv``, ``jsonl.zst``, ``parquet``."""
    temporary = path.with_name(path.name + ".part")
    kind, _, compression = extension.partition(".")
    if kind == "parquet":
        _write_parquet(temporary, dataset.blocks(size))
    else:
        with _OPEN[compression](temporary) as file:
            for part in _TEXT[kind](dataset.blocks(size)):
                file.write(part)
    temporary.replace(path)


def main(path: str, dataset: str, extension: str, megabytes: str) -> None:
    """Write one file, in a process of its own, so that the runner stays small."""
    write(Path(path), DATASETS[dataset], extension, int(megabytes) * _MIB)


if __name__ == "__main__":
    main(*sys.argv[1:])
