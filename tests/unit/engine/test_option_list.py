"""The definitions of the options of files: each is a field of the engine's, and reads what people write."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import pytest

from millrace.engine import option_kinds as kinds
from millrace.engine.option_list import FILE_OPTIONS, FileOption, Side, to_values
from millrace.engine.options import BadRows, FileFormat, Quotes, ReadOptions, WriteOptions

NOT_OF_A_FILE = {
    Side.READ: {"compression", "bad_rows", "work", "place", "face"},
    Side.WRITE: {"compression", "lineage", "group_rows", "group_bytes", "processors"},
}
"""What the engine is given otherwise: by a key's name, the sync, tests, parts of files, and who reads the options."""
TO_BE_DEFINED: set[str] = set()
"""Options that the engine has and no face yet; take yours out, and never add one that users are to have."""


@dataclass(frozen=True)
class Slice:
    name: str
    start: int
    length: int = 1


@pytest.mark.parametrize(("side", "owner"), [(Side.READ, ReadOptions), (Side.WRITE, WriteOptions)], ids=str)
def test_every_field_of_the_engine_has_its_definition(side: Side, owner: type[ReadOptions | WriteOptions]) -> None:
    fields = {field.name for field in dataclasses.fields(owner)}

    assert sorted(option.field for option in FILE_OPTIONS if option.side is side) == sorted(
        fields - NOT_OF_A_FILE[side] - TO_BE_DEFINED
    )


def test_names_are_unique_under_every_face() -> None:
    declared = [typed for option in FILE_OPTIONS for typed in "/".join(option.command_options).split("/")]
    reserved = ["--to", "--from", "--compression", "--compress", "--quarantine", "--jobs", "--json", "--columns"]

    for names in (
        [option.name for option in FILE_OPTIONS],
        [option.job_key for option in FILE_OPTIONS],
        declared + reserved,
    ):
        assert len(set(names)) == len(names), names


@pytest.mark.parametrize("option", FILE_OPTIONS, ids=lambda option: option.name)
def test_defaults_and_examples_are_values_of_the_option(option: FileOption) -> None:
    if option.default is not None:
        assert option.kind.parse(option.default) == option.default
    for example in option.examples:
        assert option.kind.parse(example) not in (None, option.default) or option.name == "csv_encoding"
    assert option.help.endswith(".")
    assert option.command_help.endswith(".")
    assert set(option.formats) <= set(FileFormat)


def test_nothing_given_is_the_engines_default() -> None:
    values = to_values(dict.fromkeys(option.name for option in FILE_OPTIONS))

    assert (values.read, values.write) == (ReadOptions(), WriteOptions())


def test_what_is_given_is_set() -> None:
    read = to_values({"csv_has_headers": False, "csv_quotes": Quotes.LENIENT}).read

    assert read == ReadOptions(has_headers=False, quotes=Quotes.LENIENT)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (kinds.FlagKind(), True, True),
        (kinds.CountKind(), 0, 0),
        (kinds.ChoiceKind(BadRows), "fail", BadRows.FAIL),
        (kinds.CharacterKind(), "tab", "\t"),
        (kinds.CharacterKind(), "", None),
        (kinds.MarkKind(), "None", ""),
        (kinds.MarkKind(), "", ""),
        (kinds.MarkKind(), "single", "'"),
        (kinds.EncodingKind(), "Latin-1", "Latin-1"),
        (kinds.TextKind(), "Records", "Records"),
        (kinds.TextKind(), "", None),
        (kinds.TextsKind(), ["a", "b"], ("a", "b")),
        (kinds.COLUMN_TYPES, {"a": "text"}, {"a": "text"}),
        (kinds.RecordsKind(Slice), [{"name": "a", "start": 2}], (Slice("a", 2),)),
        (kinds.RecordsKind(Slice), (Slice("a", 2),), (Slice("a", 2),)),
    ],
    ids=str,
)
def test_a_value_is_read(kind: kinds.ValueKind, value: object, expected: Any) -> None:
    assert kind.parse(value) == expected


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        (kinds.FlagKind(), "yes", "expected true or false, found 'yes'"),
        (kinds.FlagKind(), 1, "expected true or false, found 1"),
        (kinds.CountKind(), True, "expected a whole number from 0, found True"),
        (kinds.CountKind(), -1, "found -1"),
        (kinds.ChoiceKind(BadRows), "skip", "'skip' is not one of fail, quarantine"),
        (kinds.ChoiceKind(BadRows), ["fail"], "is not one of"),
        (kinds.CharacterKind(), "ab", "'ab' has 2 characters; expected one ASCII character"),
        (kinds.CharacterKind(), "é", "expected one ASCII character"),
        (kinds.CharacterKind(), 7, "expected text, found 7"),
        (kinds.MarkKind(), "<>", "has 2 characters"),
        (kinds.EncodingKind(), "klingon", "'klingon' is not the name of a text encoding"),
        (kinds.TextKind(), 7, "expected text"),
        (kinds.TextsKind(), "a", "expected a list of texts"),
        (kinds.TextsKind(), [7], "expected text, found 7"),
        (kinds.COLUMN_TYPES, ["a"], "expected an object of types by column name"),
        (kinds.COLUMN_TYPES, {"a": "number"}, "'number' is not one of text, integer"),
        (kinds.COLUMN_TYPES, {"a": ["text"]}, "is not one of"),
        (kinds.RecordsKind(Slice), {"name": "a"}, "expected a list of objects"),
        (kinds.RecordsKind(Slice), ["a"], "expected objects with name, start, length, found 'a'"),
        (kinds.RecordsKind(Slice), [{"name": "a"}], "expected objects with name, start, length"),
        (kinds.RecordsKind(Slice), [{"name": "a", "start": 1, "end": 2}], "expected objects with name, start, length"),
    ],
    ids=str,
)
def test_another_value_is_refused(kind: kinds.ValueKind, value: object, says: str) -> None:
    with pytest.raises(ValueError, match=r"expected|is not") as refused:
        kind.parse(value)

    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "typed", "expected"),
    [
        (kinds.COLUMN_TYPES, ["a=text", "b=c=integer"], {"a": "text", "b=c": "integer"}),
        (kinds.RecordsKind(Slice), '[{"name": "a", "start": 2}]', (Slice("a", 2),)),
        (kinds.TextsKind(), ["a"], ("a",)),
    ],
    ids=str,
)
def test_what_is_typed_is_read(kind: kinds.ValueKind, typed: Any, expected: Any) -> None:
    assert kind.parse_typed(typed) == expected


@pytest.mark.parametrize(
    ("kind", "typed", "says"),
    [
        (kinds.COLUMN_TYPES, ["a=number"], "'a=number' is not NAME=TYPE with one of text"),
        (kinds.COLUMN_TYPES, ["=text"], "is not NAME=TYPE"),
        (kinds.RecordsKind(Slice), "a:2", "is no JSON"),
        (kinds.RecordsKind(Slice), "{}", "expected a list of objects"),
    ],
    ids=str,
)
def test_another_text_is_refused(kind: kinds.ValueKind, typed: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        kind.parse_typed(typed)
