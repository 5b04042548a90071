"""Builds: one table made of all files below a model's folder, once for a burst of changes.

A file that changes asks for the build; the first to ask sends a delayed message and marks the build as waiting in the
ledger, the others find the mark. The build lists the folder, so it sees all that changed until then. Who changes while
a build is at work asks again afterwards.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import BinaryIO

from millrace.delivery.deadline import time_limit
from millrace.delivery.publishing import NewerOutput, finish_after_newer_output, published
from millrace.engine.many_files import Source, convert_many
from millrace.engine.one_file import ConversionContext
from millrace.engine.outputs import Destination
from millrace.errors import LostRace, ObjectChanged, ObjectGone, WorkInFlight
from millrace.ledger.claims import Claims, Delivery
from millrace.ledger.entries import DONE, Entry, Failure, Finish, State, is_at_work, is_stale, unseen
from millrace.ledger.races import retry_lost_race
from millrace.objects.lineage import Lineage
from millrace.objects.messages import Request
from millrace.objects.queue import RequestQueue
from millrace.objects.references import ChangeKind, ObjectChange
from millrace.objects.store import ListedObject, ObjectStore, Stores
from millrace.planning.model_syncs import file_of
from millrace.planning.plans import Build, SourceFile, with_extensions

DELAY_SECONDS = 60
"""How long a build waits for what else changes."""
_TRIES = 3
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Builds:
    """Asks for builds, and does them. ``queues`` holds each source connection's queue."""

    claims: Claims
    stores: Stores | Mapping[str, ObjectStore]
    queues: Mapping[str, RequestQueue]
    timeout_seconds: float

    def ask(self, file: SourceFile, request: Request) -> Finish:
        """Have the build of a changed file done soon; the file waits for it."""
        try:
            return retry_lost_race(
                lambda: self._ask_once(file, request),
                tries=_TRIES,
                problem=f"{file.build.folder} is asked for by many",
            )
        except LostRace as lost:
            return Finish(state=State.FAILED, failure=Failure.of(lost))

    def _ask_once(self, file: SourceFile, request: Request) -> Finish:
        entry, now = self.claims.ledger.get(file.sync, file.build.folder), self.claims.now()
        if entry is not None and is_at_work(entry, now):
            busy = WorkInFlight(f"a run over {file.build.folder} is at work; this change is looked at after it")
            return Finish(state=State.FAILED, failure=Failure.of(busy))
        is_asked_for = entry is not None and entry.state is State.WAITING and not is_stale(entry, now)
        if not is_asked_for:
            self._send(file.build)
            self.claims.ledger.put(_marked(entry, file.build, self.claims))
        return _asked(file, request)

    def ask_again(self, file: SourceFile, request: Request, settled: Entry) -> None:
        """Where the build was over before its file was written down as waiting, have another one, which finds it so."""
        entry = self.claims.ledger.get(file.sync, file.build.folder)
        if settled.state is State.WAITING and entry is not None and entry.settled and entry.state is not State.WAITING:
            self.ask(file, request)

    def _send(self, build: Build) -> None:
        change = ObjectChange(kind=ChangeKind.CREATED, ref=build.folder)
        request = Request(change=change, sync=build.sync)
        self.queues[build.source_connection].send([request], delay_seconds=DELAY_SECONDS)

    def work(self, build: Build, request: Request, claimed: Entry, delivery: Delivery) -> Entry:
        """Make the table of all files that are there now, and settle. Raises LostRace where the claim is lost.

        Where they are those of the last build, under the same configuration, only a manual run makes it again.
        """
        if not build.keep_earlier:
            aside = [build.quarantine] if build.quarantine else []
            claimed = self.claims.announce_outputs(claimed, [build.place.target(_EPOCH), *aside])
        finish = self._attempt(build, request, claimed, delivery)
        return self.claims.settle(claimed, finish, self.stores[build.target_connection])

    def _attempt(self, build: Build, request: Request, claimed: Entry, delivery: Delivery) -> Finish:
        try:
            return self._finish(build, request, claimed, delivery)
        except NewerOutput as newer:
            return finish_after_newer_output(newer, claimed.position)
        except Exception as error:  # noqa: BLE001 - settled as failed; what is not ours counts as transient and is kept
            return Finish(state=State.FAILED, failure=Failure.of(error))

    def _finish(self, build: Build, request: Request, claimed: Entry, delivery: Delivery) -> Finish:
        store = self.stores[build.source_connection]
        prefix = build.folder.key if build.folder.key != "/" else ""
        files = [one for one in store.list(build.folder.bucket, prefix) if file_of(build, one.ref.key) is not None]
        digest = _digest(build, files)
        if claimed.etag == digest and request.run_id is None and self._stands(build, claimed):
            finish = _unchanged(claimed)
        else:
            finish = self._write(build, claimed, files, digest, delivery)
        for file in files:
            self._part_of(build, file, claimed)
        return finish

    def _stands(self, build: Build, claimed: Entry) -> bool:
        """Whether the last build's outputs are still what it wrote: who was killed since may have written over them."""
        heads = [self.stores[build.target_connection].head(output.ref) for output in claimed.outputs]
        known = [output.etag for output in claimed.outputs]
        return bool(heads) and [head.etag if head else None for head in heads] == known

    def _write(
        self, build: Build, claimed: Entry, files: list[ListedObject], digest: str, delivery: Delivery
    ) -> Finish:
        lineage = _lineage(build, claimed, digest)
        target, metadata = self.stores[build.target_connection], lineage.to_metadata()
        modified = max((file.modified for file in files), default=_EPOCH)
        place, quarantine = build.place, build.quarantine
        done = convert_many(
            [self._source(build, file) for file in files],
            replace(build.recipe, write=replace(build.recipe.write, lineage=lineage.inside_file())),
            Destination(
                open_output=lambda _directory: target.upload(place.target(modified), metadata),
                open_quarantine=partial(target.upload, quarantine, metadata) if quarantine else None,
            ),
            ConversionContext(now=self.claims.now(), on_batch=time_limit(build.folder, delivery, self.timeout_seconds)),
        )
        finish = published(
            done, claimed, target, output=lambda _directory: place.target(modified), quarantine=quarantine
        )
        return replace(finish, etag=digest, keep_earlier=build.keep_earlier, reason=f"made of {len(files):,} files")

    def _source(self, build: Build, file: ListedObject) -> Source:
        found = file_of(build, file.ref.key)
        assert found is not None  # noqa: S101 - told to the type checker: only files of the run are asked for
        return Source(
            name=str(file.ref),
            format=found.format,
            read=with_extensions(build.read, found),
            open=partial(_open, self.stores[build.source_connection], file),
        )

    def _part_of(self, build: Build, file: ListedObject, claimed: Entry) -> None:
        """Write down that a file is in the table; who changed it meanwhile writes something newer."""
        entry = self.claims.ledger.get(build.sync, file.ref)
        if entry is not None and (entry.state is State.IN_FLIGHT or _knows(entry, build, file)):
            return
        base = entry or unseen(build.sync, file.ref, fingerprint=build.fingerprint, engine=claimed.engine)
        part = replace(
            base,
            state=State.CONVERTED,
            revision=base.revision + 1,
            # The event that failed comes again, and may tell of what happened since the files were listed.
            sequencer=base.sequencer if base.settled else None,
            fingerprint=build.fingerprint,
            etag=file.etag,
            size=file.size,
            started=claimed.started,
            finished=self.claims.now(),
            failure=None,
            reason=f"a file of the table that {build.folder} is",
        )
        try:
            self.claims.ledger.put(part)
        except LostRace:
            return


def _knows(entry: Entry, build: Build, file: ListedObject) -> bool:
    return entry.state in DONE and entry.etag == file.etag and entry.fingerprint == build.fingerprint


def _asked(file: SourceFile, request: Request) -> Finish:
    if request.change.kind is ChangeKind.REMOVED:
        return Finish(state=State.REMOVED, reason="the file was deleted; its table is made again")
    return Finish(state=State.WAITING, reason=f"the table that {file.build.folder} is, is made again soon")


def _marked(entry: Entry | None, build: Build, claims: Claims) -> Entry:
    base = entry or unseen(build.sync, build.folder, fingerprint=build.fingerprint, engine=claims.engine)
    return replace(
        base,
        state=State.WAITING,
        revision=base.revision + 1,
        started=claims.now(),
        lease_until=None,
        owner=None,
        reason="a run is asked for",
    )


def _digest(build: Build, files: list[ListedObject]) -> str:
    """What the table is made of: files with their ETags, and the configuration."""
    told = [build.fingerprint, *(f"{file.ref.key}\0{file.etag}" for file in files)]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:32]


def _unchanged(claimed: Entry) -> Finish:
    return Finish(
        state=State.QUARANTINED if claimed.rows_quarantined else State.CONVERTED,
        rows_read=claimed.rows_read,
        rows_written=claimed.rows_written,
        rows_quarantined=claimed.rows_quarantined,
        rows_filtered=claimed.rows_filtered,
        reason="nothing changed since the last run",
    )


def _lineage(build: Build, claimed: Entry, digest: str) -> Lineage:
    return Lineage.of(
        sync=build.sync,
        source=build.folder,
        etag=digest,
        version_id=None,
        sequencer=None,
        fence=claimed.fence,
        fingerprint=build.fingerprint,
        engine=claimed.engine,
    )


@contextmanager
def _open(store: ObjectStore, file: ListedObject) -> Iterator[BinaryIO]:
    """The version that the listing told; ObjectChanged where it is another by now."""
    try:
        with store.open(file.ref) as opened:
            if opened.head.etag != file.etag:
                raise ObjectChanged(f"{file.ref} was overwritten since it was listed; the run begins again")
            yield opened.stream
    except ObjectGone as gone:
        raise ObjectChanged(f"{file.ref} was deleted since it was listed; the run begins again") from gone
