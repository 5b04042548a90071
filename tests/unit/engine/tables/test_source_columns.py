"""Columns that say where a row comes from."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.engine.conditions import Condition, FilterFunction, Filters
from millrace.engine.destination import Converted, Destination
from millrace.engine.file_origin import FileOrigin
from millrace.engine.many_files import convert_many
from millrace.engine.one_file import ConversionContext, convert
from millrace.engine.options import BadRows, DuplicatePolicy, FileFormat, ReadOptions, SourceColumn, WriteOptions
from millrace.engine.recipe import Recipe
from millrace.engine.table_sources import Source
from millrace.engine.transform.spec import TableTransform, Written
from millrace.errors import DuplicateIdentifier, MalformedFile, ValueDoesNotFit
from tests.unit.engine.formats.builders import Memory, parquet, small_work, table

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ORIGIN = FileOrigin(file="s3://in/a.csv", modified=NOON, version="v1")
ALL = tuple(SourceColumn)
ADDED = '"_file":"s3://in/a.csv","_row":%d,"_modified":"2026-11-22T12:00:00.000000Z","_version":"v1"'


def made(
    data: bytes,
    source: str = "csv",
    target: str = "json",
    *,
    transform: TableTransform | None = None,
    duplicates: DuplicatePolicy = DuplicatePolicy.ERROR,
    origin: FileOrigin = ORIGIN,
    **options: Any,
) -> Converted[Memory]:
    recipe = Recipe(
        source_format=FileFormat(source),
        target_format=FileFormat(target),
        read=ReadOptions(**{"source_columns": ALL, **options}),
        write=WriteOptions(),
        transform=transform or TableTransform(),
        duplicates=duplicates,
    )
    return convert(io.BytesIO(data), recipe, Destination(Memory, Memory), ConversionContext(origin=origin))


def rows(data: bytes, *arguments: Any, **options: Any) -> list[dict[str, Any]]:
    text = made(data, *arguments, **options).parts[0].sink.getvalue()
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("source", "data"),
    [
        ("csv", b"a\n1\n2\n"),
        ("json", b'{"a":1}\n{"a":2}\n'),
        ("json", b'[{"a":1},{"a":2}]'),
        ("parquet", parquet(a=[1, 2])),
    ],
)
def test_rows_of_every_format_say_where_they_come_from(source: str, data: bytes) -> None:
    text = made(data, source).parts[0].sink.getvalue().decode()

    assert text == f'{{"a":1,{ADDED % 1}}}\n{{"a":2,{ADDED % 2}}}\n'


def test_every_target_has_them() -> None:
    data = b"a\n1\n"

    assert made(data, target="csv").parts[0].sink.getvalue() == (
        b"a,_file,_row,_modified,_version\n1,s3://in/a.csv,1,2026-11-22T12:00:00.000000Z,v1\n"
    )
    written = table(made(data, target="parquet").parts[0].sink.getvalue())
    assert written.to_pylist() == [{"a": 1, "_file": "s3://in/a.csv", "_row": 1, "_modified": NOON, "_version": "v1"}]
    assert [str(field.type) for field in written.schema][1:] == ["string", "int64", "timestamp[us, tz=UTC]", "string"]


def test_only_those_that_are_asked_for_in_their_order() -> None:
    columns = (SourceColumn.ROW, SourceColumn.FILE)

    assert rows(b"a\n1\n", source_columns=columns) == [{"a": 1, "_row": 1, "_file": "s3://in/a.csv"}]
    assert list(rows(b"a\n1\n", source_columns=columns)[0]) == ["a", "_row", "_file"]


def test_what_nobody_knows_is_missing() -> None:
    row = rows(b"a\n1\n", origin=FileOrigin(file="a.csv"))[0]

    assert (row["_modified"], row["_version"]) == (None, None)


@pytest.mark.parametrize("size", [8, 2**20])
@pytest.mark.parametrize(
    ("source", "data"),
    [
        ("csv", b"a,b\n1,1\n2\n3,3\n4,4\n5\n6\n7,7\n"),
        ("json", b'{"a":1}\n{"a":\n{"a":3}\n{"a":4}\n5\n{"a":6,"a":6}\n{"a":7}\n'),
        ("json", b'[{"a":1},2,{"a":3},{"a":4},5,{"a":6,"a":6},{"a":7}]'),
    ],
)
def test_rows_that_were_put_aside_are_counted(source: str, data: bytes, size: int) -> None:
    done = made(data, source, bad_rows=BadRows.QUARANTINE, work=small_work(size))

    written = [json.loads(line) for line in done.parts[0].sink.getvalue().splitlines()]
    assert [(row["a"], row["_row"]) for row in written] == [(1, 1), (3, 3), (4, 4), (7, 7)]
    assert done.quarantine is not None
    assert [json.loads(line)["row"] for line in done.quarantine.getvalue().splitlines()] == [2, 5, 6]


@pytest.mark.slow
@pytest.mark.kernel
@given(st.lists(st.booleans(), min_size=1, max_size=60), st.sampled_from([8, 40, 2**20]))
def test_each_row_has_its_number_whatever_is_put_aside(good: list[bool], size: int) -> None:
    lines = [f"{number},{number}" if is_good else "x" for number, is_good in enumerate(good, 1)]
    data = "\n".join(["a,b", *lines, ""]).encode()

    read = rows(data, bad_rows=BadRows.QUARANTINE, work=small_work(size), delimiter=",")

    assert [row["_row"] for row in read] == [number for number, is_good in enumerate(good, 1) if is_good]
    assert all(row["a"] == row["_row"] for row in read)


def test_an_error_behind_a_row_that_was_put_aside_names_the_row_of_the_file() -> None:
    transform = TableTransform(tracking_field="b", cutoff=NOON)

    with pytest.raises(ValueDoesNotFit, match="row 3") as refused:
        made(b"a,b\n1,2026-12-01\n2\n3,x\n", transform=transform, bad_rows=BadRows.QUARANTINE)
    assert refused.value.row == 3


def test_an_error_behind_a_row_that_another_replaces_names_the_row_of_the_file() -> None:
    transform = TableTransform(tracking_field="b", cutoff=NOON, identifier="a")

    with pytest.raises(ValueDoesNotFit) as refused:
        made(b"a,b\n1,2026-12-01\n1,2026-12-02\n3,x\n", transform=transform, duplicates=DuplicatePolicy.LAST_WINS)
    assert refused.value.row == 3


def test_rows_that_share_an_identifier_are_named_by_their_rows_of_the_file() -> None:
    with pytest.raises(DuplicateIdentifier, match="rows 1 and 4 have the same a '1'") as refused:
        made(b"a,b\n1,1\n2\n3,3\n1,4\n", transform=TableTransform(identifier="a"), bad_rows=BadRows.QUARANTINE)
    assert refused.value.row == 4


def test_of_equal_identifiers_the_last_has_its_row() -> None:
    transform = TableTransform(identifier="a")

    read = rows(b"a\n1\n2\n1\n", transform=transform, duplicates=DuplicatePolicy.LAST_WINS)

    assert [(row["a"], row["_row"]) for row in read] == [(2, 2), (1, 3)]


class TestTransforms:
    def test_filters_may_ask_for_them_and_rows_keep_their_numbers(self) -> None:
        conditions = (("A", Condition(field="_row", function=FilterFunction.GREATER_THAN, value=1)),)
        transform = TableTransform(filters=Filters(conditions))

        assert [row["_row"] for row in rows(b"a\n5\n6\n7\n", transform=transform)] == [2, 3]

    def test_they_are_written_though_fields_are_chosen(self) -> None:
        transform = TableTransform(written=(Written(source="b", name="c"),), others=False)

        assert list(rows(b"a,b\n1,2\n", transform=transform)[0]) == ["c", "_file", "_row", "_modified", "_version"]

    def test_they_may_be_renamed_and_left_out(self) -> None:
        transform = TableTransform(
            written=(Written(source="_file", name="path"),), others=True, left_out=("_row", "_modified")
        )

        assert list(rows(b"a\n1\n", transform=transform)[0]) == ["path", "a", "_version"]

    @pytest.mark.parametrize("written", [(), (Written(source="_file"),)])
    def test_their_names_stay_where_others_are_brought_into_one_form(self, written: tuple[Written, ...]) -> None:
        transform = TableTransform(normalized=True, written=written)

        names = set(rows(b"A B,file\n1,2\n", transform=transform)[0])

        assert names == {"a_b", "file", "_file", "_row", "_modified", "_version"}

    def test_a_models_fields_need_not_name_them(self) -> None:
        transform = TableTransform(table=("b",), filters=Filters())

        assert list(rows(b"a,b\n1,2\n", transform=transform)[0]) == ["b", "_file", "_row", "_modified", "_version"]


@pytest.mark.parametrize("column", ALL)
def test_a_field_of_the_same_name_is_refused_with_the_way_out(column: SourceColumn) -> None:
    with pytest.raises(MalformedFile, match=f"'_{column}' itself.* leave {column} out of source_columns"):
        made(f"a,_{column}\n1,2\n".encode())


class TestFilesOfOneTable:
    @contextmanager
    def _open(self, data: bytes) -> Iterator[BinaryIO]:
        yield io.BytesIO(data)

    def _rows(self, *contents: tuple[str, str, bytes]) -> list[tuple[Any, ...]]:
        sources = [
            Source(
                name=name,
                format=FileFormat(file_format),
                read=ReadOptions(),
                open=partial(self._open, data),
                find_origin=partial(FileOrigin, file=f"s3://in/{name}", version=name.upper()),
            )
            for name, file_format, data in contents
        ]
        recipe = Recipe(
            source_format=FileFormat.CSV,
            target_format=FileFormat.JSON,
            read=ReadOptions(source_columns=ALL),
            write=WriteOptions(),
        )
        done = convert_many(sources, recipe, Destination(Memory, Memory))
        read = [json.loads(line) for line in done.parts[0].sink.getvalue().splitlines()]
        return [(row["a"], row["_file"], row["_row"], row["_version"]) for row in read]

    def test_each_row_has_its_file_and_its_number_there(self) -> None:
        read = self._rows(("a.csv", "csv", b"a\n1\n2\n"), ("b.json", "json", b'{"a":3,"b":4}\n'))

        assert read == [
            (1, "s3://in/a.csv", 1, "A.CSV"),
            (2, "s3://in/a.csv", 2, "A.CSV"),
            (3, "s3://in/b.json", 1, "B.JSON"),
        ]

    def test_one_file_is_a_table_like_many(self) -> None:
        assert self._rows(("a.csv", "csv", b"a\n1\n")) == [(1, "s3://in/a.csv", 1, "A.CSV")]

    def test_no_files_are_no_rows(self) -> None:
        assert self._rows() == []
