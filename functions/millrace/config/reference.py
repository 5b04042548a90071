"""The reference of the configuration's fields, written of the models into docs/configuration.md.

``<!-- fields: PLACE -->`` and ``<!-- end -->`` stand around what is generated; the rest of a page is written by hand.
``python -m millrace.config.reference PAGE...`` (``make docs``) brings pages up to date.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import re
import sys
import types
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import AwareDatetime, SecretStr
from pydantic.fields import FieldInfo

from millrace.config import fields, filters, model_sync, schedule
from millrace.config.base import Section, all_sections
from millrace.config.catalog import OUTPUT_FORMATS
from millrace.config.document import Document
from millrace.config.option_fields import OptionFields
from millrace.config.repeats import find_repeats
from millrace.config.s3_configuration import S3Configuration
from millrace.engine.conditions import FilterFunction
from millrace.engine.option_list import OPTION_OF_NAME
from millrace.engine.options import SOURCE_FORMATS
from millrace.errors import UsageError

TOP = "the file"
"""Where the lists of a document stand."""
# A comment with the place, the generated table, and the end:
# `<!-- fields: connections[] -->`, lines of a table, `<!-- end -->`.
# What is between <!-- fields: connections[] --> and <!-- end --> is written; the two marks stay.
_MARKED = re.compile(r"(<!-- fields: (?P<place>[^>]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_HEAD = "| field | type | default | when | example | meaning |\n|---|---|---|---|---|---|\n"
_NONE = "–"


def page(text: str) -> str:
    """A page with its generated parts as the models have them; UsageError where a place is unknown or missing."""
    sections = by_place()
    marked = [match["place"] for match in _MARKED.finditer(text)]
    if sorted(marked) != sorted(sections):
        odd = sorted(set(marked) ^ set(sections)) or sorted(find_repeats(marked))
        raise UsageError(f"each object of the configuration has its place in the page, once; not so: {', '.join(odd)}")
    return _MARKED.sub(lambda match: f"{match[1]}{reference(sections[match['place']])}{match[3]}", text)


def by_place() -> dict[str, type[Section]]:
    """Every object of the configuration by its place in the file."""
    return {TOP: Document} | {section.place: section for section in all_sections() if section.place}


def reference(section: type[Section]) -> str:
    """The heading and the table of one object's fields."""
    return f"### `{section.place or TOP}`\n\n{_about(section)}{_HEAD}{''.join(_rows(section))}"


def _about(section: type[Section]) -> str:
    if not section.place:
        return ""
    about = str(section.__doc__).partition("\n\n")[0]
    return f"{about}\nText alone is its `{section.shorthand}`.\n\n" if section.shorthand else f"{about}\n\n"


def _rows(section: type[Section]) -> Iterator[str]:
    hints = get_type_hints(section, include_extras=True)
    options = _table_options(section)
    for name, field in section.model_fields.items():
        if name in options:
            continue
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        cells = (
            _names(section, name),
            _type(hints[name]),
            _default(field),
            str(extra.get("x-when", "")) or _NONE,
            _examples(field, hints[name]),
            f"{field.description} [{extra['x-mark']}]",
        )
        yield _row(cells)
    if options:
        yield _row(_options_cells(options))
    for name, why in section.read_only.items():
        yield _row((f"`{name}`", "read-only", _NONE, _NONE, _NONE, f"Refused as input: {why}. [doc]"))


def _names(section: type[Section], name: str) -> str:
    synonyms = [synonym for synonym, of in section.synonyms.items() if of == name]
    return ", ".join(map(_code, [name, *synonyms]))


def _table_options(section: type[Section]) -> tuple[str, ...]:
    """The options of files that a table has; they are described where its connection has them."""
    is_table = issubclass(section, OptionFields) and not issubclass(section, S3Configuration)
    return tuple(OPTION_OF_NAME) if is_table else ()


def _options_cells(options: tuple[str, ...]) -> tuple[str, ...]:
    names = ", ".join(map(_code, options))
    link = f"[as of the connection](#{_anchor(S3Configuration.place)})"
    return (
        names,
        link,
        "the connection's",
        _NONE,
        _NONE,
        "Options of this table's files; they go before those of its connection. [ours]",
    )


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(map(_escape_bars, cells))} |\n"


def _escape_bars(cell: str) -> str:
    """A bar would end the cell: ``a|b`` becomes ``a\\|b``."""
    return cell.replace("|", "\\|")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    return _NONE if value is None or value == "" or isinstance(value, Section) else _code(value)


def _examples(field: FieldInfo, hint: object) -> str:
    if field.examples:
        return " ".join(map(_code, field.examples))
    default = None if field.is_required() else field.get_default(call_default_factory=True, validated_data={})
    choices = [choice for choice in _choices(hint) if choice != default]
    return _code(choices[0]) if choices else _NONE


def _code(value: object) -> str:
    if isinstance(value, str):
        return f"`{value}`"
    plain = list(value) if isinstance(value, tuple) else value
    return f"`{json.dumps(plain, ensure_ascii=False)}`"


_WORDS: tuple[tuple[object, str], ...] = (
    (fields.Name, "name"),
    (fields.Path, "path"),
    (fields.Glob, "glob"),
    (fields.Character, "character"),
    (fields.Quote, "character"),
    (fields.Encoding, "encoding"),
    (fields.FolderField, "bucket and folder"),
    (fields.Region, "region"),
    (fields.RoleArn, "ARN"),
    (fields.QueueField, "ARN or `managed`"),
    (fields.SecretName, "name or ARN"),
    (fields.SourceFormat, " ".join(map(_code, SOURCE_FORMATS))),
    (fields.TargetFormat, " ".join(map(_code, OUTPUT_FORMATS))),
    (filters.ScalarField, "text, number, `true` or `false`"),
    (filters.OperandField, "[as the function wants it](#filter-functions)"),
    (FilterFunction, "[function](#filter-functions)"),
    (model_sync.SourceName, "text"),
    (schedule.ScheduleField, "[schedule](#schedules)"),
    (AwareDatetime, "ISO 8601 time with offset"),
    (SecretStr, "secret text"),
    (bool, "`true` `false`"),
    (float, "number"),
    (int, "whole number"),
    (str, "text"),
)
"""What a field takes, in a word, where it is no list, choice or object."""


def _type(hint: Any) -> str:
    # Named kinds first: a region is text for Python, and a region for people.
    for described, word in _WORDS:
        if hint == described:
            return word
    if get_origin(hint) is Annotated:
        return _type(get_args(hint)[0])
    if get_origin(hint) is Literal or _is_enum(hint):
        return " ".join(map(_code, _choices(hint)))
    if dataclasses.is_dataclass(hint):
        return "object"
    return _link_section(hint) or _compound(get_origin(hint), get_args(hint))


def _link_section(hint: Any) -> str:
    if isinstance(hint, type) and issubclass(hint, Section):
        return f"[object](#{_anchor(hint.place)})"
    return ""


def _compound(origin: object, parts: tuple[Any, ...]) -> str:
    if origin in {Union, types.UnionType}:
        return " or ".join(_type(part) for part in parts if part is not type(None))
    if origin is tuple:
        return f"list of {_plural(_type(parts[0]))}"
    if origin is dict:
        return f"object: {_type(parts[0])} → {_type(parts[1])}"
    raise TypeError(f"the reference has no word for {origin} of {parts}")


def _plural(word: str) -> str:
    """The word for several; a link's text, too."""
    return re.sub(r"^(\[?object)\b", r"\1s", re.sub(r"^text$", "texts", word))


def _choices(hint: Any) -> list[object]:
    """The values of a field that takes one of few."""
    # Literal["none"] | Discover has the choices "none" and those of the enum, Annotated[bool, ...] true and false.
    origin = get_origin(hint)
    if origin is Annotated:
        return _choices(get_args(hint)[0])
    if origin in {Union, types.UnionType}:
        return list(chain.from_iterable(map(_choices, get_args(hint))))
    if origin is Literal:
        return list(get_args(hint))
    if hint is bool:
        return [True, False]
    if not _is_enum(hint):
        return []
    return [member.value for member in hint]


def _is_enum(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, enum.Enum)


def _anchor(path: str) -> str:
    """The link to a heading, as GitHub makes it."""
    return re.sub(r"[^\w -]", "", path.lower()).replace(" ", "-")


def main(paths: list[str]) -> None:
    """Write each page again."""
    for path in map(Path, paths):
        path.write_text(page(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
