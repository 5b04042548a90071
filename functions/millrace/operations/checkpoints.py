"""How far a comparison has come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from operator import add
from typing import Protocol

from millrace.operations.comparison import Compared, Difference, Finding


@dataclass(frozen=True, slots=True)
class Counts:
    """Keys that were compared, and how many of them differed in which way.

    ``unaccounted`` are those whose news should have come by now: it is lost, or nobody can read it. ``vanished`` are
    those whose output is not there any more, among the few whose outputs were looked at.
    """

    compared: int = 0
    new: int = 0
    changed: int = 0
    gone: int = 0
    unaccounted: int = 0
    vanished: int = 0

    @classmethod
    def of(cls, portion: Sequence[Compared], *, overdue: datetime | None = None) -> Counts:
        """Count a portion; news of what was modified before ``overdue`` should have come (None: there is no news)."""
        findings: Counter[Finding] = Counter()
        late = 0
        for _, difference in portion:
            if difference is not None:
                findings[difference.finding] += 1
                late += _is_overdue(difference, overdue)
        return cls(
            compared=len(portion),
            new=findings[Finding.NEW],
            changed=findings[Finding.CHANGED],
            gone=findings[Finding.GONE],
            unaccounted=late,
            vanished=findings[Finding.VANISHED],
        )

    def __add__(self, more: Counts) -> Counts:
        return Counts(*map(add, astuple(self), astuple(more)))


def _is_overdue(difference: Difference, overdue: datetime | None) -> bool:
    if overdue is None or difference.modified is None:
        return False
    return difference.modified < overdue


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """How far the comparison of a sync has come: all up to the key ``after`` is compared and enqueued.

    ``revision`` grows by one with every put. Until ``lease_until`` a run is at work. ``folder`` is what it lists: a
    comparison of another folder begins at its first key. ``put_off_since`` is when the comparison was first put off for
    a full queue; ``completed`` and ``last`` are the end and the counts of the last whole comparison, ``is_untold`` that
    its event is still to be sent.

    ``begun`` is the time of the comparison's first key, ``is_begin_untold`` that the event of its beginning is still to
    be sent. ``has_backlog`` says that the comparison has met work that is not done. ``behind_since`` is the beginning
    of the first comparison that did, ``caught_up_since`` the same of a time that the last comparison found over.
    """

    sync: str
    folder: str
    revision: int = 0
    after: str = ""
    counts: Counts = Counts()
    lease_until: datetime | None = None
    put_off_since: datetime | None = None
    completed: datetime | None = None
    last: Counts = Counts()
    is_untold: bool = False
    begun: datetime | None = None
    is_begin_untold: bool = False
    has_backlog: bool = False
    behind_since: datetime | None = None
    caught_up_since: datetime | None = None


class Checkpoints(Protocol):
    """Where comparisons are remembered, one each sync."""

    def get(self, sync: str) -> Checkpoint | None:
        """The newest, read consistently."""
        ...

    def put(self, checkpoint: Checkpoint) -> None:
        """Replace revision ``checkpoint.revision - 1`` (0: none yet); raise LostRace if another revision is there."""
        ...
