"""DynamoDB in memory: entries and checkpoints behind conditional puts, an index that may lag, and its losses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from millrace.delivery.breaker import Circuit
from millrace.ledger.entries import Entry, State, WorkEntry
from millrace.ledger.table_entries import AnyEntry, FormatEntry, SchemaEntry, TableEntry
from millrace.objects.references import ObjectRef
from millrace.operations.checkpoints import Checkpoint
from tests.fakes import InMemoryCheckpoints, InMemoryCircuits, InMemoryLedger
from tests.simulation.calls import Calls
from tests.simulation.faults import Fault

_PAGE = 3
Entries = dict[tuple[str, ObjectRef], AnyEntry]


@dataclass(slots=True)
class Ledger:
    """Satisfies LedgerStore and LedgerIndex for the actor that runs."""

    calls: Calls
    held: InMemoryLedger = field(default_factory=InMemoryLedger)
    earlier: list[Entries] = field(default_factory=list)

    def get(self, sync: str, source: ObjectRef) -> Entry | None:
        """A consistent read."""
        return self.calls.call("dynamodb:GetItem", f"{source} ({sync})", lambda: self.held.get(sync, source))

    def get_table(self, sync: str, table: ObjectRef) -> TableEntry | None:
        """A consistent read."""
        return self.calls.call("dynamodb:GetItem", f"{table} ({sync}#table)", lambda: self.held.get_table(sync, table))

    def get_schema(self, sync: str, table: ObjectRef) -> SchemaEntry | None:
        """A consistent read."""
        return self.calls.call(
            "dynamodb:GetItem", f"{table} ({sync}#schema)", lambda: self.held.get_schema(sync, table)
        )

    def get_format(self, sync: str, table: ObjectRef) -> FormatEntry | None:
        """A consistent read."""
        return self.calls.call(
            "dynamodb:GetItem", f"{table} ({sync}#format)", lambda: self.held.get_format(sync, table)
        )

    def put(self, entry: AnyEntry) -> None:
        """A conditional write."""

        def write() -> None:
            before = dict(self.held.entries)
            self.held.put(entry)
            self.earlier.append(before)

        told = f"{entry.source} ({entry.stored_sync}), revision {entry.revision}"
        if isinstance(entry, WorkEntry):
            told = (
                f"{entry.source} ({entry.stored_sync}) -> {entry.state}, revision {entry.revision}, fence {entry.fence}"
            )
        self.calls.call("dynamodb:PutItem", told, write)

    def needing_attention(self, state: State) -> Iterator[Entry]:
        """From the index."""
        yield from self._pages(lambda held: held.needing_attention(state))

    def of_sync(self, sync: str, *, after: str = "") -> Iterator[Entry]:
        """From the index."""
        yield from self._pages(lambda held: held.of_sync(sync, after=after))

    def finished_on(self, day: str) -> Iterator[Entry]:
        """From the index."""
        yield from self._pages(lambda held: held.finished_on(day))

    def _pages(self, query: Callable[[InMemoryLedger], Iterator[Entry]]) -> Iterator[Entry]:
        held = self.held
        if self.calls.may_be_stale and self.earlier and self.calls.faults.draw(Fault.STALE, "dynamodb:Query"):
            held = InMemoryLedger(self.earlier[-1 - self.calls.choices.pick(min(3, len(self.earlier)))])
        found: list[Entry] = self.calls.call("dynamodb:Query", "", lambda: list(query(held)))
        for number, entry in enumerate(found, start=1):
            yield entry
            if number % _PAGE == 0:
                self.calls.call("dynamodb:Query", entry.source, lambda: None)

    def restore(self, entries: Entries) -> None:
        """What a restored table holds."""
        self.held.entries = dict(entries)


@dataclass(slots=True)
class CircuitTable:
    """Satisfies ``breaker.Circuits`` for the actor that runs."""

    calls: Calls
    held: InMemoryCircuits = field(default_factory=InMemoryCircuits)

    def get(self, queue: str) -> Circuit | None:
        """A consistent read."""
        return self.calls.call("dynamodb:GetItem", f"circuit of {queue}", lambda: self.held.get(queue))

    def put(self, circuit: Circuit) -> None:
        """A conditional write."""
        self.calls.call("dynamodb:PutItem", f"circuit of {circuit.queue}", lambda: self.held.put(circuit))


@dataclass(slots=True)
class CheckpointTable:
    """Satisfies ``reconciliation.Checkpoints`` for the actor that runs."""

    calls: Calls
    held: InMemoryCheckpoints = field(default_factory=InMemoryCheckpoints)

    def get(self, sync: str) -> Checkpoint | None:
        """A consistent read."""
        return self.calls.call("dynamodb:GetItem", f"checkpoint of {sync}", lambda: self.held.get(sync))

    def put(self, checkpoint: Checkpoint) -> None:
        """A conditional write."""
        self.calls.call("dynamodb:PutItem", f"checkpoint of {checkpoint.sync}", lambda: self.held.put(checkpoint))
