"""A table's schema as it is remembered."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.delivery.table_schema import SchemaVersion, TableSchema, remembered
from millrace.engine.tables.fields import as_remembered
from millrace.engine.types.printing import with_form
from millrace.errors import LostRace, TooBig
from millrace.ledger.schema_changes import FieldChange, FieldChangeKind, SchemaChanges
from millrace.objects.messages import Request
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef
from tests.fakes import InMemoryLedger
from tests.properties import examples

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TABLE, FILE = ObjectRef("acme-in", "in/orders"), ObjectRef("acme-in", "in/orders/a.csv")
FIRST = SchemaVersion(number=1, source=str(FILE), when=NOON.isoformat(), changes="the first")
KINDS = [
    pa.null(),
    pa.string(),
    pa.int64(),
    pa.decimal128(18, 2),
    pa.timestamp("us", tz="UTC"),
    pa.list_(pa.struct([with_form(pa.field("a", pa.float64()), "bare")])),
    pa.map_(pa.string(), pa.int8()),
    pa.uuid(),
]


def asked(run_id: str | None = None, *, reset: bool = False) -> Request:
    return Request(change=ObjectChange(kind=ChangeKind.CREATED, ref=FILE), run_id=run_id, reset_schema=reset)


def put(ledger: InMemoryLedger, fields: pa.Schema, request: Request | None = None) -> int:
    request = request or asked()
    return remembered("nightly", TABLE, request, ledger).put(fields, FILE, request, ledger, NOON)


@settings(max_examples=examples(40), deadline=None)
@given(st.dictionaries(st.text(max_size=5), st.sampled_from(KINDS)))
def test_it_comes_back_as_it_was(columns: dict[str, pa.DataType]) -> None:
    fields = pa.schema([with_form(pa.field(name, kind), "json") for name, kind in columns.items()])
    kept = TableSchema(fields=fields, versions=(FIRST,))

    back = TableSchema.from_bytes(kept.to_bytes())

    assert back.versions == (FIRST,)
    assert back.fields.equals(fields, check_metadata=True)


def wide(count: int) -> TableSchema:
    """Names that do not compress."""
    names = [hashlib.sha256(str(number).encode()).hexdigest()[:30] for number in range(count)]
    return TableSchema(fields=pa.schema([pa.field(name, pa.float64()) for name in names]), versions=(FIRST,))


@pytest.mark.slow
def test_ten_thousand_fields_fit_into_an_item() -> None:
    assert len(wide(10_000).to_bytes()) < 350_000


@pytest.mark.slow
def test_more_than_fits_is_refused_with_a_way_out() -> None:
    with pytest.raises(TooBig, match=r"40,000 fields, whose names and types take .* automatically_add_new_f"):
        wide(40_000).to_bytes()


def test_nothing_is_put_where_nothing_changes() -> None:
    ledger, fields = InMemoryLedger(), pa.schema([("id", pa.int64())])

    assert (put(ledger, fields), put(ledger, fields), len(ledger.puts)) == (1, 1, 1)


def test_versions_tell_what_changed_and_the_oldest_are_forgotten() -> None:
    ledger, fields = InMemoryLedger(), pa.schema([("id", pa.int64())])
    for number in range(30):
        put(ledger, fields)
        fields = fields.append(pa.field(f"f{number}", pa.string()))

    schema = remembered("nightly", TABLE, asked(), ledger).schema

    assert schema is not None
    assert [one.number for one in schema.versions] == list(range(11, 31))
    assert schema.versions[-1].changes == "f28: new, text"


def test_many_changes_are_told_in_short() -> None:
    ledger = InMemoryLedger()
    put(ledger, pa.schema([("id", pa.int64())]))
    known = remembered("nightly", TABLE, asked(), ledger)

    told = known.changed(pa.schema([("id", pa.string())] + [(f"f{number}", pa.string()) for number in range(99)]))

    assert told is not None
    assert told.text.startswith("id: int64 -> text; f0: new, text; ")
    assert told.text.endswith("; and 90 more")
    assert (len(told.fields), told.left_out) == (25, 75)


def test_changes_are_told_field_by_field() -> None:
    ledger = InMemoryLedger()
    form = pa.timestamp("s")
    put(ledger, pa.schema([("id", pa.int64()), ("n", pa.null()), ("at", form), ("same", pa.string())]))
    known = remembered("nightly", TABLE, asked(), ledger)

    told = known.changed(
        pa.schema(
            [
                ("id", pa.string()),
                ("n", pa.float64()),
                with_form(pa.field("at", form), "T0"),
                ("same", pa.string()),
                ("new", pa.list_(pa.int64())),
            ]
        )
    )

    assert told is not None
    assert told.fields == (
        FieldChange(field="id", kind=FieldChangeKind.TYPE, before="int64", after="text"),
        FieldChange(field="n", kind=FieldChangeKind.TYPE, before="no values yet", after="double"),
        FieldChange(field="at", kind=FieldChangeKind.FORM, before="timestamp[s]", after="timestamp[s]", form="T0"),
        FieldChange(field="new", kind=FieldChangeKind.ADDED, after="list<item: int64>"),
    )
    assert SchemaChanges.from_document(told.text, told.to_document()) == told


def test_of_two_who_read_the_same_the_second_is_told() -> None:
    ledger, request = InMemoryLedger(), asked()
    mine, theirs = (remembered("nightly", TABLE, request, ledger) for _ in range(2))
    theirs.put(pa.schema([("id", pa.int64())]), FILE, request, ledger, NOON)

    with pytest.raises(LostRace):
        mine.put(pa.schema([("id", pa.string())]), FILE, request, ledger, NOON)


def test_a_run_begins_it_anew_once() -> None:
    ledger, fields = InMemoryLedger(), pa.schema([("id", pa.string())])
    put(ledger, fields)

    assert remembered("nightly", TABLE, asked("r1"), ledger).fields == fields
    assert remembered("nightly", TABLE, asked("r1", reset=True), ledger).fields is None
    assert put(ledger, pa.schema([("id", pa.int64())]), asked("r1", reset=True)) == 2
    assert remembered("nightly", TABLE, asked("r1", reset=True), ledger).fields == pa.schema([("id", pa.int64())])


@pytest.mark.parametrize("late", [asked("r1"), asked("r1", reset=True), asked("r3"), asked()], ids=str)
def test_a_late_file_of_another_run_does_not_let_a_reset_begin_again(late: Request) -> None:
    ledger, first = InMemoryLedger(), pa.schema([("id", pa.int64())])
    put(ledger, first)
    put(ledger, first, asked("r2", reset=True))

    widened = first.append(pa.field("late", pa.string()))
    put(ledger, widened, late)

    assert remembered("nightly", TABLE, asked("r2", reset=True), ledger).fields == widened


def test_a_run_that_resets_nothing_does_not_take_the_reset_of_one_before_it_away() -> None:
    """It was asked for later, and its file came first."""
    ledger, fields = InMemoryLedger(), pa.schema([("id", pa.string())])
    put(ledger, fields)
    put(ledger, fields.append(pa.field("x", pa.string())), asked("r3"))

    assert remembered("nightly", TABLE, asked("r2", reset=True), ledger).fields is None


@pytest.mark.parametrize(
    ("kind", "kept"),
    [
        (pa.dictionary(pa.int8(), pa.large_string()), pa.string()),
        (pa.large_binary(), pa.binary()),
        (pa.list_(pa.field("item", pa.string_view(), nullable=False)), pa.list_(pa.field("element", pa.string()))),
        (pa.struct([pa.field("a", pa.int8(), metadata={"PARQUET:field_id": "1"})]), pa.struct([("a", pa.int8())])),
    ],
)
def test_how_a_file_encodes_values_is_not_remembered(kind: pa.DataType, kept: pa.DataType) -> None:
    found = as_remembered(pa.field("x", kind, nullable=False, metadata={"PARQUET:field_id": "1"}))

    assert found.equals(pa.field("x", kept), check_metadata=True)
