"""What is a path and what an address, on Windows and elsewhere; and what a name says, whichever slashes it has."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

import pytest

from millrace.cli.local.sources_and_targets import is_address
from millrace.engine.file_names import is_archive
from millrace.engine.files import Job, convert_file, how_to_read
from millrace.engine.options import FileFormat, ReadOptions
from millrace.errors import UsageError

WINDOWS = (
    r"C:\data\in.csv",
    "C:/data/in.csv",
    "C://data/in.csv",
    r"\\server\share\in.csv",
    r"..\in.csv",
    r"data.v2\in.csv",
)


@pytest.mark.parametrize("path", [*WINDOWS, "/data/in.csv", "in.csv", "a:b.csv", "s3.csv", "s3/in.csv", "./s3:/in.csv"])
def test_a_path_is_no_address(path: str) -> None:
    assert not is_address(path)


def test_an_address_is_no_path() -> None:
    assert is_address("s3://bucket/key.csv")
    assert is_address(r"s3://bucket/a\b.csv")


@pytest.mark.parametrize(
    "text",
    ["S3://bucket/key", "s3:/bucket/key", "s3:bucket", r"s3:\bucket\key", "s3a://b/k", "gs://b/k", "file:///a.csv"],
)
def test_what_is_neither_is_refused_and_makes_no_file(run: Any, text: str) -> None:
    with pytest.raises(UsageError, match="expected a path or s3://bucket/key"):
        is_address(text)

    for words in (("convert", text, "out.csv", "--from", "csv"), ("explain", text, "--from", "csv")):
        ran = run(*words)
        assert ran.code == 2
        assert "is neither a path nor an object's address" in ran.err


@pytest.mark.parametrize("name", ["in.csv", "in.tsv.gz", "in.jsonl", "IN.PARQUET", "in.json.zst", "in.csv.bz2"])
def test_a_name_says_the_same_behind_either_slash(name: str) -> None:
    windows, posix = PureWindowsPath(r"C:\da.ta", name), PurePosixPath("/da.ta", name)

    assert how_to_read(str(windows), None, None, ReadOptions()) == how_to_read(str(posix), None, None, ReadOptions())


@pytest.mark.parametrize("name", ["in.zip", "in.tar.gz", "in.TGZ", "in.csv"])
def test_an_archive_is_one_behind_either_slash(name: str) -> None:
    assert is_archive(str(PureWindowsPath(r"C:\x", name))) == is_archive(f"/x/{name}")


def test_a_folder_with_a_dot_names_no_format() -> None:
    with pytest.raises(UsageError, match="does not tell its format"):
        how_to_read(r"C:\exports.csv\orders", None, None, ReadOptions())


@pytest.mark.parametrize("subfolder", ["../x", r"..\x", r"a\..\..\x", r"C:\x", "C:x", r"\x", "/x", r"\\server\share\x"])
def test_no_subfolder_leads_out_on_any_machine(tmp_path: Any, subfolder: str) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out" / "in.jsonl"
    source.write_text("a\n1\n")
    target.parent.mkdir()

    with pytest.raises(UsageError, match="leads out of the target's folder"):
        convert_file(Job(source=str(source), target=str(target), to=FileFormat.JSON, subfolder=subfolder))

    assert list(target.parent.iterdir()) == []
