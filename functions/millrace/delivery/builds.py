"""Runs: one table made of all files below a model's folder, once for a burst of changes.

A file that changes asks for the run; the first to ask sends a delayed message and marks the run as waiting in the
ledger, the others find the mark. The run lists the folder, so it sees all that changed until then. Who changes while a
run is at work asks again afterwards.
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
from millrace.delivery.publishing import NewerOutput, behind, published
from millrace.engine.many_files import Source, convert_many
from millrace.engine.one_file import ConversionContext
from millrace.engine.outputs import Destination
from millrace.errors import LostRace, ObjectChanged, ObjectGone
from millrace.ledger.claims import Claims, Delivery
from millrace.ledger.entries import DONE, Entry, Failure, State, has_run_out, is_stale, unseen
from millrace.ledger.rules import Finish
from millrace.objects.lineage import Lineage
from millrace.objects.messages import Request
from millrace.objects.queue import RequestQueue
from millrace.objects.references import ChangeKind, ObjectChange
from millrace.objects.store import ListedObject, ObjectStore, Stores
from millrace.planning.model_syncs import file_of
from millrace.planning.plans import Member, Run, with_extensions

DELAY_SECONDS = 60
"""How long a run waits for what else changes."""
_TRIES = 3
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRuns:
    """Asks for runs, and does them. ``queues`` holds each source connection's queue."""

    claims: Claims
    stores: Stores | Mapping[str, ObjectStore]
    queues: Mapping[str, RequestQueue]
    timeout_seconds: float

    def ask(self, member: Member, request: Request) -> Finish:
        """Have the run of a changed file done soon; the file waits for it."""
        for _ in range(_TRIES):
            entry = self.claims.ledger.get(member.sync, member.run.folder)
            if entry is not None and entry.state is State.IN_FLIGHT and not has_run_out(entry, self.claims.now()):
                busy = LostRace(f"a run over {member.run.folder} is at work; this change is looked at after it")
                return Finish(state=State.FAILED, failure=Failure.of(busy))
            if entry is not None and entry.state is State.WAITING and not is_stale(entry, self.claims.now()):
                return _asked(member, request)
            self._send(member.run)
            try:
                self.claims.ledger.put(_marked(entry, member.run, self.claims))
            except LostRace:
                continue
            return _asked(member, request)
        return Finish(state=State.FAILED, failure=Failure.of(LostRace(f"{member.run.folder} is asked for by many")))

    def ask_again(self, member: Member, request: Request, settled: Entry) -> None:
        """Where the run was over before its file was written down as waiting, have another one, which finds it so."""
        entry = self.claims.ledger.get(member.sync, member.run.folder)
        if settled.state is State.WAITING and entry is not None and entry.settled and entry.state is not State.WAITING:
            self.ask(member, request)

    def _send(self, run: Run) -> None:
        change = ObjectChange(kind=ChangeKind.CREATED, ref=run.folder)
        request = Request(change=change, sync=run.sync)
        self.queues[run.source_connection].send([request], delay_seconds=DELAY_SECONDS)

    def work(self, run: Run, request: Request, claimed: Entry, delivery: Delivery) -> Entry:
        """Make the table of all files that are there now, and settle. Raises LostRace where the claim is lost.

        Where they are those of the last run, under the same configuration, only a manual run makes it again.
        """
        if not run.keep_earlier:
            aside = [run.quarantine] if run.quarantine else []
            claimed = self.claims.intend(claimed, [run.place.target(_EPOCH), *aside])
        finish = self._attempt(run, request, claimed, delivery)
        return self.claims.settle(claimed, finish, self.stores[run.target_connection])

    def _attempt(self, run: Run, request: Request, claimed: Entry, delivery: Delivery) -> Finish:
        try:
            return self._finish(run, request, claimed, delivery)
        except NewerOutput as newer:
            return behind(newer, claimed)
        except Exception as error:  # noqa: BLE001 - settled as failed; what is not ours counts as transient and is kept
            return Finish(state=State.FAILED, failure=Failure.of(error))

    def _finish(self, run: Run, request: Request, claimed: Entry, delivery: Delivery) -> Finish:
        store = self.stores[run.source_connection]
        prefix = run.folder.key if run.folder.key != "/" else ""
        files = [one for one in store.list(run.folder.bucket, prefix) if file_of(run, one.ref.key) is not None]
        digest = _digest(run, files)
        if claimed.etag == digest and request.run_id is None and self._stands(run, claimed):
            finish = _unchanged(claimed)
        else:
            finish = self._write(run, claimed, files, digest, delivery)
        for file in files:
            self._part_of(run, file, claimed)
        return finish

    def _stands(self, run: Run, claimed: Entry) -> bool:
        """Whether the last run's outputs are still what it wrote: who was killed since may have written over them."""
        heads = [self.stores[run.target_connection].head(output.ref) for output in claimed.outputs]
        known = [output.etag for output in claimed.outputs]
        return bool(heads) and [head.etag if head else None for head in heads] == known

    def _write(self, run: Run, claimed: Entry, files: list[ListedObject], digest: str, delivery: Delivery) -> Finish:
        lineage = _lineage(run, claimed, digest)
        target, metadata = self.stores[run.target_connection], lineage.to_metadata()
        modified = max((file.modified for file in files), default=_EPOCH)
        place, quarantine = run.place, run.quarantine
        done = convert_many(
            [self._source(run, file) for file in files],
            replace(run.recipe, write=replace(run.recipe.write, lineage=lineage.inside_file())),
            Destination(
                open_output=lambda _directory: target.upload(place.target(modified), metadata),
                open_quarantine=partial(target.upload, quarantine, metadata) if quarantine else None,
            ),
            ConversionContext(now=self.claims.now(), on_batch=time_limit(run.folder, delivery, self.timeout_seconds)),
        )
        finish = published(
            done, claimed, target, output=lambda _directory: place.target(modified), quarantine=quarantine
        )
        return replace(finish, etag=digest, keep_earlier=run.keep_earlier, reason=f"made of {len(files):,} files")

    def _source(self, run: Run, file: ListedObject) -> Source:
        found = file_of(run, file.ref.key)
        assert found is not None  # noqa: S101 - told to the type checker: only files of the run are asked for
        return Source(
            name=str(file.ref),
            format=found.format,
            read=with_extensions(run.read, found),
            open=partial(_open, self.stores[run.source_connection], file),
        )

    def _part_of(self, run: Run, file: ListedObject, claimed: Entry) -> None:
        """Write down that a file is in the table; who changed it meanwhile writes something newer."""
        entry = self.claims.ledger.get(run.sync, file.ref)
        if entry is not None and (entry.state is State.IN_FLIGHT or _knows(entry, run, file)):
            return
        base = entry or unseen(run.sync, file.ref, fingerprint=run.fingerprint, engine=claimed.engine)
        part = replace(
            base,
            state=State.CONVERTED,
            revision=base.revision + 1,
            # The event that failed comes again, and may tell of what happened since the files were listed.
            sequencer=base.sequencer if base.settled else None,
            fingerprint=run.fingerprint,
            etag=file.etag,
            size=file.size,
            started=claimed.started,
            finished=self.claims.now(),
            failure=None,
            reason=f"a file of the table that {run.folder} is",
        )
        try:
            self.claims.ledger.put(part)
        except LostRace:
            return


def _knows(entry: Entry, run: Run, file: ListedObject) -> bool:
    return entry.state in DONE and entry.etag == file.etag and entry.fingerprint == run.fingerprint


def _asked(member: Member, request: Request) -> Finish:
    if request.change.kind is ChangeKind.REMOVED:
        return Finish(state=State.REMOVED, reason="the file was deleted; its table is made again")
    return Finish(state=State.WAITING, reason=f"the table that {member.run.folder} is, is made again soon")


def _marked(entry: Entry | None, run: Run, claims: Claims) -> Entry:
    base = entry or unseen(run.sync, run.folder, fingerprint=run.fingerprint, engine=claims.engine)
    return replace(
        base,
        state=State.WAITING,
        revision=base.revision + 1,
        started=claims.now(),
        lease_until=None,
        owner=None,
        reason="a run is asked for",
    )


def _digest(run: Run, files: list[ListedObject]) -> str:
    """What the table is made of: files with their ETags, and the configuration."""
    told = [run.fingerprint, *(f"{file.ref.key}\0{file.etag}" for file in files)]
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


def _lineage(run: Run, claimed: Entry, digest: str) -> Lineage:
    return Lineage.of(
        sync=run.sync,
        source=run.folder,
        etag=digest,
        version_id=None,
        sequencer=None,
        fence=claimed.fence,
        fingerprint=run.fingerprint,
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
