"""Where entries are kept: the ports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from millrace.ledger.entries import Entry, State
from millrace.ledger.table_entries import AnyEntry, FormatEntry, SchemaEntry, TableEntry
from millrace.objects.references import ObjectRef


class LedgerStore(Protocol):
    """Where entries are kept."""

    def get(self, sync: str, source: ObjectRef) -> Entry | None:
        """The newest entry of an object or of a model folder's build, read consistently; so are all below."""
        ...

    def get_table(self, sync: str, table: ObjectRef) -> TableEntry | None:
        """The newest entry of a snapshot table."""
        ...

    def get_schema(self, sync: str, table: ObjectRef) -> SchemaEntry | None:
        """What is remembered of a table's schema."""
        ...

    def get_format(self, sync: str, table: ObjectRef) -> FormatEntry | None:
        """What is remembered of a table's format."""
        ...

    def put(self, entry: AnyEntry) -> None:
        """Replace revision ``entry.revision - 1`` (0: none yet); raise LostRace where another revision stands."""
        ...


class LedgerIndex(Protocol):
    """What is asked of the ledger's objects and builds as a whole; may lag behind the store by seconds.

    Its entries lack what an index does not carry (`deployment.settings`): those of a sync say neither when nor why.
    """

    def needing_attention(self, state: State) -> Iterator[Entry]:
        """Entries in a state of NEEDS_ATTENTION, oldest first within a shard."""
        ...

    def of_sync(self, sync: str, *, after: str = "") -> Iterator[Entry]:
        """Entries of a sync in the order of their keys' UTF-8 bytes, those behind the key ``after``."""
        ...

    def finished_on(self, day: str) -> Iterator[Entry]:
        """Entries whose last work finished on the UTC day ``YYYY-MM-DD``."""
        ...


class LedgerPages(Protocol):
    """What a part of a long list is read from: one index, begun at a place, as much of it as is taken.

    Entries as those of LedgerIndex. Of two at the same place, either may come first.
    """

    def newest_finished(self, day: str, *, until: str = "") -> Iterator[Entry]:
        """Those whose last work finished on a UTC day, the newest first, from the time ``until`` (ISO 8601) on back."""
        ...

    def newest_in_state(self, state: State, *, until: str = "") -> Iterator[Entry]:
        """Those in a state of NEEDS_ATTENTION, the newest first by ``time_of``, from the time ``until`` on back."""
        ...

    def below_prefix(self, sync: str, prefix: str, *, start: str = "") -> Iterator[Entry]:
        """Those of a sync whose keys begin with ``prefix``, in the order of their bytes, from the key ``start`` on."""
        ...

    def tables_of(self, sync: str) -> Iterator[ObjectRef]:
        """The tables of a sync whose schemas are remembered, in the order of their keys' bytes."""
        ...


class WholeLedger(LedgerStore, LedgerIndex, Protocol):
    """Both: what an index shows, and the entries themselves."""
