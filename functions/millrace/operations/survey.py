"""Count what a run would work on: by table, by why it is passed over, by why it is stale; in flat memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from millrace.operations.stale import StaleReason
from millrace.planning.descriptions import Description

_MOST_NAMES = 10_000
"""Tables and reasons that are counted each for itself."""
_REST = "others"
_EXAMPLES = 10


@dataclass(slots=True)
class Survey:
    """What was counted of one sync; ``size`` in bytes, of what would be worked on."""

    sync: str
    objects: int = 0
    size: int = 0
    tables: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    failing: Counter[str] = field(default_factory=Counter)
    stale: Counter[StaleReason] = field(default_factory=Counter)
    not_stale: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, description: Description, size: int) -> None:
        """Count an object by what planning makes of it."""
        if description.is_ignored:
            _count(self.ignored, description.reason or "")
            return
        self.objects += 1
        self.size += size
        _count(self.tables, description.table or "")
        if description.reason is not None:
            _count(self.failing, description.reason.partition(":")[0])
        if len(self.examples) < _EXAMPLES:
            self.examples.append(str(description.source))


def _count(counts: Counter[str], name: str) -> None:
    """Count a name by itself, as long as there are not too many of them."""
    if name not in counts and len(counts) >= _MOST_NAMES:
        name = _REST
    counts[name] += 1
