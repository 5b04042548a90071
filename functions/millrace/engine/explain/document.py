"""An explanation as JSON: what is None or empty is left out, the rest is always in the same order."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from millrace.engine.explain.facts import ColumnFacts, Explanation, Fact, WhyNot
from millrace.engine.types.printing import form_of


def as_document(explanation: Explanation, columns: Collection[ColumnFacts]) -> dict[str, Any]:
    """The explanation with those of its columns."""
    content = explanation.content
    error = content.error
    return _without_empty(
        format=str(explanation.format),
        compression=str(explanation.compression),
        bytes=explanation.size,
        rows=content.rows,
        facts={fact.name: _fact(fact) for fact in content.facts},
        columns=list(map(_column, columns)),
        error=error
        and _without_empty(**{"class": type(error).__name__}, message=str(error), row=error.row, byte=error.byte),
    )


def _without_empty(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None and value not in ("", (), [])}


def _fact(fact: Fact) -> dict[str, Any]:
    return _without_empty(value=fact.value, why=fact.why, evidence=list(map(dict, fact.evidence)))


def _column(column: ColumnFacts) -> dict[str, Any]:
    return _without_empty(
        name=column.name,
        type=column.type,
        arrow_type=str(column.field.type),
        form=form_of(column.field),
        stored=column.stored,
        missing=column.missing,
        empty=column.empty,
        lengths=column.lengths and dict(zip(("min", "max"), column.lengths, strict=True)),
        limits=column.limits and dict(zip(("min", "max"), column.limits, strict=True)),
        first_row=column.first_row,
        seen=dict(column.seen) if column.seen is not None else None,
        why_not=list(map(_why_not, column.why_not)),
        notes=list(column.notes),
    )


def _why_not(reason: WhyNot) -> dict[str, Any]:
    # An empty value is shown: that "" is no integer is the reason.
    return (
        _without_empty(kind=reason.kind, row=reason.row, value=reason.value)
        | {"value": reason.value}
        | _without_empty(reason=reason.reason)
    )
