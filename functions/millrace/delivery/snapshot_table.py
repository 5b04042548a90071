"""Work on snapshot tables: which file a table is made of."""

from __future__ import annotations

from millrace.ledger.entries import DONE, Entry, State
from millrace.ledger.rules import Finish, Refusal, RefusalKind
from millrace.ledger.table_entries import is_of
from millrace.objects.references import ObjectRef, Sequencer
from millrace.objects.store import ObjectHead


def may_be_of(table: Entry, source: ObjectRef) -> bool:
    """Whether a table is made of a file, or may be: work on it was begun and did not end."""
    return is_of(table.sequencer, source) if table.sequencer is not None else not table.settled


def is_news_of_the_same_second(entry: Entry, sequencer: Sequencer, head: ObjectHead) -> bool:
    """Whether the table is made of the same file as it was earlier in the second that S3's clock tells."""
    same = entry.sequencer is not None and entry.sequencer.value.startswith(sequencer.value)
    return same and (entry.state is State.REMOVED or entry.etag != head.etag)


def finish_not_the_newest(refusal: Refusal, head: ObjectHead) -> Finish:
    """The table is made of a newer file already, or of this very one."""
    entry = refusal.entry
    if refusal.kind is RefusalKind.SUPERSEDED:
        return Finish(
            state=State.SUPERSEDED, outputs=(), etag=head.etag, reason=f"the table's newest file is {entry.reason}"
        )
    return Finish(
        # Where a newer file failed, the table is what this one made it.
        state=entry.state if entry.state in DONE else State.CONVERTED,
        outputs=(),
        etag=head.etag,
        rows_read=entry.rows_read,
        rows_written=entry.rows_written,
        rows_quarantined=entry.rows_quarantined,
        rows_filtered=entry.rows_filtered,
        reason=f"table {entry.source} is made of this file",
    )
