"""What a file changed of its table's schema: a text for people, and the same field by field for programs."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from millrace.mappings import leave_out_none
from millrace.texts import shorten_text

MOST_FIELDS = 25
"""A table may get ten thousand fields at once, for which neither the ledger nor an event has room."""
_LONGEST_WORD = 300
"""Bytes of a field's name, and of a type: a type of many nested fields is as long as all of their names."""
_IN_TEXT = 10
"""Fields of the text for people; programs have up to MOST_FIELDS."""
_LONGEST_IN_TEXT = 200
"""Characters of one field's change: a struct's type may be a page."""


class FieldChangeKind(enum.StrEnum):
    """What became of a field. No field is ever taken out of a table's schema."""

    ADDED = "added"
    TYPE = "type"
    """It has a wider type, or its first values gave it one."""
    FORM = "form"
    """The type is the same, and files write its values in another way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """A field that is new or another than before; ``form`` is how values are written now, if that is what changed."""

    field: str
    kind: FieldChangeKind
    before: str | None = None
    after: str
    form: str | None = None

    def __str__(self) -> str:
        """For people: ``note: int64 -> text``."""
        if self.kind is FieldChangeKind.ADDED:
            return f"{self.field}: new, {self.after}"
        form = "" if self.form is None else f" ({self.form})"
        return f"{self.field}: {self.before} -> {self.after}{form}"

    def shortened(self) -> Self:
        """The change as it is kept: the middle of a long name or type is cut, and counted."""
        before = None if self.before is None else shorten_text(self.before, _LONGEST_WORD)
        field, after = shorten_text(self.field, _LONGEST_WORD), shorten_text(self.after, _LONGEST_WORD)
        return replace(self, field=field, before=before, after=after)


@dataclass(frozen=True, slots=True)
class SchemaChanges:
    """What changed. ``fields`` are the first few, and ``left_out`` counts the others.

    Of what an earlier version kept only the text is known.
    """

    text: str
    fields: tuple[FieldChange, ...] = ()
    left_out: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", shorten_text(self.text))

    @classmethod
    def of(cls, changes: Sequence[FieldChange]) -> Self:
        """Of all changes, in the order of the table's fields."""
        kept = [change.shortened() for change in changes[:MOST_FIELDS]]
        return cls(_to_text(changes), tuple(kept), len(changes) - len(kept))

    @classmethod
    def from_document(cls, text: str, document: Mapping[str, Any] | None) -> Self:
        """Those that gave ``document``; None: of an earlier version."""
        if document is None:
            return cls(text)
        fields = tuple(map(_to_change, document["fields"]))
        return cls(text, fields, document["left_out"])

    def to_document(self) -> dict[str, Any]:
        """The fields, for ``from_document``; the text is kept beside them."""
        return {"fields": [leave_out_none(asdict(change)) for change in self.fields], "left_out": self.left_out}


def _to_change(fields: Mapping[str, Any]) -> FieldChange:
    return FieldChange(**{**fields, "kind": FieldChangeKind(fields["kind"])})


def _to_text(changes: Sequence[FieldChange]) -> str:
    """The first few: who reads the ledger or a log wants no more."""
    text = "; ".join(str(change)[:_LONGEST_IN_TEXT] for change in changes[:_IN_TEXT])
    if len(changes) > _IN_TEXT:
        text += f"; and {len(changes) - _IN_TEXT:,} more"
    return text
