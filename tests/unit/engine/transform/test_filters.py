"""Filters: each function against its meaning in plain Python, over every type, and examples of every rule."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.engine.conditions import And, Condition, FilterFunction, Logic, Not, Or, Term
from millrace.engine.formats.text import rendering
from millrace.engine.transform.filters import ago, answer_of, join_answers
from millrace.engine.transform.values import TextColumn
from millrace.engine.types.printing import JSON, with_form
from tests.properties import examples
from tests.unit.engine.transform import reference

F = FilterFunction
NOW = datetime(2024, 3, 15, 10, 30, tzinfo=UTC)
MIDDLE = NOW.replace(tzinfo=None)
NUMBERS = ["0", "-0", "5", "5.0", "5.00", "-5.5", "10", "1e1", "1E-7", "0.1", "007", "+1", "1_000", "0x1F", "1.", ".5"]
NUMBERS += ["9007199254740993", "9007199254740992", "12345678901234567890", "1e400", "-1e-400", "0." + "1" * 30]
NUMBERS += ["NaN", "Infinity", "123456789012345678.123456789012345678", "1" + "0" * 90, " 5 ", "-"]
MOMENTS = ["2024-03-15", "2024-03-15T10:30:00Z", "2024-03-15 12:30:00+02:00", "2024-03-15T10:30", "2024-03-14"]
MOMENTS += ["2024-03-15T10:30:00.000000001", "2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29", "0000-01-01"]
MOMENTS += [
    "0001-01-01",
    "9999-12-31T23:59:59.999999999Z",
    "2024-04-31",
    "2024-03-15T24:00",
    "2024-03-15T10:30:00-0130",
]
TEXTS = ["", "a", "A", "ab", "a%b", "a\nb", "a_b", "\\", " a ", "\x1fa\u3000", "é", "𝄞x", "true", "TRUE", "false", "Kß"]
ARRAYS = ['["a", 5]', "[]", "[5.0, null]", '[["a"], {"b": 1.50}]', "[", ' ["2024-03-15"]', '{"a": 1}', '["a\\u0041"]']
POOL = [*NUMBERS, *MOMENTS, *TEXTS, *ARRAYS]
SCALARS: list[Any] = [*POOL, 0, 5, -6, 10**18, 2**63, 10**40, 5.0, 0.1, -5.5, 1e22, 5e-324, True, False]
texts = st.sampled_from(POOL) | st.text(max_size=4)
scalars = st.sampled_from([one for one in SCALARS if one != ""]) | st.integers(-20, 20)
patterns = st.text(st.sampled_from("a_%\\b\nAé𝄞."), min_size=1, max_size=5)
spans = st.builds("{} {}s".format, st.integers(0, 60), st.sampled_from(["minute", "hour", "day"]))
days = st.sampled_from([*MOMENTS[:7], "2024-03-15T10:30:00.5+00:00"])
OPERANDS: dict[FilterFunction, st.SearchStrategy[Any]] = {
    **dict.fromkeys(F, scalars),
    **dict.fromkeys((F.IS_NULL, F.IS_NOT_NULL, F.TRUE, F.FALSE), st.none()),
    **dict.fromkeys((F.ON_OR_AFTER, F.ON_OR_BEFORE), days),
    **dict.fromkeys((F.IN_THE_LAST, F.RELATIVE_ON_OR_AFTER, F.RELATIVE_ON_OR_BEFORE), spans),
    **dict.fromkeys(
        [one for one in F if one.startswith("String")], st.sampled_from([one for one in POOL if one]) | patterns
    ),
    **dict.fromkeys((F.STRING_ONE_OF, F.STRING_NOT_ONE_OF), st.lists(scalars | st.just(""), min_size=1).map(tuple)),
    F.BETWEEN: st.tuples(scalars, scalars),
}
ints = st.sampled_from([0, 5, -6, 10, 2**53 + 1, 2**63 - 1, -(2**63)])
doubles = st.sampled_from([0.0, -0.0, 0.1, 5.0, -5.5, 1e22, 5e-324, 1e15, 1e300]) | st.floats(-20, 20)
stamps = st.integers(-90000, 50000).map(lambda seconds: MIDDLE + timedelta(seconds=seconds)) | st.just(MIDDLE)
COLUMNS: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.string(), texts),
    (pa.large_string(), texts),
    (pa.dictionary(pa.int32(), pa.string()), texts),
    (pa.int64(), ints),
    (pa.int8(), st.sampled_from([0, 5, -6, 10])),
    (pa.uint64(), st.sampled_from([0, 5, 2**64 - 1])),
    (pa.float64(), doubles | st.sampled_from([float("nan"), float("inf"), float("-inf")])),
    (pa.float32(), st.sampled_from([0.0, 0.5, 5.0, -5.5])),
    (pa.decimal128(10, 2), st.sampled_from([Decimal("5.00"), Decimal("0.10"), Decimal("-5.50"), Decimal("10.01")])),
    (pa.decimal256(60, 10), st.sampled_from([Decimal(5), Decimal("0.1"), Decimal(10**40)])),
    (pa.bool_(), st.booleans()),
    (pa.date32(), st.dates(date(2024, 3, 13), date(2024, 3, 16))),
    (pa.date64(), st.dates(date(2024, 3, 13), date(2024, 3, 16))),
    *((pa.timestamp(unit), stamps) for unit in ("s", "ms")),
    (pa.timestamp("us", "UTC"), stamps),
    (pa.timestamp("ns", "Europe/Berlin"), stamps),
    (pa.null(), st.none()),
    (pa.struct([pa.field("b", pa.int64())]), st.fixed_dictionaries({"b": ints})),
]
LISTS: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.list_(pa.string()), st.lists(st.none() | texts, max_size=3)),
    (pa.large_list(pa.int64()), st.lists(st.none() | ints, max_size=3)),
    (pa.list_(pa.float64(), 2), st.lists(st.none() | doubles, min_size=2, max_size=2)),
    (pa.list_(pa.date32()), st.lists(st.dates(date(2024, 3, 14), date(2024, 3, 15)), max_size=2)),
]
ARRAY_FUNCTIONS = (F.ARRAY_CONTAINS, F.ARRAY_DOES_NOT_CONTAIN)


Question: TypeAlias = tuple[FilterFunction, Any, pa.Array]


def asked(function: FilterFunction, operand: Any, array: pa.Array, field: pa.Field | None = None) -> list[bool | None]:
    column = TextColumn(array, field or pa.field("f", array.type))
    found: list[bool | None] = answer_of(Condition("f", function, operand), now=NOW)(column).to_pylist()
    return found


def texts_of(array: pa.Array) -> list[str | None]:
    printed: list[str | None] = rendering.cells(array, pa.field("f", array.type)).to_pylist()
    return printed


@st.composite
def questions(draw: st.DrawFn, columns: list[tuple[pa.DataType, st.SearchStrategy[Any]]], functions: Any) -> Question:
    function = draw(st.sampled_from(list(functions)))
    kind, values = draw(st.sampled_from(columns))
    given_values = draw(st.lists(st.none() | values, max_size=15))
    return function, draw(OPERANDS[function]), pa.array(given_values, kind)


@settings(max_examples=examples(220), deadline=None)
@given(questions(COLUMNS, F))
def test_every_function_answers_by_its_meaning_whatever_the_type(
    question: Question,
) -> None:
    function, operand, array = question

    found = asked(function, operand, array)

    assert found == [reference.answer(function, text, operand, NOW) for text in texts_of(array)]


@pytest.mark.slow
@pytest.mark.parametrize("function", [F.EQUALITY, F.LESS_THAN, F.GREATER_THAN])
def test_every_text_is_compared_with_every_operand(function: FilterFunction) -> None:
    array = pa.array(POOL)

    for operand in filter(lambda one: one != "", SCALARS):
        assert asked(function, operand, array) == [reference.answer(function, one, operand, NOW) for one in POOL]


@pytest.mark.parametrize("value", [0.1, -5.5, 5.0, 1e22, 5e-324, 0.0])
@pytest.mark.parametrize("beside", ["{}", "{}000000000000000000000001", "{}e-1"])
def test_a_double_is_the_number_that_is_printed(value: float, beside: str) -> None:
    array = pa.array([value, math.nextafter(value, math.inf), math.nextafter(value, -math.inf)])
    operand = beside.format(f"{Decimal(repr(value)):f}")
    operand = operand if "." in operand else operand.replace("000000000000000000000001", ".5")

    for function in (F.EQUALITY, F.LESS_THAN, F.GREATER_THAN_EQUAL):
        expected = [reference.answer(function, one, operand, NOW) for one in texts_of(array) if one is not None]
        assert asked(function, operand, array) == expected


@settings(max_examples=examples(60), deadline=None)
@given(questions([*LISTS, (pa.string(), st.sampled_from(ARRAYS))], ARRAY_FUNCTIONS), st.integers(0, 2))
def test_elements_of_lists_and_of_json_text_are_compared_alike(question: Question, start: int) -> None:
    function, operand, whole = question
    array = whole.slice(start)

    found = asked(function, operand, array)

    assert found == [reference.answer(function, text, operand, NOW) for text in texts_of(array)]


@pytest.mark.parametrize("function", [F.EQUALITY, F.IS_NULL, F.GREATER_THAN, F.STRING_CONTAINS, F.ARRAY_CONTAINS])
def test_json_text_is_seen_as_what_its_strings_hold(function: FilterFunction) -> None:
    field = with_form(pa.field("f", pa.string()), JSON)
    inner = pa.array([*POOL, None])
    quoted = [
        None if one is None else json.dumps(one, ensure_ascii=at % 2 == 0) for at, one in enumerate([*POOL, None])
    ]

    for operand in ["5", "a", "2024-03-15", '{"a": 1}']:
        assert asked(function, operand, pa.array(quoted), field) == asked(function, operand, inner)


def test_json_text_that_is_no_string_is_seen_as_the_value_that_it_is() -> None:
    field = with_form(pa.field("f", pa.string()), JSON)
    array = pa.array(["5", " null ", "true", '[1, "a"]', "not json", '"\\x"', None])

    assert TextColumn(array, field).texts.to_pylist() == ["5", None, "true", '[1, "a"]', "not json", '"\\x"', None]


LOGIC: st.SearchStrategy[Logic] = st.recursive(
    st.sampled_from([Term("A"), Term("B"), Term("C")]),
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: And(tuple(parts))),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: Or(tuple(parts))),
    ),
    max_leaves=8,
)
TRUTHS = st.sampled_from([True, False, None])


@settings(max_examples=examples(100), deadline=None)
@given(LOGIC, st.lists(st.tuples(TRUTHS, TRUTHS, TRUTHS), max_size=4))
def test_logic_joins_with_three_truths(logic: Logic, rows: list[tuple[bool | None, ...]]) -> None:
    columns = {label: [row[place] for row in rows] for place, label in enumerate("ABC")}

    found = join_answers(logic, {label: pa.array(column, pa.bool_()) for label, column in columns.items()})

    assert found.to_pylist() == [reference.joined(logic, dict(zip("ABC", row, strict=True))) for row in rows]


@pytest.mark.parametrize(
    ("function", "operand", "values", "expected"),
    [
        (F.EQUALITY, 5, ["5", "5.0", "05", " 5", "five", None], [True, True, False, False, False, None]),
        (F.EQUALITY, "00501", ["00501", "501", None], [True, False, None]),
        (F.INEQUALITY, "open", ["open", "closed", "", None], [False, True, True, None]),
        (F.GREATER_THAN, 9007199254740992, ["9007199254740993", "9007199254740992"], [True, False]),
        (F.GREATER_THAN, "9", ["10", "100", "9", "abc"], [True, True, False, None]),
        (F.LESS_THAN, "M", ["Anna", "Zoe", "5"], [True, False, True]),
        (F.IS_NULL, None, ["", None], [False, True]),
        (F.TRUE, None, ["true", "TRUE", "false", "1", "yes", None], [True, True, False, False, False, None]),
        (F.FALSE, None, ["false", "no", None], [True, False, None]),
        (F.BETWEEN, (1, 10), ["1", "10", "10.01", "x", None], [True, True, False, None, None]),
        (F.BETWEEN, ("2024-01-01", "2024-01-31"), ["2024-01-31T23:59:59Z", "2024-02-01"], [True, False]),
        (F.ON_OR_BEFORE, "2024-01-31", ["2024-01-31T23:59:59Z", "2024-02-01"], [True, False]),
        (F.LESS_THAN_EQUAL, "2024-01-31", ["2024-01-31T23:59:59Z", "2024-01-31"], [False, True]),
        (F.ON_OR_AFTER, "2024-W05-1", ["2024-01-28", "2024-01-29"], [False, True]),
        (F.ON_OR_AFTER, "2024-01-31T12:00:00+02:00", ["2024-01-31T10:00:00Z", "2024-01-31 09:59:59"], [True, False]),
        (F.STRING_LIKE, r"100\%", ["100%", "1000"], [True, False]),
        (F.STRING_LIKE, "a_c%", ["abc", "a\ncd", "ac", "xabc"], [True, True, False, False]),
        (F.STRING_MATCHES_TRIMMED, " a", ["a", "\ta \n", "A", None], [True, True, False, None]),
        (F.STRING_ONE_OF, ("a", 5, ""), ["a", "5", "", "5.0", None], [True, True, True, False, None]),
        (F.IN_THE_LAST, "1 day", ["2024-03-14T10:30:00Z", "2024-03-14T10:29:59Z", "2024-03-16"], [True, False, False]),
        (F.RELATIVE_ON_OR_BEFORE, "1 month ago", ["2024-02-15T10:30:00Z", "2024-02-15T10:30:01Z"], [True, False]),
        (F.ARRAY_CONTAINS, 5, ['["5", 6]', "[5.0]", "[]", "5", None], [True, True, False, None, None]),
        (F.ARRAY_DOES_NOT_CONTAIN, "a", ['["a"]', "[]", "a", None], [False, True, None, None]),
    ],
)
def test_examples(
    function: FilterFunction, operand: Any, values: list[str | None], expected: list[bool | None]
) -> None:
    assert asked(function, operand, pa.array(values, pa.string())) == expected


@pytest.mark.parametrize("function", [one for one in F if one not in {F.IS_NULL, F.IS_NOT_NULL}])
def test_nothing_is_known_of_a_missing_value(function: FilterFunction) -> None:
    operands: dict[FilterFunction, Any] = {F.BETWEEN: (1, 2), F.STRING_ONE_OF: ("a",), F.STRING_NOT_ONE_OF: ("a",)}
    operand = operands.get(function, "3 days" if "Last" in function or "Relative" in function else "2024-01-01")

    assert asked(function, operand, pa.array([None], pa.string())) == [None]


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ("1 month", datetime(2024, 2, 29, 10, tzinfo=UTC)),
        ("13 months", datetime(2023, 2, 28, 10, tzinfo=UTC)),
        ("1 year ago", datetime(2023, 3, 31, 10, tzinfo=UTC)),
        ("2 weeks", datetime(2024, 3, 17, 10, tzinfo=UTC)),
        ("999999 years", datetime(1, 1, 1, tzinfo=UTC)),
        ("999999 weeks", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_span_ago_stays_within_the_calendar(span: str, expected: datetime) -> None:
    assert ago(span, datetime(2024, 3, 31, 10, tzinfo=UTC)) == expected


DAY = datetime(2024, 3, 15)  # noqa: DTZ001 # times of no zone are what is looked at


@pytest.mark.parametrize(
    ("function", "operand", "array", "expected"),
    [
        (F.LESS_THAN, "1e400", pa.array([2**63 - 1, None]), [True, None]),
        (F.GREATER_THAN, "-1e400", pa.array([Decimal(1)]), [True]),
        (F.LESS_THAN, "1e400", pa.array([1e308, float("inf")]), [True, None]),
        (F.GREATER_THAN, "-1e-400", pa.array([0, 0.0, -5e-324]), [True, True, False]),
        (F.EQUALITY, float("nan"), pa.array([float("nan"), 1.0]), [True, False]),
        (F.EQUALITY, float("-inf"), pa.array([float("-inf"), float("inf")]), [True, False]),
        (F.LESS_THAN, "9999-12-31", pa.array([DAY], pa.timestamp("ns")), [True]),
        (F.LESS_THAN, "0001-01-01", pa.array([DAY], pa.timestamp("ns")), [False]),
        (F.ON_OR_BEFORE, "20240315T0000", pa.array([DAY]), [True]),
        (F.ON_OR_BEFORE, "20240315", pa.array([DAY.replace(hour=23)]), [True]),
        (F.EQUALITY, 5, pc.run_end_encode(pa.array([5, 5, 6])), [True, True, False]),
        (F.ARRAY_CONTAINS, "a", pa.array([{"b": 1}, None]), [None, None]),
        (F.ARRAY_CONTAINS, '{"b":1}', pa.array([[{"b": 1}], []]), [True, False]),
        (F.ARRAY_CONTAINS, "a", pa.array(["[" * 100_000, '[NaN, "a"]']), [None, None]),
    ],
)
def test_examples_of_types(
    function: FilterFunction, operand: Any, array: pa.Array, expected: list[bool | None]
) -> None:
    assert asked(function, operand, array) == expected


def test_a_span_is_written_as_the_configuration_has_seen_to() -> None:
    with pytest.raises(ValueError, match="'a week' is no span"):
        ago("a week", NOW)
