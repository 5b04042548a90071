"""Bulk syncs with their schemas, which the API answers apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from millrace.config.bulk_sync import BulkSync, Discover, FieldSelection, NormalizeNames, SchemaSelection
from millrace.config.polytomic.fields import VendorFields
from millrace.config.polytomic.filters import take_filters
from millrace.config.polytomic.schedules import take_schedule

_DESTINATION = frozenset({"format", "subfolder", "compression"})
_ENDS = ("name", "source_connection_id", "destination_connection_id")
_REASONS = {
    "concurrency_limit": "Lambda's concurrency is an option of the deployment",
    "resync_concurrency_limit": "Lambda's concurrency is an option of the deployment",
    "discover": "automatically_add_new_objects and automatically_add_new_fields say it",
    "source_configuration": "a source has no options of its own here",
}


def to_bulk_sync(fields: VendorFields, name: str, source: str, destination: str) -> dict[str, Any]:
    """The raw bulk sync; ``schemas`` are among its fields, whether the API or a person put them there."""
    for end in _ENDS:
        fields.take(end)
    raw: dict[str, Any] = {"name": name, "source_connection": source, "destination_connection": destination}
    configuration = fields.take_object("destination_configuration")
    if given := configuration.take_known(_DESTINATION):
        raw["destination_configuration"] = given
    configuration.leave_out_rest({})
    raw |= fields.take_known(frozenset({"mode", "active", "disable_record_timestamps"}))
    raw |= _take_schemas(fields)
    raw |= _take_rules_of_new_things(fields, raw)
    if schedule := take_schedule(fields):
        raw["schedule"] = schedule
    raw |= fields.take_known(frozenset(BulkSync.model_fields) - raw.keys())
    fields.leave_out_rest(_REASONS)
    return raw


def _take_schemas(fields: VendorFields) -> dict[str, Any]:
    cutoff = fields.take("data_cutoff_timestamp")
    schemas = [_to_schema(schema, cutoff) for schema in fields.take_objects("schemas", shorthand="id")]
    if cutoff and (not schemas or any("data_cutoff_timestamp" not in schema for schema in schemas)):
        fields.ask_for(
            "data_cutoff_timestamp",
            "a cut-off needs a tracking_field to be compared with, so older rows are written of every table without"
            " one: give schemas with tracking_field and data_cutoff_timestamp",
        )
    if not schemas:
        return {}
    fields.ask_for("schemas", "tables are named as at Polytomic; `millrace plan` shows which of them the bucket has")
    return {"schemas": schemas}


def _to_schema(schema: VendorFields, cutoff: Any) -> dict[str, Any]:
    raw = schema.take_known(frozenset(SchemaSelection.model_fields) - {"fields", "filters"})
    if cutoff and "tracking_field" in raw:
        raw.setdefault("data_cutoff_timestamp", cutoff)
    if "data_cutoff_timestamp" in raw and "tracking_field" not in raw:
        del raw["data_cutoff_timestamp"]
        schema.ask_for("data_cutoff_timestamp", "needs a tracking_field, without which older rows are written")
    if selected := list(map(_to_field, schema.take_objects("fields", shorthand="id"))):
        raw["fields"] = selected
    if conditions := take_filters(schema):
        raw["filters"] = conditions
    schema.leave_out_rest({})
    return raw


def _to_field(field: VendorFields) -> dict[str, Any]:
    raw = field.take_known(frozenset(FieldSelection.model_fields))
    field.leave_out_rest({})
    return raw


def _take_rules_of_new_things(fields: VendorFields, raw: dict[str, Any]) -> dict[str, Any]:
    """What joins by itself: ``none`` needs what is listed, and the vendor's other words have no meaning for files."""
    schemas = raw.get("schemas", [])
    has_fields = any("fields" in schema for schema in schemas)
    # The older API has one switch for both.
    older = {True: "all", False: "none"}.get(fields.take("discover"))
    rules: dict[str, Any] = {}
    for name, is_listed, needs in (
        ("automatically_add_new_objects", bool(schemas), "schemas: without them every table is written"),
        ("automatically_add_new_fields", has_fields, "fields in schemas: without them every field is written"),
    ):
        rule = fields.take(name) or older
        if rule == Discover.NONE and not is_listed:
            fields.ask_for(name, f"none needs {needs}; give the answer of GET /api/bulk/syncs/ID/schemas, too")
        elif _is_known(fields, name, rule, list(Discover), "has no meaning for files: it is all here, or none"):
            rules[name] = rule
    return rules | _take_form_of_names(fields)


def _take_form_of_names(fields: VendorFields) -> dict[str, Any]:
    name = "normalize_names"
    form = fields.take(name)
    is_known = _is_known(fields, name, form, list(NormalizeNames), "is not here: it is enabled, or disabled")
    return {name: form} if is_known else {}


def _is_known(fields: VendorFields, name: str, value: object, accepted: Sequence[str], problem: str) -> bool:
    """Whether a value is given that Millrace has, too; one that it lacks is for a person to decide."""
    if value is None or value in accepted:
        return value is not None
    fields.ask_for(name, f"{value!r} {problem}, and you must choose; without a word it is {accepted[0]}")
    return False
