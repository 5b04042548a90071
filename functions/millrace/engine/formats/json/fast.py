"""JSON text as record batches by Arrow's parser, with the proof that the exact parser would have read the same.

Arrow refuses what is no JSON, names that come twice, and values of other types than it was asked for. Numbers of other
texts than their types give back are searched for; where there are some, they are looked at one by one, or the piece is
left to the exact parser. So a batch has every value as it is, and says of types what the exact parser would say.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from millrace.engine.formats.json import search as json_search
from millrace.engine.formats.json.cells import MOST_CELLS, CellCounter
from millrace.engine.formats.json.evidence import (
    FieldStep,
    FieldWay,
    NumberTexts,
    ends_of,
    observe_texts,
    observe_values,
)
from millrace.engine.formats.json.feed import JsonPiece
from millrace.engine.formats.json.planned_rows import Doubt, PlannedRows
from millrace.engine.formats.json.search import Search, Unsearchable, Wanted
from millrace.engine.formats.json.types import FIRST_INEXACT, Node, fields_of
from millrace.engine.formats.streams.encoding import is_utf8
from millrace.engine.types import arrow_types
from millrace.engine.types.printing import BARE, JSON, form_of

_SPACE = b" \t\n\r"
_ROWS = "r"
_MISSING_ITEM = re.compile(rb"[\[,][ \t\n\r]*null")
_FIRST_PLAIN = 1e-6
"""Doubles below it are printed with an exponent."""


_EMPTY = pa.struct([])
"""Asked for where nothing was seen, or objects without a field alone. (Arrow miscounts the items of lists of nulls.)"""


class _Unfit(Exception):
    """Arrow's parser cannot give these types, or nothing would prove that it did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FastRows(PlannedRows):
    """A piece's rows as Arrow read them; ``texts`` are those of the numbers that had to be looked at one by one."""

    numerics: tuple[FieldWay, ...]
    texts: Mapping[FieldWay, NumberTexts]

    def observe(self, node: Node) -> bool:
        """See ``PlannedRows``."""
        for numeric in self.numerics:
            values = numeric.values(self.batch)
            texts = self.texts.get(numeric)
            if texts is not None and len(values):
                observe_texts(numeric.node(node), texts)
            elif len(values):
                observe_values(numeric.node(node), numeric, values)
        return True


@dataclass(frozen=True, slots=True)
class FastPlan:
    """How Arrow is asked for rows of a schema, and what would speak against its answer."""

    schema: pa.Schema
    asked: pa.Schema
    numerics: tuple[FieldWay, ...]
    search: Search
    leaves: int
    has_lists: bool = False
    """Of objects."""
    odd: frozenset[str] = frozenset()

    def looking_at(self, odd: frozenset[str]) -> FastPlan:
        """The plan that looks at all doubles of these names one by one, and does not search for what they may be."""
        if odd <= self.odd:
            return self
        return replace(self, search=self.search.leaving_out(odd), odd=self.odd | odd)

    def parse(self, piece: JsonPiece) -> FastRows | Doubt:
        """See ``PiecePlan``: Arrow does not say which row it does not read."""
        # The quick questions come first: what a search of the text refuses is not parsed in vain.
        text = self._readable_text(piece)
        if text is None:
            return Doubt()
        odd = self.search.look(text)
        if odd is None:
            return Doubt()
        batch = self._batch(text, in_array=piece.in_array)
        if batch is None:
            return Doubt()
        odd |= self.odd
        texts = self._texts_of_doubles(batch, text, odd)
        if texts is None:
            return Doubt()
        return FastRows(piece=piece, batch=batch, leaves=self.leaves, odd=odd, numerics=self.numerics, texts=texts)

    def _readable_text(self, piece: JsonPiece) -> bytes | None:
        """The text to give to Arrow; None if Arrow would misread it, or fill too many cells."""
        if not piece.whole:
            return None
        text = _document(piece)
        if text is None or self._is_sparse(text):
            return None
        if b"\0" in text or not is_utf8(text):  # Arrow stops at zero bytes, and takes any for text
            return None
        return text

    def _texts_of_doubles(
        self, batch: pa.RecordBatch, text: bytes, odd: frozenset[str]
    ) -> dict[FieldWay, NumberTexts] | None:
        """The texts of the doubles that may be printed in another way; None if that cannot be decided."""
        # 1.5 is printed as 1.5 and needs no look; 1.50, 1e3 and 0.0000001 do.
        texts = dict[FieldWay, NumberTexts]()
        for numeric in self._doubles():
            values = numeric.values(batch)
            # One sum finds any value that is not finite; a sum that overflows by itself refuses too much, which costs
            # time only.
            if not math.isfinite(pc.sum(values).as_py() or 0):
                return None
            if len(values) and (numeric.name in odd or _may_print_otherwise(values)):
                numeric_texts = self._texts(numeric, text, len(values))
                if numeric_texts is None:
                    return None
                texts[numeric] = numeric_texts
        return texts

    def _doubles(self) -> Iterator[FieldWay]:
        return (numeric for numeric in self.numerics if numeric.is_double)

    def _is_sparse(self, text: bytes) -> bool:
        """Whether the columns might have far more cells than there are values: Arrow would fill all of them."""
        most = MOST_CELLS // self.leaves
        if len(text) <= most:
            return False
        items = text.count(b"{")
        if self.has_lists and items + text.count(b"null") > most:
            items += len(_MISSING_ITEM.findall(text))
        return items > most

    def _batch(self, text: bytes, *, in_array: bool) -> pa.RecordBatch | None:
        """The rows as Arrow reads them; None where it refuses to."""
        if text == b"\n":
            return pa.RecordBatch.from_pylist([], schema=self.schema)
        asked = self.asked
        if in_array:
            asked = pa.schema([(_ROWS, pa.list_(pa.struct(list(self.asked))))])
        try:
            table = _read(text, asked)
            columns = [column.chunk(0) for column in table.columns]
            if in_array:
                columns = _elements(columns[0])
            return pa.RecordBatch.from_arrays(list(map(_as_wanted, columns, self.schema)), schema=self.schema)
        except (_Unfit, pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return None

    def _texts(self, numeric: FieldWay, text: bytes, count: int) -> NumberTexts | None:
        """The texts of a field's numbers; None if they cannot be distinguished from others, or are of another type."""
        # {"a": {"x": 1}, "b": {"x": 2}}: a search by the name x finds the numbers of both, in one row of texts.
        if sum(other.name == numeric.name for other in self.numerics) > 1:
            return None
        in_lists = numeric.steps[-1].name is None
        texts = pa.array(json_search.numbers(text, numeric.name, in_lists=in_lists), pa.binary()).cast(pa.string())
        is_whole = pc.match_substring_regex(texts, "^-?[0-9]+$")
        # The proof that no text was missed or found twice: Arrow's values and the texts come in one order.
        if len(texts) != count or (numeric.form != BARE and pc.any(is_whole).as_py()):
            return None
        try:
            whole = texts.filter(is_whole).cast(pa.int64())
        except pa.ArrowInvalid:  # one of more than 64 bits
            return None
        return NumberTexts(texts.filter(pc.invert(is_whole)), ends_of(whole))


def plan(node: Node) -> FastPlan | None:
    """How to read rows that are like those which a node has observed; None where the exact parser alone can."""
    if not node.children:
        return None
    into, numerics = fields_of(node), list[FieldWay]()
    try:
        asked = pa.schema(_asked_children(into, node, (), numerics))
        search = json_search.search(list(map(_as_searched, numerics)))
        search.look(b"")
    except (_Unfit, Unsearchable, pa.ArrowInvalid):  # Arrow's: a pattern too long
        return None
    counter = CellCounter.of(into)
    return FastPlan(into, asked, tuple(numerics), search, counter.leaves, bool(counter.ways))


def _as_searched(numeric: FieldWay) -> Wanted:
    return Wanted(numeric.name, numeric.type, numeric.form)


def _asked_children(
    fields: Iterable[pa.Field], node: Node, steps: tuple[FieldStep, ...], numerics: list[FieldWay]
) -> list[pa.Field]:
    asked = list[pa.Field]()
    for position, into in enumerate(fields):
        step = FieldStep(into.name, position)
        asked.append(_ask_for(into, node.children[into.name], (*steps, step), numerics))
    return asked


def _ask_for(into: pa.Field, node: Node, steps: tuple[FieldStep, ...], numerics: list[FieldWay]) -> pa.Field:
    """The field that Arrow is asked for; adds the fields of numbers in it to ``numerics``."""
    kind, form = into.type, form_of(into)
    if not node.kinds or form == JSON:
        # Arrow gives no JSON texts. Objects without a field are the exception, since each is {} again.
        _require_empty(node)
        kind = _EMPTY
    elif arrow_types.is_struct(kind):
        kind = pa.struct(_asked_children(kind, node, steps, numerics))
    elif arrow_types.is_list(kind):
        assert node.item is not None  # noqa: S101 # a list was observed
        kind = pa.list_(_ask_for(kind.value_field, node.item, (*steps, FieldStep(None)), numerics))
    elif node.is_numeric:
        _require_one_spelling(kind, form, node)
        numerics.append(FieldWay(steps, kind, form))
    return pa.field(into.name, kind)


def _require_empty(node: Node) -> None:
    """Raise _Unfit if there are values, other than objects without a field."""
    if not node.kinds <= {dict} or node.children:
        raise _Unfit


def _require_one_spelling(kind: pa.DataType, form: str, node: Node) -> None:
    """Raise _Unfit for doubles printed as 5 of a field without integers, or printed as 5.0 of a field with some."""
    if arrow_types.is_floating(kind) and (form == BARE) != (int in node.kinds):
        raise _Unfit


def _document(piece: JsonPiece) -> bytes | None:
    """What Arrow is given: objects, or one object that has an array's elements. None where it would be neither."""
    # Nearly all pieces are so, and are not copied.
    if not piece.in_array and piece.data.startswith(b"{") and piece.data.endswith(b"\n"):
        return piece.data
    text = piece.data.strip(_SPACE)
    if piece.in_array:
        return _array_document(piece, text)
    if text and not text.startswith(b"{"):
        return None
    return text + b"\n"


def _array_document(piece: JsonPiece, text: bytes) -> bytes | None:
    """An array's elements in one object: [{"a": 1}, {"a": 2}, becomes {"r":[{"a": 1}, {"a": 2}]}."""
    # Arrow reads objects, one after the other, and no array at the top.
    if piece.first:
        text = text.removeprefix(b"[").lstrip(_SPACE)
    end = b","
    if piece.last:
        end = b"]"
    if not text.startswith(b"{") or not text.endswith(end):
        return None
    return b'{"%s":[%s]}\n' % (_ROWS.encode(), text[:-1])


def _read(text: bytes, asked: pa.Schema) -> pa.Table:
    return pyarrow.json.read_json(
        pa.BufferReader(text),
        pyarrow.json.ReadOptions(use_threads=False, block_size=len(text) + 1),
        pyarrow.json.ParseOptions(explicit_schema=asked, newlines_in_values=False, unexpected_field_behavior="error"),
    ).combine_chunks()


def _elements(column: pa.Array) -> list[pa.Array]:
    """The fields of the objects in the one list of a column."""
    objects = column.flatten()
    if len(column) != 1 or objects.null_count:
        raise _Unfit
    return list(map(objects.field, range(objects.type.num_fields)))


def _may_print_otherwise(values: pa.Array) -> bool:
    """Whether doubles among these are printed with an exponent, or are too large to tell integers apart."""
    sizes = pc.abs(values)
    ends = pc.min_max(sizes).as_py()
    if ends["max"] >= FIRST_INEXACT:
        return True
    if ends["min"] >= _FIRST_PLAIN:
        return False
    return bool(pc.any(pc.and_(pc.less(sizes, _FIRST_PLAIN), pc.not_equal(sizes, 0))).as_py())


def _fill_empty(array: pa.Array, into: pa.Field) -> pa.Array:
    """The JSON texts of objects without a field, or nulls."""
    if form_of(into) == JSON:
        return pc.if_else(array.is_valid(), "{}", pa.scalar(None, into.type))
    if array.null_count < len(array):
        raise _Unfit
    return pa.nulls(len(array), into.type)


def _as_wanted(array: pa.Array, into: pa.Field) -> pa.Array:
    """An array that Arrow has read as one of the field's type."""
    kind = into.type
    if array.type == _EMPTY:
        return _fill_empty(array, into)
    missing = None
    if array.null_count:
        missing = array.is_null()
    if arrow_types.is_struct(kind):
        members = map(array.field, range(kind.num_fields))
        children = list(map(_as_wanted, members, kind))
        return pa.StructArray.from_arrays(children, fields=list(kind), mask=missing)
    if arrow_types.is_list(kind):
        items = _as_wanted(array.values, kind.value_field)
        return pa.ListArray.from_arrays(array.offsets, items, type=kind, mask=missing)
    return array
