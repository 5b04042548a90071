"""Rows that were put aside are read again with the present options, and every promise of a conversion holds."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace

import pytest

from millrace.errors import MalformedFile, UsageError
from millrace.ledger.entries import State
from millrace.objects.messages import Request
from millrace.objects.references import ObjectRef
from millrace.operations.replay import ReplayCandidate, ReplayFinder, ReplayWay, raw_rows
from tests.configurations import bulk_sync
from tests.world import SOURCE, TARGET, World

ASIDE = ObjectRef("acme-out", "lake/_quarantine/orders.jsonl")
DATA = b"id,price\n1,1.50\n2,x\n3\n4,2.25\n"
STRICT = {"type_hints": {"price": "decimal(9,2)"}}
LENIENT = {"type_hints": {"price": "text"}}


def quarantined(*, on_delete: str = "keep") -> World:
    """A file of which rows 2 and 3 were put aside: one for its value, one for its width."""
    world = World(syncs=(bulk_sync(to="json", bad_rows="quarantine", on_delete=on_delete),), source=STRICT)
    world.one(world.upload(DATA))
    assert world.entry().state is State.QUARANTINED
    return world


def found(world: World, *keys: ObjectRef, sync: str = "nightly") -> list[ReplayCandidate]:
    stores = {"landing": world.store, "lake": world.store}
    return list(ReplayFinder(planner=world.planner, stores=stores, ledger=world.ledger).find(sync, keys))


def replayed(world: World) -> World:
    """What `--yes` asks for has been done."""
    for candidate in found(world):
        if candidate.way is ReplayWay.AGAIN:
            change = replace(world.event(candidate.source).change, sequencer=None)
            world.one(Request(change=change, sync="nightly", run_id=f"{world.now:%Y%m%dT%H%M%S}Z"))
    return world


def written(world: World) -> list[dict[str, object]]:
    return [json.loads(line) for line in world.store.buckets["acme-out"][TARGET.key].data.splitlines()]


def test_an_object_that_is_there_as_it_was_can_be_converted_again() -> None:
    (candidate,) = found(quarantined())

    assert (candidate.source, candidate.way, candidate.rows) == (SOURCE, ReplayWay.AGAIN, 2)
    assert [output.ref for output in candidate.aside] == [ASIDE]
    assert candidate.connection == "lake"


def test_good_rows_are_written_and_bad_ones_stay_aside_and_the_counts_add_up() -> None:
    world = quarantined()
    before = world.entry()
    world.source = LENIENT

    replayed(world)

    entry = world.entry()
    assert [row["id"] for row in written(world)] == [1, 2, 4]
    assert (entry.rows.read, entry.rows.written, entry.rows.quarantined) == (4, 3, 1)
    assert [json.loads(line)["row"] for line in world.store.buckets["acme-out"][ASIDE.key].data.splitlines()] == [3]
    assert entry.fence > before.fence
    entry.rows.check()


def test_a_quarantine_of_which_no_row_is_left_goes() -> None:
    world = quarantined()
    world.store.put(SOURCE, DATA)  # the same bytes: the same version
    world.source = {**LENIENT, "csv_has_headers": False, "csv_delimiter": "bar", "type_hints": {}}

    replayed(world)

    assert world.entry().state is State.CONVERTED
    assert ASIDE.key not in world.store.buckets["acme-out"]
    assert found(world) == []


@pytest.mark.parametrize("state", [State.FAILED, State.WAITING, State.CONVERTED])
def test_rows_of_an_object_that_is_not_quarantined_any_more_are_not_found_by_its_name(state: State) -> None:
    """A newer version failed, or waits: its own work decides what becomes of the quarantine."""
    world = quarantined()
    entry = world.entry()
    world.ledger.put(replace(entry, revision=entry.revision + 1, state=state))

    assert found(world, SOURCE) == []


def test_rows_are_found_although_the_sync_puts_none_aside_any_more() -> None:
    world = quarantined()
    world.syncs = (bulk_sync(to="json"),)

    (candidate,) = found(world)

    assert [output.ref for output in candidate.aside] == [ASIDE]


def test_replaying_twice_is_as_once() -> None:
    world = quarantined()
    world.source = LENIENT

    first = replayed(world).store.buckets["acme-out"]
    bytes_of_first = {key: stored.data for key, stored in first.items()}
    replayed(world)

    assert {key: stored.data for key, stored in world.store.buckets["acme-out"].items()} == bytes_of_first


def test_a_newer_version_is_left_to_its_own_event() -> None:
    world = quarantined()
    world.store.put(SOURCE, b"id,price\n9,9.00\n")

    assert [candidate.way for candidate in found(world)] == [ReplayWay.NEWER]


def test_of_an_object_that_is_gone_the_rows_are_left() -> None:
    world = quarantined()
    world.one(world.delete())

    (candidate,) = found(world)

    assert world.entry().state is State.REMOVED
    assert (candidate.way, candidate.rows) == (ReplayWay.GONE, 2)
    stream = io.BytesIO(world.store.buckets["acme-out"][ASIDE.key].data)
    assert sorted(raw_rows(stream, str(ASIDE))) == [b"3", b'{"id":2,"price":"x"}']


def test_an_object_whose_outputs_went_with_it_has_none() -> None:
    world = quarantined(on_delete="remove")
    world.one(world.delete())

    assert found(world) == []


def test_what_the_sync_does_not_read_any_more_is_left_alone() -> None:
    world = quarantined()
    world.syncs = (bulk_sync(to="json", bad_rows="quarantine", schemas=["returns"]),)

    (candidate,) = found(world)
    assert (candidate.way, candidate.connection) == (ReplayWay.UNWANTED, None)
    assert [output.ref for output in candidate.aside] == [ASIDE]


def test_objects_without_such_rows_are_passed_over() -> None:
    world = quarantined()
    world.one(world.upload(b"id,price\n1,1.50\n", ObjectRef("acme-in", "in/whole.csv")))
    first = ObjectRef("acme-in", "in/a.csv")
    world.one(world.upload(b"id,price\n1,1.50\n", first))
    world.one(world.delete(first))

    assert [candidate.source for candidate in found(world)] == [SOURCE]


def test_keys_choose() -> None:
    world = quarantined()
    other = ObjectRef("acme-in", "in/other.csv")
    world.one(world.upload(DATA, other))

    assert {candidate.source for candidate in found(world)} == {SOURCE, other}
    assert [candidate.source for candidate in found(world, other)] == [other]
    assert found(world, ObjectRef("acme-in", "in/never.csv")) == []


def test_a_sync_that_is_not_there_is_wrong_use() -> None:
    with pytest.raises(UsageError, match="hourly"):
        found(quarantined(), sync="hourly")


def test_rows_come_out_as_their_file_had_them() -> None:
    encoded = base64.b64encode(b"\xff").decode()
    lines = [
        {"line": 1, "row": 1, "byte": 0, "reason": "r", "raw": 'a,"b\nc"'},
        {"line": 2, "row": 2, "byte": 9, "reason": "r", "raw": "\\xff", "raw_base64": encoded},
    ]
    stream = io.BytesIO("".join(json.dumps(line) + "\n" for line in lines).encode())

    assert list(raw_rows(stream, "q")) == [b'a,"b\nc"', b"\xff"]


@pytest.mark.parametrize("line", [b"x", b"[]", b'{"row":1}', b'{"raw":5}', b'{"raw":"a","raw_base64":"*"}'])
def test_what_is_no_quarantine_is_refused(line: bytes) -> None:
    with pytest.raises(MalformedFile, match="q: line 2 is no row that Millrace put aside"):
        list(raw_rows(io.BytesIO(b'{"raw":"a"}\n' + line + b"\n"), "q"))
