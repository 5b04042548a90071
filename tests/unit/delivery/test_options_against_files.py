"""What an option asks of a file, and the file has not, is the file's failure: at once, with its reason, not retried.

A configuration failure would leave the message in the queue and, after ten objects, pause their connection.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet as pq
import pytest

from millrace.config.document import Document, parse
from millrace.delivery.worker import Outcome
from millrace.engine.option_list import FILE_OPTIONS, FileOption, Side
from millrace.ledger.claims import Delivery
from millrace.ledger.entries import Branch, State
from millrace.objects.references import ObjectRef
from tests.configurations import bulk_sync, connection, model_document
from tests.examples import Run
from tests.unit.engine.formats.builders import converted
from tests.unit.engine.formats.packing import zipped
from tests.unit.engine.formats.workbooks import grid, xlsx

TWO_SHEETS = xlsx({"Orders": grid(("id",), (1,)), "People": grid(("name",), ("Ada",))})
CSV = b"id,name\n1,Ada\n"
Raw = dict[str, Any]


def document_of(source: Raw, **sync: Any) -> Document:
    return parse(
        {
            "connections": [connection("landing", "s3://acme-in/in", **source), connection("lake", "s3://acme-out")],
            "bulk_syncs": [bulk_sync("nightly", to="json", **sync)],
        }
    )


def of_one_format(file_format: str) -> Raw:
    return {"is_single_table": True, "single_table_name": "all", "single_table_file_format": file_format}


def first_outcome(document: Document, key: str, data: bytes) -> Outcome:
    """What the first receipt of the object's event comes to."""
    run = Run(document, {ObjectRef("acme-in", key): data})
    (request,) = run.uploads()
    (outcome,) = run.worker.work(request, Delivery(message_id="m1", remaining=lambda: 900.0))
    return outcome


CASES: Mapping[str, tuple[str, bytes, Raw, str]] = {
    "no such sheet": ("in/a.xlsx", TWO_SHEETS, {"excel_sheet": "Nmae"}, "it has 'Orders', 'People'"),
    "no sheet of that number": ("in/a.xlsx", TWO_SHEETS, {"excel_sheet": "9"}, "it has 'Orders', 'People'"),
    "several sheets and none named": ("in/a.xlsx", TWO_SHEETS, {}, "say which of 'Orders', 'People'"),
    "a sheet that is named all": (
        "in/a.xlsx",
        xlsx({"all": grid(("a",), (1,)), "b": grid(("a",), (1,))}),
        {"excel_sheet": "all"},
        "excel_sheet: 1",
    ),
    "a sheet in an archive": (
        "in/a.zip",
        zipped({"b.xlsx": TWO_SHEETS}),
        {"excel_sheet": "Nmae"},
        "it has 'Orders', 'People'",
    ),
    "no member of the name": ("in/a.json", b'{"Rows": [{"a": 1}]}', {"json_records": "Records"}, "members are 'Rows'"),
    "no list there": ("in/a.json", b'{"Records": 5}', {"json_records": "Records"}, "expected a list at 'Records'"),
    "a parent field that rows have": (
        "in/a.json",
        b'{"id": 7, "Records": [{"id": 1}]}',
        {"json_records": "Records", "json_parent_fields": ["id"]},
        "the row has a field 'id' itself",
    ),
    "no such element": ("in/a.xml", b"<c><book/></c>", {"xml_row": "c/boook"}, "did you mean 'book'?"),
    "another root": ("in/a.xml", b"<c><book/></c>", {"xml_row": "catalog/book"}, "the document has 'c'"),
    "a line of another log": (
        "in/a.log",
        b"hello\n",
        {**of_one_format("log"), "log_preset": "alb"},
        "hello",
    ),
    "a log without its fields": ("in/a.log", b"hello\n", {**of_one_format("log"), "log_preset": "w3c"}, "#Fields:"),
    "a value of another type": ("in/a.csv", CSV, {"csv_column_types": {"name": "integer"}}, "'Ada'"),
    "a hint that does not fit": ("in/a.csv", CSV, {"type_hints": {"name": "decimal(5,2)"}}, "'Ada'"),
    "a hint of a nested field": (
        "in/a.json",
        b'{"name": {"first": "Ada"}}\n',
        {"type_hints": {"name": "integer"}},
        "which is no integer",
    ),
    "another encoding": ("in/a.csv", b"id\n\xff\n", {"csv_encoding": "utf-8"}, "not UTF-8"),
    "a column of the file's own": ("in/a.csv", b"_row\n1\n", {"source_columns": ["row"]}, "'_row' itself"),
    "an archive without the format": (
        "in/a.zip",
        zipped({"b.parquet": b"PAR1"}),
        of_one_format("csv"),
        "those of its table are csv",
    ),
    "an archive of nothing that is read": ("in/a.zip", zipped({"b.txt": b"x"}), {}, "no member that can be read"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_a_file_has_not_fails_it_at_once_with_its_reason(name: str) -> None:
    key, data, source, says = CASES[name]

    outcome = first_outcome(document_of(source), key, data)

    assert_refused(outcome, says)


SCHEMAS: Mapping[str, tuple[Raw, str]] = {
    "fields": ({"fields": ["naem"]}, "fields names the field 'naem'"),
    "fields that are left out": ({"fields": [{"id": "naem", "enabled": False}]}, "fields names the field 'naem'"),
    "fields that are obfuscated": ({"fields": [{"id": "naem", "obfuscated": True}]}, "fields names the field 'naem'"),
    "all fields left out": (
        {"fields": [{"id": "id", "enabled": False}, {"id": "name", "enabled": False}]},
        "none is left to write",
    ),
    "partition_key": ({"partition_key": "naem"}, "partition_key names the field 'naem'"),
    "filters": ({"filters": [{"field_id": "naem", "function": "IsNull"}]}, "filter A names the field 'naem'"),
    "tracking_field": ({"tracking_field": "naem"}, "tracking_field names the field 'naem'"),
    "a tracking field without times": (
        {"tracking_field": "name", "data_cutoff_timestamp": "2026-01-01T00:00:00Z"},
        "no ISO 8601 date",
    ),
    "type_hints": ({"type_hints": {"name": "boolean"}}, "no boolean"),
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_so_does_what_a_table_says(name: str) -> None:
    schema, says = SCHEMAS[name]

    outcome = first_outcome(document_of({}, schemas=[{"id": "a", **schema}]), "in/a.csv", CSV)

    assert_refused(outcome, says)


MODELS: Mapping[str, tuple[Raw, Raw, str, bytes, str]] = {
    "a sheet": ({"excel_sheet": "Nmae"}, {}, "in/a.xlsx", TWO_SHEETS, "it has 'Orders', 'People'"),
    "several sheets": ({}, {}, "in/a.xlsx", TWO_SHEETS, "say which of 'Orders', 'People'"),
    "all sheets": ({"excel_sheet": "1"}, {"identifier": "naem"}, "in/a.xlsx", TWO_SHEETS, "identifier names the field"),
    "a path": ({"xml_row": "c/boook"}, {}, "in/a.xml", b"<c><book/></c>", "did you mean 'book'?"),
    "an identifier": ({}, {"identifier": "naem"}, "in/a.csv", CSV, "identifier names the field 'naem'"),
    "its fields": ({}, {"fields": ["naem"]}, "in/a.csv", CSV, "'naem'"),
}


@pytest.mark.parametrize("name", MODELS)
def test_so_does_a_model(name: str) -> None:
    configuration, fields, key, data, says = MODELS[name]

    document = model_document({"key": key, **configuration}, **fields)
    run = Run(document, {ObjectRef("acme-in", key): data})
    run.work(run.uploads())

    assert_refused(run.outcomes[-1], says)
    assert all(outcome.failure is None for outcome in run.outcomes[:-1])


def assert_refused(outcome: Outcome, says: str) -> None:
    assert outcome.result is State.FAILED, outcome
    assert outcome.failure is not None
    assert outcome.failure.branch is Branch.DATA, outcome.failure
    assert outcome.acknowledge
    assert says in outcome.failure.message


def written_by(library: Any) -> bytes:
    file = io.BytesIO()
    library.write_table(pa.table({"id": [1, 2], "name": ["Ada", None]}), file)
    return file.getvalue()


CONTENTS: Mapping[str, bytes] = {
    "csv": CSV,
    "json": b'{"id": 1, "name": "Ada", "Records": [{"a": 1}]}\n',
    "parquet": written_by(pq),
    "orc": written_by(pyarrow.orc),
    "avro": converted(CSV, "csv", "avro"),
    "excel": TWO_SHEETS,
    "xml": b"<a><b><c>1</c></b></a>",
    "lines": b"00000001  12.50 \n",
    "empty": b"",
    "blank": b"\n \n",
    "noise": bytes(range(256)) * 4,
    "packed": gzip.compress(CSV),
    "zip": zipped({"a.csv": CSV, "b.xlsx": TWO_SHEETS}),
}
MORE_VALUES: Mapping[str, tuple[Any, ...]] = {
    "skip_lines": (1000,),
    "csv_skip_footer": (1000,),
    "csv_comment": ("i",),
    "csv_delimiter": ("d", "1"),
    "csv_quote": ("none", "A"),
    "csv_encoding": ("utf-16", "utf-32", "utf-7", "cp037", "shift_jis", "idna", "punycode"),
    "csv_column_types": ({"id": "date", "name": "timestamp"}, {"": "text"}),
    "json_records": ("id", "*.*", "name.Records"),
    "json_parent_fields": (["id"], ["id.name=x"], ["a=id"]),
    "type_hints": tuple(
        {"id": kind, "name": kind, "Records": kind, "a": kind, "c": kind}
        for kind in ("date", "boolean", "decimal(38,38)", "timestamp(ns)", "text", "integer", "float")
    ),
    "fixed_width": ([{"name": "z", "start": 2**31, "length": 2**31}], [{"name": "id", "start": 1, "length": 1}]),
    "log_preset": ("apache", "nginx", "nlb", "cloudfront", "s3_access", "vpc_flow", "w3c"),
    "xml_row": ("a", "/", "a/b/c/d", "a/b/c"),
    "excel_sheet": ("²", "0", "2", "9" * 5000, "People"),
}
_NEEDED: Mapping[str, Raw] = {
    "fixed_width": {"fixed_width": [{"name": "id", "start": 1, "length": 8}]},
    "log": {"log_preset": "alb"},
    "json_parent_fields": {"json_records": "Records"},
}


def documents_with(option: FileOption, value: Any) -> list[Document]:
    """A document for each format that the option touches, each of which reads every object as of that format."""
    documents = list[Document]()
    for file_format in option.formats:
        needed = _NEEDED.get(file_format, {}) | _NEEDED.get(option.name, {})
        documents.append(document_of({**of_one_format(file_format), **needed, option.name: value}))
    return documents


READ_OPTIONS = [option for option in FILE_OPTIONS if option.side is Side.READ]


@pytest.mark.slow
@pytest.mark.parametrize("option", READ_OPTIONS, ids=lambda option: option.name)
def test_no_option_makes_any_content_come_back(option: FileOption) -> None:
    for value in (*(option.examples or (True, False)), *MORE_VALUES.get(option.name, ())):
        for document in documents_with(option, value):
            for content, data in CONTENTS.items():
                outcome = first_outcome(document, "in/a", data)

                assert outcome.acknowledge, (value, document.connection("landing").configuration, content, outcome)
