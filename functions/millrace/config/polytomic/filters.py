"""Filters and overrides: conditions on a model's or a table's fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from millrace.config.polytomic.fields import VendorFields

NameField = Callable[[str], str]
"""A field's name here for what the vendor has: its id, or its name."""


def take_filters(fields: VendorFields, name_field: NameField = str) -> list[dict[str, Any]]:
    """The raw filters; one on the destination's records blocks the sync, which would let other rows through."""
    return [_to_filter(condition, name_field) for condition in fields.take_objects("filters")]


def _to_filter(condition: VendorFields, name_field: NameField) -> dict[str, Any]:
    kind = condition.take("field_type")
    if kind is not None and str(kind).lower() != "model":
        condition.block(f"a filter asks {kind!r} fields, and files have the model's alone")
    raw = {"field": take_field_name(condition, name_field)}
    raw |= condition.take_known(frozenset({"function", "value", "label"}))
    condition.leave_out_rest({})
    return raw


def take_overrides(fields: VendorFields, name_field: NameField) -> list[dict[str, Any]]:
    """The raw overrides of a model sync."""
    overrides = []
    for override in fields.take_objects("overrides"):
        raw = {"field": take_field_name(override, name_field)}
        raw |= override.take_known(frozenset({"function", "value", "override"}))
        override.leave_out_rest({})
        overrides.append(raw)
    return overrides


def take_field_name(fields: VendorFields, name_field: NameField) -> str | None:
    """The field that is asked: ``field``, a name or an object with it, or else ``field_id``."""
    by_name = fields.take("field")
    by_id = fields.take("field_id")
    if isinstance(by_name, dict):
        by_name = by_name.get("field")
    chosen = by_name or by_id
    return name_field(str(chosen)) if chosen else None
