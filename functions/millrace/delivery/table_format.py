"""The format of a directory's table: its first file that is converted decides, and others are refused by name.

The format is remembered in the ledger, under the sync's name with ``#format``. A manual run over a whole table whose
files have all moved to another format decides it again, with the first of them that is converted; see ``moved_tables``.

A file that fails decides nothing. So the format is put after the file's output is published; a bid, put before, keeps
apart two first files of different formats that are converted at the same time::

    a.csv    finds no format, converts, bids csv, ................. publishes, decides csv
    b.json   finds no format, converts, .......... finds the bid: comes back .............. finds csv: is refused

Who decides must find a bid of its own format. So a worker that was slow, and whose bid another file has replaced by
then, decides nothing: its file comes back.

What a file has published before the format is decided goes again if its work comes to no output, for whatever reason,
also if it waits for a restore: another file may decide, and the table would hold rows of both::

    a.csv    bids csv, publishes, dies .... comes back, fails five times: its output goes with each failure
    b.json   ................................................... finds a bid that counts no more, decides json
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from millrace.engine.options import FileFormat
from millrace.errors import ForeignFormat, TransientError, WorkInFlight
from millrace.ledger.claims import Claims
from millrace.ledger.entries import STALE_MARK, Entry, State, is_newer_run
from millrace.ledger.races import retry_lost_race
from millrace.ledger.rules import MOST_ATTEMPTS
from millrace.ledger.table_entries import FormatBid, FormatEntry
from millrace.objects.messages import Request
from millrace.objects.references import ObjectRef
from millrace.planning.plans import Plan

_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFormat:
    """The format of a table that is not decided yet, for one of its files."""

    plan: Plan
    table: ObjectRef
    request: Request
    claims: Claims

    def bid(self) -> None:
        """Say before publishing that the table is to have the file's format.

        Raises ForeignFormat if another was decided meanwhile, WorkInFlight if a file of another may yet decide.
        """
        self._retry(self._bid_once)

    def decide(self) -> None:
        """Write down, after publishing, that the table has the file's format; raises as ``bid``."""
        self._retry(self._decide_once)

    def _retry(self, attempt: Callable[[], WorkInFlight | None]) -> None:
        problem = f"the format of table {self.table} is being decided by others; tried again later"
        reason_to_wait = retry_lost_race(attempt, tries=_TRIES, problem=problem)
        if reason_to_wait is not None:
            raise reason_to_wait

    def _bid_once(self) -> WorkInFlight | None:
        entry = self._read()
        own_bid = FormatBid(format=self._format, file=self.plan.source)
        if self._is_decided(entry) or entry.bid == own_bid:
            return None
        # Any number of files may bid the same format, since any of them decides alike. Another format waits for its
        # file's end.
        if entry.bid is not None and entry.bid.format is not own_bid.format and self._may_decide(entry.bid.file):
            return self._wait_for(entry.bid)
        self._put(replace(entry, bid=own_bid))
        return None

    def _decide_once(self) -> WorkInFlight | None:
        entry = self._read()
        if self._is_decided(entry):
            return None
        if entry.bid is None or entry.bid.format is not self._format:
            return self._wait_for(entry.bid)
        run_id = self.request.run_id or entry.run_id
        self._put(replace(entry, format=self._format, bid=None, run_id=run_id))
        return None

    @property
    def _format(self) -> FileFormat:
        return self.plan.recipe.source_format

    def _read(self) -> FormatEntry:
        entry = self.claims.ledger.get_format(self.plan.sync, self.table)
        return entry or FormatEntry(
            sync=self.plan.sync,
            source=self.table,
            revision=0,
            fingerprint=self.plan.fingerprint,
            format=None,
            finished=self.claims.now(),
        )

    def _put(self, entry: FormatEntry) -> None:
        """Put; if that fails, look whether it was done after all and only the answer was lost, as ``Claims`` does."""
        following = replace(entry, revision=entry.revision + 1, finished=self.claims.now())
        try:
            self.claims.ledger.put(following)
        except TransientError:
            if self._read() != following:
                raise

    def _is_decided(self, entry: FormatEntry) -> bool:
        return is_decided(entry, self.plan, self.request)

    def _may_decide(self, file: ObjectRef) -> bool:
        entry = self.claims.ledger.get(self.plan.sync, file)
        return entry is not None and may_publish(entry, self.claims.now())

    def _wait_for(self, bid: FormatBid | None) -> WorkInFlight:
        decider = f"by {bid.file}, which is a {bid.format} file" if bid is not None else "by another file"
        return WorkInFlight(
            f"the format of table {self.table} is just being decided {decider}; {self.plan.source} is tried again later"
        )


def open_format(plan: Plan, request: Request, claims: Claims) -> OpenFormat | None:
    """What the file may decide; None if the table has the file's format already, or its files cannot differ.

    Raises ForeignFormat if the table has another format.
    """
    table = plan.format_table
    if table is None:
        return None
    entry = claims.ledger.get_format(plan.sync, table)
    if entry is not None and is_decided(entry, plan, request):
        return None
    return OpenFormat(plan=plan, table=table, request=request, claims=claims)


def is_admitted(plan: Plan, request: Request, claims: Claims) -> bool:
    """Whether the file's table has its format already, or its files cannot differ."""
    try:
        return open_format(plan, request, claims) is None
    except ForeignFormat:
        return False


def is_decided(entry: FormatEntry, plan: Plan, request: Request) -> bool:
    """Whether the table has the file's format for good; raise ForeignFormat if it has another.

    For a run that decides formats, it has none before the run's own first file.
    """
    is_open = request.decides_format and is_newer_run(request.run_id, entry.run_id)
    if entry.format is None or is_open:
        return False
    if entry.format is not plan.recipe.source_format:
        raise _foreign(plan, entry.source, entry.format)
    return True


def may_publish(entry: Entry, now: datetime) -> bool:
    """Whether a file that has made a bid may have published, or do so yet: its message comes back.

    Not once it is settled, or failed as often as it may, or failed so long ago that its message must be lost.
    """
    if entry.state is State.IN_FLIGHT:
        return True
    is_given_up = entry.attempts >= MOST_ATTEMPTS
    is_recent = entry.finished is not None and entry.finished > now - STALE_MARK
    return not entry.settled and not is_given_up and is_recent


def _foreign(plan: Plan, table: ObjectRef, table_format: FileFormat) -> ForeignFormat:
    file_format = plan.recipe.source_format
    return ForeignFormat(
        f"{plan.source} is a {file_format} file, and those of table {table} are {table_format}: a table's files share"
        f" one format. Move it away; or, once all of its files are {file_format}, reprocess sync {plan.sync!r} with the"
        " table's prefix"
    )
