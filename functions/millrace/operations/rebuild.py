"""Rebuild a lost ledger from the lineage that every output carries: nothing that was converted is converted again.

What leaves no output leaves no trace: entries of failed, ignored and removed objects come back when their events do,
or when the source is compared. Rows are known where S3's metadata has them.

An output is ours only at the key that planning gives for its source: S3 copies metadata along with an object, so a
person's copy of an output bears the same lineage.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from millrace.config.connection import Connection
from millrace.engine.parallel import in_order
from millrace.engine.row_counts import NO_ROWS, RowCounts
from millrace.errors import InvalidReference, LostRace, MillraceError
from millrace.ledger.entries import DONE, Entry, Output, State, is_at_work
from millrace.ledger.races import retry_lost_race
from millrace.ledger.stores import LedgerStore
from millrace.ledger.table_entries import TABLE_MARK, FormatEntry, TableEntry
from millrace.mappings import by_name
from millrace.objects.lineage import Lineage
from millrace.objects.references import ObjectRef
from millrace.objects.store import ListedObject, ObjectHead, ObjectStore, Stores
from millrace.planning.planner import Planner
from millrace.planning.plans import Build, Plan, SharedTable, SnapshotTable, is_output_of, is_quarantine_of

Kept = Entry | TableEntry
"""What an output's lineage can put back."""
REASON = "rebuilt from the lineage of its outputs"
_TRIES = 3


class Trace(enum.StrEnum):
    """What an object of a destination says of its source."""

    FOREIGN = "foreign"
    """It bears no lineage, or that of a sync that the configuration does not have."""
    ELSEWHERE = "elsewhere"
    """It bears lineage, and planning puts the output elsewhere: a copy, or made under an earlier configuration."""
    NAMELESS = "nameless"
    """Its source's key is so long that the lineage has its hash alone; the source will be converted again."""
    KNOWN = "known"
    """The ledger has it, or newer work on its source."""
    BUSY = "busy"
    """Its source is being worked on; that work settles it."""
    REBUILT = "rebuilt"
    """The ledger has it now."""
    TROUBLE = "trouble"
    """It could not be looked at, or its lineage makes no sense, or the ledger did not take it; the others go on."""


@dataclass(frozen=True, slots=True)
class Traced:
    """One object of a destination, what became of its trace, and what went wrong with it, if anything."""

    ref: ObjectRef
    trace: Trace
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class _FoundOutput:
    """An output at a key that planning gives, with what it says of itself; a quarantine is one of bad rows."""

    output: Output
    lineage: Lineage
    source: ObjectRef
    is_quarantine: bool

    def count_rows(self, entry: Kept) -> Kept:
        """The entry with the output's rows: those of a quarantine are not written but put aside."""
        rows = self.output.rows
        if not self.is_quarantine:
            return replace(entry, rows=entry.rows + RowCounts(read=rows, written=rows))
        counts = entry.rows + RowCounts(read=rows, written=0, quarantined=rows)
        return replace(entry, state=State.QUARANTINED, rows=counts)


LearnSchema = Callable[[Plan, str], int | None]
"""Reads a plan's source again, if it still has that ETag, into its table's schema; the version that holds it."""


def learn_nothing(plan: Plan, etag: str) -> int | None:
    """Nothing: the schemas of tables are made by the files that come next."""
    del plan, etag
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilder:
    """Puts back what the ledger lost. Doing it again, or from the middle, changes nothing that is there.

    An output holds its fields as they were chosen and renamed, and text has no types: what the ledger had of a table's
    schema is learned from the sources of its outputs. ``heads_at_once`` objects are looked at side by side.
    """

    planner: Planner
    stores: Stores | Mapping[str, ObjectStore]
    ledger: LedgerStore
    now: datetime
    learn_schema: LearnSchema = learn_nothing
    heads_at_once: int = 16

    def destinations(self) -> list[Connection]:
        """The connections that active syncs write to, in the order of their names."""
        document = self.planner.document
        return list(map(document.connection, sorted(document.written_connections())))

    def rebuild(self, destination: Connection, *, start_after: str = "", dry_run: bool = False) -> Iterator[Traced]:
        """Look at every object of a destination's folder, in the order of their keys."""
        folder, store = destination.root, self.stores[destination.name]
        listed = store.list(folder.bucket, folder.prefix, start_after=start_after)
        heads = in_order(partial(_head, store), listed, workers=self.heads_at_once, ahead=self.heads_at_once)
        for ref, head in heads:
            yield self._trace_alone(ref, head, dry_run=dry_run)

    def _trace_alone(self, ref: ObjectRef, head: ObjectHead | MillraceError | None, *, dry_run: bool) -> Traced:
        """What became of one object; its trouble is its own."""
        if isinstance(head, MillraceError):
            return Traced(ref, Trace.TROUBLE, str(head))
        try:
            return self._trace(ref, head, dry_run=dry_run)
        except (MillraceError, ValueError, ArithmeticError) as error:
            # Strangers may write metadata: a count that is no number, a fence that DynamoDB's numbers cannot hold.
            return Traced(ref, Trace.TROUBLE, f"{type(error).__name__}: {error}")

    def _trace(self, ref: ObjectRef, head: ObjectHead | None, *, dry_run: bool) -> Traced:
        if head is None:
            return Traced(ref, Trace.FOREIGN)
        lineage = Lineage.from_metadata(head.metadata)
        if lineage is None or not self._is_ours(lineage):
            return Traced(ref, Trace.FOREIGN)
        return self._trace_output(ref, head, lineage, dry_run=dry_run)

    def _trace_output(self, ref: ObjectRef, head: ObjectHead, lineage: Lineage, *, dry_run: bool) -> Traced:
        """What became of an object that bears the lineage of an active sync."""
        try:
            source, table = lineage.source_ref(), lineage.owner_ref()
        except InvalidReference:
            return Traced(ref, Trace.NAMELESS)
        plan = self._find_plan(lineage, source, table)
        if plan is None or not is_output_of(plan, ref):
            return Traced(ref, Trace.ELSEWHERE)
        # An output in parts has no count of rows: its metadata are sent before its rows are known.
        output = Output(ref=ref, etag=head.etag, size=head.size, rows=int(head.metadata.get("millrace-rows", 0)))
        found = _FoundOutput(output, lineage, source, is_quarantine=is_quarantine_of(plan, ref))
        if table is not None:
            return Traced(ref, self._put_back_table(found, table, dry_run=dry_run))
        trace = self._put_back(found, source, dry_run=dry_run)
        # What the ledger had already is in its table: only what was put back now has to be learned.
        if trace is not Trace.REBUILT or dry_run or not isinstance(plan, Plan):
            return Traced(ref, trace)
        return Traced(ref, trace, self._put_back_of_table(plan, lineage))

    def _find_plan(self, lineage: Lineage, source: ObjectRef, table: ObjectRef | None) -> Plan | Build | None:
        """What planning makes of an output's source today, if it makes an output of that kind of it."""
        for plan in self.planner.plan(source, only=_sync_of(lineage)):
            match plan:
                case Plan(way=SnapshotTable(table=planned)):
                    return plan if planned == table else None
                case Plan() | Build():
                    return plan if table is None else None
        return None

    def _put_back_table(self, found: _FoundOutput, table: ObjectRef, *, dry_run: bool) -> Trace:
        trace = self._put_back(found, table, dry_run=dry_run)
        if not dry_run:
            with suppress(LostRace):  # workers are quicker, and know better
                self._put_back_file(found.lineage, found.source, table, is_rebuilt=trace is Trace.REBUILT)
        return trace

    def _put_back_file(self, lineage: Lineage, source: ObjectRef, table: ObjectRef, *, is_rebuilt: bool) -> None:
        """Put the entry of the file that a table is made of, if the table's entry says so, too. Raises LostRace."""
        sync = _sync_of(lineage)
        # The order of the file's own events is not known any more.
        of_file = replace(lineage, sync=sync, sequencer=None)

        def attempt() -> None:
            # The file first: whoever makes the table of another file claims it, then changes this entry. So if the
            # table is not claimed yet, that change comes later, and one of the two puts loses.
            entry = self.ledger.get(sync, source)
            made = self.ledger.get_table(sync, table)
            if made is None or not _is_made_of(made, source, lineage):
                return
            rebuilt = merge_file(entry, of_file, source, table, now=self.now, is_rebuilt=is_rebuilt)
            if rebuilt is not None:
                self.ledger.put(rebuilt)

        retry_lost_race(attempt, tries=_TRIES, problem=f"{source} is being worked on")

    def _put_back_of_table(self, plan: Plan, lineage: Lineage) -> str | None:
        """Put back what the ledger kept of the table that an output is a part of; what went wrong, if anything."""
        self._put_back_format(plan, lineage)
        if not isinstance(plan.way, SharedTable):
            return None
        try:
            version = self.learn_schema(plan, lineage.etag)
        except MillraceError as error:
            return f"the schema of table {plan.way.table} was not learned from {plan.source}: {error}"
        entry = self.ledger.get(plan.sync, plan.source)
        if version is not None and entry is not None and entry.schema_version != version:
            with suppress(LostRace):  # a worker was quicker, and knows better
                self.ledger.put(replace(entry, revision=entry.revision + 1, schema_version=version))
        return None

    def _put_back_format(self, plan: Plan, lineage: Lineage) -> None:
        """A table's files share one format: what one of them was converted from says it of all."""
        table = plan.format_table
        if table is None:
            return
        entry = self.ledger.get_format(plan.sync, table)
        if entry is not None and entry.format is not None:
            return
        kept = FormatEntry(
            sync=plan.sync,
            source=table,
            revision=entry.revision + 1 if entry is not None else 1,
            fingerprint=lineage.fingerprint,
            format=plan.recipe.source_format,
            finished=self.now,
        )
        with suppress(LostRace):  # a worker was quicker
            self.ledger.put(kept)

    def _is_ours(self, lineage: Lineage) -> bool:
        return _sync_of(lineage) in by_name(self.planner.document.active_syncs())

    def _put_back(self, found: _FoundOutput, owner: ObjectRef, *, dry_run: bool) -> Trace:
        """Put the entry of an output's owner, its source or table; BUSY if workers change it again and again."""

        def attempt() -> Trace:
            entry = self._get(found.lineage, owner)
            rebuilt = merge_output(entry, found.lineage, owner, found.output, now=self.now)
            if isinstance(rebuilt, Trace):
                return rebuilt
            if not dry_run:
                self.ledger.put(found.count_rows(rebuilt))
            return Trace.REBUILT

        try:
            return retry_lost_race(attempt, tries=_TRIES, problem=f"{owner} is being worked on")
        except LostRace:
            return Trace.BUSY

    def _get(self, lineage: Lineage, source: ObjectRef) -> Kept | None:
        if lineage.sync.endswith(TABLE_MARK):
            return self.ledger.get_table(_sync_of(lineage), source)
        return self.ledger.get(lineage.sync, source)


def _blank(lineage: Lineage, source: ObjectRef) -> Entry | TableEntry:
    if lineage.sync.endswith(TABLE_MARK):
        return TableEntry.unseen(_sync_of(lineage), source, fingerprint=lineage.fingerprint, engine=lineage.engine)
    return Entry.unseen(lineage.sync, source, fingerprint=lineage.fingerprint, engine=lineage.engine)


def _sync_of(lineage: Lineage) -> str:
    return lineage.sync.removesuffix(TABLE_MARK)


def _head(store: ObjectStore, listed: ListedObject) -> tuple[ObjectRef, ObjectHead | MillraceError | None]:
    try:
        return listed.ref, store.head(listed.ref)
    except MillraceError as error:
        return listed.ref, error


def merge_output(
    entry: Kept | None, lineage: Lineage, source: ObjectRef, output: Output, *, now: datetime
) -> Entry | TableEntry | Trace:
    """The entry with one more output, or why there is nothing to write.

    Outputs of one claim, a source's partitions, add up. An output of an earlier claim than the entry's says nothing;
    one of a later claim replaces what the entry has, as where an old copy of the ledger was restored. What is in flight
    under the same claim is left to its message. Nothing is marked for deletion: that is for the next conversion, which
    knows what it wrote.
    """
    if entry is None:
        return _rebuild_entry(lineage, _blank(lineage, source), (output,), now=now, reason=REASON)
    if entry.fence > lineage.fence:
        return Trace.KNOWN
    if _is_busy(entry, lineage, now):
        return Trace.BUSY
    if entry.fence < lineage.fence:
        return _rebuild_entry(lineage, entry, (output,), now=now, reason=REASON)
    # The same claim: its partitions are met one after the other, and each adds itself.
    if not _lacks_output(entry, output):
        return Trace.KNOWN
    return replace(entry, revision=entry.revision + 1, outputs=(*entry.outputs, output))


def _is_made_of(table: TableEntry, source: ObjectRef, lineage: Lineage) -> bool:
    """Whether the ledger has a table as its output says that it is; not while somebody works on it."""
    return table.state in DONE and table.file == source and table.fence == lineage.fence


def merge_file(
    entry: Entry | None, lineage: Lineage, source: ObjectRef, table: ObjectRef, *, now: datetime, is_rebuilt: bool
) -> Entry | None:
    """The entry of the file that a table is made of; None if it stays as it is.

    ``lineage`` is the table's, whose fence counts the claims of the table, and says nothing of this entry. So what the
    ledger has of the file stays, unless the table's own entry was older than its output (``is_rebuilt``), or says that
    another file is newer. What is not settled is left to its message: it may be about a later version.
    """
    fence = lineage.fence
    if entry is not None:
        is_wrong = entry.state is State.SUPERSEDED and entry.version.etag == lineage.etag
        if not entry.settled or not (is_rebuilt or is_wrong):
            return None
        fence = max(fence, entry.fence)
    base = entry or Entry.unseen(lineage.sync, source, fingerprint=lineage.fingerprint, engine=lineage.engine)
    reason = f"table {table} is made of this file"
    rebuilt = _rebuild_entry(lineage, base, (), now=now, reason=reason)
    assert isinstance(rebuilt, Entry)  # noqa: S101 - for the type checker: it is made of one
    return replace(rebuilt, fence=fence)


def _is_busy(entry: Kept, lineage: Lineage, now: datetime) -> bool:
    """Whether a message will settle the entry: it is in flight under the same claim, or under a live lease."""
    if entry.state is not State.IN_FLIGHT:
        return False
    return entry.fence == lineage.fence or is_at_work(entry, now)


def _lacks_output(entry: Kept, output: Output) -> bool:
    return entry.state in DONE and entry.output(output.ref) is None


def _rebuild_entry(lineage: Lineage, base: Kept, outputs: tuple[Output, ...], *, now: datetime, reason: str) -> Kept:
    rebuilt = replace(
        base,
        state=State.CONVERTED,
        revision=base.revision + 1,
        fence=lineage.fence,
        fingerprint=lineage.fingerprint,
        engine=lineage.engine,
        version=replace(base.version, etag=lineage.etag, version_id=lineage.version_id),
        lease_until=None,
        owner=None,
        outputs=outputs,
        rows=NO_ROWS,
        started=None,
        finished=now,
        failure=None,
    ).at_position(lineage.sequencer)
    if isinstance(rebuilt, TableEntry):
        return replace(rebuilt, file=lineage.source_ref())
    return replace(rebuilt, reason=reason)
