"""Tables whose files are all of another format than the ledger remembers: a run over the whole table decides again.

A run over a part of a table decides nothing, and neither does one that finds files of two formats. For example, the
table ``in/eu`` is CSV and somebody uploads ``b.json`` by mistake: it is refused, and a run over what failed, or over
everything, must not make a JSON table of ``a.csv`` and ``b.json``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from millrace.engine.options import FileFormat
from millrace.ledger.stores import LedgerStore
from millrace.objects.references import ObjectRef
from millrace.objects.store import ListedObject, ObjectStore
from millrace.planning.planner import Planner
from millrace.planning.plans import Plan

_MOST_TABLES = 10_000
"""Tables whose answer is remembered while the files of a run go by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedTables:
    """Looks at the tables of one sync: one read of the ledger for each, and one listing for what may have moved.

    ``store`` is the sync's source.
    """

    planner: Planner
    ledger: LedgerStore
    store: ObjectStore
    _answers: dict[tuple[ObjectRef, FileFormat], bool] = field(default_factory=dict)

    def has_moved(self, plan: Plan) -> bool:
        """Whether the table of a file has another format than the file, and none of its files has that any more."""
        if plan.format_table is None:
            return False
        answer_key = (plan.format_table, plan.recipe.source_format)
        if answer_key not in self._answers:
            # The files of a table come one after the other, so that what is forgotten is hardly asked for again.
            if len(self._answers) >= _MOST_TABLES:
                self._answers.clear()
            self._answers[answer_key] = self._is_foreign(plan, plan.format_table) and self._is_alone(plan)
        return self._answers[answer_key]

    def _is_foreign(self, plan: Plan, table: ObjectRef) -> bool:
        entry = self.ledger.get_format(plan.sync, table)
        return entry is not None and entry.format not in {None, plan.recipe.source_format}

    def _is_alone(self, plan: Plan) -> bool:
        return all(other.recipe.source_format is plan.recipe.source_format for other in self._plan_files(plan))

    def _plan_files(self, plan: Plan) -> Iterator[Plan]:
        """The plan of each file of a file's table that can be converted."""
        for listed in self.store.list(plan.source.bucket, plan.format_prefix or ""):
            for other in self.planner.plan(listed.ref, only=plan.sync):
                if isinstance(other, Plan) and other.format_table == plan.format_table and _may_convert(other, listed):
                    yield other


def _may_convert(plan: Plan, listed: ListedObject) -> bool:
    is_new_enough = plan.newer_than is None or listed.modified > plan.newer_than
    return is_new_enough and plan.problem is None
