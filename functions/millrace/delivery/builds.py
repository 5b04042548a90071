"""Builds: one table made of all files below a model's folder, once for a burst of changes.

A file that changes asks for the build; the first to ask sends a delayed message and marks the build as waiting in the
ledger, the others find the mark. The build lists the folder, so it sees all that changed until then. When it has
settled it lists the folder once more: what changed meanwhile is in the next build, for which the same message comes
back. So no message of ours leads to another, however often the folder changes.

    a file      F waiting ──────► is the build at work?  yes: leave it to the second listing; no: ask for a build
    the build   B settled ──────► does the folder differ from what was built?  yes: build again
    Each writes first and reads then, so that one of the two sees the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from millrace.delivery.build_files import FileRecord, FileRecords, PinnedFiles, StoredRecord, trust_file
from millrace.delivery.deadline import stop_seconds, time_limit
from millrace.delivery.publishing import NewerOutput, finish_after_newer_output, published
from millrace.delivery.routing import NO_BIG_RUNS, BigWork, Routing
from millrace.engine.destination import Destination
from millrace.errors import DataError, LostRace, ObjectChanged, ObjectGone, OutOfTime
from millrace.ledger.claims import Claims, Delivery
from millrace.ledger.entries import DONE, Entry, Failure, Finish, State, is_at_work, is_stale
from millrace.ledger.races import retry_lost_race
from millrace.objects.lineage import Lineage
from millrace.objects.messages import Request
from millrace.objects.queue import RequestQueue
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef, SourceVersion
from millrace.objects.store import ListedObject, ObjectStore, Stores, Upload
from millrace.planning.model_syncs import digest_files, select_files
from millrace.planning.plans import Build, SourceFile, at_claim

DELAY_SECONDS = 60
"""How long a build waits for what else changes."""
MOST_BUILDS = 500
"""Receipts of one message for which a build follows: a queue takes 1,000 receipts at most (Amazon SQS API Reference,
"RedrivePolicy"). Then the mark stays, and the next file to change after an hour, or the comparison, asks again."""
_TRIES = 5
"""Of a folder whose files change while they are read, and of a mark that many files want to set."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""The time of a table without files; and for outputs whose keys hold no time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Builds:
    """Asks for builds, and does them. ``queues`` holds each source connection's queue."""

    claims: Claims
    stores: Stores | Mapping[str, ObjectStore]
    queues: Mapping[str, RequestQueue]
    timeout_seconds: float
    routing: Routing = NO_BIG_RUNS

    def ask(self, file: SourceFile, request: Request, claimed: Entry) -> Finish:
        """Have the build of a changed file done soon; the file waits for it.

        A version that the table has already does not wait: a build does not look at files that are as it read them.
        """
        if self._is_too_old(file):
            return Finish(state=State.IGNORED, reason="newer_than leaves the object out")
        is_built = request.change.kind is not ChangeKind.REMOVED and claimed.build.built_etag is not None
        if is_built and claimed.build.built_etag == claimed.version.etag:
            self._ask(file, request)
            return Finish(state=State.CONVERTED, reason=_name_part(file.build))
        return self._ask(file, request)

    def _is_too_old(self, file: SourceFile) -> bool:
        newer_than = file.build.objects.newer_than
        if newer_than is None:
            return False
        head = self.stores[file.build.source_connection].head(file.source)
        return head is not None and head.modified <= newer_than

    def _ask(self, file: SourceFile, request: Request) -> Finish:
        try:
            return retry_lost_race(
                lambda: self._ask_once(file, request),
                tries=_TRIES,
                problem=f"{file.build.folder} is asked for by many",
            )
        except LostRace as lost:
            return Finish(state=State.FAILED, failure=Failure.of(lost))

    def _ask_once(self, file: SourceFile, request: Request) -> Finish:
        entry, now = self.claims.read_to_change(file.sync, file.build.folder), self.claims.now()
        # A build looks at the folder once more when it has settled, and finds the file then.
        if entry is not None and is_at_work(entry, now):
            return _asked(file, request)
        is_asked_for = entry is not None and entry.state is State.WAITING and not is_stale(entry, now)
        if not is_asked_for:
            # Sent before it is written down: if the worker is killed in between, the next file asks again. The other
            # way round nobody would ask, and the entry would say that somebody had.
            self.ask_for_build(file.build)
            self.claims.ledger.put(_marked(entry, file.build, self.claims))
        return _asked(file, request)

    def ask_again(self, file: SourceFile, request: Request, settled: Entry) -> None:
        """If the build was over before its file was written down as waiting, have another one, which finds it so."""
        entry = self.claims.ledger.get(file.sync, file.build.folder)
        is_asked = settled.state in {State.WAITING, State.REMOVED}
        if is_asked and entry is not None and entry.settled and entry.state is not State.WAITING:
            self._ask(file, request)

    def ask_for_build(self, build: Build) -> None:
        """Send the message that has the table made, after a while."""
        change = ObjectChange(kind=ChangeKind.CREATED, ref=build.folder)
        request = Request(change=change, sync=build.sync)
        self.queues[build.source_connection].send([request], delay_seconds=DELAY_SECONDS)

    def work(self, build: Build, request: Request, claimed: Entry, delivery: Delivery) -> Entry:
        """Make the table of all files that are there now, and settle; WAITING: the message comes back for what changed.

        If the files are those of the last build, under the same configuration, only a manual run makes it again.
        Raises LostRace if the claim is lost.
        """
        build = at_claim(build, claimed.fence, claimed.started)
        if not build.keep_earlier:
            quarantine = [build.quarantine] if build.quarantine else []
            claimed = self.claims.announce_outputs(claimed, [build.place.target(_EPOCH), *quarantine])
        work = _BuildWork(build, request, claimed, delivery)
        outcome = self._attempt(work)
        settled = self.claims.settle(claimed, outcome.finish, self.stores[build.target_connection])
        # The message of what is untold comes back, and finds the table as it is: the follow-up is done then.
        if settled.state not in DONE or settled.is_untold:
            return settled
        return self._follow_up_or_fail(work, outcome, settled)

    def crash(self, build: Build, failure: Failure) -> Finish:
        """A build over which workers died: of the files that are there now, which the comparison looks at."""
        refused = digest_files(build, self._list(build))
        return Finish(state=State.FAILED, failure=failure, refused_etag=refused)

    def _attempt(self, work: _BuildWork) -> _BuildOutcome:
        try:
            return self._make(work)
        except NewerOutput as newer:
            return _BuildOutcome(finish_after_newer_output(newer, work.claimed.position))
        except Exception as error:  # noqa: BLE001 - settled as failed; what is not ours counts as transient and is kept
            return _BuildOutcome(Finish(state=State.FAILED, failure=Failure.of(error)))

    def _make(self, work: _BuildWork) -> _BuildOutcome:
        stored, listed_at = self.records.read(work.build), self.claims.now()
        files = self._list(work.build)
        digest = digest_files(work.build, files)
        if self._is_unchanged(work, stored, digest):
            return _BuildOutcome(_unchanged(work.claimed), files, digest, stored, listed_at)
        big = _to_big_work(work, files, digest)
        if self.routing.is_big_folder(big, self.timeout_seconds):
            return _BuildOutcome(self.routing.start(big))
        for _ in range(_TRIES):
            pinned = PinnedFiles(self.stores[work.build.source_connection])
            try:
                return self._write(work, files, pinned, stored, listed_at)
            except (ObjectChanged, ObjectGone):
                # Only here: a file was deleted, or a large one overwritten between its two openings.
                listed_at = self.claims.now()
                files = self._list(work.build)
            except DataError as error:
                refused = digest_files(work.build, files)
                return _BuildOutcome(Finish(state=State.FAILED, failure=Failure.of(error), refused_etag=refused))
        raise LostRace(f"files of {work.build.folder} were deleted or overwritten while they were read, {_TRIES} times")

    def _is_unchanged(self, work: _BuildWork, stored: StoredRecord, digest: str) -> bool:
        """Whether the table is made of these very files, is there still, and nobody asks for it all the same."""
        is_wanted = work.request.run_id is not None and not _is_of_run(stored, work.request)
        return work.claimed.version.etag == digest and not is_wanted and self._has_outputs(work.build, work.claimed)

    def _list(self, build: Build) -> list[ListedObject]:
        listed = self.stores[build.source_connection].list(build.folder.bucket, build.prefix)
        return select_files(build, listed)

    def _has_outputs(self, build: Build, claimed: Entry) -> bool:
        """Whether the last build's outputs are still what it wrote: who was killed since may have written over them."""
        store = self.stores[build.target_connection]
        for output in claimed.outputs:
            head = store.head(output.ref)
            if head is None or head.etag != output.etag:
                return False
        return bool(claimed.outputs)

    def _write(
        self,
        work: _BuildWork,
        files: list[ListedObject],
        pinned: PinnedFiles,
        stored: StoredRecord,
        listed_at: datetime,
    ) -> _BuildOutcome:
        from millrace.delivery.build_conversion import convert_files  # noqa: PLC0415 - pyarrow takes 0.3 s to import

        build, claimed = work.build, work.claimed
        lineage = lineage_of_build(build, claimed, digest_files(build, files))
        target, metadata = self.stores[build.target_connection], lineage.to_metadata()
        modified = max((file.modified for file in files), default=_EPOCH)
        output, quarantine = build.place.target(modified), build.quarantine
        done = convert_files(
            replace(build, recipe=build.recipe.with_lineage(lineage.inside_file())),
            files,
            pinned,
            _to_destination(target, metadata, output, quarantine),
            now=self.claims.now(),
            on_batch=time_limit(build.folder, work.delivery, self.timeout_seconds),
        )
        finish = published(
            done,
            claimed,
            target,
            output=lambda _directory: output,
            quarantine=quarantine,
            claims=self.claims,
        )
        read = list(map(pinned.as_read, files))
        digest = digest_files(build, read)
        reason = f"made of {len(files):,} files"
        finish = replace(finish, version=SourceVersion(etag=digest), keep_earlier=build.keep_earlier, reason=reason)
        return _BuildOutcome(finish, read, digest, stored, listed_at)

    def _follow_up(self, work: _BuildWork, outcome: _BuildOutcome, settled: Entry) -> Entry:
        """Write down that the files are in the table, as far as there is time; then look what changed meanwhile."""
        is_complete, record_etag = self._settle_files(work, outcome)
        try:
            settled = self.name_record(work.build, settled, record_etag)
            if not is_complete:
                late = OutOfTime(f"the table of {work.build.folder} is made; its files are still being written down")
                return self._put_off(settled, late)
            if digest_files(work.build, self._list(work.build)) != outcome.digest:
                return self._wait_for_changes(work, settled)
        except LostRace:
            # A file has asked for the next build since: its message does what is left.
            return settled
        return settled

    def _follow_up_or_fail(self, work: _BuildWork, outcome: _BuildOutcome, settled: Entry) -> Entry:
        """Follow up; what goes wrong leaves an entry that says so, since the files' own messages are gone."""
        try:
            return self._follow_up(work, outcome, settled)
        except Exception as error:  # noqa: BLE001 - settled as failed; what is not ours counts as transient and is kept
            return self._put_off(settled, error)

    def name_record(self, build: Build, settled: Entry, record_etag: str | None) -> Entry:
        """The build's entry with the record that may be believed; raise LostRace if files asked for a build since."""
        if record_etag is None or record_etag == settled.build.built_etag:
            return settled
        named = replace(settled, revision=settled.revision + 1).as_built(record_etag)
        try:
            self.claims.ledger.put(named)
        except LostRace:
            entry = self.claims.ledger.get(build.sync, build.folder)
            # The mark of the files that asked stays. It gets the record's name, so that the next build may believe the
            # record.
            if entry is not None and entry.state is State.WAITING:
                self.claims.ledger.put(replace(entry, revision=entry.revision + 1).as_built(record_etag))
            raise
        return named

    def _settle_files(self, work: _BuildWork, outcome: _BuildOutcome) -> tuple[bool, str | None]:
        """Write the entries of files that are not known to be written: whether all are, and the new record's ETag.

        The calls of the ledger are as many as files that changed, not as files that there are: a hundred thousand
        would take longer than an invocation has.
        """
        record = _find_believed(outcome.stored, work)
        written = dict[str, tuple[str, str]]()
        is_complete = True
        for file in outcome.files:
            # Its entry was written by an earlier build, which the record says: no call of the ledger is needed.
            if record is not None and record.has(file):
                written[file.ref.key] = record.files[file.ref.key]
            elif work.delivery.remaining() < stop_seconds(self.timeout_seconds):
                is_complete = False
            elif self.settle_file(work.build, file, work.claimed):
                written[file.ref.key] = trust_file(file, outcome.listed_at)
        if record is not None and written == record.files:
            return is_complete, outcome.stored.etag
        new = FileRecord(fingerprint=work.build.fingerprint, run_id=work.request.run_id, files=written)
        return is_complete, self.records.write(work.build, new, outcome.stored)

    def settle_file(self, build: Build, file: ListedObject, claimed: Entry) -> bool:
        """Write down that a file is in the table; false if somebody is changing its entry, who asks again."""
        entry = self.claims.read_to_change(build.sync, file.ref)
        if entry is not None and self._is_left_alone(build, entry, file):
            return False
        if entry is not None and _is_settled_as(entry, build, file):
            return True
        base = entry or Entry.unseen(build.sync, file.ref, fingerprint=build.fingerprint, engine=claimed.engine)
        part = replace(
            base.as_built(file.etag),
            state=State.CONVERTED,
            revision=base.revision + 1,
            # The event that failed comes again, and may tell of what happened since the files were listed.
            sequencer=base.sequencer if base.settled else None,
            fingerprint=build.fingerprint,
            version=SourceVersion(etag=file.etag, size=file.size),
            started=claimed.started,
            finished=self.claims.now(),
            failure=None,
            reason=_name_part(build),
        )
        try:
            self.claims.ledger.put(part)
        except LostRace:
            return False
        return True

    def _is_left_alone(self, build: Build, entry: Entry, file: ListedObject) -> bool:
        """Whether what a file's entry says is newer than what the build read of it."""
        # A deletion while the build was at work is told by the entry alone; if the file is there again, its own event,
        # or the comparison, asks.
        if entry.state in {State.IN_FLIGHT, State.REMOVED}:
            return True
        if entry.state is not State.WAITING or entry.version.etag == file.etag:
            return False
        # If the file was overwritten since it was listed, the next build is for that; should it fail for good, nobody
        # may find that the newer bytes are converted. An event that is late names bytes that are gone: what is there
        # decides.
        head = self.stores[build.source_connection].head(file.ref)
        return head is not None and head.etag != file.etag

    def _put_off(self, settled: Entry, error: Exception) -> Entry:
        """The table is made, and not all files are written down: the same message goes on."""
        # Not settled once more: what is said of the outputs and their rows stays.
        unfinished = replace(settled, state=State.FAILED, revision=settled.revision + 1, failure=Failure.of(error))
        self.claims.ledger.put(unfinished)
        return unfinished

    def look_for_changes(self, build: Build, settled: Entry, digest: str) -> None:
        """Ask for the next build if the folder is another than that of the digest: no message of this one comes back.

        Raises LostRace if a file has asked for it since.
        """
        if digest_files(build, self._list(build)) != digest:
            self.ask_for_build(build)
            self.claims.ledger.put(_marked(settled, build, self.claims))

    def _wait_for_changes(self, work: _BuildWork, settled: Entry) -> Entry:
        waiting = _marked(settled, work.build, self.claims)
        self.claims.ledger.put(waiting)
        return waiting

    @property
    def records(self) -> FileRecords:
        """What each build remembers of its files."""
        return FileRecords(self.stores)


@dataclass(frozen=True, slots=True)
class _BuildWork:
    """A granted build."""

    build: Build
    request: Request
    claimed: Entry
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class _BuildOutcome:
    """What a build came to; of one that is done also its files, as they were read, and the record of the last one."""

    finish: Finish
    files: Sequence[ListedObject] = ()
    digest: str = ""
    stored: StoredRecord = StoredRecord(None, None)  # noqa: RUF009 - frozen
    listed_at: datetime = _EPOCH


def _to_destination(
    store: ObjectStore, metadata: Mapping[str, str], output: ObjectRef, quarantine: ObjectRef | None
) -> Destination[Upload]:
    return Destination(
        open_output=lambda _directory: store.upload(output, metadata),
        open_quarantine=partial(store.upload, quarantine, metadata) if quarantine else None,
    )


def _to_big_work(work: _BuildWork, files: Sequence[ListedObject], digest: str) -> BigWork:
    return BigWork(
        plan=work.build,
        request=work.request,
        claimed=work.claimed,
        size=sum(file.size for file in files),
        digest=digest,
        files=len(files),
    )


def _find_believed(stored: StoredRecord, work: _BuildWork) -> FileRecord | None:
    """The last build's record, if it is of this configuration and this ledger; a new run looks at every file."""
    record = stored.record
    if record is None or record.fingerprint != work.build.fingerprint or stored.etag != work.claimed.build.built_etag:
        return None
    return record if work.request.run_id is None or _is_of_run(stored, work.request) else None


def _is_of_run(stored: StoredRecord, request: Request) -> bool:
    """Whether this very run has made the table already, and was cut while it wrote the files down."""
    return stored.record is not None and stored.record.run_id == request.run_id


def _is_settled_as(entry: Entry, build: Build, file: ListedObject) -> bool:
    is_of_version = entry.version.etag == file.etag == entry.build.built_etag
    return entry.state in DONE and is_of_version and entry.fingerprint == build.fingerprint


def _name_part(build: Build) -> str:
    return f"a file of the table that {build.folder} is"


def _asked(file: SourceFile, request: Request) -> Finish:
    if request.change.kind is ChangeKind.REMOVED:
        return Finish(state=State.REMOVED, reason="the file was deleted; its table is made again")
    return Finish(state=State.WAITING, reason=f"the table that {file.build.folder} is, is made again soon")


def _marked(entry: Entry | None, build: Build, claims: Claims) -> Entry:
    base = entry or Entry.unseen(build.sync, build.folder, fingerprint=build.fingerprint, engine=claims.engine)
    return replace(
        base,
        state=State.WAITING,
        revision=base.revision + 1,
        started=claims.now(),
        lease_until=None,
        owner=None,
        reason="a run is asked for",
        big_run=None,
    )


def _unchanged(claimed: Entry) -> Finish:
    return Finish(
        state=State.QUARANTINED if claimed.rows.quarantined else State.CONVERTED,
        rows=claimed.rows,
        reason="nothing changed since the last run",
    )


def lineage_of_build(build: Build, claimed: Entry, digest: str) -> Lineage:
    """What a table of a folder says of itself: its version is the digest of its files."""
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
