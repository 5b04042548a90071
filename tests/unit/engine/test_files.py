"""Files by path and jobs by line: whole targets or none, and no job harms another."""

from __future__ import annotations

import gzip
import io
import json
import os
import threading
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import pytest

from millrace.cli.local.jobs import run_jobs
from millrace.engine.files import Job, convert_file
from millrace.engine.options import FileFormat, OutputCompression
from millrace.errors import DataError, RaggedRow, UsageError
from tests.unit.engine.formats.builders import Memory, table
from tests.unit.engine.formats.workbooks import grid, xlsx


def jobs(*given: dict[str, Any] | str) -> list[dict[str, Any]]:
    answers: list[str] = []
    run_jobs([job if isinstance(job, str) else json.dumps(job) for job in given], answers.append)
    return [json.loads(answer) for answer in answers]


def error_of(folder: Path, **given: Any) -> str:
    source = folder / "in.csv"
    source.write_bytes(b"a,b\n1,2\n")
    job = {"id": 1, "source": str(source), "target": str(folder / "out.json"), "to": "json"} | given
    (answer,) = jobs(job)
    assert not answer["ok"]
    assert set(answer["error"]) == {"class", "message", "row", "byte"}
    return f"{answer['error']['class']}: {answer['error']['message']}"


def test_a_file_is_converted_by_what_its_name_says(tmp_path: Path) -> None:
    source, target = tmp_path / "in.tsv.gz", tmp_path / "out.parquet"
    source.write_bytes(gzip.compress(b"a\tb\n1\tx,y\n"))

    rows = convert_file(Job(source=str(source), target=str(target), to=FileFormat.PARQUET))

    assert rows.written == 1
    assert table(target.read_bytes()).to_pylist() == [{"a": 1, "b": "x,y"}]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.tsv.gz", "out.parquet"]


@pytest.mark.parametrize(
    ("name", "compress", "found"),
    [
        ("out.jsonl", None, b'{"a":1}\n'),
        ("out.jsonl.gz", None, b"\x1f\x8b"),
        ("out.jsonl.ZST", None, b"\x28\xb5\x2f\xfd"),
        ("out.jsonl.gz", OutputCompression.NONE, b'{"a":1}\n'),
        ("out", OutputCompression.BZIP2, b"BZh"),
    ],
)
def test_a_target_is_compressed_as_asked_or_named(
    tmp_path: Path, name: str, compress: OutputCompression | None, found: bytes
) -> None:
    source, target = tmp_path / "in.csv", tmp_path / name
    source.write_bytes(b"a\n1\n")

    convert_file(Job(source=str(source), target=str(target), to=FileFormat.JSON, compress=compress))

    assert target.read_bytes().startswith(found)


@pytest.mark.parametrize("before", [None, b"what stood there"])
def test_a_refused_file_leaves_the_target_as_it_was(tmp_path: Path, before: bytes | None) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.json"
    source.write_bytes(b"a,b\n" + b"1,2\n" * 5 + b"3\n")
    if before is not None:
        target.write_bytes(before)

    with pytest.raises(RaggedRow):
        convert_file(Job(source=str(source), target=str(target), to=FileFormat.JSON))

    assert (target.read_bytes() if target.exists() else None) == before
    assert {path.name for path in tmp_path.iterdir()} <= {"in.csv", "out.json"}


def test_bad_rows_go_to_the_quarantine_file(tmp_path: Path) -> None:
    source, target, aside = tmp_path / "in.csv", tmp_path / "out.csv", tmp_path / "bad.jsonl"
    source.write_bytes(b"a,b\n1,2\n3\n")
    job = Job(source=str(source), target=str(target), to=FileFormat.CSV, quarantine=str(aside))

    rows = convert_file(job)

    assert (rows.read, rows.written, rows.quarantined) == (2, 1, 1)
    assert json.loads(aside.read_text())["raw"] == "3"
    source.write_bytes(b"a,b\n1,2\n")
    assert convert_file(job).quarantined == 0
    assert aside.read_bytes() == b""


def test_what_can_be_read_once_only_is_read_as_a_file_is(tmp_path: Path) -> None:
    pipe, target = tmp_path / "pipe", tmp_path / "out.jsonl"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"a\n" + b"1\n" * 50_000,))
    writer.start()

    rows = convert_file(Job(source=str(pipe), source_format=FileFormat.CSV, target=str(target), to=FileFormat.JSON))

    writer.join()
    assert rows.written == 50_000
    assert target.read_bytes() == b'{"a":1}\n' * 50_000


def test_what_is_no_file_is_never_replaced_by_one(tmp_path: Path) -> None:
    source, pipe = tmp_path / "in.csv", tmp_path / "pipe"
    source.write_bytes(b"a\n1\n")
    os.mkfifo(pipe)

    with pytest.raises(UsageError, match="is no file, and would be replaced by one"):
        convert_file(Job(source=str(source), target=str(pipe), to=FileFormat.CSV))

    assert pipe.is_fifo()


@pytest.mark.parametrize("before", [None, b"what stood there"])
def test_a_link_stays_one_and_what_is_behind_it_is_replaced(tmp_path: Path, before: bytes | None) -> None:
    source, link, target = tmp_path / "in.csv", tmp_path / "latest.csv", tmp_path / "x" / "1.csv"
    source.write_bytes(b"a\n1\n")
    target.parent.mkdir()
    if before is not None:
        target.write_bytes(before)
    link.symlink_to(target)

    convert_file(Job(source=str(source), target=str(link), to=FileFormat.CSV))

    assert link.is_symlink()
    assert target.read_bytes() == b"a\n1\n"
    assert [path.name for path in target.parent.iterdir()] == ["1.csv"]


def test_a_source_can_become_its_own_target(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(b"a;b\n1;2\n")

    convert_file(Job(source=str(path), target=str(path), to=FileFormat.CSV))

    assert path.read_bytes() == b"a,b\n1,2\n"


def test_jobs_are_answered_one_by_one_and_fail_alone(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_bytes(b"a,b\n1,2\n3,4\n")
    bad.write_bytes(b"a,b\n1,2\n3\n")
    to_json = {"to": "json"}

    answers = jobs(
        {"id": "one", "source": str(good), "target": str(tmp_path / "1"), **to_json},
        {"id": "two", "source": str(bad), "target": str(tmp_path / "2"), **to_json},
        "{broken",
        "[1]",
        "",
        {"id": 5, "source": str(tmp_path / "none.csv"), "target": str(tmp_path / "3"), **to_json},
        {"id": {"six": 6}, "source": str(good), "target": str(tmp_path / "4"), "subfolder": "x/y", **to_json},
    )

    assert [(answer["id"], answer["ok"]) for answer in answers] == [
        ("one", True),
        ("two", False),
        (None, False),
        (None, False),
        (5, False),
        ({"six": 6}, True),
    ]
    assert answers[0] == {"id": "one", "ok": True, "rows": 2}
    assert (answers[1]["error"]["class"], answers[1]["error"]["row"], answers[1]["error"]["byte"]) == (
        "RaggedRow",
        2,
        8,
    )
    assert (tmp_path / "x" / "y" / "4").read_bytes() == b'{"a":1,"b":2}\n{"a":3,"b":4}\n'
    assert not (tmp_path / "2").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"colour": "red"}, "'colour' is not known"),
        ({"to": "pdf"}, "to: 'pdf'"),
        ({"to": "xml"}, "xml is read and not written; write one of csv,"),
        ({"to": None}, "lacks to"),
        ({"headers": "yes"}, "headers: expected true or false"),
        ({"skip_lines": -1}, "skip_lines: expected a whole number"),
        ({"skip_lines": True}, "skip_lines: expected a whole number"),
        ({"delimiter": ",,"}, "delimiter"),
        ({"encoding": "klingon"}, "encoding: 'klingon'"),
        ({"compression": "rar"}, "compression: 'rar'"),
        ({"compression": "gz"}, "MalformedFile"),
        ({"compress": "rar"}, "compress: 'rar'"),
        ({"compress": "snappy"}, "snappy is not what json may have; expected none, gz, zst, bz2"),
        ({"from": "parquet"}, "MalformedFile"),
        ({"source": "data.doc"}, "does not tell its format"),
        ({"source": "."}, "source: . is a folder; name a file in it"),
        ({"source": "-", "from": "csv"}, "standard input is /dev/stdin"),
        ({"source": ""}, "no path"),
        ({"target": "no/such/folder/out.json"}, "target: no/such/folder/out.json cannot be written"),
        ({"target": "."}, "is a folder"),
        ({"target": "-"}, "name a file, or ./-"),
        ({"subfolder": "../up"}, "leads out"),
        ({"subfolder": "/top"}, "leads out"),
    ],
)
def test_a_wrong_job_says_what_is_wrong(tmp_path: Path, given: dict[str, Any], said: str) -> None:
    assert said in error_of(tmp_path, **given)


def test_options_of_a_job_reach_the_reader(tmp_path: Path) -> None:
    source, target = tmp_path / "in.txt", tmp_path / "out.json"
    source.write_bytes("junk\n1;'é;'\n".encode("latin-1"))

    (answer,) = jobs(
        {
            "id": 1,
            "source": str(source),
            "target": str(target),
            "to": "json",
            "from": "csv",
            "headers": False,
            "skip_lines": 1,
            "delimiter": ";",
            "quote": "'",
            "escape": None,
            "encoding": "latin-1",
            "compression": "none",
            "subfolder": "",
        }
    )

    assert answer == {"id": 1, "ok": True, "rows": 1}
    assert json.loads(target.read_bytes()) == {"column_1": 1, "column_2": "é;"}


def test_other_places_can_be_plugged_in() -> None:
    places: dict[str, bytes] = {"s3://in/a.csv": b"a\n1\n"}

    class PlaceInMemory(Memory):
        def __init__(self, path: str) -> None:
            super().__init__()
            self.path = path

        def publish(self) -> None:
            places[self.path] = self.getvalue()

    def open_source(path: str) -> BinaryIO:
        return io.BytesIO(places[path])

    job = Job(source="s3://in/a.csv", target="s3://out/a.json", to=FileFormat.JSON, subfolder="x")
    convert_file(job, open_source=open_source, open_target=PlaceInMemory)

    assert places["s3://out/x/a.json"] == b'{"a":1}\n'


def test_an_unexpected_error_is_the_answer_to_its_job_alone() -> None:
    def broken(_path: str) -> BinaryIO:
        raise ZeroDivisionError("surprise")

    answers: list[str] = []
    failed = run_jobs(['{"id":1,"source":"a.csv","target":"b","to":"csv"}'] * 2, answers.append, open_source=broken)

    assert failed == 2
    assert [json.loads(answer)["error"]["class"] for answer in answers] == ["ZeroDivisionError"] * 2


def test_usage_and_content_are_told_apart() -> None:
    with pytest.raises(UsageError):
        convert_file(Job(source="no such file.csv", target="x", to=FileFormat.CSV))
    assert not issubclass(UsageError, DataError)


def packed(folder: Path, files: dict[str, bytes], name: str = "in.zip") -> Path:
    path = folder / name
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in files.items():
            archive.writestr(member, data)
    return path


class TestArchives:
    FILES: ClassVar[dict[str, bytes]] = {"a.csv": b"id\n1\n", "b.txt": b"id\n2\n", "c.json": b'{"id":3}'}

    @pytest.mark.parametrize(
        ("given", "rows"),
        [
            ({}, [{"id": 1}, {"id": 3}]),
            ({"from": "csv"}, [{"id": 1}, {"id": 2}]),
            ({"from": "json"}, [{"id": 3}]),
            ({"member": "a.csv"}, [{"id": 1}]),
            ({"member": "b.txt", "from": "csv"}, [{"id": 2}]),
            ({"from": "csv", "delimiter": "|"}, [{"id": 1}, {"id": 2}]),
        ],
    )
    def test_an_archive_is_one_table_of_its_members(
        self, tmp_path: Path, given: dict[str, Any], rows: list[dict[str, int]]
    ) -> None:
        files = self.FILES if given != {"from": "json"} else {"c.json": b'{"id":3}'}
        job = {"id": 1, "source": str(packed(tmp_path, files)), "target": str(tmp_path / "out"), "to": "json"}

        (answer,) = jobs({**job, **given, "subfolder": "sub"})

        assert answer == {"id": 1, "ok": True, "rows": len(rows)}
        assert [json.loads(line) for line in (tmp_path / "sub" / "out").read_text().splitlines()] == rows

    @pytest.mark.parametrize(
        ("files", "given", "says"),
        [
            ({"a.pdf": b"x"}, {}, "BadArchive: the archive has no member that can be read ('a.pdf'"),
            ({}, {}, "BadArchive: the archive has no members"),
            ({"a.csv": b"a\n"}, {"member": "b.csv"}, "UsageError: member: the archive has no member 'b.csv'"),
            ({"a.csv": b"a,b\n1\n"}, {}, "RaggedRow: a.csv: "),
        ],
    )
    def test_what_cannot_be_read_leaves_the_target(
        self, tmp_path: Path, files: dict[str, bytes], given: dict[str, Any], says: str
    ) -> None:
        target = tmp_path / "out"
        target.write_bytes(b"before")
        job = {"id": 1, "source": str(packed(tmp_path, files)), "target": str(target), "to": "json", **given}

        (answer,) = jobs(job)

        assert not answer["ok"]
        assert says in f"{answer['error']['class']}: {answer['error']['message']}"
        assert target.read_bytes() == b"before"

    def test_a_job_is_no_table_for_each_sheet(self, tmp_path: Path) -> None:
        source = tmp_path / "book.xlsx"
        source.write_bytes(xlsx({"Orders": grid(("a",), (1,)), "People": grid(("b",), (1,))}))
        job = {"id": 1, "source": str(source), "target": str(tmp_path / "out"), "to": "json", "excel_sheet": "all"}

        (answer,) = jobs(job)

        assert not answer["ok"]
        assert "choose one with \"excel_sheet\": 'Orders', 'People'" in answer["error"]["message"]
        assert not (tmp_path / "out").exists()

    def test_a_member_of_what_is_no_archive(self, tmp_path: Path) -> None:
        assert "UsageError: member: " in error_of(tmp_path, member="a.csv")

    def test_bad_rows_of_members_name_them(self, tmp_path: Path) -> None:
        aside = tmp_path / "bad.jsonl"
        source = packed(tmp_path, {"a.csv": b"a,b\n1,2\n3\n", "b.csv": b"a,b\n1,2\n"})
        target = str(tmp_path / "out.csv")

        rows = convert_file(Job(source=str(source), target=target, to=FileFormat.CSV, quarantine=str(aside)))

        assert (rows.read, rows.written, rows.quarantined) == (3, 2, 1)
        assert json.loads(aside.read_text())["source"] == "a.csv"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("in.csv", gzip.compress(b"a,b\n1,2\n", mtime=0)),
        ("in.csv.gz", b"a,b\n1,2\n"),
        ("in.csv.zst", gzip.compress(b"a,b\n1,2\n", mtime=0)),
        ("in.csv.snappy", b"a,b\n1,2\n"),
    ],
)
def test_the_first_bytes_say_how_a_source_is_compressed(tmp_path: Path, name: str, data: bytes) -> None:
    source, target = tmp_path / name, tmp_path / "out.jsonl"
    source.write_bytes(data)

    convert_file(Job(source=str(source), target=str(target), to=FileFormat.JSON))

    assert target.read_bytes() == b'{"a":1,"b":2}\n'
