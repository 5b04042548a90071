"""Rows as text: by the native kernel if it is there, else by the pure code, to the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa

from millrace.engine.formats.base import Text
from millrace.engine.formats.text import rendering
from millrace.engine.formats.text.shapes import RowShape
from millrace.engine.native.library import find_kernel
from millrace.engine.types.printing import joined


def render_rows(batch: pa.RecordBatch, into: pa.Schema, shape: RowShape) -> Text:
    """A batch's rows as text; ``into`` has their names and forms."""
    return _render_by_kernel(batch, into, shape) or render_by_arrow(batch, into, shape)


def _render_by_kernel(batch: pa.RecordBatch, into: pa.Schema, shape: RowShape) -> Text | None:
    kernel = find_kernel()
    if kernel is None:
        return None
    from millrace.engine.native.rendering import render  # noqa: PLC0415 - it imports ctypes, which only a kernel needs

    return render(kernel, batch, into, shape)


def render_by_arrow(batch: pa.RecordBatch, into: pa.Schema, shape: RowShape) -> Text:
    """The same by the pure code."""
    texts = list[pa.Array]()
    for part in rendering.parts(batch):
        texts.extend(_SHAPES[shape](part, into))
    return Text(tuple(map(joined, texts)), sum(map(len, texts)))


def _json_lines(batch: pa.RecordBatch, into: pa.Schema) -> Iterator[pa.Array]:
    return rendering.json_rows(batch, into, before="", after="\n")


def _json_items(batch: pa.RecordBatch, into: pa.Schema) -> Iterator[pa.Array]:
    return rendering.json_rows(batch, into, before=",\n", after="")


_SHAPES: dict[RowShape, Callable[[pa.RecordBatch, pa.Schema], Iterator[pa.Array]]] = {
    RowShape.CSV_LINES: rendering.csv_rows,
    RowShape.JSON_LINES: _json_lines,
    RowShape.JSON_ITEMS: _json_items,
}
