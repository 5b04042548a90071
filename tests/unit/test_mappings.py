"""What mappings lack."""

from __future__ import annotations

from dataclasses import dataclass

from millrace.mappings import by_name, get_fields, leave_out_empty, leave_out_none, pick

FIELDS: dict[str, object] = {"a": 1, "none": None, "nought": 0, "text": "", "list": []}


@dataclass(frozen=True)
class NamedNumber:
    name: str
    number: int


def test_fields_without_a_value_are_left_out() -> None:
    assert leave_out_none(FIELDS) == {"a": 1, "nought": 0, "text": "", "list": []}


def test_fields_that_say_nothing_are_left_out() -> None:
    assert leave_out_empty(FIELDS) == {"a": 1}


def test_named_fields_are_picked_if_they_are_there_in_the_order_of_the_names() -> None:
    assert list(pick(FIELDS, "text", "unknown", "a").items()) == [("text", ""), ("a", 1)]


def test_the_fields_of_these_names_are_those_of_an_object() -> None:
    assert list(get_fields(NamedNumber("x", 1), "number", "name").items()) == [("number", 1), ("name", "x")]


def test_things_are_found_by_their_names() -> None:
    first, second, third = NamedNumber("x", 1), NamedNumber("y", 2), NamedNumber("x", 3)

    assert by_name([first, second, third]) == {"x": third, "y": second}
