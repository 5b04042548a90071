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

    def writes_to(self, place: ObjectRef, sync: str, source: ObjectRef) -> bool:
        """Whether a sync of that name may have an output of a source at a place.

        One that is not active, or passes the source over, keeps what it wrote, and so does one whose source is a table.
        """
        document = self.planner.document
        names = {known.name for known in document.bulk_syncs} | {known.name for known in document.model_syncs}
        if sync not in names:
            return False
        work = self.planner.find_work(source, sync)
        return work is None or is_output_of(work, place)

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
