"""Whatever the files of a table hold and in whichever order they come: values survive, and a second run ends it."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.engine.destination import Destination
from millrace.engine.one_file import NO_CONTEXT, convert_into_table
from millrace.engine.options import FileFormat, ReadOptions, SchemaEvolution, WriteOptions
from millrace.engine.recipe import Recipe
from millrace.engine.tables.fit import Fit, FitRule, guesses_of_reader
from millrace.engine.tables.hinted import given_fields
from millrace.engine.transform.spec import TableTransform
from tests.properties import examples
from tests.unit.engine.formats.builders import Memory

TEXTS = [
    *("0", "7", "-12", "9007199254740993", "12345678901234567890", "007", "-0"),
    *("2.5", "19.99", "-0.5", "1.0", "10.10", "3.00", "1e+20", "1e400"),
    *("true", "2026-01-31", "2026-02-30", "2026-01-31T10:00:00Z", "2026-01-31T10:00:00.000Z", "x"),
]
NUMBERS = ["0", "7", "-12", "9007199254740993", "12345678901234567890", "2.5", "19.99", "1.0", "1e5", "10.10"]
File = list[str | None]
pools = st.sampled_from([TEXTS, NUMBERS, ["1", "2.5"], ["2.5", "19.99", "10.10"], ["1.0", "2.5"]])
files = pools.flatmap(
    lambda pool: st.lists(st.lists(st.none() | st.sampled_from(pool), min_size=1, max_size=3), min_size=2, max_size=3)
)


def as_csv(values: File) -> bytes:
    return ("x,y\n" + "".join(f"{'' if value is None else value},1\n" for value in values)).encode()


def as_json(values: File) -> bytes:
    return "".join('{"x":%s,"y":1}\n' % ("null" if value is None else value) for value in values).encode()


def fitted(
    data: bytes,
    known: pa.Schema | None,
    source: FileFormat,
    evolution: SchemaEvolution,
    hints: Mapping[str, str] = MappingProxyType({}),
) -> tuple[bytes, Fit]:
    """A file of a table as newline-delimited JSON."""
    read = ReadOptions(type_hints=hints)
    rule = FitRule(
        evolution=evolution,
        transform=TableTransform(rescued=evolution is SchemaEvolution.RESCUE),
        as_text=source is FileFormat.CSV,
        is_guessed=guesses_of_reader(source, infer=True, demanded=frozenset(hints)),
        table="t",
        given=given_fields(read),
    )
    fit = Fit(known, rule)
    recipe = Recipe(source_format=source, target_format=FileFormat.JSON, read=read, write=WriteOptions())
    sinks: list[Memory] = []

    def opened(_directory: str | None) -> Memory:
        sinks.append(Memory())
        return sinks[-1]

    convert_into_table(io.BytesIO(data), recipe, Destination(opened), NO_CONTEXT, fit.table)
    return sinks[-1].getvalue(), fit


def table(data: list[bytes], source: FileFormat) -> tuple[list[bytes], pa.Schema | None]:
    """All files one after the other, again and again until nothing changes any more."""
    known: pa.Schema | None = None
    while True:
        outputs, before = [], known
        for one in data:
            output, fit = fitted(one, known, source, SchemaEvolution.EVOLVE)
            outputs.append(output)
            known = fit.remembered_schema()
        if known == before:
            return outputs, known


def values(output: bytes) -> list[Any]:
    rows = [json.loads(line, parse_int=WrittenFile, parse_float=WrittenFile) for line in output.splitlines()]
    return [row["x"] for row in rows]


class WrittenFile(str):
    """A number as it is written."""

    __slots__ = ()


@pytest.mark.slow
@pytest.mark.kernel
@settings(max_examples=examples(25), deadline=None)
@given(files)
def test_texts_survive_and_the_order_of_files_changes_nothing_in_the_end(contents: list[File]) -> None:
    orders = list(itertools.permutations(range(len(contents))))
    found = []
    for order in (orders[0], orders[-1]):
        outputs, known = table([as_csv(contents[place]) for place in order], FileFormat.CSV)
        found.append((dict(zip(order, outputs, strict=True)), known))

    assert found[0] == found[1]
    for place, content in enumerate(contents):
        printed = [json.dumps(value) if isinstance(value, bool) else value for value in values(found[0][0][place])]
        assert printed == content


@pytest.mark.slow
@pytest.mark.kernel
@settings(max_examples=examples(25), deadline=None)
@given(st.lists(st.lists(st.none() | st.sampled_from([*NUMBERS, '"7"', "true"]), min_size=1), min_size=2, max_size=3))
def test_json_survives_and_the_order_of_files_changes_nothing_in_the_end(contents: list[File]) -> None:
    orders = list(itertools.permutations(range(len(contents))))
    found = []
    for order in (orders[0], orders[-1]):
        outputs, known = table([as_json(contents[place]) for place in order], FileFormat.JSON)
        found.append((dict(zip(order, outputs, strict=True)), known))

    assert found[0] == found[1]
    for place, content in enumerate(contents):
        alone, _ = fitted(as_json(content), None, FileFormat.JSON, SchemaEvolution.EVOLVE)
        assert values(found[0][0][place]) == values(alone)


@settings(max_examples=examples(25), deadline=None)
@given(files)
def test_rescued_or_not_each_value_is_there(contents: list[File]) -> None:
    _, first = fitted(as_csv(contents[0]), None, FileFormat.CSV, SchemaEvolution.RESCUE)

    for content in contents[1:]:
        output, fit = fitted(as_csv(content), first.remembered_schema(), FileFormat.CSV, SchemaEvolution.RESCUE)
        for line, text in zip(output.splitlines(), content, strict=True):
            row = json.loads(line, parse_int=WrittenFile, parse_float=WrittenFile)
            there = row["x"] if row["_rescued"] is None else row["_rescued"]["x"]
            assert (json.dumps(there) if isinstance(there, bool) else there) == text
        assert len(fit.remembered_schema()) == 2


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 500])
def test_many_fields_fit_at_once(count: int) -> None:
    names = [f"f{number}" for number in range(count)]
    data = (",".join(names) + "\n" + ",".join("1" for _ in names) + "\n").encode()
    _, first = fitted(data, None, FileFormat.CSV, SchemaEvolution.EVOLVE)

    output, fit = fitted(b"f0\nx\n", first.remembered_schema(), FileFormat.CSV, SchemaEvolution.EVOLVE)

    assert len(json.loads(output)) == len(fit.remembered_schema()) == count


class TestGivenTypes:
    """A type that the configuration gives is the table's, whatever its files had before."""

    HINTS = MappingProxyType({"x": "decimal(9,2)"})

    @pytest.mark.parametrize("evolution", SchemaEvolution)
    @pytest.mark.parametrize("before", [pa.int64(), pa.string(), pa.float64(), pa.decimal128(5, 1), pa.null()], ids=str)
    @pytest.mark.parametrize(
        ("source", "data"), [(FileFormat.CSV, b"x,y\n1,1\n"), (FileFormat.JSON, b'{"x":1,"y":1}\n')]
    )
    def test_it_goes_before_what_the_table_had(
        self, evolution: SchemaEvolution, before: pa.DataType, source: FileFormat, data: bytes
    ) -> None:
        known = pa.schema([("x", before), ("y", pa.int64())])

        output, fit = fitted(data, known, source, evolution, self.HINTS)

        assert json.loads(output.splitlines()[0], parse_float=WrittenFile)["x"] == "1.00"
        assert fit.remembered_schema().field("x").type == pa.decimal128(9, 2)

    def test_a_file_that_lacks_the_column_has_its_type_too(self) -> None:
        known = pa.schema([("x", pa.int64()), ("y", pa.int64())])

        output, fit = fitted(b"y\n1\n", known, FileFormat.CSV, SchemaEvolution.EVOLVE, self.HINTS)

        assert output == b'{"x":null,"y":1}\n'
        assert fit.output_schema().field("x").type == pa.decimal128(9, 2)

    def test_it_stays_whatever_files_come(self) -> None:
        known = None
        for data in (b"x,y\n1,1\n", b"x,y\n2.5,1\n", b"y\n1\n", b"x,y\n,1\n"):
            _, fit = fitted(data, known, FileFormat.CSV, SchemaEvolution.FREEZE, self.HINTS)
            known = fit.remembered_schema()
            assert known.field("x").type == pa.decimal128(9, 2)
