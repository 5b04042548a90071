"""CSV files explained: the types are those that conversion writes, and the counter-examples stand where it says."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.engine.explain.any_file import explain_file
from millrace.engine.explain.facts import ColumnFacts, Content, Explanation, Fact
from millrace.engine.options import Compression, FileFormat, ReadOptions, WorkSizes
from millrace.engine.types import inference
from tests.properties import examples
from tests.unit.engine.formats.builders import converted

NASTY = [
    "1", "-7", "0", "-0", "+1", "007", "00501", "12345678901234567890", "1.5", "10.10", "1.0", "2.50", "1e5", "1e400",
    "NaN", "1_000", "0x1F", " 5 ", "true", "false", "TRUE", "2026-03-01", "01/02/2024", "0000-01-01", "0.1",
    "2026-03-01T10:00:00", "2026-03-01 10:00:00", "2026-03-01T10:00:00.123Z", "2026-03-01T10:00:00.123456789Z",
    "9007199254740993", "123456789012345678.25", "123456789012345678901234567890123456789.5", "text", "é", "",
]  # fmt: skip
KINDS = {"integer": inference.INTEGER, "boolean": inference.BOOLEAN, "date": inference.DATE}


def explained(data: bytes, **options: Any) -> Content:
    """A CSV file's content, explained."""
    found: Explanation = explain_file(io.BytesIO(data), FileFormat.CSV, ReadOptions(**options))
    assert (found.format, found.size) == (FileFormat.CSV, len(data))
    return found.content


def file_of(*columns: Sequence[str | None], names: list[str] | None = None) -> bytes:
    """A CSV file, missing values unquoted and empty, all others in quotes."""
    cells = [[v if v is None else '"' + v.replace('"', '""') + '"' for v in column] for column in columns]
    header = names or [f"c{place}" for place in range(len(columns))]
    lines = [
        ",".join(f'"{name}"' for name in header),
        *(",".join(v or "" for v in row) for row in zip(*cells, strict=True)),
    ]
    return ("\n".join(lines) + "\n").encode()


def why_not(column: ColumnFacts) -> dict[str, tuple[int, str, str]]:
    """Why a column has no narrower type, by type."""
    return {one.kind: (one.row, one.value, one.reason) for one in column.why_not}


def fact(content: Content, name: str) -> Fact:
    """The fact of that name."""
    return next(one for one in content.facts if one.name == name)


def written(data: bytes, **options: Any) -> pa.Schema:
    """The schema of the Parquet file that conversion writes."""
    return pq.read_schema(io.BytesIO(converted(data, "csv", "parquet", **options)))


class TestExplainedCsvTypes:
    @pytest.mark.slow
    @pytest.mark.kernel
    @given(st.lists(st.lists(st.sampled_from(NASTY) | st.none(), min_size=6, max_size=6), min_size=1, max_size=4))
    @settings(max_examples=examples(40))
    def test_they_are_what_conversion_writes(self, columns: list[list[str | None]]) -> None:
        data = file_of(["x"] * 6, *columns)

        assert explained(data).schema.equals(written(data), check_metadata=True)

    @pytest.mark.slow
    @pytest.mark.parametrize("text", NASTY)
    def test_of_one_value_too(self, text: str) -> None:
        data = file_of(["x"], [text])

        assert explained(data).schema.equals(written(data), check_metadata=True)

    def test_of_a_file_without_rows_and_of_an_empty_one(self) -> None:
        assert explained(b"a,b\n").schema.equals(written(b"a,b\n"))
        assert explained(b"").schema.equals(written(b""))

    def test_where_types_are_not_asked_for(self) -> None:
        content = explained(b"a,b\n1,2\n", infer_types=False)

        assert [column.type for column in content.columns] == ["text", "text"]
        assert content.columns[0].why_not == ()
        assert fact(content, "types").value == "text"

    def test_where_they_are_demanded(self) -> None:
        types = {"a": "decimal", "b": "timestamp"}
        data = b"a,b,c\n1.5,2026-01-01 10:00:00,3\n22.25,2026-01-01T10:00:00.25,4\n"

        content = explained(data, column_types=types)

        assert content.schema.equals(written(data, column_types=types), check_metadata=True)
        assert content.columns[0].notes == ("decimal is demanded",)

    @pytest.mark.slow
    @pytest.mark.kernel
    def test_nothing_depends_on_blocks(self) -> None:
        data = file_of([str(n) for n in range(400)] + ["007", "x"], ["1.5"] * 201 + ["2"] + ["1.25"] * 200)
        whole = explained(data)

        assert explained(data, work=WorkSizes(block=64, explained=100)) == whole


class TestWhyNot:
    @given(st.lists(st.sampled_from(NASTY) | st.none(), min_size=1, max_size=8))
    @settings(max_examples=examples(40))
    def test_every_counter_example_stands_in_its_row_and_is_the_first(self, values: list[str | None]) -> None:
        data = file_of(["x"] * len(values), values)
        rows = list(csv.reader(io.StringIO(data.decode(), newline="")))[1:]

        found = why_not(explained(data).columns[1])

        for kind, (row, value, _reason) in found.items():
            assert rows[row - 1][1] == value
            if kind in KINDS:
                before = pa.array(values[: row - 1], pa.string())
                assert inference.fit(before, KINDS[kind]) is not None
                assert inference.fit(pa.array([value]), KINDS[kind]) is None

    def test_a_late_one_is_found_in_its_row(self) -> None:
        values: list[str | None] = [str(10000 + number) for number in range(5000)]
        values[4321] = "00501"

        found = why_not(explained(file_of(["x"] * 5000, values)).columns[1])

        assert found["integer"] == (4322, "00501", "printed back it would be '501'")
        assert found["float"] == (4322, "00501", "printed back it would be '501'")
        assert found["date"] == (1, "10000", "")
        assert set(found) == {"integer", "float", "decimal", "boolean", "date", "timestamp"}

    @pytest.mark.parametrize(
        ("values", "kind", "expected"),
        [
            (["1.25", "10.10"], "float", (2, "10.10", "printed back it would be '10.1'")),
            (["1.25", "10.10"], "integer", (1, "1.25", "")),
            (["1", "2.5", "x"], "float", (3, "x", "")),
            (["1.0", "2"], "float", (2, "2", "row 1 has '1.0': whole numbers with a point and without")),
            (["1.5", "2.25", "3.50"], "decimal", (2, "2.25", "2 digits after the point, row 1 has 1")),
            (["1", "12345678901234567890", "x"], "integer", (2, "12345678901234567890", "beyond 64 bits")),
            (["1" * 39, "2"], "decimal", (1, "1" * 39, "more than 38 characters")),
            (["12.50", "1" * 18 + ".50"], "decimal of 18 digits", (2, "1" * 18 + ".50", "")),
            (["2026-03-01T10:00:00", "2026-03-01 10:00:00"], "timestamp",
             (2, "2026-03-01 10:00:00", "row 1 has '2026-03-01T10:00:00', written otherwise")),
            (["2026-03-01", "01/02/2024"], "date", (2, "01/02/2024", "")),
            (["true", "TRUE"], "boolean", (2, "TRUE", "printed back it would be 'true'")),
            (["x" * 500], "integer", (1, "x" * 99 + "…", "")),
        ],
    )  # fmt: skip
    def test_it_says_what_is_wrong(self, values: list[str | None], kind: str, expected: tuple[int, str, str]) -> None:
        assert why_not(explained(file_of(["x"] * len(values), values)).columns[1])[kind] == expected

    @pytest.mark.parametrize("text", ["5", "true", "2026-03-01", "2026-03-01T10:00:00"])
    def test_the_narrowest_need_no_reason(self, text: str) -> None:
        assert explained(file_of([text, text])).columns[0].why_not == ()


class TestMeasures:
    def test_missing_empty_lengths_and_limits(self) -> None:
        content = explained(b'n,t,d\n10,"",2026-01-02\n,abcd,1999-12-31\n-3,,\n')

        number, text, date = content.columns
        assert content.rows == 3
        assert (number.missing, number.limits) == (1, ("-3", "10"))
        assert (text.missing, text.empty, text.lengths, text.limits) == (1, 1, (0, 4), None)
        assert date.limits == ("1999-12-31", "2026-01-02")

    @pytest.mark.parametrize(
        ("low", "high"),
        [("1.5", "20.25"), ("-12.50", "3.00"), ("2026-03-01T10:00:00.000000001Z", "2026-03-01T10:00:00.000000002Z")],
    )
    def test_limits_are_printed_as_the_file_writes_them(self, low: str, high: str) -> None:
        assert explained(file_of([high, low, high])).columns[0].limits == (low, high)

    def test_what_is_said_to_mean_missing_is_missing(self) -> None:
        assert explained(b"a,b\nNA,1\n2,3\n", null_values=("NA",)).columns[0].missing == 1


class TestFacts:
    def test_the_delimiter_has_its_evidence(self) -> None:
        delimiter = fact(explained(b"a;b,c\n1;2\n3;4,5\n"), "delimiter")

        assert delimiter.value == ";"
        assert delimiter.why == (
            "detected: gives all 3 sampled lines 2 fields (confidence 100 %); , gives 2 of 3 sampled lines 2 fields; "
            "the first line has no tab and no |"
        )
        assert delimiter.evidence[0] == {
            "delimiter": ";",
            "fields": 2,
            "lines_alike": 3,
            "lines": 3,
            "plausible": 0.917,
        }
        assert [one["delimiter"] for one in delimiter.evidence] == [";", ",", "\t", "|"]

    def test_a_delimiter_that_is_told_or_found_nowhere(self) -> None:
        assert fact(explained(b"a|b\n", delimiter="|"), "delimiter").why.startswith("as told")
        assert "confidence 0 %" in fact(explained(b"a\n1\n"), "delimiter").why

    @pytest.mark.parametrize(
        ("data", "options", "value", "why"),
        [
            (b"a\n1\n", {}, "utf-8", "nothing else told"),
            (b"\xef\xbb\xbfa\n1\n", {}, "utf-8", "byte order mark"),
            ("a\n1\n".encode("utf-16"), {}, "utf-16-le", "begins with its byte order mark"),
            ("a,b\n1,2\n".encode("utf-16-le"), {}, "utf-16-le", "every other byte is zero"),
            (b"a\n\xe9\n", {"encoding": "latin-1"}, "iso8859-1", "as told"),
        ],
    )
    def test_the_encoding_and_how_it_is_known(self, data: bytes, options: Any, value: str, why: str) -> None:
        encoding = fact(explained(data, **options), "encoding")

        assert encoding.value == value
        assert why in encoding.why

    def test_columns_that_the_header_does_not_name(self) -> None:
        content = explained(b"a,,a\n1,2,3\n")

        assert [column.name for column in content.columns] == ["a", "column_2", "a_2"]
        assert content.columns[1].notes == ("renamed: the header leaves it without a name",)
        assert content.columns[2].notes == ("renamed: an earlier column has the name 'a', too",)
        assert fact(content, "header").evidence == (
            {"position": 2, "header": "", "name": "column_2"},
            {"position": 3, "header": "a", "name": "a_2"},
        )

    def test_no_header(self) -> None:
        content = explained(b"1,2\n", has_headers=False)

        assert [column.name for column in content.columns] == ["column_1", "column_2"]
        assert fact(content, "header").value == "none"
        assert content.rows == 1


class TestRefused:
    def test_what_comes_before_a_bad_row_is_told(self) -> None:
        content = explained(b"a,b\n1,x\n007,y\n3\n4,z\n")

        assert content.rows == 2
        assert str(content.error).startswith("row 3 at byte 14 has 1 field where 2 are expected: “3”")
        assert why_not(content.columns[0])["integer"][:2] == (2, "007")

    def test_in_a_later_block_as_well(self) -> None:
        data = b"a,b\n" + b"1,2\n" * 100 + b"007,2\n3\n" + b"1,2\n" * 100

        content = explained(data, work=WorkSizes(block=64))

        assert content.rows == 101
        assert why_not(content.columns[0])["integer"][:2] == (101, "007")

    def test_a_value_that_is_not_of_the_type_demanded(self) -> None:
        content = explained(b"a,b\n1,2\nx,3\n", column_types={"a": "integer"})

        assert content.rows == 2
        assert "row 2" in str(content.error)
        assert "'x'" in str(content.error)

    def test_bytes_that_are_no_text_and_half_a_compressed_file(self) -> None:
        assert "0xe9" in str(explained(b"a\n1\n\xe9\n").error)
        assert "too few for a gz file" in str(explained(b"\x1f", compression=Compression.GZIP).error)
