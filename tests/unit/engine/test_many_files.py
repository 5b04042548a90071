"""Several files as one table: as if they were one long file, whatever their types, columns and formats."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any, BinaryIO

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace.engine.destination import Converted, Destination
from millrace.engine.many_files import convert_many
from millrace.engine.one_file import ConversionContext, convert
from millrace.engine.options import (
    BadRows,
    DuplicatePolicy,
    FileFormat,
    ReadOptions,
    WorkSizes,
    WriteOptions,
    recognise,
)
from millrace.engine.recipe import Recipe
from millrace.engine.table_sources import Source
from millrace.engine.transform.spec import TableTransform, Written
from millrace.errors import (
    DuplicateIdentifier,
    OutOfTime,
    RaggedRow,
    TruncatedFile,
    UnknownField,
    ValueDoesNotFit,
)
from tests.properties import examples
from tests.unit.engine.formats.builders import Memory, parquet, small_work, table

TARGETS = ("csv", "json", "json-doc", "parquet")
Files = dict[str, bytes]


class Opened:
    """Sources that say how many of them are open, and the most that were."""

    def __init__(self) -> None:
        self.now = self.most = self.times = 0

    def source(self, name: str, data: bytes, read: ReadOptions) -> Source:
        known = recognise(name)
        assert known is not None
        read = replace(read, compression=known.compression)
        return Source(name=name, format=known.format, read=read, open=lambda: self._open(data))

    def _open(self, data: bytes) -> AbstractContextManager[BinaryIO]:
        return self._opened(data)

    @contextmanager
    def _opened(self, data: bytes) -> Iterator[BinaryIO]:
        self.now, self.times = self.now + 1, self.times + 1
        self.most = max(self.most, self.now)
        try:
            yield io.BytesIO(data)
        finally:
            self.now -= 1


class Sinks:
    """Opens outputs and remembers them."""

    def __init__(self) -> None:
        self.opened: list[Memory] = []

    def open(self, _directory: str | None) -> Memory:
        self.opened.append(Memory())
        return self.opened[-1]


def recipe(target: str, identifier: str | None = None, **fields: Any) -> Recipe:
    return Recipe(
        source_format=FileFormat.CSV,
        target_format=FileFormat(target),
        read=ReadOptions(),
        write=WriteOptions(),
        **{"transform": TableTransform(identifier=identifier), **fields},
    )


def run(files: Files, target: str = "csv", made: Recipe | None = None, **options: Any) -> Converted[Memory]:
    """The files, named by their extensions, as one output."""
    destination = Destination(options.pop("open_output", Memory), Memory)
    context = ConversionContext(on_batch=options.pop("on_batch", lambda _rows: None))
    read, opened = ReadOptions(**options), Opened()
    made = replace(made or recipe(target), read=read)
    sources = [opened.source(name, data, read) for name, data in files.items()]

    done: Converted[Memory] = convert_many(sources, made, destination, context)

    assert (opened.now, opened.most) == (0, min(1, len(files)))
    return done


def output(done: Converted[Memory]) -> bytes:
    return done.parts[0].sink.getvalue()


def lines(files: Files, **options: Any) -> list[Any]:
    """The rows, as JSON."""
    return [json.loads(line) for line in output(run(files, "json", **options)).splitlines()]


class TestColumns:
    def test_all_columns_of_all_files_in_the_order_of_their_first_appearance(self) -> None:
        files = {"1.csv": b"b,a\n1,2\n", "2.jsonl": b'{"c":3}\n{"a":4,"d":5}\n', "3.csv": b"e,b\n6,7\n"}

        assert output(run(files)) == b"b,a,c,d,e\n1,2,,,\n,,3,,\n,4,,5,\n7,,,,6\n"

    def test_json_columns_come_in_their_order_wherever_in_a_file_they_first_appear(self) -> None:
        files = {"1.jsonl": b'{"a":1}\n' * 9 + b'{"b":1}\n', "2.jsonl": b'{"c":1}\n{"a":2}\n', "3.jsonl": b'{"b":2}\n'}

        assert output(run(files, work=small_work(8))).startswith(b"a,b,c\n")

    def test_what_a_file_lacks_is_missing_and_what_is_empty_stays_empty(self) -> None:
        assert output(run({"1.csv": b'a,b\n"",1\n', "2.csv": b"b\n2\n"})) == b'a,b\n"",1\n,2\n'

    def test_files_without_columns_or_rows_change_nothing(self) -> None:
        files = {"0.csv": b"", "1.csv": b"a\n", "2.jsonl": b"", "3.csv": b"a\n1\n"}

        assert lines(files) == [{"a": 1}]

    def test_no_files_at_all_are_an_empty_output(self) -> None:
        made = recipe("csv", transform=TableTransform(written=(Written(source="a"),), identifier="a"))

        assert [output(run({}, target)) for target in TARGETS[:3]] == [b"", b"", b"[]\n"]
        assert table(output(run({}, "parquet"))).num_rows == 0
        assert (output(run({}, made=made)), run({}, made=made).rows.read) == (b"", 0)

    def test_duplicate_names_in_parquet_are_told_apart(self) -> None:
        twice = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])
        file = io.BytesIO()
        pa.parquet.write_table(twice, file)

        assert output(run({"1.parquet": file.getvalue(), "2.csv": b"a\n3\n"})) == b"a,a_2\n1,2\n3,\n"

    def test_rows_without_any_field_are_rows(self) -> None:
        assert lines({"1.jsonl": b"{}\n", "2.jsonl": b"{}\n{}\n"}) == [{}, {}, {}]
        assert lines({"1.jsonl": b"{}\n", "2.jsonl": b'{"a":1}\n'}) == [{"a": None}, {"a": 1}]


class TestTypes:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("one", "other", "kind"),
        [
            (b"1", b"2", pa.int64()),
            (b"1", b"2.5", pa.float64()),
            (b"10.10", b"2.55", pa.decimal128(18, 2)),
            (b"1", b"007", pa.string()),
            (b"12345678901234567890", b"1", pa.decimal128(38, 0)),
            (b"2024-01-01", b"2024-01-01T00:00:00Z", pa.string()),
            (b"", b"true", pa.bool_()),
        ],
    )
    def test_csv_files_are_typed_like_one_long_file(self, one: bytes, other: bytes, kind: pa.DataType) -> None:
        for pair in ((one, other), (other, one)):
            files = {f"{place}.csv": b"a,z\n" + cell + b",z\n" for place, cell in enumerate(pair)}
            found = table(output(run(files, "parquet")))

            assert found.schema.field("a").type == kind
            assert output(run(files)) == b"a,z\n" + b",z\n".join(pair) + b",z\n"

    def test_json_values_stay_the_same_json_values(self) -> None:
        files = {"1.jsonl": b'{"a":1,"b":1}', "2.json": b'[{"a":1.5,"b":"x"},{"a":2,"b":{"c":[null]}}]'}

        assert lines(files) == [{"a": 1, "b": 1}, {"a": 1.5, "b": "x"}, {"a": 2, "b": {"c": [None]}}]

    def test_parquet_types_are_widened_or_kept_as_json_text(self) -> None:
        files = {
            "1.parquet": parquet(a=pa.array([1], pa.int8()), b=pa.array([1]), c=pa.array([1.5])),
            "2.parquet": parquet(a=pa.array([300], pa.int16()), b=pa.array(["x"]), c=pa.array([None])),
        }

        assert table(output(run(files, "parquet"))).schema.types == [pa.int16(), pa.string(), pa.float64()]
        assert lines(files) == [{"a": 1, "b": 1, "c": 1.5}, {"a": 300, "b": "x", "c": None}]

    def test_beside_csv_what_has_no_common_type_is_plain_text(self) -> None:
        files = {"1.csv": b"a\nx\n", "2.jsonl": b'{"a":1.50}\n{"a":"y"}', "3.parquet": parquet(a=[[1]])}

        assert lines(files) == [{"a": "x"}, {"a": "1.50"}, {"a": "y"}, {"a": "[1]"}]

    @pytest.mark.slow
    def test_a_later_value_that_contradicts_the_sample_begins_the_output_anew(self) -> None:
        sinks = Sinks()
        files = {"1.csv": b"a,z\n" + b"1,z\n" * 50, "2.csv": b"a,z\n" + b"2,z\n" * 50 + b"x,z\n"}
        run(files, "json", open_output=sinks.open, work=small_work(8))

        assert [sink.discarded for sink in sinks.opened] == [True, False]
        assert json.loads(sinks.opened[1].getvalue().splitlines()[0]) == {"a": "1", "z": "z"}

    def test_timestamps_too_far_for_the_finer_unit_are_text(self) -> None:
        far, fine = pa.array([2**62], pa.timestamp("us")), pa.array([1], pa.timestamp("ns"))
        files = {"1.parquet": parquet(a=far, b=pa.array([1], pa.int8())), "2.parquet": parquet(a=fine, b=[2])}

        found = table(output(run(files, "parquet")))

        assert found.schema.types == [pa.string(), pa.int64()]
        assert found["a"].to_pylist()[1] == "1970-01-01T00:00:00.000000001"

    def test_demanded_types_hold_where_the_column_is(self) -> None:
        files = {"1.csv": b"a,b\n1.5,x\n", "2.csv": b"b\ny\n", "3.csv": b"a,b\n2.25,z\n"}

        found = table(output(run(files, "parquet", column_types={"a": "decimal"})))

        assert found.schema.field("a").type == pa.decimal128(18, 2)
        assert output(run(files, "json", column_types={"c": "integer"})) == output(run(files, "json"))
        with pytest.raises(ValueDoesNotFit, match=r"^3.csv: row 2 .* 'x' in column 'a'"):
            run({**files, "3.csv": b"a,b\n1,z\nx,z\n"}, "json", column_types={"a": "decimal"})


def test_a_json_field_without_a_value_in_the_sample_is_looked_at_again() -> None:
    rows = [b'{"a":null}'] * 20
    files = {"1.jsonl": b"\n".join([*rows, b'{"a":"x"}']), "2.parquet": parquet(a=[1]), "3.jsonl": b'{"a":null}'}

    assert lines(files, work=small_work(8))[19:] == [{"a": None}, {"a": "x"}, {"a": 1}, {"a": None}]


def test_small_files_are_fetched_once_and_large_ones_as_often_as_needed() -> None:
    made = replace(recipe("json"), read=ReadOptions(work=WorkSizes(kept=12)))
    opened = Opened()
    sources = [
        opened.source(f"{n}.csv", data, ReadOptions()) for n, data in enumerate([b"a\n1\n", b"a\n22\n", b"a\n333\n"])
    ]

    done = convert_many(sources, made, Destination(Memory))

    assert output(done) == b'{"a":1}\n{"a":22}\n{"a":333}\n'
    assert opened.times == 4


@pytest.mark.slow
@pytest.mark.kernel
def test_a_column_without_a_value_in_the_sample_is_looked_at_again() -> None:
    files = {"1.csv": b"a,z\n" + b",z\n" * 50 + b"007,z\n", "2.jsonl": b'{"a":1}', "3.csv": b"b\n\n"}
    work = small_work(8)
    integers = {"1.csv": b"a,z\n" + b",z\n" * 50 + b"7,z\n", "2.csv": b""}

    assert output(run(files, work=work)).splitlines()[51:] == [b"007,z,", b"1,,", b",,"]
    assert table(output(run(integers, "parquet", work=work)))["a"].type == pa.int64()


class TestErrors:
    def test_errors_name_the_file_and_count_rows_in_it(self) -> None:
        with pytest.raises(RaggedRow, match=r"^in/2.csv: row 2 at byte") as raised:
            run({"in/1.csv": b"a,b\n1,2\n" * 3, "in/2.csv": b"a,b\n1,2\n3\n"})

        assert (raised.value.row, raised.value.byte) == (2, 8)

    def test_an_error_of_the_only_file_names_it_too(self) -> None:
        with pytest.raises(TruncatedFile, match=r"^1.jsonl: row 1 "):
            run({"1.jsonl": b'{"a":'})

    def test_what_was_written_is_discarded(self) -> None:
        sinks = Sinks()

        def stop(rows: int) -> None:
            if sinks.opened and rows >= 2:
                raise OutOfTime("no time left")

        with pytest.raises(OutOfTime):
            run({"1.csv": b"a\n1\n", "2.csv": b"a\n2\n"}, on_batch=stop, open_output=sinks.open)

        assert [sink.discarded for sink in sinks.opened] == [True]

    def test_the_caller_can_stop_while_types_are_found(self) -> None:
        def stop(_rows: int) -> None:
            raise OutOfTime("no time left")

        with pytest.raises(OutOfTime):
            run({"1.jsonl": b'{"a":1}', "2.jsonl": b'{"a":1}'}, on_batch=stop)

    def test_bad_rows_are_put_aside_with_their_file(self) -> None:
        files = {"1.csv": b"a,b\n1,2\n3\n", "2.csv": b"b\n4\n", "3.jsonl": b'{"a":5}\nx\n'}

        done = run(files, "json", bad_rows=BadRows.QUARANTINE)

        assert done.quarantine is not None
        aside = [json.loads(line) for line in done.quarantine.getvalue().splitlines()]
        assert [(one["source"], one["row"], one["raw"]) for one in aside] == [("1.csv", 2, "3"), ("3.jsonl", 2, "x")]
        assert (done.rows.read, done.rows.written, done.rows.quarantined) == (5, 3, 2)

    def test_a_field_that_no_file_has_is_unknown(self) -> None:
        made = recipe("csv", transform=TableTransform(written=(Written(source="c"),)))

        with pytest.raises(UnknownField, match=r"'c', which the table does not have; its fields are 'a', 'b'"):
            run({"1.csv": b"a\n1\n", "2.csv": b"b\n2\n"}, made=made)


ORDERS = {"1.csv": b"id,v\n1,a\n2,b\n", "2.jsonl": b'{"id":3,"v":"c"}\n{"id":2,"v":"d"}\n', "3.csv": b"v\ne\nf\n"}


class TestIdentifiers:
    def test_two_rows_of_one_identifier_are_an_error_that_names_value_and_both_rows(self) -> None:
        sinks = Sinks()

        with pytest.raises(DuplicateIdentifier, match=r"^row 2 of 1.csv and row 2 of 2.jsonl have the same id '2', "):
            run(ORDERS, made=recipe("json", "id"), open_output=sinks.open)

        assert [sink.discarded for sink in sinks.opened] == [True]

    def test_the_last_row_wins_by_option_and_the_others_count_as_filtered(self) -> None:
        done = run(ORDERS, made=recipe("csv", "id", duplicates=DuplicatePolicy.LAST_WINS))

        assert output(done) == b"id,v\n1,a\n3,c\n2,d\n,e\n,f\n"
        assert (done.rows.read, done.rows.written, done.rows.filtered) == (6, 5, 1)

    def test_rows_that_differ_are_no_error(self) -> None:
        assert run({"1.csv": b"id\n1\n01\n", "2.csv": b"id\n1.0\n"}, made=recipe("csv", "id")).rows.written == 3

    @pytest.mark.parametrize("name", ["1.csv", "1.jsonl"])
    def test_one_file_is_held_to_its_identifier_too(self, name: str) -> None:
        data = {"1.csv": b"id,v\n1,a\n2,b\n1,c\n", "1.jsonl": b'{"id":1,"v":"a"}{"id":2,"v":"b"}{"id":1,"v":"c"}'}
        known = recognise(name)
        assert known is not None
        made = replace(recipe("csv", "id"), source_format=known.format)
        last = replace(made, duplicates=DuplicatePolicy.LAST_WINS)

        with pytest.raises(DuplicateIdentifier, match=r"^rows 1 and 3 have the same id '1', "):
            convert(io.BytesIO(data[name]), made, Destination(Memory))
        done = convert(io.BytesIO(data[name]), last, Destination(Memory))

        assert output(done) == b"id,v\n2,b\n1,c\n"
        with pytest.raises(DuplicateIdentifier, match=r"^row 1 of 1\.\w+ and row 3 of 1\."):
            run({name: data[name]}, made=made)

    @pytest.mark.slow
    @pytest.mark.kernel
    def test_the_last_row_wins_though_types_are_widened_on_the_way(self) -> None:
        rows = [f"{number % 40},{number}" for number in range(60)] + ["x,1.5"]
        data = "\n".join(["id,v", *rows, ""]).encode()
        made = replace(recipe("json", "id"), duplicates=DuplicatePolicy.LAST_WINS)

        made = replace(made, read=replace(made.read, work=small_work(8)))
        done = convert(io.BytesIO(data), made, Destination(Memory))

        found = [json.loads(line) for line in output(done).splitlines()]
        assert found == [{"id": str(n % 40), "v": n} for n in range(20, 60)] + [{"id": "x", "v": 1.5}]


cells = st.sampled_from(["", '""', "1", "2.5", "10.10", "007", "x", "true", "2024-01-01", "12345678901234567890", "é"])
rows_of_text = st.lists(st.tuples(cells, cells), min_size=1, max_size=8)
values = st.sampled_from([None, 1, 2.5, 10**20, "x", True, [1], ["a"], {"k": 1}, {"k": "v", "l": None}, "2024-01-01"])
objects = st.lists(st.dictionaries(st.sampled_from("abc"), values, min_size=1), min_size=1, max_size=8)
quickly = settings(max_examples=examples(20), deadline=None, suppress_health_check=[HealthCheck.too_slow])


def parts_of(rows: Sequence[Any], cuts: list[int]) -> list[Sequence[Any]]:
    ends = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    return [rows[begin:end] for begin, end in pairwise(ends)]


def whole(data: bytes, source: str, target: str) -> bytes:
    made = replace(recipe(target), source_format=FileFormat(source))
    return output(convert(io.BytesIO(data), made, Destination(Memory)))


@pytest.mark.slow
@pytest.mark.kernel
@quickly
@given(rows_of_text, st.lists(st.integers(0, 8), max_size=3), st.sampled_from([4, 2**20]))
def test_parts_of_a_csv_file_are_the_file(rows: list[Any], cuts: list[int], size: int) -> None:
    def data(part: Sequence[Any]) -> bytes:
        return "".join(f"{a},{b}\n" for a, b in [("p", "q"), *part]).encode()

    files = {f"{place}.csv": data(part) for place, part in enumerate(parts_of(rows, cuts))}

    for target in TARGETS:
        expected = whole(data(rows), "csv", target)
        found = output(run(files, target, delimiter=",", work=small_work(size)))
        if target == "parquet":
            assert table(found).equals(table(expected), check_metadata=True)
        else:
            assert found == expected


@pytest.mark.slow
@pytest.mark.kernel
@quickly
@given(objects, st.lists(st.integers(0, 8), max_size=3), st.sampled_from([4, 2**20]))
def test_parts_of_a_json_file_are_the_file(rows: list[Any], cuts: list[int], size: int) -> None:
    def data(part: Sequence[Any]) -> bytes:
        return "\n".join(map(json.dumps, part)).encode()

    files = {f"{place}.jsonl": data(part) for place, part in enumerate(parts_of(rows, cuts))}

    for target in TARGETS:
        expected = whole(data(rows), "json", target)
        found = output(run(files, target, work=small_work(size)))
        if target == "parquet":
            assert table(found).equals(table(expected), check_metadata=True)
        else:
            assert found == expected


@pytest.mark.slow
@pytest.mark.kernel
@quickly
@given(st.lists(objects, min_size=2, max_size=4), st.permutations(range(4)), st.lists(st.booleans(), min_size=4))
def test_types_do_not_depend_on_the_order_of_files(
    tables: list[list[Any]], order: list[int], as_parquet: list[bool]
) -> None:
    names = [f"{place}.{'parquet' if columnar else 'jsonl'}" for place, columnar in enumerate(as_parquet)]
    files = {}
    for name, rows in zip(names, tables, strict=False):
        data = "\n".join(map(json.dumps, rows)).encode()
        files[name] = whole(data, "json", "parquet") if name.endswith("parquet") else data
    shuffled = {names[place]: files[names[place]] for place in order if names[place] in files}

    one, other = (table(output(run(some, "parquet"))) for some in (files, shuffled))

    assert {field.name: field for field in one.schema} == {field.name: field for field in other.schema}
    assert sorted(map(str, one.to_pylist())) == sorted(map(str, other.select(one.column_names).to_pylist()))


def as_csv(rows: Sequence[Any]) -> bytes:
    return "".join(f"{a},{b}\n" for a, b in [("a", "q"), *rows]).encode()


def as_json(rows: Sequence[Any]) -> bytes:
    return "\n".join(map(json.dumps, rows)).encode()


mixed = st.tuples(st.just("csv"), rows_of_text.map(as_csv)) | st.tuples(
    st.sampled_from(["jsonl", "parquet"]), objects.map(as_json)
)


@pytest.mark.slow
@pytest.mark.kernel
@quickly
@given(st.lists(mixed, min_size=2, max_size=4), st.sampled_from(["json", "parquet"]))
def test_nothing_depends_on_how_much_is_looked_at_first(tables: list[tuple[str, bytes]], target: str) -> None:
    files = {
        f"{place}.{kind}": whole(data, "json", "parquet") if kind == "parquet" else data
        for place, (kind, data) in enumerate(tables)
    }

    expected = output(run(files, target, delimiter=","))
    found = output(run(files, target, delimiter=",", work=small_work(4)))

    if target == "parquet":
        assert table(found).equals(table(expected), check_metadata=True)
    else:
        assert found == expected


def test_compressed_files_are_read_too() -> None:
    assert output(run({"1.csv.gz": gzip.compress(b"a\n1\n"), "2.csv": b"a\n2\n"})) == b"a\n1\n2\n"
