"""Transforms made of a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from millrace.config.bulk_sync import BulkSync, Discover, FieldSelection, NormalizeNames, SchemaSelection
from millrace.config.filters import Filter, labels_of
from millrace.config.model import Model
from millrace.config.model_sync import FieldMapping, ModelSync, Override
from millrace.engine.conditions import Condition, Filters, Logic
from millrace.engine.transform.spec import TableTransform, ValueOverride, Written


def table_transform(selection: SchemaSelection | None, sync: BulkSync) -> TableTransform:
    """What a bulk sync does with one of its tables; ``selection`` is the table's own, None if it has none."""
    whole_table = TableTransform(
        normalized=sync.normalize_names is NormalizeNames.ENABLED, synced_at=not sync.disable_record_timestamps
    )
    if selection is None:
        return whole_table
    fields = selection.fields or ()
    enabled = [field for field in fields if field.enabled]
    takes_new_fields = sync.automatically_add_new_fields is Discover.ALL
    # Fields that are given are all that is written, unless new ones are to be added: then what nobody has named is new.
    return replace(
        whole_table,
        written=tuple(map(_to_written, enabled)),
        others=not fields or takes_new_fields,
        left_out=tuple(field.id for field in fields if not field.enabled),
        filters=to_filters(selection.filters),
        tracking_field=selection.tracking_field,
        cutoff=_find_cutoff(selection),
        partition_key=selection.partition_key,
    )


def _find_cutoff(selection: SchemaSelection) -> datetime | None:
    if selection.disable_data_cutoff:
        return None
    return selection.data_cutoff_timestamp


def _to_written(field: FieldSelection) -> Written:
    return Written(source=field.id, name=field.user_output_name, obfuscated=field.obfuscated)


def model_transform(sync: ModelSync, model: Model) -> TableTransform:
    """What a model sync does with its model's rows."""
    constants = (Written(name=field.target, constant=field.override_value) for field in sync.override_fields)
    return TableTransform(
        table=model.fields,
        written=tuple(map(_to_mapped_field, sync.fields or ())),
        others=not sync.fields,
        constants=tuple(constants),
        overrides=tuple(ValueOverride(_to_condition(rule), rule.override) for rule in sync.overrides),
        filters=to_filters(sync.filters, sync.logic),
        identifier=model.identifier,
    )


def _to_mapped_field(mapping: FieldMapping) -> Written:
    return Written(source=mapping.source, name=mapping.output_name, constant=mapping.override_value)


def _to_condition(rule: Filter | Override) -> Condition:
    return Condition(rule.field, rule.function, rule.value)


def to_filters(filters: Sequence[Filter], logic: Logic | None = None) -> Filters:
    """The filters of a configuration, each with its letter."""
    conditions = map(_to_condition, filters)
    return Filters(tuple(zip(_labels(filters), conditions, strict=True)), logic)


def _labels(filters: Sequence[Filter]) -> tuple[str, ...]:
    """The letters; more filters than letters are joined by AND alone, and then any distinct label does."""
    letters = labels_of(filters)
    if len(letters) == len(filters):
        return letters
    return tuple(map(str, range(len(filters))))
