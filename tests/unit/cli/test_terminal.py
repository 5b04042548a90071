"""No key, name or text of a stranger steers a terminal, whichever command shows it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from millrace.aws.deployed import Deployed
from millrace.cli.commands import COMMANDS
from millrace.ledger.entries import Branch, Entry, Failure, Output, State
from millrace.objects.references import ObjectRef, SourceVersion
from millrace.texts import escape_controls, to_json_text
from tests.configurations import bulk_sync, document
from tests.fakes import InMemoryLedger
from tests.unit.cli.deployed.test_big_runs import MACHINE, FakeStepFunctions

HOSTILE = "a\x1b[2J\x1b]0;owned\x07\x9b31m\u202egpj.csv\u2066\nfailed: s3://b/forged\r\u2028\U000e0041"
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\U000e0000-\U000e007f]")
"""What no output may hold; a line's end is judged by what begins behind it."""
OF_PYTHON = re.compile(r"<State|<LetterClass|: \['|\b1 (?:objects|rows|messages|entries|outputs|columns|days)\b")
"""What no person should have to read: an enumeration's or a list's own form, a plural of one thing."""
SOURCE = ObjectRef("acme-in", f"in/{HOSTILE}.csv")
FAILED = Entry(
    sync="nightly",
    source=SOURCE,
    state=State.FAILED,
    revision=1,
    fence=1,
    fingerprint="f",
    engine="1",
    reason=HOSTILE,
    version=SourceVersion(etag=HOSTILE),
    failure=Failure(branch=Branch.DATA, error="RaggedRow", message=f"the column {HOSTILE}"),
    outputs=(Output(ref=ObjectRef("acme-out", HOSTILE), etag="e", size=1, rows=1),),
    started=datetime(2026, 11, 22, tzinfo=UTC),
    finished=datetime.now(UTC),
)


@given(st.text())
def test_what_a_terminal_obeys_is_escaped_and_the_rest_stays(text: str) -> None:
    shown = escape_controls(text)

    assert OBEYED.search(shown) is None
    assert "\n" not in shown
    assert escape_controls(shown) == shown
    shown.encode()
    if text.isprintable():
        assert shown == text


@pytest.mark.slow
@given(st.recursive(st.text() | st.integers() | st.none(), lambda part: st.dictionaries(st.text(), part), max_leaves=8))
def test_json_is_escaped_and_read_back_equal(value: object) -> None:
    for indent in (None, 2):
        shown = to_json_text(value, indent=indent)

        assert OBEYED.search(shown) is None
        shown.encode()
        assert json.loads(shown) == value


COUNTS_OF_QUEUE = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


@dataclass
class LetterBox:
    """A client of SQS whose dead-letter queue holds one message, and which takes what is sent."""

    body: str
    sent: list[str] = field(default_factory=list)
    received: bool = False

    def receive_message(self, **_: Any) -> dict[str, Any]:
        if self.received:
            return {}
        self.received = True
        attributes = {"SentTimestamp": "0", "ApproximateReceiveCount": "5"}
        return {"Messages": [{"MessageId": HOSTILE, "Body": self.body, "ReceiptHandle": "r", "Attributes": attributes}]}

    def send_message(self, **request: Any) -> dict[str, Any]:
        self.sent.append(request["MessageBody"])
        return {}

    def get_queue_url(self, **request: Any) -> dict[str, str]:
        return {"QueueUrl": f"https://sqs/1/{request['QueueName']}"}

    def get_queue_attributes(self, **request: Any) -> dict[str, Any]:
        counts = dict.fromkeys(COUNTS_OF_QUEUE, "0")
        rest = {"VisibilityTimeout": "60", "MessageRetentionPeriod": "60"}
        rest["QueueArn"] = f"arn:aws:sqs:us-east-1:1:{request['QueueUrl'].rpartition('/')[2]}"
        return {"Attributes": counts | rest, "ResponseMetadata": {"HTTPHeaders": {}}}

    def delete_message(self, **_: Any) -> None:
        pass

    def change_message_visibility(self, **_: Any) -> None:
        pass

    def change_message_visibility_batch(self, **_: Any) -> dict[str, Any]:
        return {}


class PausedFunction:
    """A client of Lambda, DynamoDB and CloudWatch: one event source is paused, for a reason that a stranger wrote."""

    def get_paginator(self, _name: str) -> PausedFunction:
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        return [
            {"EventSourceMappings": [{"EventSourceArn": "arn:aws:sqs:us-east-1:1:q", "UUID": "u", "State": "Disabled"}]}
        ]

    def update_event_source_mapping(self, **_: Any) -> None:
        pass

    def get_metric_statistics(self, **_: Any) -> dict[str, Any]:
        return {}

    def get_function_configuration(self, **_: Any) -> dict[str, Any]:
        return {"MemorySize": 1024}

    def head_object(self, **_: Any) -> dict[str, Any]:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": HOSTILE}}, "HeadObject")

    def put_metric_data(self, **_: Any) -> None:
        pass

    def put_item(self, **_: Any) -> None:
        pass

    def get_item(self, **request: Any) -> dict[str, Any]:
        if "circuit" not in request["Key"]["pk"]["S"]:
            return {}
        circuit = {"failures": {}, "paused": "2026-11-22T00:00:00+00:00", "sync": "nightly", "reason": HOSTILE}
        return {"Item": {"revision": {"N": "1"}, "circuit": {"S": json.dumps(circuit)}}}


class HostileDeployment:
    """A deployment whose ledger, queues and functions hold what a stranger wrote."""

    def __init__(self) -> None:
        self._ledger = InMemoryLedger()
        self._ledger.put(FAILED)

    def find(self, _name: str, /) -> tuple[Deployed, Any]:
        deployed = Deployed(
            ledger_table="l",
            dead_letter_queue="https://sqs/1/d",
            queues={"landing": "https://sqs/1/q"},
            convert_function="c",
            reprocess_function="r",
            syncs=("nightly",),
            reconcile_function="reconcile",
            big_run_machine=MACHINE,
        )
        return deployed, self._ledger

    def invoke(self, function: str, _event: dict[str, Any]) -> dict[str, Any]:
        if function == "reconcile":
            return {"progress": "put off", "reason": HOSTILE, "sync": "nightly"}
        counts = {"selected": 1, "sent": 1, "ignored": 0, "out_of_scope": 0}
        return {"run_id": HOSTILE, "dry_run": False, "complete": True, "examples": [str(SOURCE)], **counts}

    def client(self, service: str) -> Any:
        if service == "sqs":
            return LetterBox(json.dumps({"millrace": 1, "kind": "created", "bucket": "acme-in", "key": SOURCE.key}))
        if service == "stepfunctions":
            steps = FakeStepFunctions()
            about = {"sync": "nightly", "source": str(SOURCE), "size": 1}
            steps.add("r1", input=json.dumps({"about": about}), cause=HOSTILE)
            return steps
        return PausedFunction()


def show(_folder: Path) -> list[str]:
    return ["show", str(SOURCE)]


def of_deployment(*words: str) -> Callable[[Path], list[str]]:
    return lambda _folder: list(words)


def explain(folder: Path) -> list[str]:
    (folder / "a.csv").write_text(f'id,"{HOSTILE}"\n1,"{HOSTILE}"\n', newline="")
    return ["explain", str(folder / "a.csv")]


def convert(folder: Path) -> list[str]:
    (folder / "a.csv").write_text("a,b\n1\n")
    return ["convert", str(folder / "a.csv"), str(folder / f"{HOSTILE.replace('/', '')}.jsonl"), "--to", "json"]


def configuration(folder: Path, **fields: Any) -> str:
    path = folder / "millrace.json"
    path.write_text(json.dumps(document(bulk_sync()).model_dump(mode="json", exclude_none=True) | fields))
    return str(path)


def validate(folder: Path) -> list[str]:
    return ["validate", configuration(folder, **{HOSTILE: HOSTILE})]


def import_answers(folder: Path) -> list[str]:
    ends = {"source_connection_id": HOSTILE, "destination_connection_id": HOSTILE}
    own = {"auth_mode": "iam_role", "iam_role_arn": "arn:aws:iam::123456789012:role/r", HOSTILE: HOSTILE}
    place = {"s3_bucket_name": "b", "s3_bucket_region": "eu-west-1"}
    connection = {"id": "c", "name": HOSTILE, "type": "s3", "configuration": own | place}
    answers = [connection, {"id": HOSTILE, "name": HOSTILE, **ends}, {HOSTILE: HOSTILE}]
    (folder / "answers.json").write_text(json.dumps(answers))
    return ["import", str(folder / "answers.json"), "--output", str(folder / "out.yaml")]


def import_to_standard_output(folder: Path) -> list[str]:
    return [*import_answers(folder)[:-1], "-"]


def connections(folder: Path) -> list[str]:
    return ["connections", "--offline", "--config", configuration(folder), "--account", HOSTILE]


def plan(folder: Path) -> list[str]:
    return ["plan", f"in/{HOSTILE}.csv", HOSTILE, "--config", configuration(folder)]


def replay(folder: Path) -> list[str]:
    return ["replay", "nightly", "--key", f"in/{HOSTILE}.csv", "--config", configuration(folder)]


def plan_of_failed(folder: Path) -> list[str]:
    return ["plan", "--sync", "nightly", "--state", "failed", "--list", "--config", configuration(folder)]


COMMAND_LINES: tuple[tuple[Callable[[Path], list[str]], bool], ...] = (
    (of_deployment("status"), True),
    (show, True),
    (of_deployment("history"), True),
    (of_deployment("costs", "--by", "prefix"), True),
    (of_deployment("forget", HOSTILE), True),
    (plan, True),
    (plan_of_failed, True),
    (replay, True),
    (of_deployment("reprocess", "nightly"), True),
    (of_deployment("reconcile", "nightly"), True),
    (of_deployment("dead-letters"), True),
    (of_deployment("dead-letters", "--discard", "--yes"), True),
    (of_deployment("redrive"), True),
    (of_deployment("resume", "--dry-run"), True),
    (of_deployment("runs", "list"), True),
    (of_deployment("runs", "show", "r1"), True),
    (of_deployment("runs", "show", HOSTILE), False),
    (explain, True),
    (convert, False),
    (validate, True),
    (import_answers, True),
    (import_to_standard_output, False),
    (connections, True),
)
"""Each command's words, and whether it has ``--json``."""

SHOWS_NO_STRANGERS_TEXT = {
    "init": "what the person typed, by the same two functions",
    "schema": "its own schema alone",
    "errors": "its own explanations; an unknown class is an error of wrong use, by the same two functions",
    "deploy": "names of the configuration, and what the CDK says, by the same two functions",
    "diff": "what the CDK says, by the same two functions",
    "destroy": "names of the configuration, and what the CDK says, by the same two functions",
    "ui": "its own address and the deployment's name; a browser shows the rest, see tests/unit/ui",
    "demo": "its own samples; its screen is a Terminal",
    "doctor": "what AWS says, by the same two functions",
    "audit": "counts by state, and errors by the same two functions",
    "ledger": "counts, and errors by the same two functions",
    "backfill": "counts, and names of the configuration, by the same two functions",
    "webhooks": "names of the configuration, and what receivers answer, by the same two functions",
}


def test_every_command_is_in_the_list(tmp_path: Path) -> None:
    named = {build(tmp_path)[0] for build, _ in COMMAND_LINES}

    assert named | SHOWS_NO_STRANGERS_TEXT.keys() >= {entry.name for entry in COMMANDS}


@pytest.mark.parametrize("build", [build for build, _ in COMMAND_LINES])
def test_no_command_prints_what_a_terminal_obeys(run: Any, tmp_path: Path, build: Callable[[Path], list[str]]) -> None:
    ran = run(*build(tmp_path), deployments=HostileDeployment())

    check_output(ran.out + ran.err)


@pytest.mark.parametrize("build", [build for build, has_json in COMMAND_LINES if has_json])
def test_nor_does_its_json_which_is_read_back_whole(
    run: Any, tmp_path: Path, build: Callable[[Path], Sequence[str]]
) -> None:
    ran = run(*build(tmp_path), "--json", deployments=HostileDeployment())

    check_output(ran.out + ran.err)
    assert all(json.loads(line) for line in ran.out.splitlines())


def check_output(text: str) -> None:
    assert text
    assert OBEYED.search(text) is None, ascii(text)
    assert OF_PYTHON.search(text) is None, text
    assert not any(line.startswith("failed: s3://b/forged") for line in text.splitlines()), "a key forged a line"


def test_what_is_shown_as_json_is_what_the_ledger_has(run: Any) -> None:
    ran = run("show", str(SOURCE), "--json", deployments=HostileDeployment())

    assert json.loads(ran.out)["source"] == str(SOURCE)
    assert json.loads(ran.out)["reason"] == HOSTILE


FUNCTIONS = Path(__file__).parents[3] / "functions" / "millrace"
WAYS_OUT = re.compile(r"typer\.echo\(|(?<![\w.])print\(|\bConsole\(|sys\.std(?:out|err)\.write\(")
ALLOWED = {
    ("cli/__init__.py", 'sys.stderr.write("interrupted: nothing was changed\\n")'),
    ("cli/command_line.py", 'typer.echo(f"millrace {__version__} ({_describe_kernel()})")'),
    ("cli/configuration.py", "typer.echo(schema_text(), nl=False)"),
    ("cli/local/convert.py", 'sys.stdout.write(line + "\\n")'),
}


def test_commands_write_to_the_terminal_by_one_module_alone() -> None:
    ways = set()
    for path in (FUNCTIONS / "cli").rglob("*.py"):
        if path.name == "terminal.py":
            continue
        for line in path.read_text().splitlines():
            if WAYS_OUT.search(line):
                ways.add((path.relative_to(FUNCTIONS).as_posix(), line.strip()))

    assert ways == ALLOWED
