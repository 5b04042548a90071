"""One phase of one run, with all that it works with; and what a child of a map leaves of its work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from millrace.big_runs.archive_members import MembersOfArchive
from millrace.big_runs.documents import FRAME, PARTS, RunDocuments, RunOrder
from millrace.big_runs.failures import failure_from_document, failure_to_document
from millrace.big_runs.row_groups import group_bytes_of
from millrace.big_runs.sources import FilesOfFolder, FileSource, PartOfFile, RunSources, file_source
from millrace.delivery.deadline import stop_seconds
from millrace.engine.one_file import ConversionContext
from millrace.engine.options import FileFormat
from millrace.engine.parts.documents import Document, get_integer, get_items
from millrace.engine.parts.uploading import UploadLimits
from millrace.engine.recipe import Recipe
from millrace.engine.tables import unify
from millrace.errors import DataError, LostRace, ObjectChanged, ObjectGone, TooBig
from millrace.ledger.claims import Claims, Delivery
from millrace.ledger.entries import DONE as DONE_STATES
from millrace.ledger.entries import Entry, Failure
from millrace.ledger.table_entries import table_sync
from millrace.objects.lineage import Lineage, release_of
from millrace.objects.messages import Request
from millrace.objects.queue import RequestQueue
from millrace.objects.references import ChangeKind, ObjectChange
from millrace.objects.store import ObjectStore, Stores
from millrace.planning.planner import Planner
from millrace.planning.plans import Build, Plan, SnapshotTable

DONE, REFUSED, CHANGED, LOSSY = "done", "refused", "changed", "lossy"
"""What a child came to: ``status`` in the document that it leaves."""
EndOfTime: TypeAlias = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPorts:
    """What phases reach the world by. ``timeout_seconds`` is a whole invocation's time.

    ``queues`` holds each source connection's queue: what a run cannot end is asked for once more. ``copies`` are parts
    of an output that are copied side by side; ``limits`` are the store's.
    """

    planner: Planner
    claims: Claims
    stores: Stores | Mapping[str, ObjectStore]
    queues: Mapping[str, RequestQueue]
    timeout_seconds: float
    obfuscation_key: Callable[[], bytes | None] = lambda: None
    copies: int = 16
    limits: UploadLimits = UploadLimits()  # noqa: RUF009 - frozen


@dataclass(frozen=True, slots=True, kw_only=True)
class RunWork:
    """A phase of a run: what was ordered, how it is read today, and the seconds that are left."""

    ports: RunPorts
    order: RunOrder
    plan: Plan | Build
    documents: RunDocuments
    remaining: EndOfTime = field(repr=False)

    @property
    def source_store(self) -> ObjectStore:
        """Where the source is."""
        return self.ports.stores[self.plan.source_connection]

    @property
    def target_store(self) -> ObjectStore:
        """Where outputs go, and what the run keeps of itself."""
        return self.documents.store

    @property
    def parts(self) -> int:
        """How many parts the run has, once it is divided."""
        path = FRAME if self.has_whole_files else PARTS
        return get_integer(self.documents.read(path), "count")

    @property
    def has_whole_files(self) -> bool:
        """Whether parts are batches of files that are not cut: a folder's, or the members of an archive."""
        return isinstance(self.plan, Build) or self.plan.file_of_members is not None

    @property
    def formats(self) -> frozenset[FileFormat] | None:
        """Those of all files of a folder or an archive; None of one file."""
        if not self.has_whole_files:
            return None
        return frozenset(FileFormat(str(name)) for name in get_items(self.documents.read(FRAME), "formats"))

    @property
    def ignored_members(self) -> str | None:
        """Which members of an archive are not read, and why, in words."""
        if isinstance(self.plan, Build) or self.plan.file_of_members is None:
            return None
        reason = self.documents.read(FRAME)["reason"]
        return None if reason is None else str(reason)

    @property
    def file_source(self) -> FileSource:
        """What is read of the one file: the source, or what it was inflated into."""
        assert isinstance(self.plan, Plan)  # noqa: S101 - for the type checker: a folder has many files
        return file_source(self.plan, self.order, self.documents, self.source_store)

    @property
    def request(self) -> Request:
        """What the run was started for."""
        return request_of(self.order)

    @property
    def delivery(self) -> Delivery:
        """The receipt of a message that a run has in place of one."""
        return Delivery(message_id=self.order.run, remaining=self.remaining)

    def sources(self, index: int, survey: Document | None = None) -> RunSources:
        """What a part reads; of a folder's files, as its survey pinned them."""
        if isinstance(self.plan, Build):
            return FilesOfFolder.read(self.plan, self.documents, self.source_store, index, survey)
        if self.plan.file_of_members is not None:
            return MembersOfArchive.read(self.plan, self.order, self.documents, self.source_store, index)
        return PartOfFile.read(self.plan, self.order, self.documents, self.source_store, index)

    @property
    def recipe(self) -> Recipe:
        """The plan's recipe, whose outputs say inside where they come from, with row groups for the run's size."""
        recipe = self.plan.recipe.with_lineage(self._lineage().inside_file())
        return replace(recipe, write=replace(recipe.write, group_bytes=group_bytes_of(self.order.size)))

    def _lineage(self) -> Lineage:
        """As one invocation would say inside the file: nothing that differs between two runs over the same bytes."""
        is_table = isinstance(self.plan, Plan) and isinstance(self.plan.way, SnapshotTable)
        sync = self.order.sync
        return Lineage.of(
            sync=table_sync(sync) if is_table else sync,
            source=self.order.source,
            etag=str(self.order.version.etag),
            version_id=None,
            sequencer=None,
            fence=self.order.fence,
            fingerprint=self.order.fingerprint,
            engine=self.order.engine,
        )

    def context(self, index: int) -> ConversionContext:
        """What a part's conversion takes from its surroundings; all parts have the same instant."""
        needs_key = self.plan.recipe.transform.needs_key
        return ConversionContext(
            now=self.order.now,
            key=self.ports.obfuscation_key() if needs_key else None,
            on_batch=self.time_limit(index),
        )

    def inflating_limit(self) -> Callable[[int], None]:
        """A check that stops inflating before its invocation ends."""

        def describe(text_bytes: int) -> str:
            return (
                f"{self.order.source} can only be unpacked from its beginning on: {text_bytes:,} bytes of its text"
                " were, when the time of the invocation ran out. Write it as several files, as Zstandard or"
                " uncompressed, or give the functions more memory, then reprocess it"
            )

        return self._refuse_when_late(describe)

    def time_limit(self, index: int) -> Callable[[int], None]:
        """A check that stops a part's work before its invocation ends."""

        # A part of 300 MB may be one file of 300 MB: smaller parts would not divide it.
        of_files = ", divide its largest files (a file of a folder or an archive is in one part)"

        def describe(rows: int) -> str:
            return (
                f"part {index + 1:,} of {self.order.source} was read up to its row {rows:,} when the time of the"
                " invocation ran out. Give the functions more memory (they get processors in proportion)"
                f"{of_files if self.has_whole_files else ''}, or make parts smaller (part_bytes), then reprocess it"
            )

        return self._refuse_when_late(describe)

    def _refuse_when_late(self, describe: Callable[[int], str]) -> Callable[[int], None]:
        def check(count: int) -> None:
            if self.remaining() <= stop_seconds(self.ports.timeout_seconds):
                raise TooBig(describe(count))

        return check


def request_of(order: RunOrder) -> Request:
    """What a run was started for, as a request."""
    change = ObjectChange(kind=ChangeKind.CREATED, ref=order.source)
    return Request(
        change=change,
        sync=order.sync,
        run_id=order.run_id,
        reset_schema=order.reset_schema,
        decides_format=order.decides_format,
        deployment=order.deployment,
    )


def find_made_entry(order: RunOrder, ports: RunPorts) -> Entry | None:
    """The entry of what the run has published; None if it has not, or if that is another's by now."""
    entry = ports.claims.ledger.get(order.sync, order.source)
    is_made = entry is not None and entry.state in DONE_STATES and entry.fence == order.fence
    return entry if is_made else None


def leave_result(documents: RunDocuments, path: str, do: Callable[[], dict[str, Any]]) -> None:
    """Do a child's work and leave what came of it at ``path``, if that is not there already.

    Work that the data refuse is a result, not an exception: the phase behind the map settles it. The children that
    begin later find the mark beside it, and do nothing.
    """
    mark = f"{path.rpartition('/')[0]}/stopped.json"
    if documents.find(path) is not None or documents.find(mark) is not None:
        return
    document = _attempt(do)
    documents.write(path, document)
    if document["status"] in {REFUSED, CHANGED}:
        documents.write(mark, {"status": document["status"]})


def _attempt(do: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return {"status": DONE, **do()}
    except unify.Lossy as lossy:
        return {"status": LOSSY, "column": lossy.column}
    except (ObjectChanged, ObjectGone) as changed:
        return {"status": CHANGED, "reason": str(changed)}
    except DataError as error:
        return {"status": REFUSED, "failure": failure_to_document(Failure.of(error))}


class PartRefused(Exception):
    """A part was refused for what its source holds; no error of the whole: it is settled as the part's failure."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Gathered:
    """What the children of a map left, in the order of the parts, and the parts that left nothing."""

    found: tuple[Document, ...]
    missing: tuple[int, ...]


def gather(documents: RunDocuments, paths: Sequence[str]) -> Gathered:
    """The results of a map.

    Raises PartRefused for the first part that was refused, ObjectChanged for one whose source is no longer to be had.
    """
    found, missing = list[Document](), list[int]()
    for index, result in enumerate(documents.find_all(paths)):
        if result is None:
            missing.append(index)
        elif result["status"] == REFUSED:
            raise PartRefused(failure_from_document(result["failure"]))
        elif result["status"] == CHANGED:
            raise ObjectChanged(str(result["reason"]))
        else:
            found.append(result)
    return Gathered(tuple(found), tuple(missing))


def find_plan(order: RunOrder, ports: RunPorts) -> Plan | Build:
    """How the source is read; raise LostRace if that is no longer what the run was begun for.

    A deployment in mid-run may bring another configuration, or an engine that writes other bytes. The run ends then,
    and the object is asked for once more.
    """
    plans = ports.planner.plan(order.source, only=order.sync)
    for plan in plans:
        is_same = (plan.fingerprint, plan.shape) == (order.fingerprint, order.shape)
        if isinstance(plan, Plan | Build) and is_same and release_of(ports.claims.engine) == release_of(order.engine):
            return plan
    raise LostRace(
        f"the configuration of sync {order.sync!r}, or the release of Millrace, is another than when the run"
        f" {order.run} began; {order.source} is asked for once more"
    )
