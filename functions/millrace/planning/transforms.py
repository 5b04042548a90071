"""Transforms made of a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from millrace.config.bulk_sync import BulkSync, Discover, FieldSelection, NormalizeNames, SchemaSelection
from millrace.config.filters import Filter, labels_of
from millrace.config.model import Model
from millrace.config.model_sync import FieldMapping, ModelSync
from millrace.engine.conditions import Logic
from millrace.engine.transform.filters import Condition, Filters
from millrace.engine.transform.spec import Override, TableTransform, Written


def of_schema(selection: SchemaSelection | None, sync: BulkSync) -> TableTransform:
    """What a bulk sync does with one of its tables; ``selection`` is the table's own, None where it has none."""
    whole = TableTransform(
        normalized=sync.normalize_names is NormalizeNames.ENABLED, synced_at=not sync.disable_record_timestamps
    )
    if selection is None:
        return whole
    fields = selection.fields or ()
    return replace(
        whole,
        written=tuple(_selected(one) for one in fields if one.enabled),
        others=not fields or sync.automatically_add_new_fields is Discover.ALL,
        left_out=tuple(one.id for one in fields if not one.enabled),
        filters=of_filters(selection.filters),
        tracking_field=selection.tracking_field,
        cutoff=None if selection.disable_data_cutoff else selection.data_cutoff_timestamp,
        partition_key=selection.partition_key,
    )


def _selected(one: FieldSelection) -> Written:
    return Written(source=one.id, name=one.user_output_name, obfuscated=one.obfuscated)


def of_model_sync(sync: ModelSync, model: Model) -> TableTransform:
    """What a model sync does with its model's rows."""
    return TableTransform(
        table=model.fields,
        written=tuple(map(_mapped, sync.fields or ())),
        others=not sync.fields,
        constants=tuple(Written(name=one.target, constant=one.override_value) for one in sync.override_fields),
        overrides=tuple(Override(Condition(o.field, o.function, o.value), o.override) for o in sync.overrides),
        filters=of_filters(sync.filters, sync.logic),
        identifier=model.identifier,
    )


def _mapped(one: FieldMapping) -> Written:
    return Written(source=one.source, name=one.output_name, constant=one.override_value)


def of_filters(filters: Sequence[Filter], logic: Logic | None = None) -> Filters:
    """The filters of a configuration."""
    conditions = tuple(Condition(one.field, one.function, one.value) for one in filters)
    return Filters(tuple(zip(_labels(filters), conditions, strict=True)), logic)


def _labels(filters: Sequence[Filter]) -> tuple[str, ...]:
    """The letters; more filters than letters are joined by AND alone, and then any distinct label does."""
    letters = labels_of(filters)
    return letters if len(letters) == len(filters) else tuple(str(place) for place in range(len(filters)))
