"""Planning: which syncs want an object, how it is read, where its output goes; from key and configuration alone."""

from __future__ import annotations

from dataclasses import dataclass

from millrace.config.document import Document
from millrace.config.layout import Folder
from millrace.errors import UsageError
from millrace.objects.references import ObjectRef
from millrace.planning.bulk_syncs import BulkRoute
from millrace.planning.model_syncs import ModelRoute
from millrace.planning.plans import AnyPlan, Build, Plan
from millrace.planning.targets import is_record


@dataclass(frozen=True, slots=True)
class ActiveSync:
    """A sync as those see it who list its source or put requests on its source's queue.

    ``is_one_table``: all files of its folder are made into one table at once, and none of them alone.
    """

    name: str
    source_connection: str
    folder: Folder
    is_one_table: bool = False


class Planner:
    """Plans for one configuration."""

    def __init__(self, document: Document) -> None:
        self._document = document
        bulk = [BulkRoute.of(sync, document) for sync in document.active_bulk_syncs()]
        model = [ModelRoute.of(sync, document) for sync in document.active_model_syncs()]
        self._routes: tuple[BulkRoute | ModelRoute, ...] = (*bulk, *model)

    @property
    def document(self) -> Document:
        """The configuration that is planned for."""
        return self._document

    def active_sync(self, name: str) -> ActiveSync:
        """An active sync; raise UsageError with the names of those that there are."""
        for route in self._routes:
            if route.name == name:
                return ActiveSync(name, route.source.name, route.folder, route.is_one_table)
        names = sorted(route.name for route in self._routes)
        raise UsageError(f"there is no active sync {name!r}; the configuration has {names}")

    def plan(self, ref: ObjectRef, *, only: str | None = None) -> tuple[AnyPlan, ...]:
        """One answer for each active sync whose source folder holds ``ref``; of sync ``only`` alone where given.

        A build is asked for by Millrace itself, which names the sync. An event of S3 for the same key is that of the
        folder's marker, an object without content, and concerns nobody; nor do Millrace's own records.
        """
        if is_record(ref):
            return ()
        plans = []
        for route in self._routes:
            if only not in {None, route.name} or not route.wants(ref):
                continue
            plan = route.plan(ref)
            if only is not None or not isinstance(plan, Build):
                plans.append(plan)
        return tuple(plans)

    def find_work(self, ref: ObjectRef, sync: str) -> Plan | Build | None:
        """What a sync makes of an object, or of a folder; None if it makes nothing of it by itself."""
        for plan in self.plan(ref, only=sync):
            if isinstance(plan, Plan | Build):
                return plan
        return None
