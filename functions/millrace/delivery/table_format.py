"""The format of a directory's table: its first file decides, and a file of another format is refused by name.

The format is remembered in the ledger, under the sync's name with ``#format``. A manual run decides it anew with the
first of its files, so that a table can be moved to another format.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from millrace.engine.options import FileFormat
from millrace.errors import ForeignFormat, LostRace
from millrace.ledger.entries import Entry, State, unseen
from millrace.ledger.stores import LedgerStore
from millrace.objects.messages import Request
from millrace.objects.references import ObjectRef
from millrace.planning.plans import Plan

FORMAT_MARK = "#format"
_TRIES = 3


def hold_format(plan: Plan, table: ObjectRef, request: Request, ledger: LedgerStore, now: datetime) -> None:
    """Raise ForeignFormat where the table's format is another than the file's; remember it where it has none yet."""
    sync, mine = plan.sync + FORMAT_MARK, plan.recipe.source_format
    for _ in range(_TRIES):
        entry = ledger.get(sync, table)
        if entry is not None and not _decides_anew(entry, request):
            if entry.reason == mine:
                return
            raise _foreign(plan, table, mine, str(entry.reason))
        base = entry or unseen(sync, table, fingerprint=plan.fingerprint, engine="")
        remembered = replace(
            base,
            state=State.CONVERTED,
            revision=base.revision + 1,
            reason=str(mine),
            run_id=request.run_id,
            finished=now,
        )
        try:
            ledger.put(remembered)
        except LostRace:
            continue
        return
    raise LostRace(f"the format of table {table} is being decided by others; tried again later")


def _decides_anew(entry: Entry, request: Request) -> bool:
    return request.run_id is not None and (entry.run_id is None or request.run_id > entry.run_id)


def _foreign(plan: Plan, table: ObjectRef, mine: FileFormat, theirs: str) -> ForeignFormat:
    return ForeignFormat(
        f"{plan.source} is a {mine} file, and those of table {table} are {theirs}: a table's files share one format."
        f" Move it away; or, where the whole table is {mine} now, reprocess sync {plan.sync!r} with the"
        " table's prefix"
    )
