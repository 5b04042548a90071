"""The files that a snapshot table may be made of, as the bucket has them now."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from millrace.ledger.table_entries import TableOrder
from millrace.objects.messages import Request
from millrace.objects.queue import RequestQueue
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef
from millrace.objects.store import ListedObject, ObjectHead, ObjectStore, Stores
from millrace.planning.planner import Planner
from millrace.planning.plans import ArchiveTables, OwnOutput, Plan, SnapshotTable, has_moved, is_output_of


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFiles:
    """Looks after the other files of a table, and asks for them. ``queues`` holds each source connection's queue."""

    planner: Planner
    stores: Stores | Mapping[str, ObjectStore]
    queues: Mapping[str, RequestQueue]

    def head(self, plan: Plan, file: ObjectRef) -> ObjectHead | None:
        """The current version of a file, or None."""
        return self.stores[plan.source_connection].head(file)

    def has(self, plan: Plan, file: ObjectRef) -> bool:
        """Whether a file belongs to the table that ``plan`` writes."""
        return any(
            isinstance(other, Plan) and other.way == plan.way for other in self.planner.plan(file, only=plan.sync)
        )

    def ask_for_newer(self, plan: Plan, order: TableOrder | None) -> None:
        """Have the newest file of the table looked at, if it is newer than ``order`` and another than the plan's.

        It is one request, and the work on it asks again only if its own file, too, has become an older one. So no
        chain of messages comes of it.
        """
        newest = max(self._list(plan), key=_to_order, default=None)
        if newest is None or newest.ref == plan.source:
            return
        if order is None or _to_order(newest) > order:
            change = ObjectChange(kind=ChangeKind.CREATED, ref=newest.ref)
            self.queues[plan.source_connection].send([Request(change=change, sync=plan.sync)])

    def ask_for_rivals(self, plan: Plan, freed: Collection[ObjectRef]) -> None:
        """Have the objects looked at that could not have an output because this one's stood there.

        For example ``in/a.csv`` and ``in/a.csv.gz`` both become ``a.parquet``. The second fails as a collision. If the
        first and its output are removed, nothing but this tells of the second. Both begin with ``in/a.``.
        A member of ``in/x.zip`` and the object ``in/x/a.csv`` both become ``x/a.parquet``.
        By another configuration the first may have its output elsewhere: the second is looked for by the freed name.
        """
        folder = self.planner.active_sync(plan.sync).folder
        prefixes = (*_rival_prefixes(plan, folder.path), *_prefixes_of_moved(plan, folder.prefix, freed))
        for prefix in dict.fromkeys(prefixes):
            for listed in self.stores[plan.source_connection].list(plan.source.bucket, prefix):
                if listed.ref != plan.source and self._becomes(listed.ref, plan.sync, freed):
                    change = ObjectChange(kind=ChangeKind.CREATED, ref=listed.ref)
                    self.queues[plan.source_connection].send([Request(change=change, sync=plan.sync)])

    def _becomes(self, source: ObjectRef, sync: str, outputs: Collection[ObjectRef]) -> bool:
        """Whether one of the outputs could be the object's: its own, a partition, or a member's of it."""
        plan = self.planner.find_work(source, sync)
        return isinstance(plan, Plan) and any(is_output_of(plan, ref) for ref in outputs)

    def _list(self, plan: Plan) -> Iterator[ListedObject]:
        assert isinstance(plan.way, SnapshotTable)  # noqa: S101 - for the type checker: only its work comes here
        store, bucket = self.stores[plan.source_connection], plan.source.bucket
        for listed in store.list(bucket, plan.way.prefix):
            if self.has(plan, listed.ref):
                yield listed


def _rival_prefixes(plan: Plan, root: str) -> Iterator[str]:
    """What the keys begin with of objects that could have the same outputs.

    Of ``in/x/a.csv`` below the root ``in`` those are ``in/x/a.``, and of an archive that could have it as a member
    ``in/x.``; of ``in/x.zip`` also ``in/x/``, below which its members are planned.
    """
    if isinstance(plan.way, ArchiveTables):
        yield plan.way.members.below
    folder, slash, name = plan.source.key.rpartition("/")
    yield folder + slash + name.partition(".")[0] + "."
    while len(folder) > len(root) and isinstance(plan.way, OwnOutput | ArchiveTables):
        yield f"{folder}."
        folder = folder.rpartition("/")[0]


def _prefixes_of_moved(plan: Plan, root_prefix: str, freed: Collection[ObjectRef]) -> Iterator[str]:
    """What the keys begin with of objects that could have outputs which the plan's object has no longer.

    Of ``lake/book/Orders.parquet``, a sheet's that is no table now, ``in/book/Orders.``, and ``in/book.`` of an
    archive that could have it as a member.
    """
    for ref in freed:
        if has_moved(plan, ref):
            path = plan.place.path_like(ref)
            while path:
                yield f"{root_prefix}{path}."
                path = path.rpartition("/")[0]


def _to_order(listed: ListedObject) -> TableOrder:
    return TableOrder.of(listed.modified, listed.ref)
