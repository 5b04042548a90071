"""A table of many files, surveyed and converted in batches, is the table of all of them at once."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace.engine.destination import Destination
from millrace.engine.many_files import convert_many
from millrace.engine.options import FileFormat, ReadOptions, TableTypes, WriteOptions, recognise
from millrace.engine.parts.converting import KnownColumns, convert_part, survey_sources
from millrace.engine.parts.documents import from_bytes, to_bytes
from millrace.engine.parts.evidence import evidence_of_document, evidence_to_document
from millrace.engine.recipe import Recipe
from millrace.engine.table_sources import Source
from millrace.engine.table_survey import TableSurvey
from millrace.engine.types.inference import Demanded, Evidence
from millrace.errors import DataError, MalformedFile
from tests.properties import examples
from tests.unit.engine.formats.builders import Memory
from tests.unit.engine.parts.dividing import FileResult, convert_batches, ignore_progress, of_error, opener

CELLS = st.sampled_from(["", '""', "1", "2.5", "10.10", "007", "x", "true", "2024-01-01", "12345678901234567890", "é"])
VALUES = st.sampled_from([None, 1, 2.5, 10**20, "x", True, [1], ["a"], {"k": 1}, {"k": "v", "l": None}, "2024-01-01"])
OBJECTS = st.lists(st.dictionaries(st.sampled_from("abc"), VALUES, min_size=1), max_size=6)
NUMBERS = st.lists(st.sampled_from([0, 1, 300, 2**40]), min_size=1, max_size=4)


def as_csv(header: str, rows: list[tuple[str, str]]) -> tuple[str, bytes]:
    return "csv", "".join(f"{first},{second}\n" for first, second in [tuple(header), *rows]).encode()


def as_json(rows: list[Any]) -> tuple[str, bytes]:
    return "jsonl", "\n".join(map(json.dumps, rows)).encode()


def as_parquet(numbers: list[int], kind: pa.DataType) -> tuple[str, bytes]:
    out = io.BytesIO()
    column = pa.array(numbers).cast(kind, safe=False)
    pq.write_table(pa.table({"a": column}), out)
    return "parquet", out.getvalue()


FILES = st.one_of(
    st.builds(as_csv, st.sampled_from(["ab", "bc", "ca"]), st.lists(st.tuples(CELLS, CELLS), max_size=6)),
    st.builds(as_json, OBJECTS),
    st.builds(as_parquet, NUMBERS, st.sampled_from([pa.int8(), pa.int64(), pa.float32()])),
)


def source_of(number: int, kind: str, data: bytes, read: ReadOptions) -> Source:
    known = recognise(f"{number}.{kind}")
    assert known is not None
    return Source(name=f"{number}.{kind}", format=known.format, read=read, open=opener(data))


def recipe_of(target: str, **options: Any) -> Recipe:
    return Recipe(
        source_format=FileFormat.CSV,
        target_format=FileFormat(target),
        read=ReadOptions(delimiter=",", **options),
        write=WriteOptions(),
    )


def convert_at_once(sources: list[Source], recipe: Recipe) -> FileResult:
    try:
        done = convert_many(sources, recipe, Destination(Memory, Memory))
    except DataError as error:
        return of_error(error)
    return FileResult(done.parts[0].sink.getvalue(), done.rows)


@pytest.mark.slow
@pytest.mark.kernel
@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(FILES, min_size=2, max_size=6),
    st.integers(1, 4),
    st.sampled_from(["csv", "json", "json-doc", "parquet"]),
    st.sampled_from(TableTypes),
)
def test_batches_are_the_table(files: list[tuple[str, bytes]], size: int, target: str, types: TableTypes) -> None:
    recipe = recipe_of(target, types=types)
    sources = [source_of(number, *file, recipe.read) for number, file in enumerate(files)]
    whole = convert_at_once(sources, recipe)

    batches = [sources[start : start + size] for start in range(0, len(sources), size)]
    try:
        divided = convert_batches(batches, recipe)
    except DataError as error:
        divided = of_error(error)

    assert divided.error == whole.error
    assert divided.rows == whole.rows
    if target == "parquet" and whole.error is None:
        assert divided.schema_and_rows.equals(whole.schema_and_rows, check_metadata=True)
    else:
        assert divided.output == whole.output


def survey_of(*files: tuple[str, bytes], **options: Any) -> TableSurvey:
    recipe = recipe_of("parquet", **options)
    sources = [source_of(number, *file, recipe.read) for number, file in enumerate(files)]
    return survey_sources(sources, recipe, ignore_progress)


def test_a_survey_is_the_same_document_once_written_and_read() -> None:
    survey = survey_of(
        as_csv("ab", [("1", "x"), ("2.50", "2024-01-01T00:00:00Z")]),
        as_json([{"c": {"d": [1, 2.5]}}]),
        as_parquet([1], pa.int16()),
        column_types={"b": "text"},
    )

    content = to_bytes(survey.to_document())

    assert to_bytes(TableSurvey.from_document(from_bytes(content)).to_document()) == content
    assert to_bytes(survey.to_document()) == content


def test_a_survey_of_many_parts_is_as_small_as_that_of_one() -> None:
    part = survey_of(as_csv("ab", [("1", "x")] * 100), as_parquet([1], pa.int16()))
    whole = TableSurvey()
    for _ in range(1000):
        whole.join(part)

    assert whole.rows == 1000 * part.rows
    assert len(to_bytes(whole.to_document())) < len(to_bytes(part.to_document())) + 10


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "1.5",
        "2.50",
        "12345678901234567890",
        "true",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-01-31 12:00:00.125Z",
    ],
)
def test_evidence_crosses_as_it_is(text: str) -> None:
    for evidence in (Evidence(), Evidence().observe(pa.array([text])), Evidence().observe(pa.array([text, "x"]))):
        assert evidence_of_document(from_bytes(to_bytes({"schema": 1, **evidence_to_document(evidence)}))) == evidence
    for demanded in (Demanded("decimal", whole=3, fraction=2), Demanded("timestamp", unzoned=True), Demanded("text")):
        assert evidence_of_document(evidence_to_document(demanded)) == demanded


def test_a_document_of_another_version_is_refused() -> None:
    with pytest.raises(MalformedFile, match=r"not of schema 1: b'\{\"schema\":2\}'"):
        from_bytes(b'{"schema":2}')
    with pytest.raises(MalformedFile, match="no JSON"):
        from_bytes(b"\xff")


def test_sources_that_changed_since_they_were_surveyed_are_refused() -> None:
    recipe = recipe_of("parquet")
    before = source_of(0, *as_csv("ab", [("1", "x")]), recipe.read)
    survey = survey_sources([before], recipe, ignore_progress)
    changed = replace(before, open=opener(as_csv("ab", [("no number", "x")])[1]))
    opened: list[Memory] = []

    def open_output(_directory: str | None) -> Memory:
        opened.append(Memory())
        return opened[-1]

    with pytest.raises(MalformedFile, match="does somebody write to them"):
        convert_part([changed], KnownColumns(survey=survey), recipe, Destination(open_output))

    assert [output.discarded for output in opened] == [True]
