"""JSON files explained: the types are those that conversion writes, and what was seen first stands in its row."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.engine.explain.any_file import explain_file
from millrace.engine.explain.facts import ColumnFacts, Content
from millrace.engine.options import FileFormat, ReadOptions, WorkSizes
from tests.properties import examples
from tests.unit.engine.formats.builders import converted

VALUES = [
    "1", "-7", "0", "-0", "1.0", "1.5", "10.10", "2.50", "1e5", "1e400", "1E+2", "9007199254740993", "0.1", "1e-7",
    "12345678901234567890", "1" * 40, "123456789012345678901234567890.5", "1234567890123456789.125", '"x"', '"1"',
    '""', "true", "null", "[]", "[1]", "[1.5,null]", '["a",[2]]', "{}", '{"b":1}',
    '{"b":"x","c.d":[{"e":1},{"e":null,"f":2.5}]}',
]  # fmt: skip


def explained(data: bytes, **options: Any) -> Content:
    """A JSON file's content, explained."""
    return explain_file(io.BytesIO(data), FileFormat.JSON, ReadOptions(**options)).content


def lines_of(values: list[str]) -> bytes:
    """Objects with one field of these values, a row each."""
    return "".join('{"a": ' + value + "}\n" for value in values).encode()


def column(content: Content, name: str) -> ColumnFacts:
    """The column at that path."""
    return next(one for one in content.columns if one.name == name)


def why_not(of: ColumnFacts) -> dict[str, tuple[int, str]]:
    """Why a column has no narrower type, by type."""
    return {one.kind: (one.row, one.value) for one in of.why_not}


def written(data: bytes) -> pa.Schema:
    """The schema of the Parquet file that conversion writes."""
    return pq.read_schema(io.BytesIO(converted(data, "json", "parquet")))


class TestExplainedJsonTypes:
    @pytest.mark.slow
    @pytest.mark.kernel
    @given(st.lists(st.sampled_from(VALUES), min_size=1, max_size=6))
    @settings(max_examples=examples(60))
    def test_they_are_what_conversion_writes(self, values: list[str]) -> None:
        data = lines_of(values)

        content = explained(data)

        assert content.schema.equals(written(data), check_metadata=True)
        for one in content.columns:
            for reason in one.why_not:
                assert reason.value[:50] in values[reason.row - 1].replace(" ", "")

    def test_of_an_array_and_of_nothing(self) -> None:
        assert explained(b' [{"a": 1}]').schema.equals(written(b'[{"a": 1}]'))
        assert explained(b"").columns == ()

    def test_nothing_depends_on_blocks(self) -> None:
        data = lines_of([*VALUES, "1.5", *VALUES]) + lines_of(["1", "2.5", "10.50"])
        whole = explained(data)

        assert explained(data, work=WorkSizes(block=20)) == whole


class TestExplainedFields:
    def test_paths_lead_into_objects_and_lists(self) -> None:
        content = explained(lines_of(['{"b": [{"c": 1}, {"c": 2, "d.e": "x"}]}', "null"]))

        assert [one.name for one in content.columns] == ["a", "a.b", "a.b[]", "a.b[].c", 'a.b[]."d.e"']
        assert [one.type for one in content.columns] == ["struct of 1", "list", "struct of 2", "int64", "text"]
        assert [one.missing for one in content.columns] == [1, 0, 0, 0, 1]

    def test_a_field_that_comes_late(self) -> None:
        late = column(explained(b'{"a": 1}\n{"a": 2}\n{"a": 3, "b": "x"}\n'), "b")

        assert (late.first_row, late.missing, late.lengths) == (3, 2, (1, 1))

    def test_mixed_kinds_and_the_first_row_of_each(self) -> None:
        mixed = column(explained(lines_of(["null", "1", "2", '"x"', "true"])), "a")

        assert mixed.type == "JSON text"
        assert mixed.seen == {"integer": 2, "text": 4, "boolean": 5}
        assert why_not(mixed) == {"integer": (4, '"x"')}
        assert mixed.why_not[0].reason == "of the kind text, row 2 has '1'"

    @pytest.mark.parametrize(
        ("values", "kind", "expected"),
        [
            (["1", "2.5"], "integer", (2, "2.5")),
            (["1", "12345678901234567890"], "integer", (2, "12345678901234567890")),
            (["1.25", "10.10"], "float", (2, "10.10")),
            (["1.25", "10.10", "1.125"], "decimal", (3, "1.125")),
            (["0.5", "0.1e400"], "decimal", (2, "0.1e400")),
            (["0.5", "0.1e400"], "float", (2, "0.1e400")),
            (["9007199254740993", "0.5"], "decimal", (2, "0.5")),
            (["9007199254740993", "0.5"], "float", (1, "9007199254740993")),
            (["1", "1.0"], "float", (2, "1.0")),
            (["1", "1" * 40], "decimal", (2, "1" * 40)),
        ],
    )
    def test_the_number_that_rules_out_a_type(self, values: list[str], kind: str, expected: tuple[int, str]) -> None:
        assert why_not(column(explained(lines_of(values)), "a"))[kind] == expected

    def test_limits(self) -> None:
        assert column(explained(lines_of(["3", "-2.5", "10"])), "a").limits == ("-2.5", "10")

    @pytest.mark.slow
    @pytest.mark.kernel
    def test_why_objects_are_kept_as_text(self) -> None:
        empty = column(explained(lines_of(["{}"])), "a")
        wide = column(explained(lines_of([json.dumps({f"k{n}": n for n in range(2001)})])), "a")
        deep = explained(lines_of(["[" * 40 + "]" * 40])).columns[-1]

        assert (empty.type, empty.notes) == ("JSON text", ("no object of it has a field",))
        assert wide.notes == ("more than 2,000 different names: a map rather than an object",)
        assert deep.notes == ("nested deeper than 32 levels",)

    def test_names_that_need_quotes(self) -> None:
        data = json.dumps({"": 1, "a b": 2, "x[]": 3, 'q"': 4, "é": 5}).encode()

        assert [one.name for one in explained(data).columns] == ['""', '"a b"', '"x[]"', '"q\\""', "é"]


class TestFile:
    @pytest.mark.parametrize(
        ("data", "value"),
        [
            (b'\n [{"a": 1}]', "arrays"),
            (b'{"a": 1}', "objects one after the other"),
            (b" \n", "nothing"),
        ],
    )
    def test_its_shape(self, data: bytes, value: str) -> None:
        assert explained(data).facts[1].value == value

    @pytest.mark.parametrize("data", [b'{"a": 1}\n{"a": "x"}\n{"a": }', b'[{"a": 1}, {"a": "x"}, {"a": }'])
    def test_what_comes_before_a_bad_row_is_told(self, data: bytes) -> None:
        content = explained(data)

        assert content.rows == 2
        assert str(content.error).startswith("row 3 at byte")
        assert content.columns[0].seen == {"integer": 1, "text": 2}

    def test_text_in_another_encoding(self) -> None:
        content = explained('{"a": "é"}'.encode("utf-16"))

        assert content.facts[0].value == "utf-16-le"
        assert content.columns[0].lengths == (1, 1)


def test_everything_is_seen_of_a_large_field() -> None:
    """Also where blocks end within the values of one kind."""
    values: list[Any] = [{"n": number, "t": ["x"] * (number % 3)} for number in range(3000)]
    values[2500]["n"] = "late"

    content = explained(lines_of([json.dumps(value) for value in values]))

    assert column(content, "a.n").seen == {"integer": 1, "text": 2501}
    assert column(content, "a.t[]").first_row == 2


def test_rows_in_a_list_are_hinted_at_and_explained_when_the_path_is_said() -> None:
    data = b'{"v":1,"Rec.ords":[{"a":1},{"a":2.5}]}'

    content = explained(data)
    assert [fact.value for fact in content.facts if fact.name == "hint"] == [r"json_records: Rec\.ords"]

    content = explained(data, json_records=r"Rec\.ords", json_parent_fields=("v",))
    assert content.rows == 2
    assert [column.name for column in content.columns] == ["a", "v"]
    assert [fact.value for fact in content.facts] == ["utf-8", r"lists at Rec\.ords"]
