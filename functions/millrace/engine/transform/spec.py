"""What is to be done with a table's rows: a value, made of the configuration alone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from millrace.config.bulk_sync import BulkSync, Discover, FieldSelection, NormalizeNames, SchemaSelection
from millrace.config.model import Model
from millrace.config.model_sync import FieldMapping, ModelSync
from millrace.engine.conditions import Scalar
from millrace.engine.transform.filters import Condition, Filters, of_filters


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One field of the output: of a source's values, or of a constant. ``name`` None: by the rule for names."""

    source: str | None = None
    name: str | None = None
    constant: Scalar | None = None
    obfuscated: bool = False


@dataclass(frozen=True, slots=True)
class Override:
    """What a field's value becomes where a condition on it holds; None: missing."""

    condition: Condition
    value: Scalar | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableTransform:
    """What becomes of a table's rows. Without arguments: nothing.

    ``table`` are the fields that there are, None: all of the source's. ``written`` come first, in their order; the
    ``others``, if wanted, behind them, but for the ``left_out``. ``constants`` replace the other of their name, or
    come last. ``cutoff`` needs ``tracking_field``. ``synced_at`` adds the time of the run.
    """

    table: tuple[str, ...] | None = None
    written: tuple[Written, ...] = ()
    others: bool = True
    left_out: tuple[str, ...] = ()
    constants: tuple[Written, ...] = ()
    overrides: tuple[Override, ...] = ()
    filters: Filters = field(default_factory=Filters)
    tracking_field: str | None = None
    cutoff: datetime | None = None
    partition_key: str | None = None
    identifier: str | None = None
    normalized: bool = False
    rescued: bool = False
    synced_at: bool = False

    @property
    def needs_key(self) -> bool:
        """Whether a field is obfuscated."""
        return any(one.obfuscated for one in self.written)

    @property
    def named(self) -> frozenset[str]:
        """The source's fields that it names, whatever for."""
        names = {one.source for one in self.written if one.source} | set(self.left_out) | set(self.table or ())
        names |= {condition.field for _, condition in self.filters.conditions}
        names |= {one.condition.field for one in self.overrides}
        singles = (self.tracking_field, self.partition_key, self.identifier)
        return frozenset(names).union(name for name in singles if name is not None)

    @property
    def hidden(self) -> frozenset[str]:
        """The source's fields whose values must never be seen in the output as they are."""
        return frozenset(self.left_out) | {one.source for one in self.written if one.source and one.obfuscated}


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
