"""Under fire: workers killed, events sent twice and shuffled, calls failing; and the same bytes come out.

FIRE_OBJECTS=2000 (`make fire`) burns as many as that; as one of many tests it makes do with fewer.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from millrace import __version__
from millrace.config.document import load
from millrace.delivery.worker import Worker
from millrace.demo.deployed import DeployedDemo, Task
from millrace.demo.emulator import Mode
from millrace.errors import Crashed
from millrace.ledger.claims import Delivery
from millrace.ledger.entries import DONE, State
from millrace.objects.messages import Request
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef
from millrace.planning.planner import Planner
from tests.e2e.bootstrapping import bootstrap_quickly
from tests.e2e.burning import KILLERS, LARGE, SOURCE_BUCKET, TARGET_BUCKET, TARGETS, configuration, content, key
from tests.e2e.commands import lines
from tests.e2e.emulators import running_quickly
from tests.e2e.proxy import Trouble, troubled
from tests.e2e.quick_deployments import deploy_quickly
from tests.fakes import InMemoryLedger, InMemoryObjectStore
from tests.world import NOON

pytestmark = pytest.mark.e2e

OBJECTS = int(os.environ.get("FIRE_OBJECTS", "100"))
OVERWRITTEN = range(0, OBJECTS, 9)
DELETED = range(4, OBJECTS, 31)
UNDELETED = DELETED[::2]
"""Their delete markers are deleted again, so that the version before is there once more."""
GONE = frozenset(DELETED) - frozenset(UNDELETED)
SEED = 5
SHARE = 0.05
TIMEOUT_SECONDS = 20
VISIBILITY_SECONDS = 26
"""Above the lease, which is the timeout and a margin of two seconds; see ``impatient``."""
KILLING_SECONDS = VISIBILITY_SECONDS + 4 + OBJECTS / 20
"""So that those who try again are killed, too; then what is left is done in peace, so that the test ends."""
FEWEST_KILLS = 5
DEADLINE_SECONDS = 600 + OBJECTS
_KILLERS = frozenset(number for number in KILLERS if number < OBJECTS)
_REDRIVES = 10
_ROOT = Path(__file__).parents[2]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the configuration lies."""
    path = tmp_path / "millrace.json"
    path.write_text(json.dumps(configuration(OBJECTS)))
    return path


@pytest.fixture
def burning(place: Path) -> Iterator[DeployedDemo]:
    """DeployedDemo where every caller may do everything, over plain http, which the proxy can read."""
    with running_quickly(Mode.OPEN) as emulator:
        bootstrap_quickly(emulator)
        yield deploy_quickly(emulator, place, context={"max_concurrency": "3", "timeout_seconds": "60"})


def test_what_comes_out_is_what_comes_out_of_a_quiet_run(burning: DeployedDemo, place: Path) -> None:
    """Byte for byte, every object accounted for, every row counted, and nothing left among the dead letters."""
    burning.wait_until_idle(seconds=60)  # S3's greetings, while their function is what was deployed
    began = time.monotonic()
    kills = burning.emulator.folder / "kills"
    trouble = Trouble(SEED, SHARE)
    with troubled(burning.emulator.url.partition("://")[2], trouble) as url:
        _hurry(burning, url, kills)
        with _held(burning) as held:
            for number in range(OBJECTS):
                burning.upload(_ref(number), content(number, 1))
        records = held * 2
        random.Random(SEED).shuffle(records)
        kills.touch()
        messages = _send(burning, records)
        for number in OVERWRITTEN:
            burning.upload(_ref(number), content(number, 2))
        _delete_and_undelete(burning)
        _wait_while_busy(burning, KILLING_SECONDS)
        while kills.stat().st_size < FEWEST_KILLS and time.monotonic() - began < DEADLINE_SECONDS:
            messages += _send(burning, records)  # chance spared them
            _wait_while_busy(burning, KILLING_SECONDS)
        killed = kills.stat().st_size
        kills.unlink()
        burning.wait_until_idle(seconds=DEADLINE_SECONDS)
        redriven = _redrive(burning)
        victims = _reprocess_victims(burning)
    seconds = time.monotonic() - began

    large = len([number for number in LARGE if number < OBJECTS])
    print(  # noqa: T201 -- shown by -s, and where the test fails
        f"\n{OBJECTS} objects, {large} of 20 MB, {len(OVERWRITTEN)} overwritten, {len(DELETED)} deleted, "
        f"{len(UNDELETED)} undeleted, {len(records)} records in {messages} messages: "
        f"{killed} kills, {trouble.struck.total()} of {sum(trouble.passed.values())} requests struck "
        f"({trouble.gave_up} for good), redriven {dict(redriven)}, "
        f"reprocessed after three kills {victims}, {seconds:.0f} s"
    )
    assert killed >= FEWEST_KILLS
    assert len(victims) <= 3 + OBJECTS / 50, "kills are few, so that three of one object are chance"
    assert {(service, applied) for service, _, applied in trouble.struck} == {
        (service, applied) for service in ("s3", "dynamodb") for applied in (False, True)
    }
    assert trouble.struck.total() >= OBJECTS / 4

    quiet = _quiet(place)
    assert _outputs(burning) == quiet
    assert burning.messages(burning.resources.dead_letter_queue) == 0
    _assert_settled(burning)
    audited = lines(burning, "audit", "--config", str(place), "--json", seconds=300)
    assert {line["unaccounted"] for line in audited} == {0}
    assert sum(line["objects"] for line in audited) == OBJECTS - len(GONE)
    done = sum(line.get(state, 0) for line in audited for state in DONE)
    assert done == OBJECTS - len(GONE) - len(_KILLERS)


def _delete_and_undelete(deployed: DeployedDemo) -> None:
    markers = {}
    for number in DELETED:
        ref = _ref(number)
        markers[number] = deployed.s3.delete_object(Bucket=ref.bucket, Key=ref.key)["VersionId"]
    for number in UNDELETED:
        ref = _ref(number)
        deployed.s3.delete_object(Bucket=ref.bucket, Key=ref.key, VersionId=markers[number])


def _ref(number: int) -> ObjectRef:
    return ObjectRef(SOURCE_BUCKET, key(number))


def _hurry(deployed: DeployedDemo, endpoint: str, kills: Path) -> None:
    """Put the function behind the proxy, cut short what it waits for, and have it killed while there is ``kills``."""
    functions = deployed.emulator.client("lambda")
    name = deployed.resources.convert_function
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    functions.update_function_configuration(
        FunctionName=name,
        Handler="tests.e2e.impatient.handle",
        Timeout=TIMEOUT_SECONDS,
        Environment={
            "Variables": {
                **variables,
                "AWS_ENDPOINT_URL": endpoint,
                "KILLS": str(kills),
                "MILLRACE_TIMEOUT_SECONDS": str(TIMEOUT_SECONDS),
                "PYTHONPATH": os.pathsep.join([str(deployed.emulator.folder / "site"), str(_ROOT)]),
            }
        },
    )
    for url in deployed.resources.queues.values():
        attributes = {"VisibilityTimeout": str(VISIBILITY_SECONDS)}
        deployed.sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)


@contextlib.contextmanager
def _held(deployed: DeployedDemo) -> Iterator[list[dict[str, Any]]]:
    """Have S3 tell a queue of the test's own meanwhile; the list is filled with the records when it is over."""
    own = deployed.sqs.create_queue(QueueName="held")["QueueUrl"]
    arn = deployed.sqs.get_queue_attributes(QueueUrl=own, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    kept = deployed.s3.get_bucket_notification_configuration(Bucket=SOURCE_BUCKET)
    kept.pop("ResponseMetadata")
    held = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    records = list[dict[str, Any]]()
    deployed.s3.put_bucket_notification_configuration(Bucket=SOURCE_BUCKET, NotificationConfiguration=held)
    yield records
    deployed.s3.put_bucket_notification_configuration(Bucket=SOURCE_BUCKET, NotificationConfiguration=kept)
    while messages := deployed.sqs.receive_message(QueueUrl=own, MaxNumberOfMessages=10).get("Messages"):
        records += [record for message in messages for record in json.loads(message["Body"]).get("Records", [])]
        handles = [{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(messages)]
        deployed.sqs.delete_message_batch(QueueUrl=own, Entries=handles)


def _send(deployed: DeployedDemo, records: list[dict[str, Any]]) -> int:
    """Send records in the order given, one to three a message, each to its source's queue; how many messages."""
    choice, sent = random.Random(SEED), 0
    for source, url in deployed.resources.queues.items():
        mine = iter([record for record in records if record["s3"]["object"]["key"].startswith(f"{source}/")])
        while some := list(islice(mine, choice.randint(1, 3))):
            deployed.sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"Records": some}))
            sent += 1
    return sent


def _wait_while_busy(deployed: DeployedDemo, seconds: float) -> None:
    """Wait until no message is in the queues, or the time is over."""
    deadline, queues = time.monotonic() + seconds, deployed.resources.queues.values()
    while time.monotonic() < deadline and any(deployed.messages(url) for url in queues):
        time.sleep(0.2)


def _redrive(deployed: DeployedDemo) -> Counter[str]:
    """Redrive until nothing comes back; how many messages, by class."""
    moved: Counter[str] = Counter()
    for _ in range(_REDRIVES):
        if not deployed.messages(deployed.resources.dead_letter_queue):
            break
        time.sleep(1)  # what died in this very second is left to the next redrive
        moved.update(lines(deployed, "redrive", "--json", seconds=300)[-1]["moved"])
        deployed.wait_until_idle(seconds=DEADLINE_SECONDS)
    return moved


def _reprocess_victims(deployed: DeployedDemo) -> list[str]:
    """Ask again for what three random kills struck, as a person would who reads that it failed as ``Crashed``."""
    victims = [
        number
        for number in sorted(set(range(OBJECTS)) - GONE - _KILLERS)
        if (entry := deployed.entry(_task(number))) and entry.failure and entry.failure.error == Crashed.__name__
    ]
    for number in victims:
        deployed.reprocess({"sync": _task(number).sync, "keys": [key(number)]})
    deployed.wait_until_idle(seconds=DEADLINE_SECONDS)
    return [key(number) for number in victims]


def _task(number: int) -> Task:
    return Task(key(number).partition("/")[0], _ref(number))


def _quiet(place: Path) -> dict[str, str]:
    """The digests of what one worker makes of the same objects in memory, with nothing in its way."""
    store = InMemoryObjectStore({SOURCE_BUCKET: {}, TARGET_BUCKET: {}})
    worker = Worker.build(
        planner=Planner(load(place)),
        ledger=InMemoryLedger(),
        stores=dict.fromkeys((*TARGETS, "lake"), store),
        queues={},
        now=lambda: NOON,
        engine=__version__,
        timeout_seconds=900,
    )
    for number in sorted(set(range(OBJECTS)) - GONE - _KILLERS):
        ref = _ref(number)
        store.put(ref, content(number, _last_version(number)))
        (outcome,) = worker.work(
            Request(change=ObjectChange(kind=ChangeKind.CREATED, ref=ref)),
            Delivery(message_id=str(number), remaining=lambda: 900),
        )
        assert outcome.result in DONE, outcome
    return {name: _digest(stored.data) for name, stored in store.buckets[TARGET_BUCKET].items()}


def _last_version(number: int) -> int:
    return 2 if number in OVERWRITTEN else 1


def _digest(data: bytes) -> str:
    return f"{len(data)} bytes {hashlib.sha256(data).hexdigest()}"


def _outputs(deployed: DeployedDemo) -> dict[str, str]:
    pages = deployed.s3.get_paginator("list_objects_v2").paginate(Bucket=TARGET_BUCKET)
    names = [found["Key"] for page in pages for found in page.get("Contents", ())]
    return {name: _digest(deployed.read(ObjectRef(TARGET_BUCKET, name))) for name in names}


def _assert_settled(deployed: DeployedDemo) -> None:
    """Each entry is of the newest bytes, and its rows add up."""
    rows, repeated = Counter[str](), 0
    for number in range(OBJECTS):
        entry = deployed.entry(_task(number))
        assert entry is not None
        if number in GONE:
            assert entry.state is State.REMOVED, entry
            continue
        if number in _KILLERS:
            assert (entry.state, entry.failure and entry.failure.error) == (State.FAILED, Crashed.__name__), entry
            continue
        assert entry.state in DONE, entry
        newest = hashlib.md5(content(number, _last_version(number)), usedforsecurity=False).hexdigest()
        assert entry.version.etag == newest
        counts = entry.rows.read, entry.rows.written, entry.rows.quarantined, entry.rows.filtered
        assert counts[0] == sum(counts[1:]), f"{entry.source}: {counts}"
        repeated += entry.attempts > 1
        rows.update(read=counts[0], written=counts[1], quarantined=counts[2], filtered=counts[3])
    assert min(rows.values()) > 0
    print(f"rows: {dict(rows)}; objects in a second attempt or a later one: {repeated}")  # noqa: T201 -- as above
