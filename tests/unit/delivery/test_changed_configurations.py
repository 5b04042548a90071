"""Configurations that change between, and during, the work: what is there in the end is what a first run would make.

A seed draws uploads, deletions, deployments of other configurations, workers of the deployments before, and kills. In
the end each object is asked for under the last configuration.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from millrace.config.document import Document, parse
from millrace.delivery.worker import Worker
from millrace.errors import InvalidConfiguration
from millrace.ledger.claims import Claims
from millrace.ledger.entries import DONE, Entry
from millrace.ledger.table_entries import AnyEntry
from millrace.objects.lineage import Lineage
from millrace.objects.messages import Request
from millrace.objects.references import ObjectRef
from tests.configurations import bulk_sync, connection
from tests.fakes import InMemoryLedger
from tests.unit.engine.formats.packing import zipped
from tests.world import World

KEYS = ("in/o/a.csv", "in/o/b.jsonl", "in/p/c.csv", "in/z.zip", "in/o/d e.csv")
TABLES = ("o/a", "o/b", "p/c", "o/d e", "z/a", "z/b")
SEEDS = range(60)
STALE_DEPLOYMENTS = 3
"""So many of the last deployments may still have workers."""


class KilledAtPut(BaseException):
    """The worker is no more."""


@dataclass
class LethalLedger(InMemoryLedger):
    """Kills who writes to it, before or after it is written."""

    chance: Random | None = None

    def put(self, entry: AnyEntry) -> None:
        """Write it down, with a risk."""
        self._kill_by_chance()
        super().put(entry)
        self._kill_by_chance()

    def _kill_by_chance(self) -> None:
        if self.chance is not None and self.chance.random() < 0.06:
            raise KilledAtPut


@dataclass
class LivedWorld:
    """One seed's world."""

    chance: Random
    world: World = field(default_factory=lambda: World(ledger=LethalLedger()))
    deployed: list[Document] = field(default_factory=list)
    events: list[Request] = field(default_factory=list)

    def live(self) -> None:
        """Some hours of changes, then all events to their end."""
        self.deployed.append(draw_document(self.chance))
        steps = (self._upload, self._upload, self._delete, self._deploy, self._work)
        for _ in range(self.chance.randint(6, 22)):
            self.chance.choice(steps)()
        for _ in range(8):
            for event in list(self.events):
                self._finish(event, len(self.deployed))

    def _upload(self) -> None:
        key = self.chance.choice(KEYS)
        self.events.append(self.world.upload(draw_content(self.chance, key), ObjectRef("acme-in", key)))

    def _delete(self) -> None:
        self.events.append(self.world.delete(ObjectRef("acme-in", self.chance.choice(KEYS))))

    def _deploy(self) -> None:
        self.deployed.append(draw_document(self.chance))

    def _work(self) -> None:
        self.chance.shuffle(self.events)
        for event in self.events[: self.chance.randint(1, 6)]:
            least = max(1, len(self.deployed) - STALE_DEPLOYMENTS)
            is_stale = self.chance.random() < 0.3
            deployment = self.chance.randint(least, len(self.deployed)) if is_stale else len(self.deployed)
            ledger = self.world.ledger
            assert isinstance(ledger, LethalLedger)
            ledger.chance = self.chance
            try:
                self._finish(event, deployment)
            except KilledAtPut:
                continue
            finally:
                ledger.chance = None

    def _finish(self, event: Request, deployment: int) -> None:
        """Work on an event; it goes if all that it names is settled."""
        self.world.now += timedelta(hours=2)
        outcomes = list(self._worker(deployment).work(event, self.world.delivery(str(event.change.sequencer))))
        if all(outcome.acknowledge for outcome in outcomes):
            self.events.remove(event)

    def _worker(self, deployment: int) -> Worker:
        self.world.configuration = self.deployed[deployment - 1]
        self.world.deployment = deployment
        return self.world.worker

    def ask_for_all(self) -> None:
        """What `millrace reprocess` does, twice: the place of one may be freed by another."""
        worker = self._worker(len(self.deployed))
        for turn in range(2):
            for sync in list_syncs(self.deployed[-1]):
                for key in KEYS:
                    event = self.world.event(ObjectRef("acme-in", key))
                    asked = replace(event.change, sequencer=None)
                    request = Request(change=asked, sync=sync, run_id=f"{turn}{sync}{key}")
                    list(worker.work(request, self.world.delivery(request.run_id or "")))


def draw_content(chance: Random, key: str) -> bytes:
    """Rows of a key's format; the last one of a CSV may be bad."""
    if key.endswith(".zip"):
        return zipped({f"{name}.csv": draw_content(chance, "x.csv") for name in "ab"[: chance.randint(1, 2)]})
    rows = [(chance.choice("xyz"), chance.randint(0, 9)) for _ in range(chance.randint(1, 4))]
    if key.endswith(".jsonl"):
        return "".join(f'{{"k":"{name}","v":{number}}}\n' for name, number in rows).encode()
    lines = ["k,v", *(f"{name},{number}" for name, number in rows)]
    if chance.random() < 0.2:
        lines.append("q")
    return "\n".join([*lines, ""]).encode()


def draw_document(chance: Random) -> Document:
    """A configuration that is valid: names, folders, formats, partitions and files differ."""
    while True:
        included = {"include": [chance.choice(["o/**", "**/*.csv"])]} if chance.random() < 0.2 else {}
        told = {"enable_event_notifications": True, "event_queue_arn": "managed"}
        landing = connection("landing", "s3://acme-in/in", **told, **included)
        syncs = [draw_sync(chance, name) for name in chance.sample(["one", "two", "three"], chance.randint(1, 2))]
        try:
            return parse({"connections": [landing, connection("lake", "s3://acme-out/lake")], "bulk_syncs": syncs})
        except InvalidConfiguration:
            continue  # both have one folder


def draw_sync(chance: Random, name: str) -> dict[str, Any]:
    return bulk_sync(
        name,
        to=chance.choice(["json", "csv"]),
        subfolder=chance.choice(["", "s", "t"]),
        bad_rows=chance.choice(["quarantine", "fail"]),
        on_delete=chance.choice(["remove", "keep"]),
        active=chance.random() < 0.8,
        schemas=draw_schemas(chance),
    )


def draw_schemas(chance: Random) -> list[dict[str, Any]] | None:
    if chance.random() < 0.5:
        return None
    return [draw_schema(chance, table) for table in chance.sample(TABLES, chance.randint(1, 4))]


def draw_schema(chance: Random, table: str) -> dict[str, Any]:
    if chance.random() < 0.7:
        return {"id": table, "partition_key": "k"}
    return {"id": table, "enabled": False}


def list_syncs(document: Document) -> list[str]:
    return [sync.name for sync in document.active_bulk_syncs()]


def run_once(history: LivedWorld) -> World:
    """The last configuration, and what is there in the end, in a world of their own."""
    first = LivedWorld(history.chance, deployed=[history.deployed[-1]])
    for key, stored in sorted(history.world.store.buckets["acme-in"].items()):
        first.world.store.put(ObjectRef("acme-in", key), stored.data)
    first.ask_for_all()
    return first.world


def find_differences(history: LivedWorld) -> list[str]:
    """What differs from a first run, and what nobody would delete any more."""
    first, outputs = run_once(history), history.world.store.buckets["acme-out"]
    wanted = first.store.buckets["acme-out"]
    differences = [key for key in wanted if key not in outputs or outputs[key].data != wanted[key].data]
    syncs = list_syncs(history.deployed[-1])
    for key, stored in outputs.items():
        lineage = Lineage.from_metadata(stored.metadata)
        assert lineage is not None
        if key not in wanted and lineage.sync in syncs:
            entry = history.world.ledger.get(lineage.sync, lineage.source_ref())
            differences.extend([] if is_kept(entry, key) else [f"{key} of {lineage.source}"])
    return differences


def is_kept(entry: Entry | None, key: str) -> bool:
    """Whether an entry names an output that it would not have by itself: of a failure, or of what was removed."""
    if entry is None or entry.state in DONE:
        return False
    return key in {output.ref.key for output in (*entry.outputs, *entry.obsolete)}


@pytest.mark.slow
def test_in_the_end_all_is_as_if_there_had_been_one_configuration() -> None:
    differences = {}
    for seed in SEEDS:
        history = LivedWorld(Random(seed))
        history.live()
        history.ask_for_all()
        differences[seed] = find_differences(history)

    assert {seed: found for seed, found in differences.items() if found} == {}


@pytest.mark.slow
def test_without_the_rule_for_renamed_syncs_it_would_not_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Claims, "may_take_over", lambda *_arguments: False)
    found = []
    for seed in SEEDS:
        history = LivedWorld(Random(seed))
        history.live()
        history.ask_for_all()
        found.extend(find_differences(history))

    assert found
