"""The options of reading and writing a file, as fields of a connection and of a table.

They are defined in ``engine.option_list``; the groups here have a field for each. A connection's fields
have the engine's defaults. A table's (a schema of a bulk sync, or a model) have none: what is not given is its
connection's.
"""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from millrace.config import fields
from millrace.config.base import Contradiction, FieldGroup, Section, doc, drop_blanks, ours
from millrace.engine import option_kinds as kinds
from millrace.engine.json_paths import find_record_path
from millrace.engine.option_list import FILE_OPTIONS, FileOption, FileOptionValues, Side, in_words, to_values
from millrace.engine.options import ALL_SHEETS
from millrace.errors import InvalidConfiguration

_HINTS: Mapping[type[kinds.ValueKind], Any] = {
    kinds.FlagKind: fields.Flag,
    kinds.CountKind: fields.Count,
    kinds.CharacterKind: fields.Character,
    kinds.MarkKind: fields.Quote,
    kinds.EncodingKind: fields.Encoding,
    kinds.TextKind: str,
    kinds.JsonPathKind: fields.JsonPathField,
    kinds.TextsKind: tuple[str, ...],
}
"""What pydantic makes of a value: messages and JSON schema are those of the configuration's other fields."""


def _to_hint(kind: kinds.ValueKind) -> Any:
    match kind:
        case kinds.ChoiceKind(words=words):
            return words
        case kinds.ChoicesKind(words=words):
            return Annotated[types.GenericAlias(tuple, (words, ...)), AfterValidator(fields.check_distinct)]
        case kinds.HintsKind():
            return Annotated[dict[str, fields.TypeHintField], BeforeValidator(_without_blanks)]
        case kinds.WordByNameKind(word=word):
            return Annotated[types.GenericAlias(dict, (str, word)), BeforeValidator(_without_blanks)]
        case kinds.RecordsKind(record=record):
            # The records are the engine's: their fields are described in the option's own sentence.
            return Annotated[types.GenericAlias(tuple, (record, ...)), WithJsonSchema(_schema_of(record))]
        case _:
            return _HINTS[type(kind)]


def _schema_of(record: type) -> dict[str, Any]:
    """The JSON schema of a list of records, whose fields are texts and whole numbers."""
    types_of_fields = typing.get_type_hints(record)
    properties: dict[str, Any] = {}
    required = list[str]()
    for field in dataclasses.fields(record):
        hint = types_of_fields[field.name]
        properties[field.name] = {"type": "integer" if hint is int else "string"}
        if issubclass(hint, enum.Enum):
            properties[field.name]["enum"] = list(map(str, hint))
        if field.default is dataclasses.MISSING:
            required.append(field.name)
    items = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return {"type": "array", "items": items}


def _without_blanks(value: object) -> object:
    if not isinstance(value, Mapping):
        return value
    return drop_blanks(value)


def _connection_field(option: FileOption) -> tuple[Any, Any]:
    hint = _to_hint(option.kind)
    default = option.default
    if default is None:
        hint = hint | None
    mark = doc if option.is_vendors else ours
    return hint, _field(option, default, mark(when=option.condition))


def _table_field(option: FileOption) -> tuple[Any, Any]:
    return _to_hint(option.kind) | None, _field(option, None, ours(when=option.condition))


def _field(option: FileOption, default: Any, extra: dict[str, Any]) -> Any:
    least = 0 if isinstance(option.kind, kinds.CountKind) else None
    examples = list(option.examples) or None
    if isinstance(default, Mapping):
        # A mapping cannot be copied where it is a proxy, as the engine's are.
        return Field(default_factory=dict, description=option.help, examples=examples, json_schema_extra=extra)
    return Field(default=default, ge=least, description=option.help, examples=examples, json_schema_extra=extra)


class OptionFields(Section):
    """A section that is given a field for each option of a file, by one of the groups below."""

    @property
    def options(self) -> dict[str, Any]:
        """The engine's values of the options that are given, by their names."""
        values = {}
        for option in FILE_OPTIONS:
            value = getattr(self, option.name)
            if value is not None:
                values[option.name] = option.kind.parse(value)
        return values


def connection_options() -> FieldGroup:
    """A field for each option, with the engine's default."""
    return {option.name: _connection_field(option) for option in FILE_OPTIONS}


def table_options() -> FieldGroup:
    """A field for each option; what is not given is the connection's."""
    return {option.name: _table_field(option) for option in FILE_OPTIONS}


def effective_options(connection: OptionFields, table: OptionFields | None) -> FileOptionValues:
    """The options of a table's files: its own, and its connection's where it gives none."""
    of_table = {} if table is None else table.options
    return to_values({**connection.options, **of_table})


def check_formats(given: Mapping[str, Any], formats: Sequence[str]) -> Iterator[Contradiction]:
    """Yield the options that touch none of the formats of the files; a default that is written out is none.

    What an option of writing touches is the output, whose format is another section's.
    """
    for option in FILE_OPTIONS:
        is_used = option.is_always_taken or option.side is Side.WRITE or set(option.formats) & set(formats)
        if not is_used and is_set(given, option.name, option.default):
            touched, verb = in_words(option.formats), "are" if len(option.formats) > 1 else "is"
            yield Contradiction(
                option.name, f"only where {touched} {verb} among the formats, which are: {', '.join(formats)}"
            )


SHEETS_OF_MANY_TABLES = (
    "all makes a table of each sheet, which is only where every object is a table (is_single_table is false); name the"
    " sheet, or its number"
)


def check_sheets(given: Mapping[str, Any]) -> Iterator[Contradiction]:
    """Yield ``excel_sheet: all`` where many files are one table."""
    if given.get("excel_sheet") == ALL_SHEETS:
        yield Contradiction("excel_sheet", SHEETS_OF_MANY_TABLES)


def is_set(given: Mapping[str, Any], field: str, default: object) -> bool:
    """Whether a field is given and is not the default; a default that is written out contradicts nothing."""
    if field not in given:
        return False
    value = given[field]
    if isinstance(value, list):
        value = tuple(value)
    return bool(value != default)


def check_dialect(given: Mapping[str, Any]) -> Iterator[Contradiction]:
    """Yield the characters of a CSV's dialect that are another's, too; ``given`` is raw."""
    seen: dict[str, str] = {}
    for field in ("csv_delimiter", "csv_quote", "csv_escape"):
        character = _meant_character(given.get(field, '"' if field == "csv_quote" else None))
        if character is None:
            continue
        # In some dialects the escape is the quote itself: a doubled quote.
        doubles_quote = field == "csv_escape" and seen.get(character) == "csv_quote"
        if character in seen and not doubles_quote:
            yield Contradiction(field, f"the same character as {seen[character]}; the two must differ")
        seen.setdefault(character, field)


def check_records(given: Mapping[str, Any]) -> Iterator[Contradiction]:
    """Yield what is wrong with the path to JSON's rows and the fields of their parents together; ``given`` is raw."""
    path, parents = given.get("json_records"), given.get("json_parent_fields")
    if not isinstance(parents, list | tuple) or not all(isinstance(parent, str) for parent in parents):
        return
    try:
        find_record_path(path if isinstance(path, str) else None, parents)
    except InvalidConfiguration as error:
        # Without the name before the colon: the contradiction has its own.
        yield Contradiction("json_parent_fields", str(error).partition(": ")[2])


def _meant_character(value: object) -> str | None:
    if not isinstance(value, str) or value.lower() in {"", kinds.NONE}:
        return None
    return kinds.named_character(value)
