"""What an explanation consists of: facts about the file, and of each column its type and why no narrower one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from millrace.engine.options import Compression, FileFormat
from millrace.engine.types import arrow_types
from millrace.engine.types.printing import JSON, form_of
from millrace.errors import DataError

MOST_CHARACTERS = 100
"""How much of a value is shown."""
_NAMES: Mapping[pa.DataType, str] = {
    pa.string(): "text",
    pa.bool_(): "boolean",
    pa.date32(): "date",
    pa.float64(): "float64",
}


@dataclass(frozen=True, slots=True)
class Sight:
    """A value as the file has it, and the row where it was first seen."""

    row: int
    value: str


@dataclass(frozen=True, slots=True)
class WhyNot:
    """The first value that keeps a column from having a narrower type."""

    kind: str
    row: int
    value: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something about the file as a whole, and why it is believed; ``evidence`` is for machines."""

    name: str
    value: str
    why: str = ""
    evidence: tuple[Mapping[str, object], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnFacts:
    """One column, or one field of JSON at its path.

    ``missing`` is None where missing values are not counted. ``lengths`` are those of the shortest and the longest text
    in characters, ``limits`` the least and the greatest value. ``seen`` maps each kind of JSON value to the row of the
    first. ``stored`` is how a Parquet file keeps the column.
    """

    name: str
    field: pa.Field
    why_not: tuple[WhyNot, ...] = ()
    missing: int | None = 0
    empty: int = 0
    lengths: tuple[int, int] | None = None
    limits: tuple[str, str] | None = None
    first_row: int | None = None
    seen: Mapping[str, int] | None = None
    stored: str = ""
    notes: tuple[str, ...] = ()

    @property
    def type(self) -> str:
        """The name of the type that the column gets."""
        return type_name(self.field)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is in a file, up to its end or to where ``error`` refuses it."""

    facts: tuple[Fact, ...] = ()
    rows: int = 0
    schema: pa.Schema = field(default_factory=lambda: pa.schema([]))
    columns: tuple[ColumnFacts, ...] = ()
    error: DataError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A file and its content."""

    format: FileFormat
    compression: Compression
    size: int
    content: Content


def type_name(of: pa.Field) -> str:
    """A type in the words of the documentation."""
    kind = of.type
    if form_of(of) == JSON:
        return "JSON text"
    if kind in _NAMES:
        return _NAMES[kind]
    if arrow_types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if arrow_types.is_timestamp(kind):
        return f"timestamp({', '.join(filter(None, (kind.unit, kind.tz)))})"
    if arrow_types.is_struct(kind):
        return f"struct of {kind.num_fields:,}"
    if arrow_types.is_list(kind):
        return "list"
    return str(kind)


def shown(text: str) -> str:
    """A value short enough to be shown."""
    if len(text) <= MOST_CHARACTERS:
        return text
    return text[: MOST_CHARACTERS - 1] + "…"
