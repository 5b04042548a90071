"""What is to be done with a table's rows: a value, made of the configuration alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from millrace.engine.conditions import Condition, Filters, Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One field of the output: of a source's values, or of a constant. ``name`` None: by the rule for names."""

    source: str | None = None
    name: str | None = None
    constant: Scalar | None = None
    obfuscated: bool = False


@dataclass(frozen=True, slots=True)
class ValueOverride:
    """What a field's value becomes where a condition on it holds; None: missing."""

    condition: Condition
    value: Scalar | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableTransform:
    """What becomes of a table's rows. Without arguments: nothing.

    ``table`` are the fields that there are, None: all of the source's. ``written`` come first, in their order; the
    ``others``, if wanted, behind them, without the ``left_out``. ``constants`` replace the other of their name, or
    come last. ``cutoff`` needs ``tracking_field``. ``added`` are fields that were added to the source's: they are there
    whatever ``table`` says, and are written under their names, unless they are written or left out by name.
    ``synced_at`` adds the time of the run.
    """

    table: tuple[str, ...] | None = None
    written: tuple[Written, ...] = ()
    others: bool = True
    left_out: tuple[str, ...] = ()
    constants: tuple[Written, ...] = ()
    overrides: tuple[ValueOverride, ...] = ()
    filters: Filters = field(default_factory=Filters)
    tracking_field: str | None = None
    cutoff: datetime | None = None
    partition_key: str | None = None
    identifier: str | None = None
    normalized: bool = False
    rescued: bool = False
    added: tuple[str, ...] = ()
    synced_at: bool = False

    @property
    def needs_key(self) -> bool:
        """Whether a field is obfuscated."""
        return any(written.obfuscated for written in self.written)

    @property
    def named(self) -> frozenset[str]:
        """The source's fields that it names, whatever for."""
        names: set[str | None] = {self.tracking_field, self.partition_key, self.identifier}
        names.update(self.left_out, self.table or ())
        names.update(self.written_sources)
        names.update(condition.field for _, condition in self.filters.conditions)
        names.update(override.condition.field for override in self.overrides)
        return frozenset(name for name in names if name is not None)

    @property
    def written_sources(self) -> frozenset[str | None]:
        """The source's fields that are written by name; None if a constant is."""
        return frozenset(written.source for written in self.written)

    @property
    def obfuscated(self) -> frozenset[str | None]:
        """The source's fields that are written as hashes."""
        return frozenset(written.source for written in self.written if written.obfuscated)

    @property
    def hidden(self) -> frozenset[str]:
        """The source's fields whose values must never be seen in the output as they are."""
        return frozenset(name for name in self.obfuscated.union(self.left_out) if name is not None)
