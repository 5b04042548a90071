"""What a change made stale: objects whose output another configuration, engine or schema would write otherwise."""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import partial

from millrace.engine.parallel import in_order
from millrace.ledger.entries import DONE, Entry, State
from millrace.ledger.stores import LedgerIndex, LedgerStore
from millrace.objects.lineage import release_of
from millrace.objects.references import ObjectRef
from millrace.planning.planner import Planner
from millrace.planning.plans import Build, Plan, SharedTable, SourceFile

_ENTRIES_AT_ONCE = 16
"""Reads side by side of what the index alone does not decide."""
_MOST_TABLES = 10_000
"""Tables whose schema's version is remembered while the entries go by."""
_REBUILT = DONE | {State.FAILED, State.IGNORED}
"""States that a change may turn into another output. What is in flight or waits ends under the new configuration."""


class StaleReason(enum.StrEnum):
    """Why the output of an object would be another if it were written now."""

    CONFIGURATION = "configuration"
    """What the configuration says of this very object has changed, or it is wanted now and was ignored."""
    ENGINE = "engine"
    """Another version of Millrace wrote it."""
    SCHEMA = "schema"
    """Its table has a newer schema."""


@dataclass(frozen=True, slots=True)
class ExaminedEntry:
    """An entry that was looked at; ``entry`` is whole if there are reasons, else what the index carries."""

    entry: Entry
    reasons: frozenset[StaleReason] = frozenset()

    @property
    def is_stale(self) -> bool:
        """Whether there is a reason to write it again."""
        return bool(self.reasons)


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleFinder:
    """Looks at a sync's entries, one after the other, in flat memory.

    ``engine`` is the version that would write now. An entry is read whole only if what the index carries is not enough.
    """

    planner: Planner
    index: LedgerIndex
    ledger: LedgerStore
    engine: str
    _schema_versions: dict[ObjectRef, int | None] = field(default_factory=dict)

    def examine(
        self, sync: str, reasons: Collection[StaleReason], *, prefix: str = "", start_after: str = ""
    ) -> Iterator[ExaminedEntry]:
        """Every entry below a prefix of the bucket, in the order of the keys, with those of ``reasons`` that it has."""
        entries = self._read_entries(sync, prefix, start_after)
        examine = partial(self._examine, frozenset(reasons))
        return in_order(examine, entries, workers=_ENTRIES_AT_ONCE, ahead=_ENTRIES_AT_ONCE)

    def _read_entries(self, sync: str, prefix: str, start_after: str) -> Iterator[Entry]:
        # The index gives what is behind a key: the prefix itself may be one, as of a folder that a model reads.
        for entry in self.index.of_sync(sync, after=start_after or prefix[:-1]):
            key = entry.source.key
            if key.startswith(prefix):
                yield entry
            elif key.encode() > prefix.encode():
                return

    def _examine(self, wanted: frozenset[StaleReason], entry: Entry) -> ExaminedEntry:
        plan = self._find_plan(entry)
        # What the index carries says no to nearly all, and costs nothing more.
        if plan is None or not self._may_be_stale(wanted, entry, plan):
            return ExaminedEntry(entry)
        whole = self.ledger.get(entry.sync, entry.source)
        if whole is None or not whole.settled or whole.state not in _REBUILT:
            return ExaminedEntry(entry)
        return ExaminedEntry(whole, wanted.intersection(self._find_reasons(whole, plan)))

    def _find_plan(self, entry: Entry) -> Plan | Build | SourceFile | None:
        """What planning would write of an entry's object today; None if nothing, or if another entry says it."""
        if entry.state not in _REBUILT:
            return None
        for plan in self.planner.plan(entry.source, only=entry.sync):
            if isinstance(plan, SourceFile) and entry.state is not State.IGNORED:
                # The entry of the table that it is a file of says it for all of them.
                return None
            if isinstance(plan, (Plan, Build, SourceFile)):
                return plan
        return None

    def _may_be_stale(self, wanted: frozenset[StaleReason], entry: Entry, plan: Plan | Build | SourceFile) -> bool:
        """Whether the whole entry is worth reading; the index has its fingerprint and its engine."""
        if entry.state is State.IGNORED:
            return StaleReason.CONFIGURATION in wanted
        may_be = {
            StaleReason.CONFIGURATION: entry.fingerprint != plan.fingerprint,
            StaleReason.ENGINE: release_of(entry.engine) != release_of(self.engine),
            StaleReason.SCHEMA: _find_table(plan) is not None,
        }
        return any(may_be[reason] for reason in wanted)

    def _find_reasons(self, entry: Entry, plan: Plan | Build | SourceFile) -> Iterator[StaleReason]:
        if entry.state is State.IGNORED:
            # There is no output. What was ignored for its time or its lineage, by the worker, has the plan's shape.
            if entry.shape != plan.shape:
                yield StaleReason.CONFIGURATION
            return
        if entry.fingerprint != plan.fingerprint and entry.shape != plan.shape:
            yield StaleReason.CONFIGURATION
        if release_of(entry.engine) != release_of(self.engine):
            yield StaleReason.ENGINE
        if self._has_newer_schema(entry, _find_table(plan)):
            yield StaleReason.SCHEMA

    def _has_newer_schema(self, entry: Entry, table: ObjectRef | None) -> bool:
        if table is None or entry.state not in DONE:
            return False
        if table not in self._schema_versions:
            if len(self._schema_versions) >= _MOST_TABLES:
                self._schema_versions.clear()
            schema = self.ledger.get_schema(entry.sync, table)
            self._schema_versions[table] = None if schema is None else schema.schema_version
        version = self._schema_versions[table]
        return version is not None and entry.schema_version != version


def _find_table(plan: Plan | Build | SourceFile) -> ObjectRef | None:
    """The table whose schema the output has."""
    if isinstance(plan, Plan) and isinstance(plan.way, SharedTable):
        return plan.way.table
    return None
