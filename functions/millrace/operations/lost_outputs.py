"""Whether what the ledger says was written still lies where it was written."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from millrace.ledger.entries import DONE, Entry, Output
from millrace.ledger.stores import LedgerStore
from millrace.objects.references import ObjectRef
from millrace.objects.store import ObjectStore, Stores
from millrace.planning.planner import Planner
from millrace.planning.plans import Build, Plan, SnapshotTable


class Loss(enum.StrEnum):
    """What became of an output."""

    VANISHED = "vanished"
    """Nothing lies at its key."""
    ALTERED = "altered"
    """Something else lies there: somebody wrote over it."""


@dataclass(frozen=True, slots=True)
class LostOutput:
    """An output that the ledger knows, and the bucket does not have as it was written."""

    ref: ObjectRef
    loss: Loss


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputChecker:
    """Asks the buckets for outputs, one HEAD each. Losses are only told: people delete outputs on purpose, too.

    ``connections`` are the destinations that may be asked; None: all.
    """

    planner: Planner
    stores: Stores | Mapping[str, ObjectStore]
    ledger: LedgerStore
    connections: frozenset[str] | None = None

    def find_lost(self, entry: Entry) -> tuple[LostOutput, ...]:
        """The outputs of finished work that are lost; of a snapshot table's file, if the table is made of it."""
        plan = self.planner.find_work(entry.source, entry.sync)
        if plan is None or not self._may_ask(plan.target_connection):
            return ()
        outputs = self._read_outputs(entry, plan)
        store = self.stores[plan.target_connection]
        lost = tuple(found for output in outputs if (found := _look(store, output)) is not None)
        # Work that settled meanwhile has replaced what was asked for: it is looked at the next time.
        return lost if lost and self._read_outputs(entry, plan) == outputs else ()

    def _may_ask(self, connection: str) -> bool:
        return self.connections is None or connection in self.connections

    def _read_outputs(self, entry: Entry, plan: Plan | Build) -> tuple[Output, ...]:
        """An index carries no outputs, so they are read from the ledger itself."""
        whole = self.ledger.get(entry.sync, entry.source)
        if whole is None or whole.state not in DONE:
            return ()
        if isinstance(plan, Build) or not isinstance(plan.way, SnapshotTable):
            return whole.outputs
        table = self.ledger.get_table(plan.sync, plan.way.table)
        # Once the table is made of another file, this one has no output of its own to lose.
        if table is None or table.state not in DONE or table.file != entry.source:
            return ()
        return table.outputs


def _look(store: ObjectStore, output: Output) -> LostOutput | None:
    head = store.head(output.ref)
    if head is None:
        return LostOutput(output.ref, Loss.VANISHED)
    return LostOutput(output.ref, Loss.ALTERED) if head.etag != output.etag else None
