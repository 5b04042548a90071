"""What is seen of a JSON field: each kind of value with its first row, and the numbers that decide its type."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import chain, repeat

import pyarrow as pa

from millrace.engine.explain.facts import ColumnFacts, Sight, WhyNot, shown
from millrace.engine.explain.json_numbers import NumbersSeen
from millrace.engine.formats.json.types import MAX_DEPTH, MAX_FIELDS, Number, Value, columns_of, text_of
from millrace.engine.types import arrow_types
from millrace.engine.types.printing import JSON, form_of

_NAMES: dict[type, str] = {
    str: "text",
    bool: "boolean",
    int: "integer",
    Number: "number with a point or an exponent",
    dict: "object",
    list: "list",
}
_NEEDS_QUOTES = re.compile(r"[\s.\[\]\"`]|^$|[^\x20-\U0010ffff]")


class JsonField:
    """What has been seen of one field; it changes as values are observed."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._kinds: dict[type, Sight] = {}
        self._too_many: Sight | None = None
        self._numbers = NumbersSeen()
        self._lengths: tuple[int, int] | None = None
        self._empty = 0
        self._children: dict[str, JsonField] = {}
        self._item: JsonField | None = None
        self._present = 0
        self.values = 0

    def observe(self, values: Sequence[Value], rows: Sequence[int]) -> None:
        """Add the field's next values, missing ones as None, and the rows that they belong to."""
        kinds = set(map(type, values))
        self._see_kinds(kinds, values, rows)
        self.values += len(values)
        if type(None) in kinds:
            values, rows = _drop_missing(values, rows)
            kinds.remove(type(None))
        self._present += len(values)
        if str in kinds:
            self._measure([value for value in values if type(value) is str])
        self._numbers.observe(values, rows, kinds)
        # As in conversion: a field that becomes JSON text is not looked into.
        if not self._is_raw:
            self._observe_below(values, rows, kinds)

    def _see_kinds(self, kinds: set[type], values: Sequence[Value], rows: Sequence[int]) -> None:
        """Keep the first value of each kind that is new."""
        for kind in kinds - {type(None), *self._kinds}:
            position = next(number for number, value in enumerate(values) if type(value) is kind)
            self._kinds[kind] = Sight(rows[position], shown(text_of(values[position])))

    def _observe_below(self, values: Sequence[Value], rows: Sequence[int], kinds: set[type]) -> None:
        """Add the fields of objects, or the items of lists: ``values`` are of one kind, unless they are numbers."""
        if dict in kinds:
            self.observe_columns(columns_of(values), rows)
        if list in kinds:
            self._item = self._item or JsonField(self._depth + 1)
            # The lists [1, 2] of row 7 and [3] of row 8 have the items 1, 2, 3 of the rows 7, 7, 8.
            item_rows = chain.from_iterable(repeat(row, len(value)) for value, row in zip(values, rows, strict=True))
            self._item.observe(list(chain.from_iterable(values)), list(item_rows))

    def observe_columns(self, columns: dict[str, Sequence[Value]], rows: Sequence[int]) -> None:
        """Add objects' fields."""
        for name, values in columns.items():
            if name not in self._children:
                if self._depth and len(self._children) > MAX_FIELDS:
                    return
                self._children[name] = JsonField(self._depth + 1)
            self._children[name].observe(values, rows)

    @property
    def _is_raw(self) -> bool:
        """Whether it is text that is a JSON value: of several kinds, or nested too deep."""
        return (len(self._kinds) > 1 and not self._is_numeric) or self._depth > MAX_DEPTH

    @property
    def _is_numeric(self) -> bool:
        return self._kinds.keys() <= {int, Number}

    def _measure(self, texts: Sequence[str]) -> None:
        if texts:
            lengths = list(map(len, texts))
            low, high = self._lengths or (lengths[0], lengths[0])
            self._lengths = min(low, *lengths), max(high, *lengths)
            self._empty += lengths.count(0)

    def explain_fields(self, schema: pa.Schema, rows: int) -> Iterator[ColumnFacts]:
        """The columns of the rows' own fields and of all below them."""
        for field in schema:
            yield from self._children[field.name].explain(field, path_part(field.name), rows)

    def explain(self, field: pa.Field, path: str, parents: int) -> Iterator[ColumnFacts]:
        """The column of a field which so many objects or lists could have, and those below it."""
        first = min((sight.row for sight in self._kinds.values()), default=None)
        yield ColumnFacts(
            name=path,
            field=field,
            why_not=tuple(self._why_not(field)),
            missing=parents - self._present,
            empty=self._empty,
            lengths=self._lengths,
            limits=self._numbers.limits if self._is_numeric else None,
            first_row=first,
            seen={_NAMES[kind]: sight.row for kind, sight in self._kinds.items()},
            notes=tuple(self._notes(field)),
        )
        if arrow_types.is_struct(field.type):
            for child in field.type:
                yield from self._children[child.name].explain(child, f"{path}.{path_part(child.name)}", self._present)
        if arrow_types.is_list(field.type):
            item = self._item or JsonField(self._depth + 1)
            yield from item.explain(field.type.value_field, f"{path}[]", item.values)

    def _why_not(self, field: pa.Field) -> list[WhyNot]:
        if self._is_numeric:
            return self._numbers.why_not(field)
        if len(self._kinds) < 2:
            return []
        by_row = sorted(self._kinds.items(), key=lambda pair: pair[1].row)
        (kind, first), (second_kind, sight) = by_row[0], by_row[1]
        reason = f"of the kind {_NAMES[second_kind]}, row {first.row:,} has {first.value!r}"
        return [WhyNot(_NAMES[kind], sight.row, sight.value, reason)]

    def _notes(self, field: pa.Field) -> Iterator[str]:
        if not self._kinds:
            yield "no value: text"
        if form_of(field) != JSON or len(self._kinds) != 1 or self._is_numeric:
            return
        if self._depth > MAX_DEPTH:
            yield f"nested deeper than {MAX_DEPTH} levels"
        elif self._children:
            yield f"more than {MAX_FIELDS:,} different names: a map rather than an object"
        else:
            yield "no object of it has a field"


def _drop_missing(values: Sequence[Value], rows: Sequence[int]) -> tuple[list[Value], list[int]]:
    present, their_rows = list[Value](), list[int]()
    for value, row in zip(values, rows, strict=True):
        if value is not None:
            present.append(value)
            their_rows.append(row)
    return present, their_rows


def path_part(name: str) -> str:
    """A field's name as a part of a path: in quotes if it would be misread without."""
    if _NEEDS_QUOTES.search(name):
        return json.dumps(name, ensure_ascii=False)
    return name
