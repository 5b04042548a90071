"""In-memory counterparts of the ports; they pass the same contract suites as the real ones."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from millrace.catalog.tables import CatalogName, CatalogTable, StoredTable
from millrace.delivery.breaker import Circuit
from millrace.engine.row_counts import NO_ROWS
from millrace.errors import (
    AccessDenied,
    ConfigurationError,
    LostRace,
    NoSuchBucket,
    NotAccepted,
    ObjectChanged,
    ObjectGone,
    TargetChanged,
)
from millrace.ledger.entries import NEEDS_ATTENTION, NO_BUILD, Entry, State, time_of
from millrace.ledger.table_entries import (
    FORMAT_MARK,
    SCHEMA_MARK,
    TABLE_MARK,
    AnyEntry,
    FormatEntry,
    SchemaEntry,
    TableEntry,
)
from millrace.objects.machine import Execution, ExecutionStatus
from millrace.objects.messages import Request, Ticket, TicketResult
from millrace.objects.references import UNKNOWN_VERSION, ObjectRef, SourceVersion
from millrace.objects.store import (
    SMALLEST_PART,
    ListedObject,
    ObjectHead,
    ObjectRange,
    OpenedObject,
    Published,
)
from millrace.operations.asked_runs import AskedRuns
from millrace.operations.backfills.board import BackfillState, Board, KeyRange, PortionResult
from millrace.operations.checkpoints import Checkpoint
from tests.limits import demand_item, demand_key, demand_metadata, demand_parts


@dataclass
class InMemoryLedger:
    """Satisfies LedgerStore, LedgerIndex and LedgerPages."""

    entries: dict[tuple[str, ObjectRef], AnyEntry] = field(default_factory=dict)
    puts: list[AnyEntry] = field(default_factory=list)

    def get(self, sync: str, source: ObjectRef) -> Entry | None:
        """The newest entry of an object or a build."""
        entry = self.entries.get((sync, source))
        assert entry is None or isinstance(entry, Entry)
        return entry

    def get_table(self, sync: str, table: ObjectRef) -> TableEntry | None:
        """A snapshot table's."""
        entry = self.entries.get((sync + TABLE_MARK, table))
        assert entry is None or isinstance(entry, TableEntry)
        return entry

    def get_schema(self, sync: str, table: ObjectRef) -> SchemaEntry | None:
        """A table's schema."""
        entry = self.entries.get((sync + SCHEMA_MARK, table))
        assert entry is None or isinstance(entry, SchemaEntry)
        return entry

    def get_format(self, sync: str, table: ObjectRef) -> FormatEntry | None:
        """A table's format."""
        entry = self.entries.get((sync + FORMAT_MARK, table))
        assert entry is None or isinstance(entry, FormatEntry)
        return entry

    def put(self, entry: AnyEntry) -> None:
        """Replace the revision before; LostRace where another stands."""
        there = self.entries.get((entry.stored_sync, entry.source))
        if (there.revision if there else 0) != entry.revision - 1:
            raise LostRace(f"revision {entry.revision} of {entry.source} does not follow {there}")
        demand_item(entry)
        self.entries[entry.stored_sync, entry.source] = entry
        self.puts.append(entry)

    def items_of_sync(self, sync: str) -> Iterator[str]:
        """The keys of all entries of a sync and its tables."""
        yield from (f"{name}\x1f{ref}" for name, ref in self.entries if name.partition("#")[0] == sync)

    def forget(self, key: str) -> None:
        """Delete an entry."""
        name, _, ref = key.partition("\x1f")
        del self.entries[name, ObjectRef.parse(ref)]

    def get_many(self, sources: Iterable[tuple[str, ObjectRef]]) -> Iterator[Entry]:
        """Those of the named entries that are there."""
        for sync, source in dict.fromkeys(sources):
            entry = self.get(sync, source)
            if entry is not None:
                yield entry

    def works(self) -> Iterator[Entry]:
        """Entries of objects and builds alone."""
        yield from (entry for entry in self.entries.values() if isinstance(entry, Entry))

    def works_put(self) -> Iterator[Entry]:
        """Every put of an object or a build, in their order."""
        yield from (entry for entry in self.puts if isinstance(entry, Entry))

    def needing_attention(self, state: State) -> Iterator[Entry]:
        """Entries in a state that needs attention."""
        attention = (entry for entry in self.works() if entry.state is state and state in NEEDS_ATTENTION)
        yield from map(_as_story, attention)

    def of_sync(self, sync: str, *, after: str = "") -> Iterator[Entry]:
        """Entries of a sync in key order."""
        mine = (_as_identity(entry) for entry in self.works() if entry.sync == sync)
        yield from sorted(
            (entry for entry in mine if entry.source.key.encode() > after.encode()),
            key=lambda entry: entry.source.key.encode(),
        )

    def finished_on(self, day: str) -> Iterator[Entry]:
        """Entries that finished on a UTC day."""
        for entry in self.works():
            if entry.finished is not None and f"{entry.finished:%Y-%m-%d}" == day:
                yield _as_story(entry)

    def newest_finished(self, day: str, *, until: str = "") -> Iterator[Entry]:
        """Entries that finished on a UTC day, the newest first."""
        return _newest_until(self.finished_on(day), until)

    def newest_in_state(self, state: State, *, until: str = "") -> Iterator[Entry]:
        """Entries in a state that needs attention, the newest first."""
        return _newest_until(self.needing_attention(state), until)

    def below_prefix(self, sync: str, prefix: str, *, start: str = "") -> Iterator[Entry]:
        """Entries of a sync in key order."""
        for entry in self.of_sync(sync):
            if entry.source.key.startswith(prefix) and entry.source.key.encode() >= start.encode():
                yield entry

    def tables_of(self, sync: str) -> Iterator[ObjectRef]:
        """Tables with a schema, in key order."""
        names = [ref for name, ref in self.entries if name == sync + SCHEMA_MARK]
        yield from sorted(names, key=lambda ref: ref.key.encode())


def _newest_until(entries: Iterable[Entry], until: str) -> Iterator[Entry]:
    def time_text(entry: Entry) -> str:
        moment = time_of(entry)
        return moment.isoformat() if moment else ""

    for entry in sorted(entries, key=time_text, reverse=True):
        if time_text(entry) and (not until or time_text(entry) <= until):
            yield entry


def _as_story(entry: Entry) -> Entry:
    """What the indexes of states and of days carry of an entry."""
    return replace(
        entry,
        version=UNKNOWN_VERSION,
        owner=None,
        deaths=0,
        dead_owners=(),
        deployment=0,
        open_run=None,
        shape=None,
        outputs=(),
        obsolete=(),
        sequencer=None,
        schema_version=None,
        schema_changes=None,
        build=NO_BUILD,
        big_run=None,
        announcement=None,
    )


def _as_identity(entry: Entry) -> Entry:
    """What the index of a sync's keys carries of an entry."""
    story = replace(_as_story(entry), version=SourceVersion(etag=entry.version.etag))
    return replace(
        story,
        rows=NO_ROWS,
        attempts=0,
        started=None,
        finished=None,
        failure=None,
        reason=None,
        run_id=None,
    )


@dataclass
class InMemoryCheckpoints:
    """Satisfies Checkpoints."""

    kept: dict[str, Checkpoint] = field(default_factory=dict)

    def get(self, sync: str) -> Checkpoint | None:
        """The newest."""
        return self.kept.get(sync)

    def put(self, checkpoint: Checkpoint) -> None:
        """Replace the revision before; LostRace where another stands."""
        there = self.kept.get(checkpoint.sync)
        if (there.revision if there else 0) != checkpoint.revision - 1:
            raise LostRace(f"{checkpoint} does not follow {there}")
        self.kept[checkpoint.sync] = checkpoint


@dataclass
class InMemoryBackfills:
    """Satisfies BackfillStore and TicketBook."""

    kept: Board = field(default_factory=Board)
    kept_ranges: dict[tuple[str, str], KeyRange] = field(default_factory=dict)
    settled: dict[tuple[str, str, TicketResult], set[int]] = field(default_factory=dict)

    def board(self) -> Board:
        """The newest."""
        return self.kept

    def put_board(self, board: Board) -> None:
        """Replace the revision before; LostRace where another stands."""
        if self.kept.revision != board.revision - 1:
            raise LostRace(f"revision {board.revision} does not follow {self.kept.revision}")
        self.kept = board

    def ranges(self, backfill: str, names: Sequence[str]) -> dict[str, KeyRange]:
        """Those that were put."""
        return {name: self.kept_ranges[backfill, name] for name in names if (backfill, name) in self.kept_ranges}

    def put_range(self, key_range: KeyRange) -> None:
        """Replace the revision before; LostRace where another stands."""
        there = self.kept_ranges.get((key_range.backfill, key_range.name))
        if (there.revision if there else 0) != key_range.revision - 1:
            raise LostRace(f"{key_range} does not follow {there}")
        self.kept_ranges[key_range.backfill, key_range.name] = key_range

    def count(self, tickets: Iterable[Ticket], result: TicketResult) -> None:
        """Add to the set of a portion."""
        for ticket in tickets:
            self.settled.setdefault((ticket.backfill, ticket.portion, result), set()).add(ticket.number)

    def results(self, backfill: str, portions: Sequence[str]) -> Iterator[PortionResult]:
        """What was counted."""
        for portion in portions:
            yield PortionResult(*(frozenset(self.settled.get((backfill, portion, each), ())) for each in TicketResult))

    def stopped(self) -> frozenset[str]:
        """Those whose row says so."""
        return frozenset(row.name for row in self.kept.backfills if row.state is BackfillState.STOPPED)


@dataclass
class InMemoryAskedRuns:
    """Satisfies AskedRunStore."""

    kept: AskedRuns = field(default_factory=AskedRuns)

    def asked_runs(self) -> AskedRuns:
        """The newest."""
        return self.kept

    def put_asked_runs(self, runs: AskedRuns) -> None:
        """Replace the revision before; LostRace where another stands."""
        if self.kept.revision != runs.revision - 1:
            raise LostRace(f"revision {runs.revision} does not follow {self.kept.revision}")
        self.kept = runs


@dataclass
class InMemoryQueue:
    """Satisfies RequestQueue and ReconcileQueue; ``delays`` are those of each sending."""

    sent: list[Request] = field(default_factory=list)
    delays: list[int] = field(default_factory=list)
    backlog: int = 0

    def send(self, requests: Iterable[Request], *, delay_seconds: int = 0) -> int:
        """Keep all."""
        self.delays.append(delay_seconds)
        before = len(self.sent)
        self.sent += requests
        return len(self.sent) - before

    def waiting(self) -> int:
        """What it was told."""
        return self.backlog


@dataclass(frozen=True)
class StoredObject:
    """Bytes with their metadata."""

    data: bytes
    metadata: Mapping[str, str] = field(default_factory=dict)
    modified: datetime = datetime(2026, 11, 22, tzinfo=UTC)
    parts: int | None = None
    cipher: str = ""

    @property
    def etag(self) -> str:
        """As S3 makes it for one PUT; of parts it ends in their number. What is encrypted by a key has another."""
        digest = hashlib.md5(self.data + self.cipher.encode(), usedforsecurity=False).hexdigest()
        return digest if self.parts is None else f"{digest}-{self.parts}"


@dataclass
class InMemoryObjectStore:
    """Satisfies ObjectStore; unversioned. ``calls`` tells what was asked; ``is_readable`` is of all that it lists.

    ``smallest_part`` of a multipart upload is S3's, unless a test works with smaller ones. ``is_encrypted``: by a key
    (SSE-KMS), so that each put of the same bytes has another ETag.
    """

    buckets: dict[str, dict[str, StoredObject]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    modified: datetime = datetime(2026, 11, 22, tzinfo=UTC)
    is_readable: bool = True
    assemblies: dict[str, Mapping[str, str]] = field(default_factory=dict)
    sent: dict[str, dict[int, bytes]] = field(default_factory=dict)
    smallest_part: int = SMALLEST_PART
    is_encrypted: bool = False
    puts: int = 0

    def put(self, ref: ObjectRef, data: bytes, metadata: Mapping[str, str] | None = None) -> None:
        """Place an object, as a user would; at the time ``modified``, which stands still unless it is set."""
        demand_key(ref)
        self.puts += 1
        cipher = f"{self.puts}" if self.is_encrypted else ""
        self.buckets.setdefault(ref.bucket, {})[ref.key] = StoredObject(
            data, metadata or {}, self.modified, cipher=cipher
        )

    def data(self, ref: ObjectRef) -> bytes:
        """An object's bytes."""
        return self.buckets[ref.bucket][ref.key].data

    @contextmanager
    def open(self, ref: ObjectRef, *, tail_first: bool = False) -> Iterator[OpenedObject]:
        """Pin an object."""
        self.calls.append("open")
        there = self._bucket(ref.bucket).get(ref.key)
        if there is None:
            raise ObjectGone(f"{ref} is gone")
        yield OpenedObject(_head(there), io.BytesIO(there.data))

    @contextmanager
    def reopen(self, ref: ObjectRef, head: ObjectHead) -> Iterator[OpenedObject]:
        """The object, if it still is what was opened."""
        with self.open(ref) as opened:
            if opened.head.etag != head.etag:
                raise ObjectChanged(f"{ref} was overwritten")
            yield opened

    def head(self, ref: ObjectRef) -> ObjectHead | None:
        """The current version."""
        self.calls.append("head")
        there = self._bucket(ref.bucket).get(ref.key)
        return _head(there) if there else None

    def upload(self, target: ObjectRef, metadata: Mapping[str, str]) -> InMemoryUpload:
        """Begin an output."""
        return InMemoryUpload(self, target, metadata)

    def assemble(self, target: ObjectRef, metadata: Mapping[str, str], *, token: str | None = None) -> InMemoryAssembly:
        """Begin a multipart upload, or go on with one."""
        if token is None:
            demand_metadata(target, metadata)
            token = f"upload-{len(self.assemblies) + 1}"
            self.assemblies[token], self.sent[token] = metadata, {}
        return InMemoryAssembly(self, target, token)

    def delete(self, ref: ObjectRef, *, etag: str | None = None) -> None:
        """Delete by name, if it has that ETag."""
        self.calls.append("delete")
        there = self._bucket(ref.bucket).get(ref.key)
        if etag is None or (there is not None and there.etag == etag):
            self._bucket(ref.bucket).pop(ref.key, None)

    def list(self, bucket: str, prefix: str, *, start_after: str = "") -> Iterator[ListedObject]:
        """In key order, by bytes."""
        for key, there in sorted(self._bucket(bucket).items(), key=lambda item: item[0].encode()):
            if key.startswith(prefix) and key.encode() > start_after.encode():
                ref = ObjectRef(bucket, key)
                yield ListedObject(ref, there.etag, len(there.data), there.modified, self.is_readable)

    def _bucket(self, name: str) -> dict[str, StoredObject]:
        if name not in self.buckets:
            raise NoSuchBucket(f"there is no bucket {name}")
        return self.buckets[name]


@dataclass
class InMemoryUpload:
    """Satisfies Upload."""

    store: InMemoryObjectStore
    target: ObjectRef
    metadata: Mapping[str, str]
    pending: bytearray = field(default_factory=bytearray)
    discarded: bool = False

    def write(self, data: bytes | memoryview, /) -> int:
        """Take the next bytes."""
        self.pending += data
        return len(memoryview(data).cast("B"))

    def discard(self) -> None:
        """Forget all."""
        self.pending.clear()
        self.discarded = True

    def publish(self, *, expected: str | None, rows: int) -> Published:
        """Conditional put."""
        self.store.calls.append("put")
        there = self.store._bucket(self.target.bucket).get(self.target.key)
        if (there.etag if there else None) != expected:
            raise TargetChanged(f"{self.target} is not {expected}")
        metadata = {**self.metadata, "millrace-rows": str(rows)}
        demand_metadata(self.target, metadata)
        self.store.put(self.target, bytes(self.pending), metadata)
        stored = self.store.buckets[self.target.bucket][self.target.key]
        return Published(stored.etag, len(stored.data))


@dataclass
class InMemoryAssembly:
    """Satisfies Assembly, within S3's limits."""

    store: InMemoryObjectStore
    target: ObjectRef
    token: str

    def sent(self) -> frozenset[int]:
        """The numbers of the parts."""
        return frozenset(self._parts())

    def copy(self, number: int, content: ObjectRange) -> None:
        """Copy a range of an object that has its ETag."""
        self.store.calls.append("copy")
        with self.store.open(content.ref) as opened:
            if opened.head.etag != content.etag:
                raise ObjectChanged(f"{content.ref} was overwritten")
            if not 0 <= content.start < content.end <= opened.head.size:
                raise NotAccepted(f"{content} is no range of {opened.head.size:,} bytes")
            opened.stream.seek(content.start)
            self._keep(number, opened.stream.read(content.end - content.start))

    def send(self, number: int, content: bytes) -> None:
        """Keep a part."""
        self.store.calls.append("part")
        self._keep(number, content)

    def publish(self, *, expected: str | None, rows: int) -> Published:
        """Conditional completion."""
        self.store.calls.append("complete")
        parts = [content for _, content in sorted(self._parts().items())]
        there = self.store._bucket(self.target.bucket).get(self.target.key)
        if (there.etag if there else None) != expected:
            raise TargetChanged(f"{self.target} is not {expected}")
        demand_parts(self.target, list(map(len, parts)), smallest=self.store.smallest_part)
        metadata = self.store.assemblies[self.token]
        assert metadata["millrace-rows"] == str(rows)
        del self.store.sent[self.token]
        stored = StoredObject(b"".join(parts), metadata, self.store.modified, len(parts))
        self.store.buckets[self.target.bucket][self.target.key] = stored
        return Published(stored.etag, len(stored.data))

    def discard(self) -> None:
        """Forget the parts."""
        self.store.sent.pop(self.token, None)

    def _parts(self) -> dict[int, bytes]:
        if self.token not in self.store.sent:
            raise ObjectGone(f"there is no upload {self.token}")
        return self.store.sent[self.token]

    def _keep(self, number: int, content: bytes) -> None:
        self._parts()[number] = content


@dataclass
class InMemoryMachine:
    """Satisfies Machine; nothing happens of itself. ``inputs`` are those of the executions that were started."""

    now: Callable[[], datetime]
    inputs: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    executions: dict[str, Execution] = field(default_factory=dict)

    def start(self, name: str, argument: Mapping[str, Any]) -> None:
        """Keep the input, unless there was such an execution."""
        if name not in self.executions:
            self.inputs[name] = argument
            self.executions[name] = Execution(name=name, status=ExecutionStatus.RUNNING, started=self.now())

    def describe(self, name: str) -> Execution | None:
        """The execution."""
        return self.executions.get(name)

    def stop(self, name: str, reason: str) -> None:
        """Abort one that runs."""
        if name in self.executions and self.executions[name].status is ExecutionStatus.RUNNING:
            self.end(name, ExecutionStatus.ABORTED, reason)

    def end(self, name: str, status: ExecutionStatus, cause: str | None = None) -> None:
        """Have an execution end, as the world does."""
        self.executions[name] = replace(self.executions[name], status=status, stopped=self.now(), cause=cause)

    def list(self, status: ExecutionStatus | None = None) -> Iterator[Execution]:
        """The newest first."""
        for execution in reversed(self.executions.values()):
            if status in {None, execution.status}:
                yield execution


def _head(there: StoredObject) -> ObjectHead:
    return ObjectHead(etag=there.etag, size=len(there.data), modified=there.modified, metadata=there.metadata)


class InMemoryCircuits:
    """Satisfies ``breaker.Circuits``. ``denied``: every call is refused; ``lose``: so many puts lose their race."""

    def __init__(self) -> None:
        self._circuits: dict[str, Circuit] = {}
        self.denied = False
        self.lose = 0

    def get(self, queue: str) -> Circuit | None:
        """The newest circuit."""
        if self.denied:
            raise AccessDenied("dynamodb:GetItem was denied")
        return self._circuits.get(queue)

    def put(self, circuit: Circuit) -> None:
        """Replace the revision before; LostRace where another stands."""
        known = self._circuits.get(circuit.queue)
        self.lose -= 1
        if self.lose >= 0 or circuit.revision - 1 != (known.revision if known else 0):
            raise LostRace(f"the circuit of {circuit.queue} was changed meanwhile")
        self._circuits[circuit.queue] = circuit


@dataclass
class InMemoryCatalog:
    """Satisfies ``catalog.tables.Catalog``; ``databases`` are those that there are, ``calls`` what was asked."""

    databases: frozenset[str] = frozenset({"lake"})
    tables: dict[CatalogName, StoredTable] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def find(self, name: CatalogName) -> StoredTable | None:
        """A table."""
        self.calls.append("find")
        return self.tables.get(name)

    def create(self, table: CatalogTable) -> None:
        """Make a table, if its database is there and it is not."""
        self.calls.append("create")
        if table.name.database not in self.databases:
            raise ConfigurationError(f"there is no database {table.name.database}")
        if table.name in self.tables:
            raise LostRace(f"table {table.name} is there by now")
        self.tables[table.name] = _to_stored(table, "1")

    def replace(self, table: CatalogTable, stored: StoredTable) -> None:
        """Define a table anew, if it is as it was found."""
        self.calls.append("replace")
        there = self.tables.get(table.name)
        if there is None or there.revision != stored.revision:
            raise LostRace(f"table {table.name} was changed")
        self.tables[table.name] = _to_stored(table, str(int(there.revision) + 1))


def _to_stored(table: CatalogTable, revision: str) -> StoredTable:
    return StoredTable(
        revision=revision,
        owner=table.owner,
        version=table.version,
        location=table.location,
        columns=table.columns,
        partition=table.partition.name if table.partition is not None else None,
    )
