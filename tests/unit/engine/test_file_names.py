"""What names say: nothing that outweighs a told format, an archive, hidden."""

from __future__ import annotations

import pytest

from millrace.engine.file_names import (
    is_archive,
    is_hidden_segment,
    recognise_told,
    with_extensions,
    without_archive_extension,
)
from millrace.engine.options import Compression, FileFormat, ReadOptions, RecognisedKey


@pytest.mark.parametrize(
    ("key", "stem", "compression"),
    [
        ("in/export.txt", "in/export", Compression.NONE),
        ("in/export.DAT.gz", "in/export", Compression.GZIP),
        ("in/export.psv", "in/export", Compression.NONE),
        ("in/app.log.zst", "in/app", Compression.ZSTD),
        ("in/0000_part_00", "in/0000_part_00", Compression.NONE),
        ("in/0000_part_00.gz", "in/0000_part_00", Compression.GZIP),
        ("stream-1-2026-11-28-13-00-00-0b9c", "stream-1-2026-11-28-13-00-00-0b9c", Compression.NONE),
        ("in/unload.000", "in/unload.000", Compression.NONE),
        ("in/KONTO.A01", "in/KONTO.A01", Compression.NONE),
        ("in/app.log.2026-11-28", "in/app.log.2026-11-28", Compression.NONE),
        ("in/part-0001.c000.snappy", "in/part-0001.c000", Compression.SNAPPY),
        ("in/v1.2/export", "in/v1.2/export", Compression.NONE),
        ("in/.txt", "in/.txt", Compression.NONE),
    ],
)
def test_a_told_format_outweighs_an_extension_that_says_nothing(key: str, stem: str, compression: Compression) -> None:
    for told in (FileFormat.CSV, FileFormat.JSON):
        assert recognise_told(key, told) == RecognisedKey(told, compression, stem)


@pytest.mark.parametrize(
    ("key", "file_format"),
    [("a.csv", FileFormat.CSV), ("a.json.gz", FileFormat.JSON), ("a.parquet", FileFormat.PARQUET)],
)
def test_an_extension_that_names_a_format_is_that(key: str, file_format: FileFormat) -> None:
    for told in FileFormat:
        known = recognise_told(key, told)
        assert known is not None
        assert known.format is file_format


@pytest.mark.parametrize(
    "key",
    [
        "a.pdf",
        "a.csv.md5",
        "a.csv.sha256",
        "a.docx",
        "a.png",
        "a.csv.done",
        "a.tmp",
        "a.zip",
        "a.tar.gz",
        "a.7z",
        "in/",
    ],
)
def test_an_extension_that_says_something_else_is_passed_over(key: str) -> None:
    assert recognise_told(key, FileFormat.CSV) is None


def test_parquet_is_not_packed_around() -> None:
    assert recognise_told("part-0001.gz", FileFormat.PARQUET) is None
    assert recognise_told("part-0001", FileFormat.PARQUET) is not None


@pytest.mark.parametrize(
    ("segment", "is_hidden"),
    [("_SUCCESS", True), (".part", True), ("_", True), ("a_b", False), (".", False), ("..", False), ("", False)],
)
def test_hidden_segments(segment: str, *, is_hidden: bool) -> None:
    assert is_hidden_segment(segment) is is_hidden


@pytest.mark.parametrize(
    ("name", "stem"),
    [("in/a.zip", "in/a"), ("a.TAR.GZ", "a"), ("a.tgz", "a"), ("a.tar", "a"), ("a.tar.xz", "a"), ("a.csv", "a.csv")],
)
def test_the_names_of_archives(name: str, stem: str) -> None:
    assert without_archive_extension(name) == stem
    assert is_archive(name) is (stem != name)


def test_extensions_add_what_they_say() -> None:
    key = RecognisedKey(FileFormat.CSV, Compression.GZIP, "a", "\t")

    assert with_extensions(ReadOptions(), key) == ReadOptions(compression=Compression.GZIP, delimiter="\t")
    assert with_extensions(ReadOptions(delimiter=";"), key).delimiter == ";"
