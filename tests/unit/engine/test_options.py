"""What a key's extensions say."""

from __future__ import annotations

import pytest

from millrace.engine.options import Compression, FileFormat, recognise


@pytest.mark.parametrize(
    ("key", "file_format", "compression", "stem"),
    [
        ("a.csv", FileFormat.CSV, Compression.NONE, "a"),
        ("a.tsv", FileFormat.CSV, Compression.NONE, "a"),
        ("in/b.JSON", FileFormat.JSON, Compression.NONE, "in/b"),
        ("b.jsonl.gz", FileFormat.JSON, Compression.GZIP, "b"),
        ("b.ndjson.zst", FileFormat.JSON, Compression.ZSTD, "b"),
        ("c.csv.bz2", FileFormat.CSV, Compression.BZIP2, "c"),
        ("c.d.parquet", FileFormat.PARQUET, Compression.NONE, "c.d"),
        ("2026 q1+ü.csv", FileFormat.CSV, Compression.NONE, "2026 q1+ü"),
    ],
)
def test_known_extensions(key: str, file_format: FileFormat, compression: Compression, stem: str) -> None:
    found = recognise(key)

    assert found is not None
    assert (found.format, found.compression, found.stem) == (file_format, compression, stem)
    assert found.delimiter == ("\t" if key.endswith(".tsv") else None)


@pytest.mark.parametrize(
    "key", ["a", "a.txt", "a.gz", "a.csv.zip", "a.parquet.gz", "csv", "in/.csv", ".csv", "a.csv.gz.gz"]
)
def test_foreign_extensions(key: str) -> None:
    assert recognise(key) is None


def test_every_format_has_an_extension_of_its_own() -> None:
    assert len({file_format.extension for file_format in FileFormat}) == len(FileFormat)
