"""A deployment on an emulator as its user sees it: upload, wait for the ledger, look at what came out, ask again."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from millrace.aws.deployed import Deployed, invoke
from millrace.aws.dynamodb_ledger import DynamoDBLedger
from millrace.config.connection import Connection
from millrace.config.document import Document, load
from millrace.config.layout import Folder
from millrace.demo.deploy import Outputs, deploy, merge_outputs
from millrace.demo.emulator import Emulator
from millrace.deployment.settings import DEFAULT_NAME
from millrace.ledger.entries import Branch, Entry
from millrace.objects.references import ObjectRef
from millrace.planning.planner import Planner
from millrace.planning.targets import is_record

_POLL_SECONDS, _LONGEST_POLL_SECONDS, _POLL_GROWTH = 0.2, 1.0, 1.1
_MESSAGES = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
_CIRCUMSTANCES = ("level", "message", "location", "timestamp", "service", "cold_start", "xray_trace_id")
# A line of the emulator's log: [INFO] 1764|POST|AmazonSQS.SendMessage|200||/ is one request.
_REQUEST = re.compile(r"\[INFO\] \d+\|(?P<method>\w+)\|(?P<target>[^|]*)\|\d+\|(?P<query>[^|]*)\|(?P<path>.*)")
_OPERATION = re.compile(r"(?:DynamoDB_\d+|AmazonSQS)\.(\w+)")


class DemoFailure(RuntimeError):
    """The demonstration did not show what it promises; the text says what was seen instead."""


@dataclass(frozen=True, slots=True, order=True)
class Task:
    """One object under one sync that wants it."""

    sync: str
    source: ObjectRef


def is_final(entry: Entry) -> bool:
    """Whether waiting longer would change nothing: settled, or failed until somebody changes the configuration."""
    blocked = entry.failure is not None and entry.failure.branch is Branch.CONFIGURATION
    return entry.settled or blocked


class DeployedDemo:
    """The deployed stacks of one configuration."""

    def __init__(self, emulator: Emulator, document: Document, resources: Deployed) -> None:
        self.emulator = emulator
        self.document = document
        self.resources = resources
        self.s3 = emulator.client("s3")
        self.sqs = emulator.client("sqs")
        self.ledger = DynamoDBLedger(emulator.client("dynamodb"), resources.ledger_table)
        self._functions = emulator.client("lambda")
        self._planner = Planner(document)

    @classmethod
    def deploy(
        cls,
        emulator: Emulator,
        configuration: Path,
        *,
        context: Mapping[str, str] | None = None,
        on_line: Callable[[str], None] = lambda _line: None,
    ) -> DeployedDemo:
        """Deploy ``configuration`` to a bootstrapped ``emulator``."""
        outputs = deploy(emulator, configuration, context=context, on_line=on_line)
        return cls.find_in(outputs, emulator, configuration)

    @classmethod
    def find_in(cls, outputs: Outputs, emulator: Emulator, configuration: Path) -> DeployedDemo:
        """What was deployed of ``configuration``, by the outputs of its stacks."""
        document = load(configuration)
        find_deployed(emulator).write_text(document.to_json())
        return cls(emulator, document, Deployed.of(merge_outputs(outputs)))

    @classmethod
    def find(cls, emulator: Emulator) -> DeployedDemo:
        """What was deployed last to ``emulator``, by whichever process."""
        resources = Deployed.find(emulator.client("cloudformation"), DEFAULT_NAME)
        return cls(emulator, load_deployed(emulator), resources)

    def folders(self) -> list[Folder]:
        """The folders that active syncs read, those of plain tables first."""
        names = dict.fromkeys(sync.source_connection for sync in self.document.active_bulk_syncs())
        sources = sorted(map(self.document.connection, names), key=_count_skipped_lines)
        return [source.root for source in sources]

    def ref(self, path: str) -> ObjectRef:
        """The object at ``path`` of the bucket that a sync reads it from; raise DemoFailure where none does."""
        for folder in self.folders():
            if path.startswith(folder.prefix):
                return ObjectRef(folder.bucket, path)
        read = ", ".join(map(str, self.folders()))
        raise DemoFailure(f"no active sync of the configuration reads {path!r}; read are {read}")

    def upload(self, ref: ObjectRef, content: bytes) -> None:
        """Put an object; S3 tells the queue."""
        self.s3.put_object(Bucket=ref.bucket, Key=ref.key, Body=content)

    def tasks(self, refs: Iterable[ObjectRef]) -> list[Task]:
        """What is to be expected of ``refs``: each under every sync that wants it."""
        tasks = []
        for ref in refs:
            tasks += [Task(plan.sync, ref) for plan in self._planner.plan(ref)]
        return tasks

    def entry(self, task: Task) -> Entry | None:
        """What the ledger says."""
        return self.ledger.get(task.sync, task.source)

    def wait(
        self,
        tasks: Iterable[Task],
        *,
        seconds: float,
        until: Callable[[Entry], bool] = is_final,
        on_entry: Callable[[Entry], None] = lambda _entry: None,
    ) -> dict[Task, Entry]:
        """Wait until every task's entry is as wanted and stays so, one task after the other.

        Raises DemoFailure with a diagnosis when the time is over.
        """
        pending, entries = list(tasks), dict[Task, Entry]()
        deadline, pauses = time.monotonic() + seconds, _grow_pauses()
        # Only the first is asked for: who asks for a hundred, five times a second, keeps the emulator from its work.
        while pending:
            entry = self.entry(pending[0])
            if entry is not None and until(entry):
                entries[pending.pop(0)] = entry
                on_entry(entry)
                pauses = _grow_pauses()
            elif time.monotonic() > deadline:
                raise DemoFailure(self.diagnosis([task for task in pending if not self._is(task, until)], seconds))
            else:
                time.sleep(next(pauses))
        return entries

    def _is(self, task: Task, until: Callable[[Entry], bool]) -> bool:
        entry = self.entry(task)
        return entry is not None and until(entry)

    def wait_until(self, condition: Callable[[], bool], *, seconds: float, what: str) -> None:
        """Wait until ``condition``, called ``what``, comes true; raise DemoFailure when the time is over."""
        deadline, pauses = time.monotonic() + seconds, _grow_pauses()
        while not condition():
            if time.monotonic() > deadline:
                raise DemoFailure(f"waited {seconds:.0f} s in vain for {what}\n{self._circumstances()}")
            time.sleep(next(pauses))

    def wait_until_idle(self, *, seconds: float) -> None:
        """Wait until no message is in the queues, seen or unseen."""
        queues = list(self.resources.queues.values())
        busy = queues[:1]

        def are_empty() -> bool:
            # The one that was busy is asked first, and alone: to ask all, five times a second, keeps the emulator busy.
            for url in (*busy, *queues):
                if self.messages(url):
                    busy[:] = [url]
                    return False
            return True

        self.wait_until(are_empty, seconds=seconds, what="empty queues")

    def wait_for_calls(self, operation: str, *, more_than: int, seconds: float) -> None:
        """Wait until functions have sent more such calls."""
        self.wait_until(lambda: self.function_calls()[operation] > more_than, seconds=seconds, what=operation)

    def messages(self, url: str) -> int:
        """How many messages a queue holds, those in flight included."""
        attributes = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(_MESSAGES))["Attributes"]
        return sum(int(attributes[name]) for name in _MESSAGES)

    def reprocess(self, event: Mapping[str, object]) -> dict[str, Any]:
        """Invoke the deployed reprocess function by hand; raise DemoFailure with its error where it raises."""
        answer = self._functions.invoke(
            FunctionName=self.resources.reprocess_function, Payload=json.dumps(event).encode()
        )
        payload = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise DemoFailure(f"the reprocess function failed: {json.dumps(payload, indent=1)}")
        return dict(payload)

    def reconcile(self, sync: str) -> None:
        """Have the source of a sync listed now; raise MillraceError with what the function raised."""
        invoke(self._functions, str(self.resources.reconcile_function), {"sync": sync})

    def list_outputs(self) -> list[tuple[ObjectRef, int]]:
        """What is in the destinations, with its size; what Millrace remembers for itself is no output."""
        folders = {self.document.connection(name).root for name in self.document.written_connections()}
        outputs: list[tuple[ObjectRef, int]] = []
        for folder in sorted(folders):
            pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=folder.bucket, Prefix=folder.prefix)
            for page in pages:
                outputs += [(ObjectRef(folder.bucket, each["Key"]), each["Size"]) for each in page.get("Contents", ())]
        return [(ref, size) for ref, size in outputs if not is_record(ref)]

    def read(self, ref: ObjectRef) -> bytes:
        """An object's bytes."""
        body: bytes = self.s3.get_object(Bucket=ref.bucket, Key=ref.key)["Body"].read()
        return body

    def version(self, ref: ObjectRef) -> tuple[str, str, str | None]:
        """ETag, time of the last write and version id: what a second write would change."""
        head = self.s3.head_object(Bucket=ref.bucket, Key=ref.key)
        return head["ETag"], head["LastModified"].isoformat(), head.get("VersionId")

    def function_calls(self) -> Counter[str]:
        """The AWS calls that functions have sent so far, by operation."""
        return Counter(filter(None, map(_function_call, self.emulator.request_log.read_text().splitlines())))

    def diagnosis(self, pending: Iterable[Task], seconds: float) -> str:
        """What is missing, and what is known of it."""
        lines = [f"after {seconds:.0f} s these objects are not settled:"]
        lines += map(self._describe_pending, pending)
        return "\n".join([*lines, self._circumstances()])

    def _describe_pending(self, task: Task) -> str:
        return f"  {task.source} (sync {task.sync!r}): {_described(self.entry(task))}"

    def _circumstances(self) -> str:
        queues = ", ".join(f"{name} {self.messages(url)}" for name, url in self.resources.queues.items())
        dead = self.messages(self.resources.dead_letter_queue)
        return (
            f"messages in the queues: {queues}; in the dead-letter queue: {dead}\n"
            f"the emulator's log, functions' output included, ends:\n{_told(self.emulator.log_tail(200))}"
        )


def _grow_pauses() -> Iterator[float]:
    """Seconds between two looks, 0.2, 0.22 and so on: what takes long is seen a little later, and costs far fewer."""
    pause = _POLL_SECONDS
    while True:
        yield pause
        pause = min(pause * _POLL_GROWTH, _LONGEST_POLL_SECONDS)


def load_deployed(emulator: Emulator) -> Document:
    """The configuration that was deployed last to ``emulator``."""
    return load(find_deployed(emulator))


def find_deployed(emulator: Emulator) -> Path:
    """Where the configuration that was deployed is kept for as long as the emulator runs."""
    return emulator.folder / "deployed.json"


def _count_skipped_lines(source: Connection) -> int:
    return source.file_options().read.skip_lines


def _described(entry: Entry | None) -> str:
    if entry is None:
        return "the ledger has no entry: no function has seen its message"
    why = f"{entry.failure.error}: {entry.failure.message}" if entry.failure else entry.reason
    return f"{entry.state}, attempt {entry.attempts}" + (f", {why}" if why else "")


def _function_call(line: str) -> str | None:
    """The operation that a line of the request log tells of, if a function sent it."""
    if not (match := _REQUEST.search(line)):
        return None
    if operation := _OPERATION.search(match["target"]):
        return operation[1]
    return f"S3 {match['method']}{_s3_suffix(match['path'], match['query'])}"


def _s3_suffix(path: str, query: str) -> str:
    if path.count("/") < 2 or "list-type" in query:
        return " list"
    return " multipart" if "upload" in query else ""


def _told(log: str) -> str:
    """The last lines of the emulator's log: of a function's JSON lines what they tell, without their circumstances."""
    lines = list(filter(None, map(_line_told, log.splitlines())))
    return "\n".join(f"  {line[:400]}" for line in lines[-30:])


def _line_told(line: str) -> str:
    try:
        fields = json.loads(line)
    except ValueError:
        return line
    if not isinstance(fields, dict) or "level" not in fields:
        return ""
    rest = {name: value for name, value in fields.items() if not name.startswith(("function_", *_CIRCUMSTANCES))}
    return f"{fields['level']} {fields.get('message')} {json.dumps(rest, ensure_ascii=False)}"
