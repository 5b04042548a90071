"""What the configuration that is deployed now says of outputs: who writes to a place, and which syncs there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from millrace.objects.references import ObjectRef
from millrace.objects.store import ObjectStore, Stores
from millrace.planning.planner import Planner
from millrace.planning.plans import is_output_of


@dataclass(frozen=True, slots=True)
class DeployedTargets:
    """The syncs of a configuration, and the stores of its destinations by the places that they write to."""

    planner: Planner
    stores: Stores | Mapping[str, ObjectStore]

    def writes_to(self, place: ObjectRef, sync: str, source: ObjectRef | None) -> bool:
        """Whether an active sync of that name may have an output of a source at a place; None: of some table.

        A sync that is switched off, or passes the source over, does not: the configuration gives no two syncs one
        folder, so that its outputs go elsewhere if another's go there.
        """
        if sync not in {active.name for active in self.planner.document.active_syncs()}:
            return False
        if source is None:
            return True
        work = self.planner.find_work(source, sync)
        return work is not None and is_output_of(work, place)

    def find_store(self, place: ObjectRef) -> ObjectStore | None:
        """The store of the innermost destination that holds a place; None if none does."""
        document = self.planner.document
        roots = {name: document.connection(name).root for name in sorted(document.written_connections())}
        holding = [
            (len(root.prefix), name)
            for name, root in roots.items()
            if root.bucket == place.bucket and place.key.startswith(root.prefix)
        ]
        return self.stores[max(holding)[1]] if holding else None
