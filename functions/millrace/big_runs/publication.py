"""The end of a run that came through: its parts become one object, whole or absent, under a claim of the run.

The claim is the one that the object was claimed under when the run began: same fence, and an entry that still names the
run. Whatever came since (newer bytes, a deletion, a person's wish) has taken it, and then the run ends quietly.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from millrace.big_runs.assembling import JoinedContent, JoinedUpload
from millrace.big_runs.converting import PartResult, PrivateOutput
from millrace.big_runs.folder_files import sum_up_files
from millrace.big_runs.run_work import LOSSY, RunWork, gather
from millrace.big_runs.sources import head_of
from millrace.big_runs.surveying import KnownTable, Round
from millrace.delivery.builds import lineage_of_build
from millrace.delivery.deadline import stop_seconds
from millrace.delivery.object_conversion import lineage_of
from millrace.delivery.publishing import NewerOutput, finish_after_newer_output, publish
from millrace.delivery.snapshot_table import GrantedWork, SnapshotTables, table_of
from millrace.delivery.table_files import TableFiles
from millrace.delivery.table_format import open_format
from millrace.engine.options import FileFormat, OutputCompression
from millrace.engine.outputs import MOST_PARTITIONS
from millrace.engine.row_counts import NO_ROWS, RowCounts
from millrace.errors import DataError, MiscountedRows, TooManyPartitions
from millrace.ledger.entries import Entry, Finish, Output, State, WorkEntry
from millrace.ledger.rules import E
from millrace.objects.lineage import Lineage
from millrace.objects.references import ObjectRef
from millrace.objects.store import OpenedObject
from millrace.planning.plans import Build, Plan, at_claim


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertedParts:
    """What the parts of the present round became."""

    round: Round
    table: KnownTable
    results: tuple[PartResult, ...]

    @property
    def rows(self) -> RowCounts:
        """The rows of all parts; raise MiscountedRows if one came from nowhere or went there."""
        total = sum((result.rows for result in self.results), NO_ROWS)
        total.check()
        written = sum(output.rows for result in self.results for output in result.outputs)
        if written != total.written:
            raise MiscountedRows(
                f"{total.written:,} rows were written, the parts hold {written:,}; nothing is published. This is a"
                " defect of Millrace: please report it with the file"
            )
        return total

    def outputs(self) -> dict[str | None, tuple[PrivateOutput, ...]]:
        """The private outputs by the partition that they are of, in the order of the parts."""
        by_directory = dict[str | None, list[PrivateOutput]]()
        for result in self.results:
            for output in result.outputs:
                by_directory.setdefault(output.directory, []).append(output)
        return {directory: tuple(outputs) for directory, outputs in by_directory.items()}

    def quarantine(self) -> tuple[PrivateOutput, ...]:
        """What was put aside, in the order of the parts."""
        return tuple(result.quarantine for result in self.results if result.quarantine is not None)


def read_parts(work: RunWork, round_: Round) -> ConvertedParts | frozenset[str] | tuple[int, ...]:
    """What the parts of a round became; or the columns that did not survive; or the parts that left nothing.

    Raises as ``gather``.
    """
    gathered = gather(work.documents, list(map(round_.path, range(work.parts))))
    lossy = frozenset(str(result["column"]) for result in gathered.found if result["status"] == LOSSY)
    if gathered.missing:
        return gathered.missing
    if lossy:
        return lossy
    table = KnownTable.from_document(work.documents.read(round_.table_path))
    results = tuple(map(PartResult.from_document, gathered.found))
    return ConvertedParts(round=round_, table=table, results=results)


@dataclass(frozen=True, slots=True)
class _PlacedOutput:
    """An output that is to be published, and where: rows of a partition, or bad rows."""

    upload: JoinedUpload
    ref: ObjectRef
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """Publishes what the parts became, as one invocation would have."""

    work: RunWork
    parts: ConvertedParts

    def publish(self, claimed: Entry) -> tuple[Entry, Finish]:
        """The claim as it was last put, and what to settle it with.

        Raises OutOfTime if another invocation must go on, WorkInFlight if another is at work on the table.
        """
        plan, order = self.work.plan, self.work.order
        if isinstance(plan, Build):
            return self._publish_build(claimed, at_claim(plan, claimed.fence, claimed.started))
        plan = at_claim(plan, claimed.fence, claimed.started)
        job = GrantedWork(plan, self.work.request, claimed, self.work.delivery, claimed.sequencer)
        job.version = order.version
        job.table_format = open_format(plan, self.work.request, self.work.ports.claims)
        job.is_admitted = job.table_format is None
        try:
            return job.claimed, self._publish_object(job, plan)
        except NewerOutput as newer:
            finish = finish_after_newer_output(
                newer, job.claimed.position, is_current=newer.may_be_made_of(job.version.etag)
            )
            return job.claimed, replace(finish, version=job.version)

    def _publish_object(self, job: GrantedWork[Entry], plan: Plan) -> Finish:
        opened = OpenedObject(head_of(self.work.order), io.BytesIO())
        table = table_of(plan)
        if table is None:
            return self._write(job, opened)
        ports = self.work.ports
        tables = SnapshotTables(
            claims=ports.claims,
            stores=ports.stores,
            files=TableFiles(planner=ports.planner, stores=ports.stores, queues=ports.queues),
            write=self._write,
        )
        return tables.replace_table(job, table, opened)

    def _write(self, job: GrantedWork[E], opened: OpenedObject) -> Finish:
        """Publish the outputs of a file under a claim: the file's own, or its table's."""
        plan, modified = job.plan, opened.head.modified
        lineage = lineage_of(job, opened.head)
        placed = list(self._place(lineage, lambda directory: plan.output(directory, modified), plan.quarantine))
        if not plan.keep_earlier:
            job.claimed = self.work.ports.claims.announce_outputs(job.claimed, [output.ref for output in placed])
        self._prepare(placed)
        if job.table_format is not None:
            job.table_format.bid()
        finish = self._publish_all(placed, lineage, job.claimed)
        if job.table_format is not None:
            job.table_format.decide()
            job.is_admitted = True
        schema = self.parts.table.schema
        return replace(
            finish,
            version=opened.head.version,
            keep_earlier=plan.keep_earlier,
            schema_version=schema.version if schema is not None else None,
            schema_changes=schema.changes if schema is not None else None,
            reason=self.work.ignored_members,
        )

    def _publish_build(self, claimed: Entry, build: Build) -> tuple[Entry, Finish]:
        """The table of a folder; its version is the digest of the files as they were read."""
        read = sum_up_files(self.work, build)
        digest, modified = read.digest, read.modified
        lineage = lineage_of_build(build, claimed, digest)
        placed = list(self._place(lineage, lambda _directory: build.place.target(modified), build.quarantine))
        if not build.keep_earlier:
            claimed = self.work.ports.claims.announce_outputs(claimed, [output.ref for output in placed])
        self._prepare(placed)
        try:
            finish = self._publish_all(placed, lineage, claimed)
        except NewerOutput as newer:
            return claimed, finish_after_newer_output(newer, claimed.position)
        version = replace(self.work.order.version, etag=digest)
        reason = f"made of {read.count:,} files"
        return claimed, replace(finish, version=version, keep_earlier=build.keep_earlier, reason=reason)

    def _place(
        self, lineage: Lineage, output_of: Callable[[str | None], ObjectRef], quarantine: ObjectRef | None
    ) -> Iterator[_PlacedOutput]:
        """All outputs, bad rows first."""
        recipe, metadata = self.work.plan.recipe, lineage.to_metadata()
        aside = self.parts.quarantine()
        if aside and quarantine is not None:
            yield self._join(quarantine, aside, metadata, FileFormat.JSON, None)
        outputs = self.parts.outputs()
        if len(outputs) > MOST_PARTITIONS:
            raise TooManyPartitions(
                f"partition_key: the file has {len(outputs):,} values in the field"
                f" {recipe.transform.partition_key!r}; {MOST_PARTITIONS} are the most that one object is divided into;"
                " choose a field with fewer values, or split the file"
            )
        for directory, private in outputs.items():
            target = output_of(directory)
            yield self._join(target, private, metadata, recipe.target_format, recipe.write.compression)

    def _join(
        self,
        target: ObjectRef,
        private: tuple[PrivateOutput, ...],
        metadata: dict[str, str],
        target_format: FileFormat,
        compression: OutputCompression | None,
    ) -> _PlacedOutput:
        copies = self.work.ports.copies
        content = JoinedContent.of(self.work.target_store, private, target_format, compression, workers=copies)
        rows = sum(output.rows for output in private)
        upload = JoinedUpload(
            documents=self.work.documents,
            target=target,
            metadata=metadata,
            content=content,
            rows=rows,
            workers=copies,
            limits=self.work.ports.limits,
        )
        return _PlacedOutput(upload, target, rows)

    def _prepare(self, placed: list[_PlacedOutput]) -> None:
        least = stop_seconds(self.work.ports.timeout_seconds)
        for output in placed:
            output.upload.prepare(self.work.remaining, least=least)

    def _publish_all(self, placed: list[_PlacedOutput], lineage: Lineage, claimed: WorkEntry) -> Finish:
        rows = self.parts.rows
        try:
            outputs = [self._publish(output, lineage, claimed) for output in placed]
        except (DataError, NewerOutput):
            # Nobody goes on with what was put together, and the store would keep it.
            for output in placed:
                output.upload.discard()
            raise
        state = State.QUARANTINED if rows.quarantined else State.CONVERTED
        return Finish(state=state, outputs=tuple(outputs), rows=rows)

    def _publish(self, output: _PlacedOutput, lineage: Lineage, claimed: WorkEntry) -> Output:
        """Publish an output, unless a child of this very run did so before it was killed."""
        store = self.work.target_store
        head = store.head(output.ref)
        if head is not None and Lineage.from_metadata(head.metadata) == Lineage.from_metadata(lineage.to_metadata()):
            output.upload.discard()
            return Output(ref=output.ref, etag=head.etag, size=head.size, rows=output.rows)
        claims = self.work.ports.claims
        return publish(output.upload, output.ref, claimed, store, rows=output.rows, claims=claims)
