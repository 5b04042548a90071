"""How the functions keep catalogued tables right; nothing of it is loaded for a configuration that asks for none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from millrace.composition.base import Foundation, utc_now
from millrace.ledger.entries import DONE, Entry
from millrace.planning.planner import Planner

if TYPE_CHECKING:
    from millrace.catalog.keeping import CatalogKeeper


@dataclass
class Cataloguing:
    """Keeps the tables of ``syncs`` right as their objects are settled.

    Trouble is told and holds nothing up: the object is converted, and the table's next object tries again.
    """

    base: Foundation
    planner: Planner
    syncs: frozenset[str]
    trouble: Callable[[str], None]

    def keep(self, entry: Entry | None) -> None:
        """Bring the table of a converted object into the catalogue, if it is not there as it should be."""
        if entry is None or entry.sync not in self.syncs or entry.state not in DONE:
            return
        try:
            self._keeper.keep(entry)
        except Exception as error:  # noqa: BLE001 - the object is settled, whatever this is
            self.trouble(f"{entry.source} (sync {entry.sync!r}) is converted, and its table is not catalogued: {error}")

    @cached_property
    def _keeper(self) -> CatalogKeeper:
        from millrace.aws.glue_catalog import GlueCatalog  # noqa: PLC0415 - most deployments have no catalogue
        from millrace.catalog.keeping import CatalogKeeper  # noqa: PLC0415 - most deployments have no catalogue

        return CatalogKeeper(
            planner=self.planner,
            stores=self.base.sessions,
            catalog=GlueCatalog(self.base.sessions.impatient_client("glue")),
            database=self.base.settings.database or "",
            now=utc_now,
        )


def cataloguing(base: Foundation, planner: Planner, trouble: Callable[[str], None]) -> Cataloguing | None:
    """What keeps the tables of the configuration; None if it asks for none."""
    syncs = set()
    for sync in base.document.active_syncs():
        if sync.glue is not None:
            syncs.add(sync.name)
    return Cataloguing(base, planner, frozenset(syncs), trouble) if syncs else None
