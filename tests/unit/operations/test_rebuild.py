"""A lost ledger comes back from the outputs, and nothing is converted a second time."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from millrace.delivery.schema_recovery import SchemaRecovery
from millrace.delivery.table_schema import TableSchema
from millrace.engine.options import FileFormat
from millrace.engine.row_counts import RowCounts
from millrace.errors import AccessDenied, LostRace
from millrace.ledger.entries import DONE, Branch, Entry, Failure, Output, State
from millrace.ledger.rules import RefusalKind
from millrace.ledger.table_entries import TableEntry
from millrace.objects.lineage import Lineage
from millrace.objects.messages import Request
from millrace.objects.references import ObjectRef, Sequencer, SourceVersion
from millrace.objects.store import ObjectHead
from millrace.operations.rebuild import (
    REASON,
    LearnSchema,
    Rebuilder,
    Trace,
    Traced,
    learn_nothing,
    merge_file,
    merge_output,
)
from millrace.planning.plans import Plan
from tests.configurations import bulk_sync, model_document
from tests.unit.engine.formats.packing import zipped
from tests.world import NOON, ORDERS, SOURCE, TARGET, World

PARTITIONED = bulk_sync(to="json", schemas=[{"id": "orders", "partition_key": "zip"}])
FILES = {
    ObjectRef("acme-in", f"in/{name}.csv"): f"id,zip\n1,{zone}\n2,B\n".encode()
    for name, zone in (("a", "A"), ("b", "B"))
}

OTHER = ObjectRef("acme-in", "in/other.csv")
ONE_TABLE = {"is_single_table": True, "single_table_name": "t"}


def rebuilt(world: World, **options: Any) -> Counter[Trace]:
    stores = {"landing": world.store, "lake": world.store}
    recovery = SchemaRecovery(stores=stores, ledger=world.ledger, now=lambda: world.now)
    rebuilder = Rebuilder(
        planner=world.planner,
        stores=stores,
        ledger=world.ledger,
        now=world.now,
        learn_schema=recovery.learn_schema,
    )
    counts: Counter[Trace] = Counter()
    for destination in rebuilder.destinations():
        counts.update(traced.trace for traced in rebuilder.rebuild(destination, **options))
    return counts


def traced_by(world: World, learn_schema: LearnSchema) -> list[Traced]:
    """What becomes of each output of a table whose schema is learned in another way."""
    stores = {"landing": world.store, "lake": world.store}
    rebuilder = Rebuilder(
        planner=world.planner, stores=stores, ledger=world.ledger, now=world.now, learn_schema=learn_schema
    )
    (destination,) = rebuilder.destinations()
    return list(rebuilder.rebuild(destination))


def converted(world: World) -> list[Request]:
    """The events of all files, each converted."""
    requests = [world.upload(data, ref) for ref, data in FILES.items()]
    for request in requests:
        assert world.one(request).result in DONE
    return requests


@pytest.mark.parametrize(
    "sync",
    [
        bulk_sync(to="json"),
        bulk_sync(to="parquet"),
        bulk_sync(to="json", mode="snapshot"),
    ],
    ids=["json", "parquet", "snapshot"],
)
def test_replayed_events_convert_nothing_again(sync: dict[str, Any]) -> None:
    world = World(syncs=(sync,))
    requests = converted(world)
    before = {ref.key: there.etag for ref, there in _outputs(world)}
    world.store.calls.clear()
    world.ledger.entries.clear()

    assert rebuilt(world)[Trace.REBUILT] == len(before)

    results = {world.one(request, message=f"again {number}").result for number, request in enumerate(requests)}
    assert results <= {RefusalKind.ALREADY_DONE, State.SUPERSEDED}
    assert {ref.key: there.etag for ref, there in _outputs(world)} == before
    assert "put" not in world.store.calls


def test_an_entry_says_what_the_lineage_says() -> None:
    world = World()
    world.one(world.upload())
    known = world.entry()
    world.ledger.entries.clear()

    rebuilt(world)

    entry = world.entry()
    for name in ("state", "fence", "sequencer", "fingerprint", "engine"):
        assert getattr(entry, name) == getattr(known, name)
    assert entry.version == replace(known.version, size=None)
    assert [output.ref for output in entry.outputs] == [TARGET]
    assert entry.rows.read == entry.rows.written + entry.rows.quarantined + entry.rows.filtered


def test_partitions_of_one_source_are_one_entry() -> None:
    world = World(syncs=(PARTITIONED,))
    world.one(world.upload(ORDERS))
    known = {output.ref for output in world.entry().outputs}
    assert len(known) == 2
    world.ledger.entries.clear()

    rebuilt(world)

    assert {output.ref for output in world.entry().outputs} == known


def test_the_message_of_work_that_published_one_of_two_partitions_makes_the_other() -> None:
    """Its worker was killed, and the ledger was lost and rebuilt before the message came back."""
    world = World(syncs=(PARTITIONED,))
    request = world.upload(ORDERS)
    world.one(request)
    first, second = sorted(world.entry().outputs, key=lambda output: output.ref.key)
    world.store.delete(second.ref, etag=second.etag)
    world.ledger.entries.clear()
    rebuilt(world)
    assert [output.ref for output in world.entry().outputs] == [first.ref]

    assert world.one(request, message="again").result in DONE

    assert {output.ref for output in world.entry().outputs} == {first.ref, second.ref}
    assert world.store.head(second.ref) is not None
    assert world.one(request, message="once more").result is RefusalKind.ALREADY_DONE


def test_members_of_an_archive_are_one_entry() -> None:
    """Also those that a configuration names, and those of a table that keep a schema."""
    names = [{"id": "export/b", "user_output_name": "else/where"}, "export/a"]
    of_members = World(syncs=(bulk_sync(to="json", schemas=names, bad_rows="quarantine"),))
    of_a_table = World(syncs=(bulk_sync(to="json"),), source={"is_single_table": True, "single_table_name": "t"})
    archive = ObjectRef("acme-in", "in/export.zip")
    for world, count in ((of_members, 3), (of_a_table, 1)):
        data = zipped({"a.csv": b"x,y\n1,2\n", "b.csv": b"x,y\n1,2\n3\n" if count > 1 else b"x\n1\n"})
        request = world.upload(data, archive)
        assert world.one(request).result in DONE
        known = {output.ref for output in world.entry(ref=archive).outputs}
        rows = world.entry(ref=archive).rows
        assert len(known) == count
        world.ledger.entries.clear()

        assert rebuilt(world)[Trace.REBUILT] == count

        assert {output.ref for output in world.entry(ref=archive).outputs} == known
        assert world.entry(ref=archive).rows == rows
        # Nobody knows whether these are all that its worker would have published: an event asks for all of them once.
        if count > 1:
            assert world.one(request, message="first again").result in DONE
        assert world.one(request, message="again").result is RefusalKind.ALREADY_DONE
    assert of_a_table.ledger.get_schema("nightly", ObjectRef("acme-in", "in/t")) is not None


def test_doing_it_again_changes_nothing() -> None:
    world = World()
    converted(world)
    entries = dict(world.ledger.entries)

    assert rebuilt(world) == {Trace.KNOWN: 2}
    assert world.ledger.entries == entries


def test_a_dry_run_writes_nothing() -> None:
    world = World()
    converted(world)
    world.ledger.entries.clear()

    assert rebuilt(world, dry_run=True) == {Trace.REBUILT: 2}
    assert world.ledger.entries == {}


def test_it_goes_on_behind_a_key() -> None:
    world = World()
    converted(world)
    world.ledger.entries.clear()

    assert rebuilt(world, start_after="lake/a.jsonl") == {Trace.REBUILT: 1}


def test_a_strangers_object_is_passed_over() -> None:
    world = World()
    world.store.put(ObjectRef("acme-out", "lake/readme.txt"), b"hello")

    assert rebuilt(world) == {Trace.FOREIGN: 1}
    assert world.ledger.entries == {}


def test_an_old_copy_of_the_ledger_is_caught_up() -> None:
    """What was restored knows of an earlier version than the output has."""
    world = World()
    world.one(world.upload())
    yesterday = dict(world.ledger.entries)
    second = world.upload(ORDERS + b'3,10115,"c"\n')
    world.one(second)
    world.ledger.entries = yesterday

    assert rebuilt(world) == {Trace.REBUILT: 1}

    assert world.one(second, message="again").result == RefusalKind.ALREADY_DONE


LINEAGE = Lineage.of(
    sync="nightly",
    source=SOURCE,
    etag="e2",
    version_id="v2",
    sequencer=Sequencer.parse("0B"),
    fence=3,
    fingerprint="f2",
    engine="2",
)
BLANK = Entry.unseen("nightly", SOURCE, fingerprint="f1", engine="1")
FIRST, SECOND = (
    Output(ref=ObjectRef("acme-out", key), etag="t", size=1, rows=1) for key in ("lake/1.jsonl", "lake/2.jsonl")
)


def entry_with(
    fence: int, state: State, *, lease_minutes: int | None = None, outputs: tuple[Output, ...] = ()
) -> Entry:
    lease = NOON + timedelta(minutes=lease_minutes) if lease_minutes is not None else None
    return replace(BLANK, fence=fence, state=state, revision=7, lease_until=lease, outputs=outputs)


@pytest.mark.parametrize(
    ("entry", "becomes"),
    [
        (None, "rebuilt"),
        (entry_with(2, State.CONVERTED, outputs=(FIRST,)), "rebuilt"),
        (entry_with(4, State.CONVERTED), Trace.KNOWN),
        (entry_with(4, State.IN_FLIGHT, lease_minutes=5), Trace.KNOWN),
        (entry_with(3, State.IN_FLIGHT, lease_minutes=-5), Trace.BUSY),
        (entry_with(3, State.IN_FLIGHT, lease_minutes=5), Trace.BUSY),
        (entry_with(2, State.IN_FLIGHT, lease_minutes=5), Trace.BUSY),
        (entry_with(2, State.IN_FLIGHT, lease_minutes=-5), "rebuilt"),
        (entry_with(3, State.CONVERTED, outputs=(FIRST,)), Trace.KNOWN),
        (entry_with(3, State.CONVERTED, outputs=(SECOND,)), "added"),
        (entry_with(3, State.QUARANTINED, outputs=(SECOND,)), "added"),
        (entry_with(3, State.FAILED, outputs=(SECOND,)), Trace.KNOWN),
        (entry_with(3, State.REMOVED), Trace.KNOWN),
    ],
)
def test_an_output_is_merged_into_what_the_ledger_has_and_never_into_live_work(
    entry: Entry | None, becomes: str
) -> None:
    merged = merge_output(entry, LINEAGE, SOURCE, FIRST, now=NOON)

    if isinstance(merged, Trace):
        assert merged is becomes
        return
    assert merged.outputs == ((FIRST,) if becomes == "rebuilt" else (SECOND, FIRST))
    assert merged.revision == (entry.revision + 1 if entry else 1)
    assert (merged.fence, merged.lease_until, merged.owner) == (3, None, None)


def test_a_rebuilt_entry_is_of_the_version_of_its_output() -> None:
    merged = merge_output(entry_with(1, State.FAILED), LINEAGE, SOURCE, FIRST, now=NOON)

    assert isinstance(merged, Entry)
    assert (merged.state, merged.finished, merged.reason) == (State.CONVERTED, NOON, REASON)
    assert (merged.version.etag, merged.version.version_id) == ("e2", "v2")
    assert (merged.fingerprint, merged.engine, merged.sequencer) == ("f2", "2", Sequencer.parse("0B"))


@pytest.mark.parametrize("minutes", [5, -5])
def test_work_in_flight_is_left_to_its_message(minutes: int) -> None:
    world = World()
    world.one(world.upload())
    entry = world.entry()
    busy = replace(
        entry,
        state=State.IN_FLIGHT,
        revision=entry.revision + 1,
        lease_until=NOON + timedelta(minutes=minutes),
        outputs=(),
    )
    world.ledger.put(busy)

    assert rebuilt(world) == {Trace.BUSY: 1}
    assert world.ledger.get("nightly", SOURCE) == busy


def test_a_persons_copy_of_an_output_is_a_strangers_object() -> None:
    """S3 copies the metadata along. The next version of the source may not delete the copy, nor are its rows ours."""
    world = World()
    world.one(world.upload())
    original, copy = world.store.buckets["acme-out"][TARGET.key], ObjectRef("acme-out", "lake/my/copy.jsonl")
    world.store.put(copy, original.data, original.metadata)
    world.ledger.entries.clear()

    assert rebuilt(world) == {Trace.REBUILT: 1, Trace.ELSEWHERE: 1}

    entry = world.entry()
    assert ([output.ref for output in entry.outputs], entry.rows.read) == ([TARGET], 2)
    world.one(world.upload(ORDERS + b'3,10115,"c"\n'))
    assert world.store.data(copy) == original.data


def test_an_objects_trouble_is_its_own() -> None:
    world = World()
    converted(world)
    bad, good = sorted(world.store.buckets["acme-out"])
    spoilt = world.store.buckets["acme-out"][bad]
    metadata = {**spoilt.metadata, "millrace-rows": "many"}
    world.store.put(ObjectRef("acme-out", bad), spoilt.data, metadata)
    world.ledger.entries.clear()

    assert rebuilt(world) == {Trace.TROUBLE: 1, Trace.REBUILT: 1}
    assert [output.ref.key for entry in world.ledger.works() for output in entry.outputs] == [good]


DIRECTORIES = {
    "is_single_table": True,
    "is_directory_snapshot": True,
    "directory_glob_pattern": "*",
    "single_table_file_formats": ["csv", "json"],
}


@pytest.fixture
def frozen() -> World:
    """A table of two files whose schema is frozen, with another output than its source's names."""
    world = World(syncs=(bulk_sync(to="json", schema_evolution="freeze"),), source=DIRECTORIES)
    for name in ("1", "2"):
        request = world.upload(f"id,v\n0{name},a\n".encode(), ObjectRef("acme-in", f"in/eu/{name}.csv"))
        assert world.one(request).result in DONE
    return world


@pytest.mark.parametrize(
    ("name", "data", "error"),
    [("stray.jsonl", b'{"id":3,"z":1}\n', "ForeignFormat"), ("3.csv", b"id,v,new\n3,a,b\n", "SchemaFrozen")],
)
def test_a_tables_format_and_schema_come_back(frozen: World, name: str, data: bytes, error: str) -> None:
    table = ObjectRef("acme-in", "in/eu")
    known_format, known_schema = frozen.ledger.get_format("nightly", table), frozen.ledger.get_schema("nightly", table)
    assert known_format is not None
    assert known_schema is not None
    frozen.ledger.entries.clear()

    assert rebuilt(frozen) == {Trace.REBUILT: 2}

    format_entry, schema_entry = frozen.ledger.get_format("nightly", table), frozen.ledger.get_schema("nightly", table)
    assert format_entry is not None
    assert (format_entry.format, format_entry.fingerprint) == (FileFormat.CSV, known_format.fingerprint)
    assert schema_entry is not None
    assert (schema_entry.schema, schema_entry.schema_version) == (known_schema.schema, known_schema.schema_version)
    outcome = frozen.one(frozen.upload(data, ObjectRef("acme-in", f"in/eu/{name}")))
    assert outcome.entry is not None
    assert outcome.entry.failure is not None
    assert outcome.entry.failure.error == error


def test_a_source_that_changed_teaches_nothing(frozen: World) -> None:
    """Its new version is not converted yet, and may not fit."""
    frozen.store.put(ObjectRef("acme-in", "in/eu/2.csv"), b"id,v,new\nx,a,b\n")
    frozen.ledger.entries.clear()

    rebuilt(frozen)

    schema = frozen.ledger.get_schema("nightly", ObjectRef("acme-in", "in/eu"))
    assert schema is not None
    assert [field.name for field in TableSchema.from_bytes(schema.schema).fields] == ["id", "v"]


def test_the_file_that_a_snapshot_table_is_made_of_has_an_entry_too() -> None:
    world = World(syncs=(bulk_sync(to="json", mode="snapshot"),), source=ONE_TABLE)
    request = world.upload()
    world.one(request)
    fence = world.entry().fence
    world.ledger.entries.clear()

    assert rebuilt(world) == {Trace.REBUILT: 1}

    entry = world.entry()
    assert (entry.state, entry.fence, entry.outputs, entry.sequencer) == (State.CONVERTED, fence, (), None)
    assert entry.reason == "table s3://acme-in/in/t is made of this file"
    table = world.ledger.get_table("nightly", ObjectRef("acme-in", "in/t"))
    assert table is not None
    assert (table.file, len(table.outputs), table.rows.written) == (SOURCE, 1, 2)
    world.store.calls.clear()
    world.one(request, message="again")
    assert "put" not in world.store.calls


def snapshot_world() -> World:
    """A snapshot table that was made of one file, and then of another."""
    world = World(syncs=(bulk_sync(to="json", mode="snapshot"),), source=ONE_TABLE)
    world.one(world.upload())
    return world


def test_a_file_of_which_a_table_is_made_no_more_is_left_alone() -> None:
    """SEED=202264: the rebuild had read the output when another file was put in its place."""
    world = snapshot_world()
    output = next(iter(world.store.buckets["acme-out"]))
    before = world.store.buckets["acme-out"][output]
    world.store.modified += timedelta(minutes=1)
    world.one(world.upload(b"a\n3\n", OTHER), message="m2")
    after = world.store.buckets["acme-out"][output]
    world.store.buckets["acme-out"][output] = before

    rebuilt(world)

    world.store.buckets["acme-out"][output] = after
    assert (world.entry().state, world.entry(OTHER).state) == (State.SUPERSEDED, State.CONVERTED)


@pytest.mark.parametrize("branch", [None, Branch.TRANSIENT])
def test_a_later_version_of_a_tables_file_that_is_not_settled_is_left_to_its_message(branch: Branch | None) -> None:
    world = snapshot_world()
    failure = Failure(branch=branch, error="ServiceUnavailable", message="") if branch is not None else None
    later = replace(
        world.entry(),
        state=State.IN_FLIGHT if failure is None else State.FAILED,
        failure=failure,
        revision=world.entry().revision + 1,
        lease_until=world.now,
        version=SourceVersion(etag="later"),
    )
    world.ledger.put(later)
    table = next(entry for entry in world.ledger.entries.values() if isinstance(entry, TableEntry))
    world.ledger.entries.pop((table.stored_sync, table.source))

    assert rebuilt(world) == {Trace.REBUILT: 1}

    assert world.entry() == later


def test_a_table_and_its_file_that_are_known_stay_as_they_are() -> None:
    world = snapshot_world()
    entries = dict(world.ledger.entries)

    assert rebuilt(world) == {Trace.KNOWN: 1}

    assert world.ledger.entries == entries


def test_a_file_that_an_old_ledger_takes_for_superseded_is_the_tables() -> None:
    world = snapshot_world()
    entry = world.entry()
    world.ledger.put(replace(entry, state=State.SUPERSEDED, fence=7, revision=entry.revision + 1))

    rebuilt(world)

    assert (world.entry().state, world.entry().fence) == (State.CONVERTED, 7)


@pytest.mark.parametrize(
    ("mode", "owner"),
    [("snapshot", None), ("snapshot", ObjectRef("acme-in", "in/other")), ("replicate", ObjectRef("acme-in", "in/t"))],
    ids=["of a file", "of another table", "of a table"],
)
def test_an_output_of_another_owner_than_planning_has_today_is_not_taken(mode: str, owner: ObjectRef | None) -> None:
    """A sync's mode was changed: its outputs lie at the same keys, and were a table's before or are one's now."""
    world = World(syncs=(bulk_sync(to="json", mode=mode),), source=ONE_TABLE)
    world.one(world.upload())
    ((ref, stored),) = _outputs(world)
    lineage = Lineage.from_metadata(stored.metadata)
    assert lineage is not None
    stranger = replace(lineage, owner=str(owner) if owner else None)
    world.store.put(ref, stored.data, {**stranger.to_metadata(), "millrace-rows": "2"})
    world.ledger.entries.clear()

    assert rebuilt(world) == {Trace.ELSEWHERE: 1}
    assert world.ledger.entries == {}


def test_an_output_that_does_not_say_its_rows_has_none_that_are_known() -> None:
    """That of an output in parts: its metadata are sent before its rows are counted."""
    world = World()
    world.one(world.upload())
    ((ref, stored),) = _outputs(world)
    metadata = {name: value for name, value in stored.metadata.items() if name != "millrace-rows"}
    world.store.put(ref, stored.data, metadata)
    world.ledger.entries.clear()

    assert rebuilt(world) == {Trace.REBUILT: 1}
    assert (world.entry().outputs[0].rows, world.entry().rows.read) == (0, 0)


SNAPSHOT_LINEAGE = replace(LINEAGE, owner="s3://acme-in/in/t")
TABLE = ObjectRef("acme-in", "in/t")


@pytest.mark.parametrize(
    ("entry", "is_rebuilt", "becomes"),
    [
        (None, False, 3),
        (entry_with(1, State.CONVERTED), False, None),
        (entry_with(1, State.CONVERTED), True, 3),
        (entry_with(7, State.CONVERTED), True, 7),
        (entry_with(1, State.IN_FLIGHT), True, None),
        (replace(entry_with(1, State.SUPERSEDED), version=SourceVersion(etag="e2")), False, 3),
        (replace(entry_with(1, State.SUPERSEDED), version=SourceVersion(etag="e1")), False, None),
        (replace(entry_with(1, State.SUPERSEDED), version=SourceVersion(etag="e1")), True, 3),
        (replace(entry_with(1, State.CONVERTED), version=SourceVersion(etag="e2")), False, None),
    ],
)
def test_the_entry_of_a_tables_file_is_put_back_where_the_ledger_does_not_know_better(
    entry: Entry | None, becomes: int | None, *, is_rebuilt: bool
) -> None:
    merged = merge_file(entry, SNAPSHOT_LINEAGE, SOURCE, TABLE, now=NOON, is_rebuilt=is_rebuilt)

    if becomes is None:
        assert merged is None
        return
    assert merged is not None
    assert (merged.state, merged.outputs, merged.version.etag) == (State.CONVERTED, (), "e2")
    assert (merged.fence, merged.revision) == (becomes, entry.revision + 1 if entry else 1)


@pytest.mark.parametrize(
    ("changes", "is_put"),
    [
        ({}, True),
        ({"state": State.QUARANTINED}, True),
        ({"state": State.IN_FLIGHT, "lease_until": NOON + timedelta(minutes=5)}, False),
        ({"file": OTHER}, False),
        ({"fence": 8}, False),
    ],
    ids=["made of it", "with bad rows", "being made", "made of another", "made of it once more"],
)
def test_a_tables_file_is_put_back_only_while_the_table_is_what_its_output_says(
    changes: dict[str, Any], *, is_put: bool
) -> None:
    """The rebuild has read the output, and workers go on meanwhile."""
    world = snapshot_world()
    world.ledger.entries.pop(("nightly", SOURCE))
    (table,) = (entry for entry in world.ledger.entries.values() if isinstance(entry, TableEntry))
    world.ledger.put(replace(table, revision=table.revision + 1, **changes))

    rebuilt(world)

    assert (world.ledger.get("nightly", SOURCE) is not None) is is_put


def test_a_file_of_a_table_that_went_meanwhile_is_left_alone() -> None:
    world = snapshot_world()
    world.ledger.entries.clear()
    genuine = world.ledger.put

    def put_and_forget(entry: Entry | TableEntry) -> None:
        genuine(entry)
        world.ledger.entries.clear()

    world.ledger.put = put_and_forget  # type: ignore[method-assign, assignment] # the table's file was deleted

    assert rebuilt(world) == {Trace.REBUILT: 1}
    assert world.ledger.entries == {}


@pytest.mark.parametrize("table", [None, ONE_TABLE], ids=["an object", "a table"])
def test_of_what_workers_change_again_and_again_nothing_is_put(table: dict[str, Any] | None) -> None:
    mode = "replicate" if table is None else "snapshot"
    world = World(syncs=(bulk_sync(to="json", mode=mode),), source=table)
    world.one(world.upload())
    world.ledger.entries.clear()
    tries: list[Any] = []

    def refuse(entry: Any) -> None:
        tries.append(entry)
        raise LostRace("another revision is there")

    world.ledger.put = refuse  # type: ignore[method-assign] # workers are quicker

    assert rebuilt(world) == {Trace.BUSY: 1}
    assert len(tries) == 3


@pytest.mark.parametrize(
    ("sync", "source"),
    [
        (bulk_sync(to="json", bad_rows="quarantine"), None),
        (bulk_sync(to="json", bad_rows="quarantine", mode="snapshot"), ONE_TABLE),
    ],
    ids=["an object", "a snapshot table"],
)
def test_rows_that_were_put_aside_are_not_taken_for_written_ones(
    sync: dict[str, Any], source: dict[str, Any] | None
) -> None:
    world = World(syncs=(sync,), source=source)
    assert world.one(world.upload(b"a,b\n1,2\n3\n")).result is State.QUARANTINED
    known = rows_of_outputs(world)
    world.ledger.entries.clear()

    rebuilt(world)

    assert rows_of_outputs(world) == known
    assert {state for state, _ in known.values()} == {State.QUARANTINED}


def rows_of_outputs(world: World) -> dict[ObjectRef, tuple[State, RowCounts]]:
    """What the ledger says of each owner of outputs, an object or a table."""
    entries = [entry for entry in world.ledger.entries.values() if isinstance(entry, Entry | TableEntry)]
    return {entry.source: (entry.state, entry.rows) for entry in entries if entry.outputs}


def test_the_table_of_a_models_folder_comes_back_with_its_quarantine() -> None:
    world = World(configuration=model_document({"model_from": "multi_file_archive"}, {"bad_rows": "quarantine"}))
    world.one(world.upload(b"a,b\n1,2\n3\n"))
    (request,) = world.queue.sent
    assert world.one(request).result is State.QUARANTINED
    folder = ObjectRef("acme-in", "in/")
    known = world.entry(folder)
    world.ledger.entries.clear()

    assert rebuilt(world) == {Trace.REBUILT: 2, Trace.FOREIGN: 1}

    entry = world.entry(folder)
    assert (entry.state, entry.rows, entry.fence) == (State.QUARANTINED, known.rows, known.fence)
    assert {output.ref for output in entry.outputs} == {output.ref for output in known.outputs}


def test_what_is_known_is_not_read_again_for_its_schema(frozen: World) -> None:
    def refuse(plan: Plan, _etag: str) -> int:
        raise AssertionError(plan.source)

    assert [traced.trace for traced in traced_by(frozen, refuse)] == [Trace.KNOWN] * 2


def test_an_output_of_a_sync_that_is_no_more_is_a_strangers() -> None:
    world = World()
    world.one(world.upload())
    world.syncs = (bulk_sync("another", to="json"),)

    assert rebuilt(world) == {Trace.FOREIGN: 1}


def test_an_output_that_goes_before_it_is_looked_at_is_a_strangers() -> None:
    world = World()
    world.one(world.upload())
    world.ledger.entries.clear()
    world.store.head = lambda _ref: None  # type: ignore[method-assign, assignment] # it was listed, and is gone

    assert rebuilt(world) == {Trace.FOREIGN: 1}


def test_an_output_that_cannot_be_looked_at_says_why_and_the_others_come_back() -> None:
    world = World()
    converted(world)
    world.ledger.entries.clear()
    genuine = world.store.head

    def head(ref: ObjectRef) -> ObjectHead | None:
        if ref.key.endswith("a.jsonl"):
            raise AccessDenied("s3:GetObject is not granted")
        return genuine(ref)

    world.store.head = head  # type: ignore[method-assign] # one of the two is refused

    first, second = traced_by(world, learn_nothing)
    assert (first.trace, first.problem) == (Trace.TROUBLE, "s3:GetObject is not granted")
    assert (first.ref.key, second.trace, second.problem) == ("lake/a.jsonl", Trace.REBUILT, None)


def test_an_output_that_has_only_the_hash_of_its_sources_key_is_nameless() -> None:
    world = World()
    world.one(world.upload(ref=ObjectRef("acme-in", f"in/{'ü' * 400}.csv")))
    world.ledger.entries.clear()

    assert rebuilt(world) == {Trace.NAMELESS: 1}
    assert world.ledger.entries == {}


def test_a_dry_run_writes_no_format_and_no_schema(frozen: World) -> None:
    frozen.ledger.entries.clear()

    assert rebuilt(frozen, dry_run=True) == {Trace.REBUILT: 2}
    assert frozen.ledger.entries == {}


def test_an_entry_says_which_version_of_its_tables_schema_it_has(frozen: World) -> None:
    known = {entry.source: entry.schema_version for entry in frozen.ledger.works()}
    frozen.ledger.entries.clear()

    rebuilt(frozen)

    assert None not in known.values()
    assert {entry.source: entry.schema_version for entry in frozen.ledger.works()} == known


def restored(world: World) -> Entry:
    """The entry of one of the files as an old copy of the ledger has it, of an earlier claim than the output."""
    entry = world.entry(ObjectRef("acme-in", "in/eu/2.csv"))
    world.ledger.entries = {key: there for key, there in world.ledger.entries.items() if there != entry}
    old = replace(entry, fence=entry.fence - 1, revision=1)
    world.ledger.put(old)
    return old


def test_a_schema_that_was_frozen_with_some_of_its_fields_comes_back_whole() -> None:
    """The outputs that are there were taken before it was frozen."""
    world = World(syncs=(bulk_sync(to="json"),), source=DIRECTORIES)
    for name, header in (("1", b"id"), ("2", b"id,v")):
        data = header + b"\n" + b",".join([b"1"] * (header.count(b",") + 1)) + b"\n"
        assert world.one(world.upload(data, ObjectRef("acme-in", f"in/eu/{name}.csv"))).result in DONE
    world.syncs = (bulk_sync(to="json", schema_evolution="freeze"),)
    world.ledger.entries.clear()

    rebuilt(world)

    schema = world.ledger.get_schema("nightly", ObjectRef("acme-in", "in/eu"))
    assert schema is not None
    assert [field.name for field in TableSchema.from_bytes(schema.schema).fields] == ["id", "v"]


def test_a_version_that_is_right_already_is_not_written_again(frozen: World) -> None:
    old = restored(frozen)

    assert rebuilt(frozen) == {Trace.KNOWN: 1, Trace.REBUILT: 1}

    entry = frozen.entry(old.source)
    assert (entry.revision, entry.schema_version) == (old.revision + 1, old.schema_version)


def test_where_nothing_can_be_learned_the_version_stays_as_it_was(frozen: World) -> None:
    """The source is another one by now."""
    old = restored(frozen)
    frozen.store.put(old.source, b"id,v,new\nx,a,b\n")

    rebuilt(frozen)

    entry = frozen.entry(old.source)
    assert (entry.revision, entry.schema_version) == (old.revision + 1, old.schema_version)


def test_an_entry_that_goes_while_its_schema_is_learned_stays_away(frozen: World) -> None:
    """Its source was deleted, and a worker has removed what was made of it."""
    frozen.ledger.entries.clear()

    def learn_while_it_goes(plan: Plan, _etag: str) -> int:
        frozen.ledger.entries.pop((plan.sync, plan.source))
        return 1

    assert [traced.problem for traced in traced_by(frozen, learn_while_it_goes)] == [None, None]
    assert list(frozen.ledger.works()) == []


def test_an_entry_that_a_worker_changes_while_its_schema_is_learned_is_the_workers(frozen: World) -> None:
    changed: dict[ObjectRef, Entry] = {}
    genuine = frozen.ledger.get

    def get_before_a_worker(sync: str, source: ObjectRef) -> Entry | None:
        entry = genuine(sync, source)
        if entry is not None and entry.schema_version is None and source not in changed:
            changed[source] = replace(entry, revision=entry.revision + 1, state=State.IN_FLIGHT)
            frozen.ledger.put(changed[source])
        return entry

    def learn_before_a_worker(_plan: Plan, _etag: str) -> int:
        frozen.ledger.get = get_before_a_worker  # type: ignore[method-assign] # from here on
        return 1

    frozen.ledger.entries.clear()

    assert [traced.problem for traced in traced_by(frozen, learn_before_a_worker)] == [None, None]
    assert {entry.source: entry for entry in frozen.ledger.works()} == changed


def test_a_schema_that_cannot_be_learned_is_told_and_the_entry_is_there(frozen: World) -> None:
    frozen.ledger.entries.clear()

    def refuse(_plan: Plan, _etag: str) -> int:
        raise AccessDenied("s3:GetObject is not granted")

    traces = traced_by(frozen, refuse)

    assert [traced.trace for traced in traces] == [Trace.REBUILT] * 2
    problem = (
        "the schema of table s3://acme-in/in/eu was not learned from s3://acme-in/in/eu/1.csv: "
        "s3:GetObject is not granted"
    )
    assert traces[0].problem == problem
    assert len(list(frozen.ledger.works())) == 2


def test_a_format_that_is_decided_is_not_written_again(frozen: World) -> None:
    restored(frozen)
    table = ObjectRef("acme-in", "in/eu")
    known = frozen.ledger.get_format("nightly", table)

    rebuilt(frozen)

    assert frozen.ledger.get_format("nightly", table) == known


def test_a_format_that_nobody_had_decided_is_decided_by_the_outputs(frozen: World) -> None:
    table = ObjectRef("acme-in", "in/eu")
    known = frozen.ledger.get_format("nightly", table)
    assert known is not None
    frozen.ledger.entries.clear()
    frozen.ledger.put(replace(known, revision=1, format=None))

    rebuilt(frozen)

    decided = frozen.ledger.get_format("nightly", table)
    assert decided is not None
    assert (decided.format, decided.revision) == (FileFormat.CSV, 2)


def _outputs(world: World) -> list[tuple[ObjectRef, Any]]:
    return [(ObjectRef("acme-out", key), there) for key, there in sorted(world.store.buckets["acme-out"].items())]
