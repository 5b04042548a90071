"""`millrace explain` as a user meets it."""

from __future__ import annotations

import bz2
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.places import ROOT
from tests.unit.engine.formats.builders import converted

ORDERS = b"zip,amount,note\n12345,1.25,x\n00501,10.10,\n"


@pytest.fixture
def orders(tmp_path: Path) -> str:
    path = tmp_path / "orders.csv"
    path.write_bytes(ORDERS)
    return str(path)


def _told(out: str) -> str:
    """What was printed, with single spaces."""
    return re.sub(r"\s+", " ", out)


def test_it_tells_the_dialect_the_types_and_why(run: Any, orders: str) -> None:
    ran = run("explain", orders)

    told = _told(ran.out)
    assert ran.code == 0
    assert ran.err == ""
    assert "orders.csv: csv, 42 bytes, 2 rows, 3 columns" in told
    assert "delimiter , detected: gives all 3 sampled lines 3 fields (confidence 100 %)" in told
    assert "not integer, float, decimal: row 2 has '00501' (printed back it would be '501')" in told
    assert "decimal(18,2)" in told
    assert "not float: row 2 has '10.10' (printed back it would be '10.1')" in told
    assert "no other type: row 1 has 'x'" in told


def test_nothing_is_written(run: Any, orders: str) -> None:
    run("explain", orders)

    assert [path.name for path in Path(orders).parent.iterdir()] == ["orders.csv"]


def test_json_is_one_document_and_the_same_each_time(run: Any, orders: str) -> None:
    first, second = run("explain", orders, "--json"), run("explain", orders, "--json")

    document = json.loads(first.out)
    assert first.code == 0
    assert first.out == second.out
    assert (document["file"], document["format"], document["rows"], document["bytes"]) == (orders, "csv", 2, 42)
    assert document["facts"]["encoding"]["value"] == "utf-8"
    assert document["columns"][0] == {
        "name": "zip",
        "type": "text",
        "arrow_type": "string",
        "missing": 0,
        "empty": 0,
        "lengths": {"min": 5, "max": 5},
        "first_row": 1,
        "why_not": [
            {"kind": kind, "row": 2, "value": "00501", "reason": "printed back it would be '501'"}
            for kind in ("integer", "float", "decimal")
        ]
        + [{"kind": kind, "row": 1, "value": "12345"} for kind in ("boolean", "date", "timestamp")],
    }
    assert "error" not in document


@pytest.mark.parametrize(
    ("name", "data", "options"),
    [
        ("a.csv.gz", gzip.compress(ORDERS, mtime=0), []),
        ("a.csv.bz2", bz2.compress(ORDERS), []),
        ("a.data", gzip.compress(ORDERS, mtime=0), ["--from", "csv", "--compression", "gz"]),
        ("a.tsv", ORDERS.replace(b",", b"\t"), []),
        ("a.csv", b"note\n" + ORDERS.replace(b",", b"^"), ["--skip-lines", "1", "--delimiter", "^"]),
        ("a.csv", ORDERS.decode().encode("utf-16"), []),
    ],
)
def test_a_file_is_read_as_told_or_as_its_name_says(
    run: Any, tmp_path: Path, name: str, data: bytes, options: list[str]
) -> None:
    (tmp_path / name).write_bytes(data)

    document = json.loads(run("explain", str(tmp_path / name), "--json", *options).out)

    assert [(column["name"], column["type"]) for column in document["columns"]] == [
        ("zip", "text"), ("amount", "decimal(18,2)"), ("note", "text"),
    ]  # fmt: skip


def test_options_of_reading(run: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("1,NA,é\n2,3,x\n".encode("latin-1"))

    ran = run(
        "explain", str(tmp_path / "a.csv"), "--json", "--no-headers", "--encoding", "latin-1", "--null-value", "NA",
        "--column-type", "column_1=text",
    )  # fmt: skip

    columns = json.loads(ran.out)["columns"]
    assert [(one["name"], one["type"], one["missing"]) for one in columns] == [
        ("column_1", "text", 0),
        ("column_2", "int64", 1),
        ("column_3", "text", 0),
    ]


def test_a_refused_file_is_told_as_convert_does_with_what_was_found(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b\n007,x\n3\n")

    ran = run("explain", str(path))
    document = json.loads(run("explain", str(path), "--json").out)
    by_convert = run("convert", str(path), str(tmp_path / "a.parquet"))

    assert ran.code == by_convert.code == 1
    assert ran.err == by_convert.err
    assert "1 row, 2 columns up to where it is refused" in ran.out
    assert "007" in ran.out
    assert (document["error"]["class"], document["error"]["row"], document["error"]["byte"]) == ("RaggedRow", 2, 10)


def test_a_demanded_type_of_a_column_that_the_file_lacks_is_told(run: Any, orders: str) -> None:
    ran = run("explain", orders, "--column-type", "nobody=text")

    assert ran.code == 0
    assert " ".join(ran.out.split()).count("lacks nobody a type is demanded of it") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.csv"], "cannot be read"),
        (["a.strange"], "does not tell its format; say which with --from"),
        (["-", "--from", "csv"], "standard input is /dev/stdin"),
        (["."], "is a folder; name a file in it"),
        (["{}", "--from", "odt"], "'odt'"),
        (["{}", "--delimiter", "ab"], "--delimiter"),
        (["{}", "--encoding", "klingon"], "klingon"),
        (["{}", "--columns", "nobody"], "no column 'nobody'"),
        (["{}", "--column-type", "zip"], "NAME=TYPE"),
        (["{}", "--column-type", "zip=money"], "NAME=TYPE"),
    ],
)
def test_wrong_use_is_exit_code_two(run: Any, orders: str, arguments: list[str], said: str) -> None:
    ran = run("explain", *(argument.format(orders) for argument in arguments))

    assert ran.code == 2
    assert said in ran.err


class TestManyColumns:
    @pytest.fixture
    def wide(self, tmp_path: Path) -> str:
        path = tmp_path / "wide.csv"
        names = ",".join(f"c{number}" for number in range(300))
        path.write_text(names + "\n" + ",".join(["1"] * 299 + ["x"]) + "\n")
        return str(path)

    @pytest.mark.slow
    def test_a_screenful_is_shown_and_the_rest_counted(self, run: Any, wide: str) -> None:
        ran = run("explain", wide)

        assert "c49 " in ran.out
        assert "c50 " not in ran.out
        assert "250 more columns are not shown; of all 300, 299 are int64, 1 are text" in ran.out
        assert len(json.loads(run("explain", wide, "--json").out)["columns"]) == 300

    @pytest.mark.slow
    def test_columns_are_chosen_by_name_or_pattern(self, run: Any, wide: str) -> None:
        ran = run("explain", wide, "--json", "--columns", "c299", "--columns", "c10?")

        names = [column["name"] for column in json.loads(ran.out)["columns"]]
        assert names == [*(f"c10{digit}" for digit in range(10)), "c299"]


def test_json_fields(run: Any, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": {"b": [1]}}\n{"a": {"b": ["x"]}, "late": true}\n')

    told = _told(run("explain", str(tmp_path / "a.jsonl")).out)

    assert "a.b[] JSON text" in told
    assert (
        "not integer: row 2 has '\"x\"' (of the kind text, row 1 has '1') seen: integer from row 1, text from row 2"
        in told
    )
    assert "late boolean 1 " in told
    assert "late first seen in row 2" in told


def test_parquet(run: Any, tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(converted(ORDERS, "csv", "parquet"))

    told = _told(run("explain", str(tmp_path / "a.parquet")).out)

    assert "amount decimal(18,2) 0 1.25 to 10.10" in told
    assert "row groups 1" in told


def test_names_and_values_cannot_harm_the_screen(run: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'"a\x1b[31m[red]\n",b\n"\x1b[2J[bold]",1\n')

    ran = run("explain", str(tmp_path / "a.csv"))

    assert ran.code == 0
    assert "\x1b" not in ran.out
    assert "[red]" in ran.out
    assert "[bold]" in ran.out


def test_the_documentation_shows_a_real_output(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "110")
    page = (ROOT / "docs" / "values.md").read_text(encoding="utf-8")
    command, shown = re.findall(r"```\n\$ millrace (explain [^\n]*)\n(.*?)```", page, re.DOTALL)[0]

    ran = run(*command.split())

    assert _lines(ran.out) == _lines(shown)


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def test_it_can_be_interrupted(run: Any, orders: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("millrace.engine.explain.any_file.explain_file", interrupt)

    ran = run("explain", orders)

    assert (ran.code, ran.out, ran.err) == (130, "", "interrupted: nothing was changed\n")


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted((ROOT / "examples" / "data").rglob("*.*")), ids=lambda path: path.name)
def test_the_examples_have_the_types_that_conversion_writes(run: Any, path: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.parquet"

    explained = run("explain", str(path), "--json")

    assert explained.code == run("convert", str(path), str(target)).code
    if explained.code == 0:
        written = pq.read_schema(target)
        columns = {column["name"]: column["arrow_type"] for column in json.loads(explained.out)["columns"]}
        assert {name: columns[name] for name in written.names} == {field.name: str(field.type) for field in written}
