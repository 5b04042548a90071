"""The genuine committer in a process of its own, killed by SIGKILL at any moment: the table loses and doubles nothing.

What it works with lives on in another process: buckets, a Glue that compares versions, and the ledger.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import random
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.managers import BaseManager
from typing import Any

import duckdb
from botocore.exceptions import ClientError

from millrace.aws.faults import error_code
from millrace.aws.iceberg_catalog import GlueIcebergCatalog
from millrace.catalog.iceberg.committing import Committer
from millrace.errors import ObjectGone
from millrace.ledger.entries import Entry
from millrace.objects.references import ObjectRef
from millrace.objects.store import ListedObject, ObjectHead, OpenedObject, Published
from tests.fake_glue import EXCEPTIONS
from tests.iceberg_world import DATABASE, IcebergWorld

OBJECTS = 24
KILLS = 6
MOST_ANSWERS = 70
"""A committer that finds nothing left to do asks 71 times."""
_FORK = multiprocessing.get_context("fork")


@dataclass
class CommitPlant:
    """What outlives a committer: an ``IcebergWorld``, asked from other processes by plain values."""

    world: IcebergWorld = field(default_factory=IcebergWorld)

    def prepare(self) -> list[str]:
        """Convert all objects, some of them twice; what the committer is asked for."""
        for number in range(OBJECTS):
            self.world.convert(f"{number}.csv", f"id,version\n{number},1\n")
        self.world.commit(self.world.letters.bodies[:10])
        for number in range(0, OBJECTS, 4):
            self.world.convert(f"{number}.csv", f"id,version\n{number},2\n")
        return list(self.world.letters.bodies)

    def read(self, ref: ObjectRef) -> tuple[ObjectHead, bytes] | None:
        """An object whole."""
        head = self.world.world.store.head(ref)
        return (head, self.world.world.store.data(ref)) if head is not None else None

    def publish(self, ref: ObjectRef, data: bytes) -> Published:
        """A new object."""
        upload = self.world.world.store.upload(ref, {})
        upload.write(data)
        return upload.publish(expected=None, rows=0)

    def delete(self, ref: ObjectRef) -> None:
        """Delete by name."""
        self.world.world.store.delete(ref)

    def ask_glue(self, name: str, parameters: Mapping[str, Any]) -> Any:
        """What Glue answers, or the code of its error."""
        try:
            return getattr(self.world.glue, name)(**parameters), None
        except ClientError as error:
            return None, error_code(error)

    def get_entry(self, sync: str, source: ObjectRef) -> Entry | None:
        """What the ledger has."""
        return self.world.world.ledger.get(sync, source)

    def list_rows(self) -> list[tuple[int, int]]:
        """All rows of the table: pyiceberg finds the files, and DuckDB reads them."""
        rows = self.world.table().scan().to_arrow()
        selected = duckdb.sql("select id, version from rows order by id, version")
        assert selected is not None
        assert len(rows) == len(selected)
        return selected.fetchall()

    def count_snapshots(self) -> int:
        """How many commits there were."""
        return len(self.world.table().snapshots())


class CommitPlantManager(BaseManager):
    """The plant's own process."""


CommitPlantManager.register("plant", CommitPlant)


@dataclass
class RemoteUpload:
    """Satisfies ``Upload``."""

    plant: Any
    ref: ObjectRef
    pending: bytearray = field(default_factory=bytearray)

    def write(self, data: bytes | memoryview, /) -> int:
        """Take the next bytes."""
        self.pending += data
        return len(data)

    def discard(self) -> None:
        """Forget all."""
        self.pending.clear()

    def publish(self, *, expected: str | None, rows: int) -> Published:
        """Make it visible."""
        del expected, rows
        published: Published = self.plant.publish(self.ref, bytes(self.pending))
        return published


@dataclass
class RemoteStore:
    """As much of ``ObjectStore`` as a committer asks for."""

    plant: Any

    @contextmanager
    def open(self, ref: ObjectRef, *, tail_first: bool = False) -> Iterator[OpenedObject]:
        """An object whole."""
        del tail_first
        found = self.plant.read(ref)
        if found is None:
            raise ObjectGone(str(ref))
        yield OpenedObject(found[0], io.BytesIO(found[1]))

    def head(self, ref: ObjectRef) -> ObjectHead | None:
        """Its head."""
        found = self.plant.read(ref)
        return found[0] if found is not None else None

    def upload(self, target: ObjectRef, metadata: Mapping[str, str]) -> RemoteUpload:
        """Begin one."""
        del metadata
        return RemoteUpload(self.plant, target)

    def delete(self, ref: ObjectRef, *, etag: str | None = None) -> None:
        """Delete by name."""
        del etag
        self.plant.delete(ref)

    def list(self, bucket: str, prefix: str, *, start_after: str = "") -> Iterator[ListedObject]:
        """Nobody lists."""
        raise NotImplementedError(bucket, prefix, start_after)


@dataclass
class RemoteGlue:
    """As boto3's client, by another process."""

    plant: Any
    exceptions: Any = field(default_factory=lambda: EXCEPTIONS)

    def __getattr__(self, name: str) -> Any:
        def ask(**parameters: Any) -> Any:
            answer, code = self.plant.ask_glue(name, parameters)
            if code is not None:
                raise getattr(EXCEPTIONS, code)({"Error": {"Code": code, "Message": code}}, name)
            return answer

        return ask


@dataclass
class RemoteEntries:
    """Satisfies ``EntryReader``."""

    plant: Any

    def get(self, sync: str, source: ObjectRef, /) -> Entry | None:
        """What the ledger has."""
        entry: Entry | None = self.plant.get_entry(sync, source)
        return entry


@dataclass
class DeadlyPlant:
    """Answers so many requests of a process, and has it killed by the next: a clock would depend on the machine."""

    plant: Any
    answers: int

    def __getattr__(self, name: str) -> Any:
        def ask(*given: Any) -> Any:
            if self.answers == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            self.answers -= 1
            return getattr(self.plant, name)(*given)

        return ask


def commit_all(plant: Any, bodies: list[str]) -> None:
    """A committer's life: batches of three, in any order, until all is done or it is killed."""
    order = random.Random(os.getpid())
    stores: Any = {"lake": RemoteStore(plant)}
    catalog = GlueIcebergCatalog(RemoteGlue(plant), stores)
    committer = Committer(
        planner=IcebergWorld().planner, ledger=RemoteEntries(plant), catalog=catalog, database=DATABASE
    )
    shuffled = order.sample(bodies, len(bodies))
    for start in range(0, len(shuffled), 3):
        report = committer.commit(shuffled[start : start + 3], lambda: 900.0)
        assert not report.failed, report.failed
        assert not report.refused, report.refused


def test_a_committer_that_is_killed_loses_and_doubles_nothing() -> None:
    chance = random.Random(11)
    with CommitPlantManager(ctx=_FORK) as manager:
        plant: Any = manager.plant()  # type: ignore[attr-defined]  # the manager makes it by that name
        bodies = plant.prepare()
        killed = 0
        for _ in range(KILLS):
            deadly = DeadlyPlant(plant, chance.randrange(MOST_ANSWERS))
            process = _FORK.Process(target=commit_all, args=(deadly, bodies))
            process.start()
            process.join()
            killed += process.exitcode == -signal.SIGKILL
        last = _FORK.Process(target=commit_all, args=(plant, bodies))
        last.start()
        last.join()

        assert last.exitcode == 0
        assert killed == KILLS
        assert plant.list_rows() == [(number, 2 if number % 4 == 0 else 1) for number in range(OBJECTS)]
        assert plant.count_snapshots() > 2
