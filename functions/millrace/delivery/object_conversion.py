"""Convert an opened object as its plan says, and publish what it became. Needs pyarrow: see ``object_work``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import BinaryIO, assert_never

from millrace.delivery.deadline import time_limit
from millrace.delivery.object_origin import origin_of
from millrace.delivery.publishing import publish_all, published
from millrace.delivery.snapshot_table import GrantedWork, table_of
from millrace.delivery.table_conversion import Convert, InTable, Within, convert_in_table, members_of, open_whole
from millrace.delivery.table_format import OpenFormat
from millrace.engine.destination import Converted, Destination, discard_all
from millrace.engine.file_origin import FileOrigin
from millrace.engine.formats.registry import FORMATS
from millrace.engine.formats.streams.decompression import open_unpacked, peek, read_fully
from millrace.engine.formats.streams.first_bytes import HEAD_BYTES, is_tar
from millrace.engine.one_file import ConversionContext
from millrace.engine.parts.cutting import can_text_be_cut, plan_file
from millrace.engine.parts.framed import needs_inflating
from millrace.engine.recipe import Recipe
from millrace.errors import DataError, TooBig
from millrace.ledger.claims import Claims
from millrace.ledger.entries import Finish, State
from millrace.ledger.rules import E
from millrace.objects.lineage import Lineage
from millrace.objects.store import ObjectHead, ObjectStore, OpenedObject, Stores, Upload
from millrace.planning.plans import (
    ArchiveOutput,
    ArchiveTables,
    OwnOutput,
    Plan,
    SharedTable,
    SnapshotTable,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectConversion:
    """Converts what was granted. ``timeout_seconds`` is a whole invocation's time."""

    claims: Claims
    stores: Stores | Mapping[str, ObjectStore]
    timeout_seconds: float
    obfuscation_key: Callable[[], bytes | None]

    def write(self, job: GrantedWork[E], opened: OpenedObject) -> Finish:
        """Write the outputs of an opened object and publish them; nothing is visible before all of it is converted."""
        if isinstance(job.plan.way, ArchiveTables):
            return self._write_members(job, opened, job.plan.way)
        plan, head = job.plan, opened.head
        in_table = self._convert(job, opened, self._recipe(job, plan, head), self._destination(job, plan, head))
        quarantine = plan.quarantine
        if not plan.keep_earlier:
            job.claimed = self._announce(job.claimed, in_table.done, plan, head.modified)
        store = self.stores[plan.target_connection]
        finish = published(
            in_table.done,
            job.claimed,
            store,
            output=lambda one: plan.output(one, head.modified),
            quarantine=quarantine,
            claims=self.claims,
        )
        if job.table_format is not None:
            job.table_format.decide()
            job.is_admitted = True
        return replace(
            finish,
            version=head.version,
            keep_earlier=plan.keep_earlier,
            schema_version=in_table.version,
            schema_changes=in_table.changes,
            reason=in_table.reason,
        )

    def _recipe(self, job: GrantedWork[E], plan: Plan, head: ObjectHead) -> Recipe:
        """The plan's recipe, whose outputs say inside where they come from."""
        return plan.recipe.with_lineage(lineage_of(job, head).inside_file())

    def _destination(self, job: GrantedWork[E], plan: Plan, head: ObjectHead) -> Destination[Upload]:
        store, metadata = self.stores[job.plan.target_connection], lineage_of(job, head).to_metadata()
        quarantine = plan.quarantine
        return Destination(
            open_output=lambda directory: store.upload(plan.output(directory, head.modified), metadata),
            open_quarantine=partial(store.upload, quarantine, metadata) if quarantine else None,
        )

    def _context(self, job: GrantedWork[E], plan: Plan, head: ObjectHead) -> ConversionContext:
        return ConversionContext(
            now=self.claims.now(),
            key=self.obfuscation_key() if plan.recipe.transform.needs_key else None,
            origin=origin_of(job.plan.source, head),
            on_batch=partial(_check_time, job, time_limit(job.plan.source, job.delivery, self.timeout_seconds)),
        )

    def _write_members(self, job: GrantedWork[E], opened: OpenedObject, way: ArchiveTables) -> Finish:
        from millrace.delivery.archive_tables import (  # noqa: PLC0415 - most objects have no members
            MemberConversion,
            open_tables,
        )

        head = opened.head
        conversion = MemberConversion(
            recipe_of=lambda plan: self._recipe(job, plan, head),
            destination_of=lambda plan: self._destination(job, plan, head),
            output_of=lambda plan, directory: plan.output(directory, head.modified),
            context_of=lambda plan: self._context(job, plan, head),
        )
        with open_tables(opened.stream, way, job.plan.source.key) as archive:
            members = conversion.convert_all(archive, way)
        if not members.ready:
            # No outputs, not those of an earlier version: its tables are gone, as one is that a newer version lacks.
            return Finish(state=State.IGNORED, outputs=(), version=head.version, reason=members.reason)
        try:
            # Written down before it is published: a worker that is killed in between leaves no output that nobody
            # knows.
            job.claimed = self.claims.announce_outputs(job.claimed, [one.ref for one in members.ready])
        except BaseException:
            discard_all([one.upload for one in members.ready])
            raise
        store = self.stores[job.plan.target_connection]
        finish = publish_all(members.ready, members.rows, job.claimed, store, claims=self.claims)
        return replace(finish, version=head.version, reason=members.reason)

    def _convert(
        self, job: GrantedWork[E], opened: OpenedObject, recipe: Recipe, destination: Destination[Upload]
    ) -> InTable:
        plan, context = job.plan, self._context(job, job.plan, opened.head)
        with open_whole(plan, opened.stream) as whole:
            match plan.way:
                case ArchiveOutput() | OwnOutput() | SnapshotTable():
                    done = whole.convert(recipe, destination, context)
                    return InTable(_bid_for(job.table_format, done), reason=whole.reason)
                case SharedTable() as shared:
                    # The bid comes before the schema is remembered: a file of another format adds nothing to it.
                    convert_with = whole.into_table(recipe, destination, context)
                    bidding = partial(_bid_within, job.table_format, convert_with)
                    in_table = convert_in_table(plan, shared, job.request, self.claims, bidding)
                    return replace(in_table, reason=whole.reason)
                case ArchiveTables():
                    raise NotImplementedError("the members of an archive are converted by themselves")
                case _:
                    assert_never(plan.way)

    def _announce(self, claimed: E, done: Converted[Upload], plan: Plan, modified: datetime) -> E:
        aside = [plan.quarantine] if done.quarantine is not None and plan.quarantine is not None else []
        try:
            return self.claims.announce_outputs(
                claimed, [*(plan.output(one.directory, modified) for one in done.parts), *aside]
            )
        except BaseException:
            done.discard()
            raise


def _check_time(job: GrantedWork[E], check: Callable[[int], None], rows: int) -> None:
    """Check the time of the invocation, and remember if a whole one's was not enough."""
    try:
        check(rows)
    except TooBig:
        job.is_too_long = True
        raise


def can_be_cut(plan: Plan, stream: BinaryIO, part_bytes: int) -> bool:
    """Whether an opened object can be divided, by its head; what is wrong with it one invocation says as ever."""
    recipe = plan.recipe
    try:
        if plan.file_of_members is not None:
            return _has_members(plan, stream)
        if FORMATS[recipe.source_format].parts is not None and needs_inflating(
            stream, recipe.source_format, recipe.read
        ):
            return can_text_be_cut(stream, recipe.source_format, recipe.read)
        frame = plan_file(stream, recipe.source_format, recipe.read, part_bytes=part_bytes)
    except DataError:
        return False
    finally:
        stream.seek(0)
    return len(frame.ranges) > 1


def _has_members(plan: Plan, stream: BinaryIO) -> bool:
    """Whether an archive may have several members. A tar names them all over the file, where the run looks for them.

    Raises what the archive, or the beginning of a compressed tar, is refused for.
    """
    from millrace.engine.formats.streams.archive import is_compressed_tar  # noqa: PLC0415 - most files are no archives

    head = peek(stream)
    if is_tar(head):
        return True
    if is_compressed_tar(stream, plan.source.key):
        return len(read_fully(open_unpacked(stream), HEAD_BYTES)) == HEAD_BYTES
    with open_whole(plan, stream) as whole:
        return whole.archive is not None and len(members_of(plan, whole.archive, FileOrigin())) > 1


def _bid_for(table_format: OpenFormat | None, done: Converted[Upload]) -> Converted[Upload]:
    """A finished conversion, if its file's format is or may become its table's."""
    try:
        if table_format is not None:
            table_format.bid()
    except BaseException:
        done.discard()
        raise
    return done


def _bid_within(table_format: OpenFormat | None, convert_with: Convert, within: Within) -> Converted[Upload]:
    return _bid_for(table_format, convert_with(within))


def lineage_of(job: GrantedWork[E], head: ObjectHead) -> Lineage:
    """What the outputs of a granted object, or of its table, say of themselves."""
    claimed = job.claimed
    return Lineage.of(
        sync=claimed.stored_sync,
        source=job.plan.source,
        owner=table_of(job.plan),
        etag=head.etag,
        version_id=head.version_id,
        sequencer=job.position or claimed.position,
        fence=claimed.fence,
        fingerprint=job.plan.fingerprint,
        engine=claimed.engine,
    )
