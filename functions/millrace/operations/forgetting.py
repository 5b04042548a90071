"""Remove what the ledger has of a sync that the configuration no longer has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from millrace.errors import UsageError


class ForgettableLedger(Protocol):
    """The ledger, as far as it can forget."""

    def items_of_sync(self, sync: str) -> Iterator[str]:
        """The keys of all items of a sync: objects', tables', schemas', formats'."""
        ...

    def forget(self, key: str) -> None:
        """Delete an item by its key."""
        ...


@dataclass(frozen=True, slots=True)
class Forgetter:
    """Forgets. ``active`` are the deployment's syncs: of those nothing is removed."""

    ledger: ForgettableLedger
    active: frozenset[str]

    def forget(self, sync: str, *, dry_run: bool) -> Iterator[str]:
        """The keys of the items, each deleted unless ``dry_run``.

        Raises: UsageError for a sync that is active: its objects would all be converted again.
        """
        if sync in self.active:
            raise UsageError(f"sync {sync!r} is active; take it out of the configuration and deploy first")
        # The keys first: a deleted item would move the pages that are still to be read.
        for key in list(self.ledger.items_of_sync(sync)):
            if not dry_run:
                self.ledger.forget(key)
            yield key
