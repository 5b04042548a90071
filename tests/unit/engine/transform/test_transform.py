"""Transforms: what the configuration says, seen in batches."""

from __future__ import annotations

import hashlib
import hmac
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.config.model import Model
from millrace.engine.formats.registry import FORMATS
from millrace.engine.formats.text import rendering
from millrace.engine.options import FileFormat, ReadOptions
from millrace.engine.transform.binding import SYNCED_AT, Applied, BoundTransform, bind, identifier_of
from millrace.engine.transform.spec import TableTransform, Written
from millrace.engine.types.printing import FORM, form_of
from millrace.errors import ConfigurationError, InvalidConfiguration, UnknownField, ValueDoesNotFit
from millrace.planning.transforms import model_transform, table_transform
from tests.properties import examples
from tests.unit.config.builders import parsed_bulk_sync, parsed_model_sync

NOW = datetime(2024, 3, 15, 10, 30, tzinfo=UTC)
KEY = b"k" * 32


def batch(**columns: Any) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({name: pa.array(values) for name, values in columns.items()})


ORDERS = batch(**{"Order ID": [1, 2, 3], "e-mail": ["a@x", None, "b@x"], "total": [1.5, 2.0, 10.0]})


def bulk(selection: dict[str, Any] | None = None, /, **sync: Any) -> TableTransform:
    if selection is not None:
        sync["schemas"] = [{"id": "orders", **selection}]
    made = parsed_bulk_sync(**sync)
    return table_transform(made.schemas[0] if made.schemas else None, made)


def model_sync(sync: dict[str, Any] | None = None, /, **model: Any) -> TableTransform:
    return model_transform(parsed_model_sync(**(sync or {})), Model(name="customers", connection="in", **model))


def bound(spec: TableTransform, rows: pa.RecordBatch = ORDERS) -> BoundTransform:
    return bind(spec, rows.schema, now=NOW, key=KEY)


def applied(spec: TableTransform, rows: pa.RecordBatch = ORDERS) -> Applied:
    transform = bound(spec, rows)
    result = transform.apply(rows)
    result.batch.validate(full=True)
    assert result.batch.schema.equals(transform.schema, check_metadata=True)
    return result


def written(spec: TableTransform, rows: pa.RecordBatch = ORDERS) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = applied(spec, rows).batch.to_pydict()
    return columns


def hashed(text: str) -> str:
    return hmac.new(KEY, text.encode(), hashlib.sha256).hexdigest()


class TestFields:
    def test_all_are_written_under_names_in_one_form(self) -> None:
        assert list(written(bulk())) == ["order_id", "e_mail", "total"]

    def test_names_stay_and_batches_pass_untouched_where_nothing_is_asked(self) -> None:
        assert applied(bulk(normalize_names="disabled")).batch is ORDERS

    def test_named_ones_come_first_in_their_order_and_new_ones_behind(self) -> None:
        assert list(written(bulk({"fields": ["total", "Order ID"]}))) == ["total", "order_id", "e_mail"]

    def test_new_ones_are_left_out_where_none_is_wanted(self) -> None:
        spec = bulk({"fields": ["total", "Order ID"]}, automatically_add_new_fields="none")

        assert list(written(spec)) == ["total", "order_id"]

    def test_a_disabled_one_is_left_out_even_where_new_ones_are_added(self) -> None:
        assert list(written(bulk({"fields": [{"id": "e-mail", "enabled": False}]}))) == ["order_id", "total"]

    def test_a_name_that_is_given_stays_as_it_is_and_others_give_way(self) -> None:
        spec = bulk({"fields": [{"id": "total", "user_output_name": "order_id"}, "Order ID"]})

        assert list(written(spec)) == ["order_id", "order_id_2", "e_mail"]

    def test_two_given_names_cannot_be_the_same(self) -> None:
        spec = TableTransform(written=tuple(Written(source=one, name="X") for one in ("total", "Order ID")))

        with pytest.raises(InvalidConfiguration, match="two fields of the output have the name 'X'"):
            bound(spec)

    def test_one_at_least_is_written(self) -> None:
        spec = bulk({"fields": [{"id": "a", "enabled": False}]})

        with pytest.raises(UnknownField, match="none is left to write of 'a'"):
            bound(spec, batch(a=[1]))

    def test_rows_without_any_field_stay_rows(self) -> None:
        rows = pa.RecordBatch.from_struct_array(pa.array([{}, {}], pa.struct([])))

        assert applied(bulk(), rows).batch.num_rows == 2

    def test_metadata_of_fields_travels_and_that_of_pandas_does_not(self) -> None:
        field = pa.field("A b", pa.int64(), metadata={FORM: b"json", b"note": b"x"})
        rows = pa.RecordBatch.from_arrays([pa.array([1])], schema=pa.schema([field], {b"pandas": b"{}", b"own": b"y"}))

        schema = bound(bulk(), rows).schema

        assert schema.field("a_b").metadata == field.metadata
        assert schema.metadata == {b"own": b"y"}

    def test_a_name_that_the_source_has_twice_means_the_first_and_both_are_written(self) -> None:
        rows = pa.RecordBatch.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])

        assert written(bulk({"filters": [{"field": "a", "function": "Equality", "value": 1}]}), rows) == {
            "a": [1],
            "a_2": [2],
        }

    def test_names_within_objects_stay(self) -> None:
        assert written(bulk(), batch(A=[{"B c": 1}])) == {"a": [{"B c": 1}]}


class TestObfuscation:
    def test_values_become_keyed_hashes_and_missing_ones_stay_missing(self) -> None:
        spec = bulk({"fields": [{"id": "e-mail", "obfuscated": True}]}, automatically_add_new_fields="none")

        assert written(spec) == {"e_mail": [hashed("a@x"), None, hashed("b@x")]}

    def test_without_a_key_there_is_no_output(self) -> None:
        spec = bulk({"fields": [{"id": "e-mail", "obfuscated": True}]})

        with pytest.raises(ConfigurationError, match=r"no key.*'e-mail'"):
            bind(spec, ORDERS.schema, now=NOW, key=None)

    @pytest.mark.parametrize(
        ("values", "text"),
        [
            (pa.array(["10.50"]), "10.50"),
            (pa.array([Decimal("10.50")]), "10.50"),
            (pa.array(["10.50"]).dictionary_encode(), "10.50"),
            (pa.array([7], pa.int8()), "7"),
            (pa.array(["7"]), "7"),
            (pa.array([date(2024, 1, 2)]), "2024-01-02"),
            (pa.array([True]), "true"),
            (pa.array([["a", "b"]]), '["a","b"]'),
        ],
    )
    def test_a_hash_is_made_of_the_printed_text_in_any_type(self, values: pa.Array, text: str) -> None:
        rows = pa.RecordBatch.from_arrays([values], names=["x"])

        assert written(bulk({"fields": [{"id": "x", "obfuscated": True}]}), rows) == {"x": [hashed(text)]}

    def test_json_text_is_hashed_as_what_its_strings_hold(self) -> None:
        schema = pa.schema([pa.field("x", pa.string(), metadata={FORM: b"json"})])
        rows = pa.RecordBatch.from_arrays([pa.array(['"a\\"b"', "5", None])], schema=schema)
        transform = bound(bulk({"fields": [{"id": "x", "obfuscated": True}]}), rows)

        assert transform.apply(rows).batch.to_pydict() == {"x": [hashed('a"b'), hashed("5"), None]}
        assert form_of(transform.schema.field(0)) == ""

    def test_an_object_has_one_hash_whatever_the_objects_beside_it(self) -> None:
        spec = bulk({"fields": [{"id": "x", "obfuscated": True}]})
        raw = pa.schema([pa.field("x", pa.string(), metadata={FORM: b"json"})])
        beside = pa.RecordBatch.from_arrays([pa.array(['{"c": [{"d":null}], "a":1.50}', '"text {"'])], schema=raw)
        struct = batch(x=[{"a": Decimal("1.50"), "b": None, "c": [{"d": None}]}, {"a": None, "b": 2, "c": None}])

        assert written(spec, struct)["x"] == [hashed('{"a":1.50,"c":[{}]}'), hashed('{"b":2}')]
        assert written(spec, beside)["x"] == [hashed('{"a":1.50,"c":[{}]}'), hashed("text {")]

    def test_filters_see_the_value_before_it_is_hashed(self) -> None:
        filters = [{"field": "e-mail", "function": "StringStartsWith", "value": "b@"}]
        spec = bulk({"fields": [{"id": "e-mail", "obfuscated": True}], "filters": filters})

        assert written(spec)["e_mail"] == [hashed("b@x")]


class TestRows:
    def test_all_filters_must_hold_and_the_rows_left_out_are_counted(self) -> None:
        filters = [
            {"field": "total", "function": "GreaterThan", "value": 1.5},
            {"field": "e-mail", "function": "IsNotNull"},
        ]

        result = applied(bulk({"filters": filters}))

        assert (result.batch.column("order_id").to_pylist(), result.filtered) == ([3], 2)

    def test_more_filters_than_letters_hold_together(self) -> None:
        filters = [{"field": "total", "function": "GreaterThan", "value": 1.5}] * 30

        assert applied(bulk({"filters": filters})).filtered == 1

    def test_letters_join_as_the_logic_says(self) -> None:
        filters = [
            {"field": "total", "function": "LessThan", "value": 2},
            {"field": "total", "function": "GreaterThan", "value": 2},
            {"field": "e-mail", "function": "IsNull"},
        ]

        spec = model_sync({"filters": filters, "filter_logic": "(A OR B) AND NOT C"})

        assert written(spec)["Order ID"] == [1, 3]

    def test_rows_older_than_the_cutoff_are_left_out_and_undated_ones_are_kept(self) -> None:
        rows = batch(at=["2024-01-01", None, "2023-12-31T23:59:59Z", "2024-01-01T01:00:00+02:00"])
        spec = bulk({"tracking_field": "at", "data_cutoff_timestamp": "2024-01-01T00:00:00Z"})

        assert (written(spec, rows), applied(spec, rows).filtered) == ({"at": ["2024-01-01", None]}, 2)

    def test_a_cutoff_can_be_set_aside(self) -> None:
        cutoff = {"tracking_field": "total", "data_cutoff_timestamp": NOW, "disable_data_cutoff": True}

        assert applied(bulk(cutoff)).filtered == 0

    def test_a_tracking_value_that_is_no_time_is_an_error_with_its_row(self) -> None:
        rows = batch(at=["2024-01-01", "soon"])
        transform = bound(bulk({"tracking_field": "at", "data_cutoff_timestamp": "2024-01-01T00:00:00Z"}), rows)

        with pytest.raises(ValueDoesNotFit, match="row 1,002: the tracking_field 'at' holds 'soon'") as refused:
            transform.apply(rows, row_numbers=range(1001, 1001 + rows.num_rows))

        assert (refused.value.row, refused.value.column) == (1002, "at")

    def test_an_obfuscated_tracking_value_is_not_shown(self) -> None:
        selection = {"tracking_field": "at", "data_cutoff_timestamp": "2024-01-01T00:00:00Z"}
        rows = batch(at=["soon"])
        transform = bound(bulk(selection | {"fields": [{"id": "at", "obfuscated": True}]}), rows)

        with pytest.raises(ValueDoesNotFit, match="holds a value that is not shown"):
            transform.apply(rows)

    def test_the_time_of_the_run_stands_behind_all_fields(self) -> None:
        result = applied(bulk(disable_record_timestamps=False))

        assert result.batch.column_names[-1] == SYNCED_AT
        assert result.batch.schema.field(SYNCED_AT).type == pa.timestamp("us", "UTC")
        assert result.batch.column(SYNCED_AT).to_pylist() == [NOW] * 3

    def test_a_field_of_the_source_gives_way_to_the_time_of_the_run(self) -> None:
        spec = bulk(disable_record_timestamps=False, normalize_names="disabled")

        assert list(written(spec, batch(**{SYNCED_AT: [1]}))) == [f"{SYNCED_AT}_2", SYNCED_AT]

    def test_an_empty_batch_stays_one(self) -> None:
        filters = [{"field": "total", "function": "ArrayContains", "value": 1}]
        spec = bulk({"filters": filters, "fields": [{"id": "total", "obfuscated": True}]})

        assert applied(spec, ORDERS.slice(0, 0)).batch.num_rows == 0

    def test_the_field_to_divide_by_is_told_by_its_name_in_the_output(self) -> None:
        fields = [{"id": "total", "user_output_name": "Sum"}]

        assert bound(bulk({"fields": fields, "partition_key": "total"})).partition_field == "Sum"
        assert bound(bulk({"partition_key": "Order ID"})).partition_field == "order_id"

    def test_rows_are_divided_by_a_field_that_is_written(self) -> None:
        spec = TableTransform(left_out=("total",), partition_key="total")

        with pytest.raises(InvalidConfiguration, match="'total' is not written"):
            bound(spec)


class TestUnknownFields:
    @pytest.mark.parametrize(
        ("spec", "where"),
        [
            (bulk({"fields": ["totl"]}), "fields"),
            (bulk({"fields": [{"id": "totl", "enabled": False}]}), "fields"),
            (bulk({"filters": [{"field": "totl", "function": "IsNull"}]}), "filter A"),
            (bulk({"tracking_field": "totl"}), "tracking_field"),
            (bulk({"partition_key": "totl"}), "partition_key"),
            (model_sync(fields=["totl"]), "the model's fields"),
            (model_sync(identifier="totl"), "identifier"),
            (model_sync({"fields": [{"source": "totl"}]}), "fields"),
            (model_sync({"fields": [{"source": "totl", "override_value": 1}]}), "fields"),
            (model_sync({"overrides": [{"field": "totl", "function": "IsNull"}]}), "overrides"),
        ],
    )
    def test_each_is_named_with_what_is_there_and_what_was_meant(self, spec: TableTransform, where: str) -> None:
        with pytest.raises(UnknownField) as refused:
            bound(spec)

        assert str(refused.value) == (
            f"{where} names the field 'totl', which the table does not have;"
            " its fields are 'Order ID', 'e-mail', 'total'; did you mean 'total'?"
        )
        assert refused.value.column == "totl"

    def test_a_sync_sees_only_the_fields_of_its_model(self) -> None:
        spec = model_sync({"filters": [{"field": "total", "function": "IsNull"}]}, fields=["e-mail"])

        with pytest.raises(UnknownField, match=r"its fields are 'e-mail'$"):
            bound(spec)


class TestModelSyncs:
    def test_the_model_chooses_and_orders_and_names_stay(self) -> None:
        assert list(written(model_sync(fields=["total", "Order ID"]))) == ["total", "Order ID"]

    def test_fields_are_mapped_and_constants_stand_in_for_values(self) -> None:
        fields = [
            {"source": "total", "target": "Sum"},
            {"source": "e-mail", "override_value": "x@y"},
            {"target": "version", "override_value": 3},
        ]

        assert written(model_sync({"fields": fields})) == {
            "Sum": [1.5, 2.0, 10.0],
            "e-mail": ["x@y"] * 3,
            "version": [3] * 3,
        }

    def test_a_constant_replaces_the_field_of_its_name_or_comes_last(self) -> None:
        constants = [{"target": "e-mail", "override_value": True}, {"target": "n", "override_value": 2**70}]

        found = written(model_sync({"override_fields": constants}))

        assert list(found) == ["Order ID", "e-mail", "total", "n"]
        assert (found["e-mail"], found["n"]) == ([True] * 3, [Decimal(2**70)] * 3)

    @pytest.mark.parametrize(
        ("values", "override", "expected"),
        [
            (pa.array([1, 2, None]), 9, pa.array([1, 9, None])),
            (pa.array([1, 2, None]), "9", pa.array([1, 9, None])),
            (pa.array([1, 2, None]), 0.5, pa.array(["1", "0.5", None])),
            (pa.array([1, 2, None]), "many", pa.array(["1", "many", None])),
            (pa.array([1, 2, None]), None, pa.array([1, None, None])),
            (pa.array([1, 2, None]).dictionary_encode(), "x", pa.array(["1", "x", None])),
            (pa.array(["1", "2", None]), 7, pa.array(["1", "7", None])),
            (pa.array([date(2024, 1, 1), None]), "soon", pa.array(["2024-01-01", None])),
            (pa.array([[1], [2], None]), None, pa.array([[1], [2], None])),
        ],
    )
    def test_a_type_makes_room_for_an_override_where_it_must(
        self, values: pa.Array, override: Any, expected: pa.Array
    ) -> None:
        rows = pa.RecordBatch.from_arrays([values], names=["x"])
        spec = model_sync({"overrides": [{"field": "x", "function": "Equality", "value": 2, "override": override}]})

        assert applied(spec, rows).batch.column(0).equals(expected)

    def test_numbers_and_new_numbers_stay_numbers_in_json(self) -> None:
        rows = batch(x=[1, 2])
        spec = model_sync({"overrides": [{"field": "x", "function": "Equality", "value": 2, "override": 0.5}]})
        transform = bound(spec, rows)

        made = transform.apply(rows).batch

        texts = [
            row for rows in rendering.json_rows(made, transform.schema, before="", after="") for row in rows.to_pylist()
        ]
        assert texts == ['{"x":1}', '{"x":0.5}']

    def test_a_uuid_gives_way_to_text(self) -> None:
        storage = pa.array([b"\x00" * 16, b"\x01" * 16], pa.binary(16))
        rows = pa.RecordBatch.from_arrays([pa.ExtensionArray.from_storage(pa.uuid(), storage)], names=["x"])
        overrides = [{"field": "x", "function": "StringStartsWith", "value": "01", "override": "none"}]

        assert written(model_sync({"overrides": overrides}), rows) == {
            "x": ["00000000-0000-0000-0000-000000000000", "none"]
        }

    def test_constants_have_the_type_of_what_is_written(self) -> None:
        constants = {"a": "x", "b": 1, "c": 0.5, "d": False, "e": 10**80}
        spec = model_sync({"override_fields": [{"target": n, "override_value": v} for n, v in constants.items()]})

        found = applied(spec, batch(x=[1])).batch

        assert [str(kind) for kind in found.schema.types[1:]] == ["string", "int64", "double", "bool", "string"]
        assert found.to_pylist() == [{"x": 1, **constants, "e": str(10**80)}]

    def test_objects_become_json_text_beside_an_override(self) -> None:
        rows = batch(x=[{"a": 1}, None])
        spec = model_sync({"overrides": [{"field": "x", "function": "IsNull", "override": "none"}]})
        transform = bound(spec, rows)

        made = transform.apply(rows).batch

        texts = [
            row for rows in rendering.json_rows(made, transform.schema, before="", after="") for row in rows.to_pylist()
        ]
        assert texts == ['{"x":{"a":1}}', '{"x":"none"}']

    def test_of_several_overrides_the_first_that_holds_of_the_source_s_value_wins(self) -> None:
        overrides = [
            {"field": "total", "function": "GreaterThan", "value": 5, "override": 5.5},
            {"field": "total", "function": "GreaterThan", "value": 1.6, "override": 100.5},
        ]

        assert written(model_sync({"overrides": overrides}))["total"] == [1.5, 100.5, 5.5]

    def test_identifiers_are_told_as_text_even_where_they_are_not_written(self) -> None:
        transform = bound(model_sync({"fields": [{"source": "total"}]}, identifier="Order ID"))
        texts = transform.identifiers(ORDERS)

        assert texts is not None
        assert texts.to_pylist() == ["1", "2", "3"]
        assert identifier_of([ORDERS], transform, 4) is None
        assert identifier_of([ORDERS.slice(0, 2), ORDERS.slice(2)], transform, 3) == "3"
        assert bound(bulk()).identifiers(ORDERS) is None


CELLS = st.sampled_from(["", "5", "10", "2.50", "-1", "007", "true", "2024-01-02", "2024-01-02T03:04:05Z", "x"])
FUNCTIONS = st.sampled_from(
    [
        ("Equality", "5"),
        ("Inequality", 2.5),
        ("GreaterThan", 3),
        ("LessThanEqual", "2024-01-02"),
        ("StringContains", "0"),
        ("StringOneOf", ["5", "true", "2.50"]),
        ("True", ...),
        ("OnOrAfter", "2024-01-02T01:00:00Z"),
    ]
)


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(CELLS, min_size=1, max_size=5), FUNCTIONS)
def test_the_types_that_were_found_do_not_show(cells: list[str], asked: tuple[str, Any]) -> None:
    function, operand = asked
    data = ("a,b\n" + "".join(f'"{cell}",{cell}\n' for cell in cells)).encode()
    one = {"field": "a", "function": function} | ({} if operand is ... else {"value": operand})
    fields = [{"id": "a", "obfuscated": True}, "b"]
    spec = bulk({"filters": [one], "fields": fields, "partition_key": "b"})

    def outcome(options: ReadOptions) -> list[list[str | None]]:
        records = FORMATS[FileFormat.CSV].read(io.BytesIO(data), options, report=lambda _bad: None)
        transform = bind(spec, records.schema, now=NOW, key=KEY)
        batches = [transform.apply(rows).batch for rows in records.batches]
        return [
            rendering.cells(rows.column(place), transform.schema.field(place)).to_pylist()
            for rows in batches
            for place in range(rows.num_columns)
        ]

    assert outcome(ReadOptions()) == outcome(ReadOptions(infer_types=False))


JSON_VALUES = ["5", '"5"', '"a \\"b"', "true", "1.50", "null", '{"b":[1,{"d":null}],"a":"x"}', '["a",2]', "[]", '"[]"']


@pytest.mark.slow
@pytest.mark.parametrize("value", JSON_VALUES)
@pytest.mark.parametrize("beside", ["null", "7", '"text"', '{"c":1}', "[true]"])
def test_a_json_value_has_one_hash_whatever_stands_beside_it(value: str, beside: str) -> None:
    data = f'{{"x":{value}}}\n{{"x":{beside}}}\n'.encode()
    alone = f'{{"x":{value}}}\n'.encode()
    spec = bulk({"fields": [{"id": "x", "obfuscated": True}]})

    def first(content: bytes) -> Any:
        records = FORMATS[FileFormat.JSON].read(io.BytesIO(content), ReadOptions(), report=lambda _bad: None)
        (rows,) = records.batches
        return bind(spec, records.schema, now=NOW, key=KEY).apply(rows).batch.column(0)[0].as_py()

    assert first(data) == first(alone)
