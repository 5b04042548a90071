"""Runs an example: its files are uploaded below its source's folder, and worked on until nothing is left to do.

An example is a folder of ``examples/`` with ``millrace.yaml``, ``input/`` and ``expected/``, each path in them being a
key below the source's and the destination's folder, and maybe ``deleted.txt``, the paths of input that are deleted at
the end, and ``reprocessed.txt``, those that are converted again then. ``python -m tests.examples NAME...`` writes
``expected/`` anew, to be read before it is committed.
"""

from __future__ import annotations

import shutil
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from millrace.config.connection import Connection
from millrace.config.document import Document, load
from millrace.delivery.worker import Outcome, Worker
from millrace.ledger.claims import Delivery
from millrace.objects.messages import Request
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef, Sequencer
from millrace.planning.planner import Planner
from millrace.planning.targets import is_record
from tests.fakes import InMemoryLedger, InMemoryObjectStore, InMemoryQueue
from tests.places import EXAMPLES

FOLDER = EXAMPLES
NAMES = sorted(path.parent.name for path in FOLDER.glob("*/millrace.yaml"))
KEY = b"the key of the examples"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
_MOST_MESSAGES = 1000


class Run:
    """A configuration at work on the fakes. The inputs' order is their order in time; events are taken in any order."""

    def __init__(self, document: Document, inputs: Mapping[ObjectRef, bytes]) -> None:
        self.store = InMemoryObjectStore({one.bucket: {} for one in document.connections})
        self.ledger = InMemoryLedger()
        self.outcomes: list[Outcome] = []
        self.now = NOON
        self._inputs = inputs
        self._events = 0
        self._queue = InMemoryQueue()
        self.worker = Worker.build(
            planner=Planner(document),
            ledger=self.ledger,
            stores={one.name: self.store for one in document.connections},
            queues={one.name: self._queue for one in document.connections},
            now=lambda: self.now,
            engine="1",
            timeout_seconds=900,
            obfuscation_key=lambda: KEY,
        )

    def uploads(self) -> list[Request]:
        """Place the inputs, a second after another, and give what S3 would tell of it."""
        requests = []
        for number, (ref, data) in enumerate(self._inputs.items()):
            self.store.modified = NOON - timedelta(days=1) + timedelta(seconds=number)
            self.store.put(ref, data)
            requests.append(self._event(ChangeKind.CREATED, ref))
        return requests

    def upload(self, ref: ObjectRef, data: bytes) -> None:
        """Write an object once more, and work on what S3 tells of it."""
        self.store.modified = self.now
        self.store.put(ref, data)
        self._inputs = {**self._inputs, ref: data}
        self.work([self._event(ChangeKind.CREATED, ref)])

    def deletions(self, refs: Iterable[ObjectRef]) -> list[Request]:
        """Delete inputs, and give what S3 would tell of it."""
        requests = []
        for ref in refs:
            self.store.delete(ref)
            requests.append(self._event(ChangeKind.REMOVED, ref))
        return requests

    def work(self, requests: Sequence[Request]) -> None:
        """Work on requests, on what comes back of them, and on what was asked for to be done later."""
        queue = deque(requests)
        for number in range(_MOST_MESSAGES):
            if not queue:
                self.now += timedelta(seconds=sum(self._queue.delays))
                queue.extend(self._queue.sent)
                self._queue.sent, self._queue.delays = [], []
            if not queue:
                return
            request = queue.popleft()
            delivery = Delivery(message_id=f"m{number}", remaining=lambda: 900.0)
            for outcome in self.worker.work(request, delivery):
                self.outcomes.append(outcome)
                if outcome.retry_after is not None:
                    self.now += timedelta(seconds=outcome.retry_after)
                    queue.append(request)
        raise AssertionError(f"it never ends: {self.outcomes[-1]}")

    def outputs(self) -> dict[ObjectRef, bytes]:
        """What stands in the buckets besides the inputs, and besides what Millrace remembers for itself."""
        there = {
            ObjectRef(bucket, key): one.data for bucket, all_ in self.store.buckets.items() for key, one in all_.items()
        }
        return {ref: data for ref, data in sorted(there.items()) if ref not in self._inputs and not is_record(ref)}

    def _event(self, kind: ChangeKind, ref: ObjectRef) -> Request:
        self._events += 1
        sequencer = Sequencer.parse(f"{self._events:04X}")
        there = self.store.head(ref)
        etag = there.etag if there else None
        return Request(change=ObjectChange(kind=kind, ref=ref, sequencer=sequencer, etag=etag))


class Example:
    """A folder of ``examples/``."""

    def __init__(self, name: str) -> None:
        self.folder = FOLDER / name
        self.document = load(self.folder / "millrace.yaml")
        self._source, self._target = _ends(self.document)

    def run(self) -> Run:
        """Nothing is done yet."""
        inputs = files(self.folder / "input")
        return Run(self.document, {self._input(path): data for path, data in inputs.items()})

    def done(self, in_order: Callable[[list[Request]], Sequence[Request]] = list) -> Run:
        """All is done, the uploads in an order of ``in_order``."""
        run = self.run()
        run.work(in_order(run.uploads()))
        run.work(run.deletions(self._listed("deleted.txt")))
        run.work([_again(ref) for ref in self._listed("reprocessed.txt")])
        return run

    def outputs(self, run: Run) -> dict[str, bytes]:
        """What a run wrote, by its path in ``expected/``."""
        prefix = self._target.root.prefix
        return {ref.key.removeprefix(prefix): data for ref, data in run.outputs().items()}

    def _listed(self, name: str) -> list[ObjectRef]:
        listed = self.folder / name
        paths = listed.read_text(encoding="utf-8").splitlines() if listed.exists() else []
        return [self._input(path) for path in paths]

    def _input(self, path: str) -> ObjectRef:
        return ObjectRef(self._source.bucket, self._source.root.prefix + path)


def _again(ref: ObjectRef) -> Request:
    """As ``millrace reprocess`` asks for it."""
    return Request(change=ObjectChange(kind=ChangeKind.CREATED, ref=ref), run_id="reprocessed")


def files(folder: Path) -> Mapping[str, bytes]:
    """The files below a folder by their paths, in their order."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _ends(document: Document) -> tuple[Connection, Connection]:
    """The connections that the document reads and writes: of an example there is one of each."""
    sources = {sync.source_connection for sync in document.bulk_syncs} | {one.connection for one in document.models}
    targets = {sync.destination_connection for sync in document.bulk_syncs}
    targets |= {sync.target_connection for sync in document.model_syncs}
    (source,), (target,) = sources, targets
    return document.connection(source), document.connection(target)


def _write_expected(name: str) -> None:
    example = Example(name)
    expected = example.folder / "expected"
    shutil.rmtree(expected, ignore_errors=True)
    for path, data in example.outputs(example.done()).items():
        (expected / path).parent.mkdir(parents=True, exist_ok=True)
        (expected / path).write_bytes(data)


if __name__ == "__main__":
    for chosen in sys.argv[1:] or NAMES:
        _write_expected(chosen)
