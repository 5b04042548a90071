"""A compressed file beyond one invocation is inflated first, into an object of the run that can be cut."""

from __future__ import annotations

import bz2
import gzip
import lzma

import pyarrow as pa
import pytest

from millrace.big_runs import dividing
from millrace.big_runs.documents import ORDER, RunDocuments, RunOrder
from millrace.big_runs.events import Phase, PhaseEvent
from millrace.big_runs.sources import file_source
from millrace.errors import ServiceUnavailable
from millrace.ledger.entries import State
from millrace.objects.references import ObjectRef
from millrace.planning.plans import Plan
from tests.configurations import bulk_sync
from tests.unit.big_runs.running import RunWorld, phases_of, twin_of

TEXT = b"id,name\n" + b"".join(b'%d,"name\n%d"\n' % (number, number) for number in range(200))
TARGET = ObjectRef("acme-out", "lake/orders.csv")


def upload(world: RunWorld, data: bytes, extension: str = ".gz") -> ObjectRef:
    source = ObjectRef("acme-in", f"in/orders.csv{extension}")
    world.one(world.upload(data, source))
    return source


@pytest.mark.slow
@pytest.mark.parametrize(
    ("extension", "data"), [(".gz", gzip.compress(TEXT)), (".bz2", bz2.compress(TEXT)), (".xz", lzma.compress(TEXT))]
)
def test_the_output_is_that_of_one_invocation(extension: str, data: bytes) -> None:
    world = RunWorld(syncs=(bulk_sync(to="csv"),))
    whole = twin_of(world)
    source = upload(world, data, extension)
    whole.one(whole.upload(data, source))

    assert world.drive() == "done"

    assert [phase for phase, _ in phases_of(world)][:4] == [Phase.PLAN, Phase.INFLATE, Phase.PLAN, Phase.SCAN]
    assert world.entry(source).rows == whole.entry(source).rows
    assert world.store.data(TARGET) == whole.store.data(TARGET)
    assert world.homes() == []


def test_a_compressed_file_without_text_is_no_run() -> None:
    world = RunWorld(syncs=(bulk_sync(to="csv"),))
    source = upload(world, gzip.compress(b""))

    assert not world.machine.inputs
    assert world.entry(source).state is State.CONVERTED


@pytest.mark.slow
def test_no_more_parts_than_a_run_may_have_come_of_frames_of_much_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dividing, "MOST_RUN_PARTS", 3)
    text = b"id,name\n" + b"1,aaaaaaaaaaaa\n" * 2000
    codec = pa.Codec("zstd")
    frames = [bytes(codec.compress(text[at : at + 1000], asbytes=True)) for at in range(0, len(text), 1000)]
    world = RunWorld(syncs=(bulk_sync(to="csv"),))
    upload(world, b"".join(frames), ".zst")

    assert world.drive() == "done"

    phases = list(phases_of(world))
    assert Phase.INFLATE not in dict(phases)
    assert 1 < sum(phase is Phase.CONVERT for phase, _ in phases) <= 3
    assert world.store.data(TARGET) == text


@pytest.mark.slow
def test_a_child_that_is_killed_inflates_once_more() -> None:
    world = RunWorld(syncs=(bulk_sync(to="csv"),))
    killed = list[PhaseEvent]()

    def kill_once(event: PhaseEvent) -> None:
        if event.phase is Phase.INFLATE and not killed:
            killed.append(event)
            raise ServiceUnavailable("killed")

    world.before = kill_once
    source = upload(world, gzip.compress(TEXT))

    assert world.drive() == "done"
    assert killed
    assert world.entry(source).state is State.CONVERTED


@pytest.mark.slow
def test_a_damaged_file_fails_with_what_is_wrong_with_it() -> None:
    world = RunWorld(syncs=(bulk_sync(to="csv"),), part_bytes=100_000)
    # What is wrong with its beginning one invocation sees, and says.
    source = upload(world, gzip.compress(TEXT + b"1,x\n" * 2_500_000, 1)[:-9])

    assert world.drive() == "failed"

    failure = world.entry(source).failure
    assert failure is not None
    assert (failure.error, "stops before its end" in failure.message) == ("TruncatedFile", True)
    assert world.homes() == []


def test_what_cannot_be_inflated_in_time_says_what_to_do() -> None:
    world = RunWorld(syncs=(bulk_sync(to="csv"),))
    source = upload(world, gzip.compress(TEXT))
    world.remaining = 3

    assert world.drive() == "failed"

    failure = world.entry(source).failure
    assert failure is not None
    assert failure.error == "TooBig"
    assert "Write it as several files" in failure.message


def test_text_that_cannot_be_cut_stays_with_one_invocation() -> None:
    world = RunWorld(syncs=(bulk_sync(to="csv"),))
    source = upload(world, gzip.compress('id,name\n1,"ä"\n'.encode("utf-16")))

    assert world.machine.inputs == {}
    assert world.entry(source).state is State.CONVERTED


@pytest.mark.slow
def test_what_is_packed_more_tightly_once_it_was_inflated_is_no_bomb() -> None:
    """Bombs are refused while a file is inflated: of what came of it all text is expected."""
    world = RunWorld(syncs=(bulk_sync(to="csv"),))
    source = ObjectRef("acme-in", "in/orders.csv.gz")
    allowed = list[int]()

    def note_allowed(event: PhaseEvent) -> None:
        if event.phase is Phase.SCAN:
            documents = RunDocuments(world.store, event.place, workers=1)
            (plan,) = world.planner.plan(source)
            assert isinstance(plan, Plan)
            order = RunOrder.from_document(documents.read(ORDER))
            allowed.append(file_source(plan, order, documents, world.store).read.work.unpacked_freely)

    world.before = note_allowed
    upload(world, gzip.compress(TEXT))
    world.drive()

    assert set(allowed) == {len(TEXT)}
