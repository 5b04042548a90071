"""How each tool converts a file: its fastest documented way, its own finding of types, snappy inside Parquet.

Everything is imported where it is used: a process pays for, and is measured with, its own tool alone.
"""

# ruff: noqa: PLC0415 # a process pays for its own tool alone

from __future__ import annotations

import importlib
import os
import pkgutil
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType, ModuleType

Convert = Callable[[], None]
Prepare = Callable[[Path, Path, int], Convert]


class NotOffered(Exception):
    """The tool has no way to do this conversion."""


def kind_of(path: Path) -> str:
    """The format that a file's name tells: csv, jsonl, json or parquet."""
    return next(suffix[1:] for suffix in path.suffixes if suffix[1:] in {"csv", "jsonl", "json", "parquet"})


_LOADED_LATER = ("csv", "json", "parquet", "streams", "text")
"""Formats whose modules a process's first conversion imports: a warm function has done it, and the other tools import
all at once."""


def _import_formats() -> None:
    """Import what Millrace would import when a file first needs it."""
    from millrace.engine import formats, native

    for name in _LOADED_LATER:
        package = importlib.import_module(f"{formats.__name__}.{name}")
        _import_modules(package)
    _import_modules(native)


def _import_modules(package: ModuleType) -> None:
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)


def _millrace(source: Path, target: Path, _threads: int) -> Convert:
    from millrace.engine.files import Job, convert_file
    from millrace.engine.formats.memory import pass_by_imports, use_lean_pool
    from millrace.engine.options import FileFormat

    _import_formats()
    use_lean_pool()
    pass_by_imports()
    named = {"csv": "csv", "jsonl": "json", "json": "json-doc", "parquet": "parquet"}
    job = Job(source=str(source), target=str(target), to=FileFormat(named[kind_of(target)]))
    return lambda: _done(convert_file(job))


def _duckdb(source: Path, target: Path, threads: int) -> Convert:
    import duckdb

    connection = duckdb.connect(config={"threads": threads, "temp_directory": str(target.parent)})
    read = {
        "csv": "read_csv($source)",
        "jsonl": "read_json($source, format = 'newline_delimited')",
        "json": "read_json($source, format = 'array')",
        "parquet": "read_parquet($source)",
    }[kind_of(source)]
    options = {
        "csv": "FORMAT csv, HEADER",
        "jsonl": "FORMAT json",
        "json": "FORMAT json, ARRAY true",
        "parquet": "FORMAT parquet, COMPRESSION snappy",
    }[kind_of(target)]
    statement = f"COPY (SELECT * FROM {read}) TO '{target}' ({options})".replace("$source", f"'{source}'")  # noqa: S608 # our own file
    return lambda: _done(connection.execute(statement))


def _polars(source: Path, target: Path, threads: int) -> Convert:
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    import polars as pl

    scans: dict[str, Callable[[], pl.LazyFrame]] = {
        "csv": lambda: pl.scan_csv(source),
        "jsonl": lambda: pl.scan_ndjson(source),
        "json": lambda: pl.read_json(source).lazy(),
        "parquet": lambda: pl.scan_parquet(source),
    }
    sinks: dict[str, Callable[[pl.LazyFrame], object]] = {
        "csv": lambda frame: frame.sink_csv(target),
        "jsonl": lambda frame: frame.sink_ndjson(target),
        "parquet": lambda frame: frame.sink_parquet(target, compression="snappy"),
    }
    scan, sink = scans[kind_of(source)], sinks[kind_of(target)]
    return lambda: _done(sink(scan()))


def _pandas(source: Path, target: Path, _threads: int) -> Convert:
    import pandas as pd

    def csv() -> pd.DataFrame:
        try:
            return pd.read_csv(source, engine="pyarrow", dtype_backend="pyarrow")
        except pd.errors.ParserError:  # its fast engine knows no line ends within quotes
            return pd.read_csv(source, dtype_backend="pyarrow")

    readers: dict[str, Callable[[], pd.DataFrame]] = {
        "csv": csv,
        "jsonl": lambda: pd.read_json(source, lines=True, engine="pyarrow", dtype_backend="pyarrow"),
        "json": lambda: pd.read_json(source, dtype_backend="pyarrow"),
        "parquet": lambda: pd.read_parquet(source, dtype_backend="pyarrow"),
    }
    writers: dict[str, Callable[[pd.DataFrame], object]] = {
        "csv": lambda frame: frame.to_csv(target, index=False),
        "jsonl": lambda frame: frame.to_json(target, orient="records", lines=True, date_format="iso"),
        "parquet": lambda frame: frame.to_parquet(target, index=False, compression="snappy"),
    }
    read, write = readers[kind_of(source)], writers[kind_of(target)]
    return lambda: _done(write(read()))


def _pyarrow(source: Path, target: Path, threads: int) -> Convert:
    import pyarrow as pa
    from pyarrow import csv, json
    from pyarrow import parquet as pq

    pa.set_cpu_count(threads)

    def batches() -> tuple[pa.Schema, object]:
        match kind_of(source):
            case "csv":
                reader = csv.open_csv(
                    source,
                    read_options=csv.ReadOptions(use_threads=threads > 1),
                    parse_options=csv.ParseOptions(newlines_in_values=True),
                )
                return reader.schema, reader
            case "jsonl":
                reader = json.open_json(source, read_options=json.ReadOptions(use_threads=threads > 1))
                return reader.schema, reader
            case "parquet":
                file = pq.ParquetFile(source)
                return file.schema_arrow, file.iter_batches(65_536, use_threads=threads > 1)
        raise NotOffered("pyarrow reads JSON by lines only")

    def convert() -> None:
        schema, read = batches()
        if kind_of(target) == "jsonl":
            raise NotOffered("pyarrow writes no JSON")
        if kind_of(target) == "csv":
            with csv.CSVWriter(target, schema) as writer:
                for batch in read:  # type: ignore[attr-defined]
                    writer.write_batch(batch)
            return
        with pq.ParquetWriter(target, schema, compression="snappy") as writer:
            for batch in read:  # type: ignore[attr-defined]
                writer.write_batch(batch)

    return convert


def _done(_result: object) -> None:
    """A conversion's answer is its file."""


ENGINES = MappingProxyType[str, Prepare](
    {"Millrace": _millrace, "DuckDB": _duckdb, "Polars": _polars, "pyarrow": _pyarrow, "pandas": _pandas}
)
"""In the order of a round."""
