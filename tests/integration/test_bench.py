"""The benchmark's judge notices what it is there for, and a page that is written anew keeps what people wrote in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from bench.compare import history
from bench.compare.check import CHANGED, EQUAL, KEPT, check
from bench.compare.datasets import DATASETS
from bench.compare.figures import Figures
from bench.compare.files import write
from bench.compare.page import BEGIN, END, markdown
from millrace.engine.files import Job, convert_file
from millrace.engine.options import FileFormat

SIZE = 200_000


def _truth(path: Path, dataset: str, change: Callable[[pa.Table], pa.Table] = lambda table: table) -> Path:
    """A Parquet file of a dataset, with a change."""
    pq.write_table(change(pa.concat_tables(DATASETS[dataset].blocks(SIZE))), path)
    return path


def _with_column(table: pa.Table, name: str, values: pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_dataset_is_judged_as_kept_where_nothing_changed(dataset: str, tmp_path: Path) -> None:
    path = _truth(tmp_path / "truth.parquet", dataset)

    assert check(path, DATASETS[dataset], SIZE).grade == KEPT


@pytest.mark.parametrize(
    ("dataset", "extension", "to", "target"),
    [
        ("taxi", "csv", FileFormat.PARQUET, "target.parquet"),
        ("reviews", "csv", FileFormat.PARQUET, "target.parquet"),
        ("nested", "jsonl", FileFormat.PARQUET, "target.parquet"),
        ("flat", "json", FileFormat.PARQUET, "target.parquet"),
        ("taxi", "parquet", FileFormat.CSV, "target.csv"),
        ("nested", "parquet", FileFormat.JSON, "target.jsonl"),
    ],
)
def test_millrace_keeps_the_benchmarks_values(
    dataset: str, extension: str, to: FileFormat, target: str, tmp_path: Path
) -> None:
    source, into = tmp_path / f"source.{extension}", tmp_path / target
    write(source, DATASETS[dataset], extension, SIZE)

    convert_file(Job(source=str(source), target=str(into), to=to))

    assert check(into, DATASETS[dataset], SIZE).grade == KEPT


def test_numbers_that_lost_a_zero_are_equal_and_the_first_is_told(tmp_path: Path) -> None:
    path = _truth(
        tmp_path / "doubles.parquet",
        "items",
        lambda table: _with_column(table, "l_tax", table["l_tax"].cast(pa.float64())),
    )

    judged = check(path, DATASETS["items"], SIZE)

    assert judged.grade == EQUAL
    assert judged.difference.startswith("l_tax, row ")


def test_one_changed_value_is_told_with_its_row(tmp_path: Path) -> None:
    def change(table: pa.Table) -> pa.Table:
        names = table["reviewer"].to_pylist()
        return _with_column(table, "reviewer", pa.chunked_array([[*names[:99], "7", *names[100:]]]))

    path = _truth(tmp_path / "changed.parquet", "reviews", change)

    judged = check(path, DATASETS["reviews"], SIZE)

    assert judged.grade == CHANGED
    assert judged.difference == "reviewer, row 100: '000000000099' became '7'"


def test_missing_is_not_empty_and_rows_are_counted(tmp_path: Path) -> None:
    empty = _truth(
        tmp_path / "empty.parquet",
        "reviews",
        lambda table: _with_column(table, "headline", pc.fill_null(table["headline"], "")),
    )
    short = _truth(tmp_path / "short.parquet", "reviews", lambda table: table.slice(0, table.num_rows - 1))

    assert "nothing became ''" in check(empty, DATASETS["reviews"], SIZE).difference
    assert check(short, DATASETS["reviews"], SIZE).difference == "rows are missing at the end"


def _figures(version: str, wall: float) -> Figures:
    """A run of one pair in which DuckDB took two seconds."""
    run = {"pair": "csv->parquet taxi", "size": 1, "threads": 1, "round": 1, "status": "done"}
    measured = {"cpu": 1.0, "start": 0.1, "peak": 2**20, "bytes": 10, "values": {"grade": "kept"}}
    results = {
        "date": "2026-01-01",
        "machine": {"processor": "p", "cores": "2", "memory": "1 GB", "system": "s"},
        "versions": {"millrace": version},
        "rounds": 1,
        "runs": [
            {**run, **measured, "tool": tool, "wall": time} for tool, time in (("Millrace", wall), ("DuckDB", 2.0))
        ],
    }
    return Figures(results)


def test_a_page_that_is_written_anew_keeps_what_people_wrote() -> None:
    page = markdown(_figures("0.9", 1.0), "plot.png", f"old {BEGIN}\nBecause.\n{END} old", [])

    assert f"{BEGIN}\nBecause.\n{END}" in page
    assert "| csv->parquet taxi | 1.00 · 1.00 · 1 | 2.00 · 1.00 · 1 | 0.50 | 1.00 |" in page
    assert "| 1 MB, 1 thread, wall time: geometric mean of the ratios ≤ 0.8 | 0.50 | met |" in page
    assert "| 1 MB, 1 thread, CPU time: geometric mean of the ratios ≤ 0.8 | 1.00 | **missed** |" in page


def test_each_versions_last_run_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "history.json"
    file.write_text("[]")
    for version, wall in (("0.1.0", 3.0), ("0.2.0", 2.0), ("0.2.0", 1.0)):
        known = history.add(_figures(version, wall), file)

    assert [(means.version, means.wall) for means in known] == [("0.1.0", 1.5), ("0.2.0", 0.5)]
    assert history.read(file) == known
    assert "| 0.2.0 | 2026-01-01 | 1 | 1 | 0.50 | 1.00 |" in markdown(_figures("0.2.0", 1.0), "plot.png", "", known)


def test_the_kept_history_is_read() -> None:
    assert history.read()[0].version == "0.1.0"
