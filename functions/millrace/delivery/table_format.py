"""The format of a directory's table: its first file decides, and a file of another format is refused by name.

The format is remembered in the ledger, under the sync's name with ``#format``. A manual run decides it anew with the
first of its files, so that a table can be moved to another format.
"""

from __future__ import annotations

from datetime import datetime

from millrace.engine.options import FileFormat
from millrace.errors import ForeignFormat
from millrace.ledger.entries import is_newer_run
from millrace.ledger.races import retry_lost_race
from millrace.ledger.stores import LedgerStore
from millrace.ledger.table_entries import FormatEntry
from millrace.objects.messages import Request
from millrace.objects.references import ObjectRef
from millrace.planning.plans import Plan

_TRIES = 3


def hold_format(plan: Plan, table: ObjectRef, request: Request, ledger: LedgerStore, now: datetime) -> None:
    """Raise ForeignFormat if the table's format is another than the file's; remember it if it has none yet."""
    retry_lost_race(
        lambda: _hold_once(plan, table, request, ledger, now),
        tries=_TRIES,
        problem=f"the format of table {table} is being decided by others; tried again later",
    )


def _hold_once(plan: Plan, table: ObjectRef, request: Request, ledger: LedgerStore, now: datetime) -> None:
    entry, file_format = ledger.get_format(plan.sync, table), plan.recipe.source_format
    if entry is not None and not is_newer_run(request.run_id, entry.run_id):
        if entry.format is not file_format:
            raise _foreign(plan, table, file_format, entry.format)
        return
    ledger.put(
        FormatEntry(
            sync=plan.sync,
            source=table,
            revision=(entry.revision if entry else 0) + 1,
            fingerprint=entry.fingerprint if entry else plan.fingerprint,
            format=file_format,
            run_id=request.run_id,
            finished=now,
        )
    )


def _foreign(plan: Plan, table: ObjectRef, mine: FileFormat, theirs: str) -> ForeignFormat:
    return ForeignFormat(
        f"{plan.source} is a {mine} file, and those of table {table} are {theirs}: a table's files share one format."
        f" Move it away; or, where the whole table is {mine} now, reprocess sync {plan.sync!r} with the"
        " table's prefix"
    )
