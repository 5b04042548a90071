"""Filters: every function with what it takes, and the logic that joins them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.engine.conditions import And, FilterFunction, Logic, Not, Or, Term, letters_of, parse_logic
from tests.properties import examples
from tests.unit.config.builders import document, model, model_sync, parsed_model_sync, problems_of

NOTHING: list[Any] = [...]
SCALARS: list[Any] = ["x", 1, 1.5, True]
MOMENTS: list[Any] = ["2026-01-31", "2026-01-31T06:00:00Z"]
TEXTS: list[Any] = ["x%"]
LISTS: list[Any] = [["a"], ["a", ""]]
SPANS: list[Any] = ["7 days", "1 month", "12 hours ago"]
TAKES: dict[str, list[Any]] = {
    **dict.fromkeys(["IsNull", "IsNotNull", "True", "False"], NOTHING),
    **dict.fromkeys(["Equality", "Inequality", "ArrayContains", "ArrayDoesNotContain"], SCALARS),
    **dict.fromkeys(["GreaterThan", "GreaterThanEqual", "LessThan", "LessThanEqual"], SCALARS),
    **dict.fromkeys(["OnOrAfter", "OnOrBefore"], MOMENTS),
    **dict.fromkeys(["InTheLast", "RelativeOnOrBefore", "RelativeOnOrAfter"], SPANS),
    **dict.fromkeys(["StringContains", "StringStartsWith", "StringEndsWith"], TEXTS),
    **dict.fromkeys(["StringDoesNotContain", "StringDoesNotStartWith", "StringDoesNotEndWith"], TEXTS),
    **dict.fromkeys(["StringLike", "StringNotLike", "StringMatchesTrimmed"], TEXTS),
    **dict.fromkeys(["StringOneOf", "StringNotOneOf"], LISTS),
    "Between": [[1, 2], ["a", "b"]],
}


def condition(**fields: Any) -> dict[str, Any]:
    """A filter on a field; one given as ... is left out."""
    return {key: value for key, value in {"field": "total", **fields}.items() if value is not ...}


def test_every_function_is_known() -> None:
    """[doc] The contract's functions, and no others."""
    assert set(TAKES) == {*FilterFunction}


@pytest.mark.parametrize("name", TAKES)
def test_every_function_takes_its_value(name: str) -> None:
    """A value that fits is kept, as it was written."""
    for value in TAKES[name]:
        (made,) = parsed_model_sync(filters=[condition(function=name, value=value)]).filters

        assert made.function == name
        assert made.value == (None if value is ... else tuple(value) if isinstance(value, list) else value)


@pytest.mark.parametrize("name", TAKES)
def test_every_function_refuses_another_value(name: str) -> None:
    """Too many, too few, or of another kind; in filters and in overrides alike."""
    wrong: list[Any] = ["x"] if TAKES[name] is NOTHING else [..., "", None, {"a": 1}]
    wrong += [] if name in {"StringOneOf", "StringNotOneOf", *(n for n in TAKES if TAKES[n] is NOTHING)} else [["x"]]
    for value in wrong:
        for field in ("filters", "overrides"):
            raw = {field: [condition(function=name, value=value)]}
            (problem, *_) = problems_of(document(models=[model()], model_syncs=[model_sync(**raw)]))

            assert problem.startswith(f"model_syncs[0].{field}[0].value: "), problem


def test_field_is_also_written_field_id() -> None:
    """Polytomic's name for it; not both."""
    (made,) = parsed_model_sync(filters=[{"field_id": "total", "function": "IsNull", "value": ""}]).filters

    (twice,) = problems_of(
        document(models=[model()], model_syncs=[model_sync(filters=[condition(field_id="x", function="IsNull")])])
    )

    assert made.field == "total"
    assert twice.startswith("model_syncs[0].filters[0].field_id: given twice")


@pytest.mark.parametrize(
    ("text", "logic"),
    [
        ("A", Term("A")),
        ("a and b", And((Term("A"), Term("B")))),
        ("A AND (B OR C)", And((Term("A"), Or((Term("B"), Term("C")))))),
        ("A OR B AND C", Or((Term("A"), And((Term("B"), Term("C")))))),
        ("NOT A AND B", And((Not(Term("A")), Term("B")))),
        ("NOT(A AND NOT B)", Not(And((Term("A"), Not(Term("B")))))),
        ("((A))", Term("A")),
        ("A AND B AND C", And((Term("A"), Term("B"), Term("C")))),
    ],
)
def test_logic(text: str, logic: Logic) -> None:
    """NOT binds before AND, AND before OR."""
    assert parse_logic(text) == logic


@pytest.mark.parametrize(
    "text", ["(", ")", "A AND", "AND A", "A B", "(A", "A)", "A XOR B", "1", "NOT", "()", "A AND (B OR)", "(" * 9999]
)
def test_what_is_no_logic(text: str) -> None:
    """The problem says what was expected and how logic is written."""
    filters = [condition(function="IsNull")]
    (problem,) = problems_of(document(models=[model()], model_syncs=[model_sync(filters=filters, filter_logic=text)]))

    assert problem.startswith("model_syncs[0].filter_logic: found ")
    assert "A AND (B OR NOT C)" in problem


def _text(logic: Logic) -> str:
    match logic:
        case Term(label):
            return label
        case Not(part):
            return f"NOT ({_text(part)})"
        case And(parts):
            return " AND ".join(f"({_text(part)})" for part in parts)
        case Or(parts):
            return " or ".join(f"({_text(part)})" for part in parts)


LOGICS: st.SearchStrategy[Logic] = st.recursive(
    st.sampled_from("ABCXYZ").map(Term),
    lambda part: st.one_of(
        part.map(Not),
        st.lists(part, min_size=2, max_size=3).map(lambda parts: And(tuple(parts))),
        st.lists(part, min_size=2, max_size=3).map(lambda parts: Or(tuple(parts))),
    ),
    max_leaves=8,
)


@settings(max_examples=examples(50))
@given(LOGICS)
def test_logic_round_trips(logic: Logic) -> None:
    """Written with all its parentheses and read again, logic is the same."""
    assert parse_logic(_text(logic)) == logic


def _three(**labels: str) -> list[dict[str, Any]]:
    return [condition(function="IsNull", label=labels.get(letter, ...)) for letter in "abc"]


@pytest.mark.parametrize(
    ("filters", "logic", "line"),
    [
        (_three(), "A AND D", "filter_logic: no filter has the letter D; there are: A, B, C"),
        (_three(), "A AND B", "filter_logic: leaves out the filter C"),
        ([], "A", "filter_logic: no filter has the letter A; there are: none"),
        (_three(a="B"), None, "filters: two filters have the label B"),
        (_three(a="1"), None, "filters[0].label: found '1'"),
        ([condition(function="IsNull")] * 27, None, "filters: found 27 filters; at most 26"),
        ([condition(function="Sounds", value="x")], None, "filters[0].function: found 'Sounds'; accepted: 'Equality'"),
        ([{"function": "IsNull"}], None, "filters[0].field: required, but not given"),
    ],
)
def test_logic_and_filters_agree(filters: list[Any], logic: str | None, line: str) -> None:
    """Every letter has a filter, and every filter is used."""
    problems = problems_of(document(models=[model()], model_syncs=[model_sync(filters=filters, filter_logic=logic)]))

    assert any(line in problem for problem in problems), problems


def test_without_logic_all_filters_hold() -> None:
    """Labels come from the position, or from the filter."""
    labelled = parsed_model_sync(filters=_three(a="X"), filter_logic="X or b or c")

    assert parsed_model_sync(filters=_three()).logic == And((Term("A"), Term("B"), Term("C")))
    assert parsed_model_sync(filters=_three()[:1]).logic == Term("A")
    assert parsed_model_sync().logic is None
    assert labelled.logic is not None
    assert list(letters_of(labelled.logic)) == ["X", "B", "C"]
