"""Each tool from a file to a Parquet file, by its plain reader with its defaults, as its documentation begins."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
from pyarrow import csv, json

from millrace.engine.files import Job, convert_file
from millrace.engine.options import FileFormat

Tool = Callable[[Path, Path], object]


def _millrace(source: Path, target: Path) -> object:
    return convert_file(Job(source=str(source), target=str(target), to=FileFormat.PARQUET))


def _pyarrow(source: Path, target: Path) -> object:
    readers = {".csv": csv.read_csv, ".jsonl": json.read_json, ".parquet": pq.read_table}
    return pq.write_table(readers[source.suffix](source), target)


def _pyarrow_streaming(source: Path, target: Path) -> object:
    if source.suffix == ".parquet":
        file = pq.ParquetFile(source)
        schema, batches = file.schema_arrow, file.iter_batches()
    else:
        batches = {".csv": csv.open_csv, ".jsonl": json.open_json}[source.suffix](source)
        schema = batches.schema
    with pq.ParquetWriter(target, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return None


def _duckdb(source: Path, target: Path) -> object:
    readers = {".csv": "read_csv", ".jsonl": "read_json", ".parquet": "read_parquet"}
    with duckdb.connect(config={"threads": 1, "autoinstall_known_extensions": False}) as connection:
        return connection.execute(
            f"COPY (SELECT * FROM {readers[source.suffix]}('{source}')) TO '{target}' (FORMAT parquet)"  # noqa: S608 # our own
        ).fetchall()


def _polars(source: Path, target: Path) -> object:
    readers: dict[str, Callable[[Path], pl.DataFrame]] = {
        ".csv": pl.read_csv,
        ".jsonl": pl.read_ndjson,
        ".parquet": pl.read_parquet,
    }
    return readers[source.suffix](source).write_parquet(target)


def _pandas(source: Path, target: Path) -> object:
    readers: dict[str, Callable[[Path], pd.DataFrame]] = {
        ".csv": pd.read_csv,
        ".jsonl": lambda path: pd.read_json(path, lines=True),
        ".parquet": pd.read_parquet,
    }
    return readers[source.suffix](source).to_parquet(target, index=False)


TOOLS = MappingProxyType[str, Tool](
    {
        "Millrace": _millrace,
        "pyarrow": _pyarrow,
        "pyarrow, streaming": _pyarrow_streaming,
        "DuckDB": _duckdb,
        "Polars": _polars,
        "pandas": _pandas,
    }
)


def convert(tool: str, source: Path, target: Path) -> str:
    """Convert; what the tool said where it refused, otherwise nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a peer's warnings are its own affair
        try:
            TOOLS[tool](source, target)
        except BaseException as error:  # Polars' panics are no Exception
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            return f"{type(error).__name__}: {error}"
    return ""
