"""Model syncs: one model's rows, and how they are mapped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from millrace.config.model_sync import ModelSync
from millrace.config.polytomic.fields import VendorFields
from millrace.config.polytomic.filters import take_filters, take_overrides
from millrace.config.polytomic.models import ModelNames
from millrace.config.polytomic.schedules import take_schedule
from millrace.mappings import leave_out_empty

_IN_PLACE = "single records are not changed in place in files"
_REASONS = {
    "identity": "records of the destination are not looked for: an output is written whole",
    "only_enrich_updates": "there are no enrichments",
    "skip_initial_backfill": "what is in the bucket already is converted, too",
    "sync_all_records": "a file that changed is always read whole",
    "encryption_passphrase": "a secret, which is not copied; nothing is encrypted field by field",
}
_OF_TARGETS = {
    "filter_logic": "filters on the destination's records do not exist here",
    "search_values": _IN_PLACE,
    "new_name": "object is the output's name",
}
_OF_FIELDS = {"new": "every field of a file is new", "sync_mode": _IN_PLACE}


def find_model_ids(fields: Mapping[str, Any]) -> set[str]:
    """The ids of all models that a model sync reads, wherever they are named."""
    return set(map(str, fields.get("model_ids") or ())) | set(_find_sources(fields))


def _find_sources(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(value.get("model_id"), str) and value["model_id"]:
            yield value["model_id"]
        for part in value.values():
            yield from _find_sources(part)
    elif isinstance(value, list):
        for part in value:
            yield from _find_sources(part)


def to_model_sync(fields: VendorFields, name: str, model: ModelNames, destination: str) -> dict[str, Any]:
    """The raw model sync."""
    for known in ("name", "model_ids"):
        fields.take(known)
    raw: dict[str, Any] = {"name": name, "model": model.name, "target": _take_target(fields, destination)}
    lists = {
        "fields": [_to_mapping(mapping, model) for mapping in fields.take_objects("fields")],
        "override_fields": [_to_mapping(mapping, model) for mapping in fields.take_objects("override_fields")],
        "filters": take_filters(fields, model.name_field),
        "overrides": take_overrides(fields, model.name_field),
    }
    raw |= leave_out_empty(lists)
    if not raw.get("filters"):
        fields.leave_out("filter_logic", "there are no filters")
    if schedule := take_schedule(fields):
        raw["schedule"] = schedule
    raw |= fields.take_known(frozenset(ModelSync.model_fields) - raw.keys())
    fields.leave_out_rest(_REASONS)
    return raw


def _take_target(fields: VendorFields, destination: str) -> dict[str, Any]:
    target = fields.take_object("target")
    target.take("connection_id")
    raw: dict[str, Any] = {"connection": destination} | target.take_known(frozenset({"object"}))
    configuration = target.take_object("configuration")
    if given := configuration.take_known(frozenset({"format", "compression"})):
        raw["configuration"] = given
    configuration.leave_out_rest({})
    target.leave_out_rest(_OF_TARGETS)
    return raw


def _to_mapping(mapping: VendorFields, model: ModelNames) -> dict[str, Any]:
    """One field of the output; one that is encrypted there would be in the clear here, so that it blocks the sync."""
    raw: dict[str, Any] = mapping.take_known(frozenset({"target", "override_value"}))
    source = mapping.take("source")
    if isinstance(source, Mapping):
        source = source.get("field")
    if source:
        raw["source"] = model.name_field(str(source))
    if mapping.take("encryption_enabled"):
        mapping.block(f"its field {raw.get('target')!r} is encrypted there, and would be in the clear here")
    mapping.leave_out_rest(_OF_FIELDS)
    return raw
