"""A deployment in memory for the page: a ledger with something of everything, queues, letters, circuits, runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from botocore.exceptions import ClientError

from millrace.aws.circuits import DynamoDBCircuits
from millrace.aws.deployed import Deployed
from millrace.aws.dynamodb_backfills import DynamoDBBackfills
from millrace.aws.dynamodb_checkpoints import DynamoDBCheckpoints
from millrace.aws.dynamodb_ledger import DynamoDBLedger
from millrace.catalog.iceberg.messages import CommitRequest
from millrace.delivery.breaker import Circuit
from millrace.delivery.table_schema import SchemaVersion, TableSchema
from millrace.engine.row_counts import RowCounts
from millrace.ledger.entries import BigRunFacts, Branch, Entry, Failure, Output, State
from millrace.ledger.table_entries import SchemaEntry
from millrace.objects.references import ObjectRef, SourceVersion
from millrace.operations.backfills.board import Backfill, BackfillCounts, BackfillState, Board
from millrace.operations.checkpoints import Checkpoint, Counts
from millrace.planning.planner import Planner
from millrace.ui.world import KeptDeployments, PageWorld
from tests.configurations import bulk_sync, document
from tests.fake_table import FakeTableClient
from tests.fakes import InMemoryObjectStore
from tests.unit.cli.deployed.test_big_runs import HOME, MACHINE, SOURCE, FakeStepFunctions

NOW = datetime(2026, 11, 28, 21, 30, tzinfo=UTC)
ARN = "arn:aws:sqs:us-east-1:111122223333:"
SCRIPT_KEY = "in/<script>alert(1)</script>.csv"
BIDI_KEY = "in/invoice\u202egpj.csv"
CONTROL_KEY = "in/two\nlines\x1b[2J.csv"
LONG_KEY = "in/" + "a-very-long-folder-name-that-nobody-would-type/" * 6 + "orders with blanks and ümläuts 2026.csv"
ORDERS = b"id,zip,note\n1,00501,first\n2,90210,\n3,10001,third\n"
OUTPUT = b'{"id":1,"zip":"00501"}\n{"id":2,"zip":"90210"}\n'
ASIDE = (
    json.dumps({"line": 3, "row": 2, "byte": 24, "reason": "the row has 4 fields; expected 3", "raw": "2,90210,,<b>x"})
    + "\n"
).encode()


@dataclass
class PlantSQS:
    """Queues by name, each with messages: what waits, and letters with their attributes."""

    waiting: dict[str, int] = field(default_factory=dict)
    letters: dict[str, dict[str, Any]] = field(default_factory=dict)
    commit_letters: dict[str, dict[str, Any]] = field(default_factory=dict)
    sent: list[tuple[str, str]] = field(default_factory=list)
    _held: set[str] = field(default_factory=set)

    def get_queue_attributes(self, *, QueueUrl: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - AWS's name
        """As SQS answers."""
        name = QueueUrl.rpartition("/")[2]
        boxes = {"millrace-dead-letters": self.letters, "millrace-commit-dead-letters.fifo": self.commit_letters}
        waiting = len(boxes[name]) if name in boxes else self.waiting.get(name, 0)
        attributes = {
            "QueueArn": ARN + name,
            "ApproximateNumberOfMessages": str(waiting),
            "ApproximateNumberOfMessagesNotVisible": "2",
            "ApproximateNumberOfMessagesDelayed": "0",
            "VisibilityTimeout": "5400",
            "MessageRetentionPeriod": "1209600",
        }
        return {"Attributes": attributes, "ResponseMetadata": {"HTTPHeaders": {}}}

    def receive_message(self, *, QueueUrl: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - AWS's name
        """Those that nobody holds."""
        letters = self.commit_letters if QueueUrl.endswith(".fifo") else self.letters
        free = [letter for name, letter in letters.items() if name not in self._held][:10]
        self._held |= {letter["MessageId"] for letter in free}
        return {"Messages": free}

    def change_message_visibility_batch(self, **_: Any) -> None:
        """Let all go."""
        self._held.clear()

    def send_message(self, *, QueueUrl: str, MessageBody: str, **_: Any) -> None:  # noqa: N803 - AWS's names
        """Keep it."""
        self.sent.append((QueueUrl, MessageBody))

    def delete_message(self, *, ReceiptHandle: str, **_: Any) -> None:  # noqa: N803 - AWS's name
        """Remove it."""
        letters = self.letters if ReceiptHandle in self.letters else self.commit_letters
        del letters[ReceiptHandle]

    def add_letter(self, name: str, body: str, **grounds: str) -> None:
        """A message that was given up."""
        self.letters[name] = self._to_letter(name, body, grounds)

    def add_commit_letter(self, name: str, key: str, **grounds: str) -> None:
        """A message that the committer gave up, of an object of the sync nightly."""
        body = CommitRequest("nightly", ObjectRef("acme-in", key)).to_body()
        self.commit_letters[name] = self._to_letter(name, body, grounds | {"error": "CommitRefused", "group": "g"})

    def _to_letter(self, name: str, body: str, grounds: Mapping[str, str]) -> dict[str, Any]:
        attributes = {key: {"StringValue": value, "DataType": "String"} for key, value in grounds.items()}
        return {
            "MessageId": name,
            "ReceiptHandle": name,
            "Body": body,
            "Attributes": {"SentTimestamp": "1795000000000", "ApproximateReceiveCount": "5"},
            "MessageAttributes": attributes,
        }


@dataclass
class PlantLambda:
    """Event sources, and the convert function's size."""

    states: dict[str, str] = field(default_factory=dict)

    def get_paginator(self, _operation: str) -> PlantLambda:
        """The one listing."""
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        """One page."""
        return [
            {
                "EventSourceMappings": [
                    {"EventSourceArn": ARN + name, "UUID": name, "State": state} for name, state in self.states.items()
                ]
            }
        ]

    def update_event_source_mapping(self, *, UUID: str, Enabled: bool) -> None:  # noqa: N803 - AWS's names
        """Switch it."""
        self.states[UUID] = "Enabled" if Enabled else "Disabled"

    def get_function_configuration(self, **_: Any) -> dict[str, Any]:
        """As Lambda answers."""
        return {"MemorySize": 1769, "Architectures": ["arm64"]}


@dataclass
class PlantCloudWatch:
    """Ages of oldest messages, and metrics that were put."""

    ages: dict[str, float] = field(default_factory=dict)
    put: list[Any] = field(default_factory=list)
    sums: dict[str, float] = field(default_factory=dict)

    def get_metric_statistics(self, *, Dimensions: list[dict[str, str]], **_: Any) -> dict[str, Any]:  # noqa: N803 - AWS's name
        """The newest point; of what functions write, two hours' sums."""
        if Dimensions[0]["Name"] == "service":
            total = self.sums.get(Dimensions[0]["Value"], 0.0)
            return {"Datapoints": [{"Timestamp": NOW, "Sum": total}] if total else []}
        age = self.ages.get(Dimensions[0]["Value"])
        return {"Datapoints": [] if age is None else [{"Timestamp": NOW, "Maximum": age}]}

    def put_metric_data(self, **request: Any) -> None:
        """Keep it."""
        self.put.append(request)


@dataclass
class PlantS3:
    """Heads of objects."""

    store: InMemoryObjectStore

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - AWS's names
        """As S3 answers."""
        there = self.store.buckets.get(Bucket, {}).get(Key)
        if there is None:
            raise ClientError({"Error": {"Code": "404", "Message": "Not Found"}}, "HeadObject")
        return {
            "ETag": f'"{there.etag}"',
            "ContentLength": len(there.data),
            "LastModified": there.modified,
            "Metadata": dict(there.metadata),
        }


@dataclass
class PagePlant:
    """Satisfies Deployments; ``invoked`` are the events that functions were asked with."""

    table: FakeTableClient = field(default_factory=FakeTableClient)
    sqs: PlantSQS = field(default_factory=PlantSQS)
    functions: PlantLambda = field(default_factory=PlantLambda)
    cloudwatch: PlantCloudWatch = field(default_factory=PlantCloudWatch)
    store: InMemoryObjectStore = field(default_factory=lambda: InMemoryObjectStore({"acme-in": {}, "acme-out": {}}))
    invoked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    backfill_function: str | None = None
    big_run_machine: str | None = None
    has_committer: bool = False

    def find(self, _name: str) -> tuple[Deployed, DynamoDBLedger]:
        """The deployment."""
        deployed = Deployed(
            ledger_table="ledger",
            dead_letter_queue="https://sqs/1/millrace-dead-letters",
            queues={"landing": "https://sqs/1/millrace-landing"},
            convert_function="millrace-convert",
            reprocess_function="millrace-reprocess",
            syncs=("hourly", "nightly"),
            reconcile_function="millrace-reconcile",
            backfill_function=self.backfill_function,
            big_run_machine=self.big_run_machine,
            commit_function="millrace-commit" if self.has_committer else None,
            commit_queue="https://sqs/1/millrace-commit.fifo" if self.has_committer else None,
            commit_dead_letter_queue="https://sqs/1/millrace-commit-dead-letters.fifo" if self.has_committer else None,
        )
        return deployed, self.ledger

    @property
    def ledger(self) -> DynamoDBLedger:
        """Its entries."""
        client: Any = self.table
        return DynamoDBLedger(client, "ledger")

    def invoke(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        """The next answer that a test gave."""
        self.invoked.append((function, event))
        return self.answers.pop(0)

    def client(self, service: str) -> Any:
        """The client of a service."""
        clients: dict[str, Any] = {
            "dynamodb": self.table,
            "sqs": self.sqs,
            "lambda": self.functions,
            "cloudwatch": self.cloudwatch,
            "s3": PlantS3(self.store),
            "events": self,
        }
        return (clients | self.extra)[service]

    def put_events(self, *, Entries: list[Any]) -> dict[str, Any]:  # noqa: N803 - AWS's name
        """As much of EventBridge as a closed circuit needs."""
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"} for _ in Entries]}

    def world(self, **options: Any) -> PageWorld:
        """What the page is given; time stands still."""
        given: dict[str, Any] = {"planner": Planner(configuration()), "place": "us-east-1", "now": lambda: NOW}
        return PageWorld(deployments=KeptDeployments(self), name="millrace", buckets=self.store, **(given | options))


def configuration() -> Any:
    """Two syncs of one folder."""
    return document(bulk_sync("nightly", to="json"), bulk_sync("hourly", to="parquet", subfolder="hourly"))


def entry(
    key: str, state: State = State.CONVERTED, *, sync: str = "nightly", minutes: float = 30, **fields: Any
) -> Entry:
    """An entry of ``acme-in``; its work ended so many minutes ago, or began if it goes on."""
    moment = NOW - timedelta(minutes=minutes)
    words: dict[str, Any] = {
        "sync": sync,
        "source": ObjectRef("acme-in", key),
        "state": state,
        "revision": 1,
        "fence": 1,
        "attempts": 1,
        "fingerprint": "8c1f0e",
        "engine": "0.2.0",
        "version": SourceVersion(etag="9e107d9d", size=len(ORDERS)),
        "started": moment if state is State.IN_FLIGHT else moment - timedelta(milliseconds=420),
        "finished": None if state is State.IN_FLIGHT else moment,
    }
    return Entry(**(words | fields))


def failure(message: str, error: str = "RaggedRow", branch: Branch = Branch.DATA, **place: int) -> Failure:
    """Why an entry failed."""
    return Failure(branch=branch, error=error, message=message, **place)


def plant() -> PagePlant:
    """Something of everything that the views show."""
    made = PagePlant()
    for one in _entries():
        made.ledger.put(one)
    _plant_objects(made)
    _plant_queues(made)
    _plant_tables(made)
    return made


def plant_more() -> PagePlant:
    """The same with two busy weeks behind it, a backfill and two big runs: what pictures show."""
    made = plant()
    for back in range(14):
        for number in range(9 + back * 7 % 11):
            state = State.FAILED if number == 4 and back % 3 == 0 else State.CONVERTED
            rows = RowCounts(read=40_000 + 9000 * number, written=40_000 + 9000 * number)
            version = SourceVersion(etag="e", size=3_000_000 + 400_000 * number)
            minutes = 60.0 * 24 * back + 120 + number
            fault = failure("row 12: 4 fields, expected 3", row=12) if state is State.FAILED else None
            done = entry(
                f"in/daily/{back}/{number}.csv",
                state,
                sync="hourly",
                minutes=minutes,
                rows=rows,
                version=version,
                failure=fault,
            )
            made.ledger.put(done)
    _plant_runs(made)
    return made


def _plant_runs(made: PagePlant) -> None:
    table: Any = made.table
    counts = BackfillCounts(
        compared=48_200, known=12_000, ignored=200, asked=36_000, size=91_000_000_000, done=21_400, failed=3
    )
    row = Backfill(
        name="nightly-20261128",
        sync="nightly",
        prefix="in/2024/",
        started=NOW - timedelta(hours=2),
        finished=NOW - timedelta(minutes=1),
        state=BackfillState.STOPPED,
        counts=counts,
    )
    DynamoDBBackfills(table, "ledger").put_board(Board(revision=1, backfills=(row,)))
    steps = FakeStepFunctions()
    steps.add("orders-2f1e")
    steps.add("orders-1a2b", "FAILED", stopDate=datetime.now(UTC), cause="RunStopped: stopped by hand")
    begun = datetime.now(UTC) - timedelta(minutes=3)
    parts = {"total": 48, "running": 10, "succeeded": 17, "failed": 0, "timedOut": 0, "aborted": 0}
    progress = {"mapRunArn": "arn:aws:states:r:1:mapRun:m/convert:0a1b", "startDate": begun, "executionCounts": parts}
    steps.map_runs["orders-2f1e"] = [progress]
    made.extra["stepfunctions"] = steps
    made.big_run_machine = MACHINE
    made.backfill_function = "millrace-backfill"


def plant_work() -> PagePlant:
    """The same with a backfill that goes on, and a big run whose object failed with it."""
    made = plant_more()
    put_backfill(made, BackfillState.RUNNING)
    facts = BigRunFacts(name="orders-1a2b", execution="orders-1a2b", connection="lake", home=HOME)
    failed = Entry(sync="orders", source=SOURCE, state=State.FAILED, revision=1, fence=1, fingerprint="f", engine="e")
    made.ledger.put(replace(failed, big_run=facts, started=NOW, finished=NOW))
    return made


def put_backfill(made: PagePlant, state: BackfillState) -> None:
    """The one backfill of the board, in that state."""
    table: Any = made.table
    store = DynamoDBBackfills(table, "ledger")
    paused_at = NOW if state is BackfillState.PAUSED else None
    row = Backfill(
        name="n-1", sync="nightly", prefix="in/", started=NOW - timedelta(hours=1), state=state, paused_at=paused_at
    )
    store.put_board(Board(revision=store.board().revision + 1, backfills=(row,)))


def plant_commits(made: PagePlant) -> None:
    """A committer of Iceberg tables, and what it gave up."""
    made.has_committer = True
    made.sqs.waiting["millrace-commit.fifo"] = 3
    reason = "the file's column price is text, and the table's is decimal(9, 2)"
    made.sqs.add_commit_letter("c-1", "in/orders.csv", reason=reason)


def _entries() -> list[Entry]:
    output = Output(ref=ObjectRef("acme-out", "lake/orders.jsonl"), etag="e4d909", size=len(OUTPUT), rows=3)
    aside = Output(ref=ObjectRef("acme-out", "lake/_quarantine/in/bad.jsonl"), etag="a1", size=len(ASIDE), rows=1)
    good = Output(ref=ObjectRef("acme-out", "lake/bad.jsonl"), etag="a2", size=len(OUTPUT), rows=2)
    leased = NOW + timedelta(minutes=5)
    entries = [
        entry("in/orders.csv", outputs=(output,), rows=RowCounts(read=3, written=3), fence=2, schema_version=2),
        entry("in/bad.csv", State.QUARANTINED, outputs=(good, aside), rows=RowCounts(read=3, written=2, quarantined=1)),
        entry("in/old.csv", minutes=60 * 24 * 3, outputs=(output,), rows=RowCounts(read=9, written=9)),
        entry("in/slow.csv", State.IN_FLIGHT, minutes=34, lease_until=leased, attempts=2),
        entry("in/quick.csv", State.IN_FLIGHT, sync="hourly", minutes=0.5, lease_until=leased),
        entry("in/dead.csv", State.IN_FLIGHT, minutes=90, lease_until=NOW - timedelta(minutes=60)),
        entry("in/archived.csv", State.WAITING, reason="the object is in an archive tier; restore it"),
        entry(SCRIPT_KEY, State.FAILED, failure=failure("<script>alert(2)</script> is no number", "ValueDoesNotFit")),
        entry(BIDI_KEY, outputs=(output,), minutes=5),
        entry(CONTROL_KEY, outputs=(output,), minutes=6),
        entry(LONG_KEY, outputs=(output,), minutes=7),
        entry(
            "in/denied.csv",
            State.FAILED,
            sync="hourly",
            failure=failure(
                "s3:GetObject on s3://acme-in/in/denied.csv was denied", "AccessDenied", Branch.CONFIGURATION
            ),
        ),
    ]
    for number in range(7):
        message = f"row {number + 3}: 4 fields, expected 3; quote the field 'v{number}' that holds the delimiter"
        ragged = failure(message, row=number + 3, byte=120 * number + 17)
        entries.append(entry(f"in/2026/q{number}.csv", State.FAILED, minutes=40 + number, failure=ragged))
    return entries


def _plant_objects(made: PagePlant) -> None:
    made.store.put(ObjectRef("acme-in", "in/orders.csv"), ORDERS)
    made.store.put(ObjectRef("acme-in", SCRIPT_KEY), b"<script>alert(3)</script>,b\n<img src=x onerror=alert(4)>,2\n")
    made.store.put(ObjectRef("acme-in", "in/bad.csv"), ORDERS)
    made.store.put(ObjectRef("acme-out", "lake/orders.jsonl"), OUTPUT)
    made.store.put(ObjectRef("acme-out", "lake/bad.jsonl"), OUTPUT)
    made.store.put(ObjectRef("acme-out", "lake/_quarantine/in/bad.jsonl"), ASIDE)


def _plant_queues(made: PagePlant) -> None:
    made.sqs.waiting = {"millrace-landing": 1204}
    made.cloudwatch.ages = {"millrace-landing": 754.0}
    made.functions.states = {"millrace-landing": "Disabled"}
    table: Any = made.table
    reason = "s3:GetObject on s3://acme-in/in/denied.csv was denied; grant it to the function's role"
    circuit = Circuit(
        queue=ARN + "millrace-landing", revision=1, paused=NOW - timedelta(minutes=9), sync="hourly", reason=reason
    )
    DynamoDBCircuits(table, "ledger").put(circuit)
    record = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventVersion": "2.1"}
    record["s3"] = {
        "bucket": {"name": "acme-in"},
        "object": {"key": "in/denied.csv", "sequencer": "01", "eTag": "e", "size": 1},
    }  # type: ignore[assignment] # a nested record
    made.sqs.add_letter(
        "m-1", json.dumps({"Records": [record]}), queue="millrace-landing", reason="was denied", error="AccessDenied"
    )
    made.sqs.add_letter("m-2", "<b>not a message</b>", queue="millrace-landing")


def _plant_tables(made: PagePlant) -> None:
    table: Any = made.table
    counts = Counts(compared=1200, new=2, changed=1, unaccounted=3)
    checkpoint = Checkpoint(
        sync="nightly", folder="s3://acme-in/in", revision=1, completed=NOW - timedelta(hours=4), last=counts
    )
    DynamoDBCheckpoints(table, "ledger").put(checkpoint)
    fields = pa.schema([("id", pa.int64()), ("zip", pa.string()), ("<i>note</i>", pa.string())])
    versions = (
        SchemaVersion(
            number=1,
            source="s3://acme-in/in/orders.csv",
            when=NOW.isoformat(),
            changes="id: new, integer; zip: new, text",
        ),
        SchemaVersion(
            number=2, source="s3://acme-in/in/orders2.csv", when=NOW.isoformat(), changes="<i>note</i>: new, text"
        ),
    )
    schema = TableSchema(fields=fields, versions=versions).to_bytes()
    for name in ("orders", "customers"):
        made.ledger.put(
            SchemaEntry(
                sync="nightly",
                source=ObjectRef("acme-in", f"in/{name}"),
                revision=1,
                schema=schema,
                schema_version=2,
                finished=NOW,
            )
        )
