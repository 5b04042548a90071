"""What may happen while a big run is at work: nothing is lost, doubled, mixed or published in part."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from millrace.big_runs.converting import publish_privately
from millrace.big_runs.events import MAPS, Phase, PhaseEvent, PhaseOutcome
from millrace.big_runs.resuming import resume_run
from millrace.errors import AccessDenied, MiscountedRows, ServiceUnavailable, UsageError
from millrace.ledger.entries import Branch, State
from millrace.ledger.rules import RefusalKind
from millrace.objects.machine import ExecutionStatus
from millrace.objects.references import ObjectRef
from millrace.objects.store import Published
from tests.configurations import bulk_sync
from tests.fakes import InMemoryObjectStore, InMemoryUpload
from tests.unit.big_runs.running import RunWorld, twin_of
from tests.unit.big_runs.test_equal_outputs import to_csv
from tests.world import SOURCE, TARGET

CSV = to_csv()
SMALL = CSV[: CSV.index(b"\n13,") + 1]
"""Two parts."""
NEWER = CSV.replace(b"n1\n", b"m1\n").replace(b",n1,", b",m1,")


def world(**fields: Any) -> RunWorld:
    return RunWorld(syncs=(bulk_sync(to="json", **fields),))


def expected(data: bytes = CSV, **fields: Any) -> bytes:
    whole = twin_of(world(**fields))
    whole.one(whole.upload(data))
    return whole.store.data(TARGET)


class ChildKilled(BaseException):
    """The process is gone at this instruction."""


@pytest.fixture
def in_run() -> RunWorld:
    """A world in which a run was just started."""
    begun = world()
    begun.one(begun.upload(CSV))
    return begun


@pytest.mark.slow
def test_children_that_are_repeated_write_the_same(in_run: RunWorld) -> None:
    twice = in_run.phases

    def before(event: PhaseEvent) -> None:
        if event.phase in MAPS:
            twice.work(event, lambda: 900.0)

    in_run.before = before

    assert in_run.drive() == "done"
    assert in_run.store.data(TARGET) == expected()


@pytest.mark.slow
@pytest.mark.parametrize("extension", ["csv", "csv.gz"])
def test_doubles_that_are_at_work_at_once_may_be_encrypted_by_a_key(extension: str) -> None:
    """Each child's double overtakes it at each of its outputs: with SSE-KMS every put has an ETag of its own."""
    begun = world()
    begun.store.is_encrypted = True
    source = ObjectRef("acme-in", f"in/orders.{extension}")
    begun.one(begun.upload(CSV if extension == "csv" else gzip.compress(CSV), source))
    upload, at_work = begun.store.upload, list[PhaseEvent]()

    def upload_after_double(target: ObjectRef, metadata: Mapping[str, str]) -> InMemoryUpload:
        made = upload(target, metadata)
        publish, events = made.publish, at_work[:1]
        is_private = "/part/" in target.key or "/inflated/" in target.key

        def publish_late(*, expected: str | None, rows: int) -> Published:
            at_work.clear()
            for event in events:
                begun.phases.work(event, lambda: 900.0)
            return publish(expected=expected, rows=rows)

        if events and is_private:
            made.publish = publish_late  # type: ignore[method-assign]
        return made

    def note(event: PhaseEvent) -> None:
        at_work[:] = [event] if event.phase in {Phase.INFLATE, Phase.CONVERT} else []

    begun.store.upload = upload_after_double  # type: ignore[method-assign]
    begun.before = note

    assert begun.drive() == "done", begun.entry(source)
    assert begun.entry(source).state is State.CONVERTED
    assert begun.store.data(TARGET) == expected()
    assert begun.homes() == []


def test_a_double_that_has_other_rows_is_a_defect() -> None:
    store, ref = InMemoryObjectStore({"acme-out": {}}), ObjectRef("acme-out", "run/part/0/00000-rows")
    publish_privately(store, store.upload(ref, {}), ref, rows=7)

    with pytest.raises(MiscountedRows, match="has 7 rows, and the same part has 8 once more"):
        publish_privately(store, store.upload(ref, {}), ref, rows=8)


@pytest.mark.slow
def test_an_execution_that_runs_twice_publishes_once(in_run: RunWorld) -> None:
    assert in_run.drive() == "done"
    etag = in_run.entry().outputs[0].etag

    assert in_run.drive() == "done"
    assert in_run.entry().outputs[0].etag == etag
    assert in_run.store.data(TARGET) == expected()


class DyingStore(InMemoryObjectStore):
    """A store whose caller dies at the call of a number, before or after it was done."""

    last = -1
    count = 0

    def arm(self, last: int) -> None:
        self.last, self.count = last, 0

    def tick(self) -> None:
        self.count += 1
        if self.count == self.last:
            raise ChildKilled


def dying(begun: RunWorld, *, is_late: bool) -> DyingStore:
    """The world's store, which from now on may kill whoever calls it."""
    store = DyingStore(**vars(begun.store))
    for name in ("head", "upload", "delete", "assemble", "list"):
        setattr(store, name, _mortal(store, getattr(store, name), is_late=is_late))
    begun.store = store
    return store


def _mortal(store: DyingStore, call: Callable[..., Any], *, is_late: bool) -> Callable[..., Any]:
    def called(*arguments: Any, **words: Any) -> Any:
        if not is_late:
            store.tick()
        answer = call(*arguments, **words)
        if is_late:
            store.tick()
        return answer

    return called


@pytest.mark.slow
@pytest.mark.slow
@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("phase", [Phase.PLAN, Phase.SPLIT, Phase.JOIN, Phase.CONVERT, Phase.PUBLISH])
def test_whoever_is_killed_at_any_call_is_repeated_and_nothing_is_lost(phase: Phase, is_late: bool) -> None:  # noqa: FBT001 - a parameter
    wanted = expected(SMALL)
    for last in range(1, 60):
        begun = world()
        begun.one(begun.upload(SMALL))
        store = dying(begun, is_late=is_late)
        was_killed = _drive_with_one_kill(begun, store, phase, last)

        assert begun.entry().state is State.CONVERTED, (phase, last)
        assert begun.store.data(TARGET) == wanted
        if not was_killed:
            return
    raise AssertionError("there is no end of calls")


def _drive_with_one_kill(begun: RunWorld, store: DyingStore, phase: Phase, last: int) -> bool:
    genuine, killed = begun.phases.work, list[PhaseEvent]()

    def work(event: PhaseEvent) -> Any:
        if event.phase is phase and not killed:
            store.arm(last)
            try:
                genuine(event, lambda: 900.0)
            except ChildKilled:
                killed.append(event)
            finally:
                store.arm(-1)
        return begun.phases.work(event, lambda: 900.0)

    begun.phase = work  # type: ignore[method-assign] # the kill is the test's
    begun.drive()
    return bool(killed)


def test_an_event_that_is_repeated_in_mid_run_starts_nothing(in_run: RunWorld) -> None:
    outcome = in_run.one(in_run.event(etag=in_run.entry().version.etag), message="m2")

    assert (outcome.result, outcome.acknowledge) == (RefusalKind.IN_BIG_RUN, True)
    assert len(in_run.machine.executions) == 1


@pytest.mark.slow
@pytest.mark.parametrize("phase", [Phase.PLAN, Phase.SCAN, Phase.SURVEY, Phase.JOIN, Phase.CONVERT, Phase.PUBLISH])
def test_newer_bytes_win_whenever_they_come_and_nothing_is_mixed(in_run: RunWorld, phase: Phase) -> None:
    def before(event: PhaseEvent) -> None:
        if event.phase is phase and len(in_run.machine.executions) == 1:
            in_run.one(in_run.upload(NEWER), message="m2")

    in_run.before = before
    first, _ = in_run.drive(), in_run.drive_all()

    assert first in {"done", "failed"}
    assert in_run.entry().state is State.CONVERTED
    assert in_run.store.data(TARGET) == expected(NEWER)
    assert in_run.homes() == []


@pytest.mark.slow
def test_bytes_that_change_without_an_event_are_asked_for_once_more(in_run: RunWorld) -> None:
    def before(event: PhaseEvent) -> None:
        if event.phase is Phase.CONVERT and event.index == 3:
            in_run.store.put(SOURCE, NEWER)

    in_run.before = before

    assert in_run.drive() == "failed"
    failure = in_run.entry().failure
    assert failure is not None
    assert (failure.branch, failure.error) == (Branch.TRANSIENT, "ObjectChanged")
    in_run.before = lambda _event: None
    in_run.answer_queue()
    assert in_run.drive() == "done"
    assert in_run.store.data(TARGET) == expected(NEWER)


def test_an_object_that_is_deleted_in_mid_run_has_no_output(in_run: RunWorld) -> None:
    def before(event: PhaseEvent) -> None:
        if event.phase is Phase.SURVEY and event.index == 2:
            in_run.one(in_run.delete(), message="m2")

    in_run.before = before
    in_run.drive()
    in_run.answer_queue()

    assert in_run.entry().state is State.REMOVED
    assert not [key for key in in_run.store.buckets["acme-out"] if not key.startswith("lake/.millrace/")]


def test_an_object_that_goes_without_an_event_is_found_gone(in_run: RunWorld) -> None:
    def before(event: PhaseEvent) -> None:
        if event.phase is Phase.CONVERT:
            in_run.store.delete(SOURCE)

    in_run.before = before
    assert in_run.drive() == "failed"
    in_run.answer_queue()

    assert in_run.entry().state is State.REMOVED


BAD = CSV.replace(b"\n50,00050", b"\n50,00050,more,fields,than,there,are", 1)


def test_a_bad_row_far_behind_is_told_with_its_row_and_byte_in_the_whole_file() -> None:
    begun, whole = world(), twin_of(world())
    begun.one(begun.upload(BAD))
    whole.one(whole.upload(BAD))

    assert begun.drive() == "failed"

    failure = begun.entry().failure
    assert failure is not None
    assert failure.row is not None
    assert failure == whole.entry().failure
    assert begun.entry().state is State.FAILED
    assert TARGET.key not in begun.store.buckets["acme-out"]
    assert begun.queue.sent == []


@pytest.mark.slow
def test_bad_rows_are_put_aside_in_one_object() -> None:
    begun, whole = world(bad_rows="quarantine"), twin_of(world(bad_rows="quarantine"))
    bad = BAD.replace(b"\n5,00005", b"\n5,00005,too,many,fields,in,this")
    begun.one(begun.upload(bad))
    whole.one(whole.upload(bad))

    assert begun.drive() == "done"

    entry, wanted = begun.entry(), whole.entry()
    assert (entry.state, entry.rows) == (State.QUARANTINED, wanted.rows)
    assert entry.rows.quarantined == 2
    assert [output.ref for output in entry.outputs] == [output.ref for output in wanted.outputs]
    for output in wanted.outputs:
        assert begun.store.data(output.ref) == whole.store.data(output.ref)


@pytest.mark.slow
def test_filters_and_partitions_are_those_of_one_invocation() -> None:
    fields = {
        "schemas": [
            {
                "id": "orders",
                "enabled": True,
                "partition_key": "when",
                "filters": [{"field": "id", "function": "GreaterThan", "value": 10}],
            }
        ]
    }
    begun, whole = world(**fields), twin_of(world(**fields))
    begun.one(begun.upload(CSV))
    whole.one(whole.upload(CSV))

    assert begun.drive() == "done"

    assert begun.entry().rows == whole.entry().rows
    assert begun.entry().rows.filtered > 0
    outputs = {output.ref: output.rows for output in whole.entry().outputs}
    assert {output.ref: output.rows for output in begun.entry().outputs} == outputs
    assert all(begun.store.data(ref) == whole.store.data(ref) for ref in outputs)


@pytest.mark.slow
def test_a_run_that_is_stopped_says_so_and_goes_on_when_it_is_resumed(in_run: RunWorld) -> None:
    def before(event: PhaseEvent) -> None:
        if event.phase is Phase.CONVERT and event.index == 4:
            raise KeyboardInterrupt

    in_run.before = before
    with pytest.raises(KeyboardInterrupt):
        in_run.drive()
    (name,) = in_run.machine.executions
    in_run.machine.stop(name, "a person wants it")
    in_run.before = lambda _event: None
    in_run.phase(PhaseEvent(phase=Phase.HEAL, place=in_run.place(), status="ABORTED", execution=name))
    assert (in_run.entry().state, in_run.queue.sent) == (State.FAILED, [])

    facts = resume_run(in_run.entry(), ledger=in_run.ledger, machine=in_run.machine, now=in_run.now)
    in_run.events.clear()

    assert facts.execution == f"{name}-2"
    late = PhaseEvent(phase=Phase.HEAL, place=in_run.place(), status="ABORTED", execution=name)
    in_run.phase(late)
    assert in_run.entry().state is State.WAITING
    assert in_run.drive(facts.execution) == "done"
    assert in_run.store.data(TARGET) == expected()


def test_a_run_whose_objects_are_deleted_is_not_resumed() -> None:
    refused = world()
    refused.one(refused.upload(CSV.replace(b"\n13,", b"\n13,too,many,fields,in,here,", 1)))
    assert refused.drive() == "failed"
    in_trouble = world()
    in_trouble.one(in_trouble.upload(CSV))
    in_trouble.phase(PhaseEvent(phase=Phase.FAIL, place=in_trouble.place(), error={"Error": "ServiceUnavailable"}))

    for failed, reason in ((refused, "would fail again"), (in_trouble, "asked for again by itself")):
        assert failed.homes() == []
        with pytest.raises(UsageError, match=reason):
            resume_run(failed.entry(), ledger=failed.ledger, machine=failed.machine, now=failed.now)
        assert failed.entry().state is State.FAILED


def stop(world: RunWorld) -> str:
    """Convert some parts, stop the newest execution, and hear of it; gives its name."""

    def before(event: PhaseEvent) -> None:
        if event.phase is Phase.CONVERT and event.index == 2:
            raise KeyboardInterrupt

    world.before = before
    with pytest.raises(KeyboardInterrupt):
        world.drive()
    world.before = lambda _event: None
    name = list(world.machine.executions)[-1]
    world.machine.stop(name, "a person wants it")
    heal(world, name)
    return name


def heal(world: RunWorld, name: str) -> str:
    return world.phase(PhaseEvent(phase=Phase.HEAL, place=world.place(), status="ABORTED", execution=name)).next


def resume(world: RunWorld) -> str:
    return resume_run(world.entry(), ledger=world.ledger, machine=world.machine, now=world.now).execution


@pytest.mark.slow
def test_news_of_a_stop_that_are_heard_twice_leave_what_the_resumed_run_goes_on_with(in_run: RunWorld) -> None:
    """Whoever heard of it first may have been killed after it had settled the entry."""
    name = stop(in_run)
    assert heal(in_run, name) == "failed"
    in_run.events.clear()

    assert in_run.drive(resume(in_run)) == "done"

    assert in_run.entry().state is State.CONVERTED
    assert sum(event.phase is Phase.SCAN for event in in_run.events) > 0
    assert in_run.homes() == []


@pytest.mark.slow
def test_a_double_that_comes_late_leaves_what_waits_for_a_grant(in_run: RunWorld) -> None:
    in_run.phase(PhaseEvent(phase=Phase.PLAN, place=in_run.place()))
    in_run.phase(PhaseEvent(phase=Phase.FAIL, place=in_run.place(), error={"Error": "AccessDenied"}))
    kept = in_run.homes()

    late = in_run.phase(PhaseEvent(phase=Phase.FAIL, place=in_run.place(), error={"Error": "AccessDenied"}))

    assert late.next == "failed"
    assert in_run.homes() == kept
    assert in_run.drive(resume(in_run)) == "done"


@pytest.mark.slow
@pytest.mark.parametrize("phase", [Phase.PLAN, Phase.CONVERT, Phase.PUBLISH, Phase.HEAL])
def test_a_run_whose_objects_expired_says_so_and_begins_again(in_run: RunWorld, phase: Phase) -> None:
    stop(in_run)
    resumed = resume(in_run)
    for key in in_run.homes():
        in_run.store.delete(ObjectRef("acme-out", key))

    outcome = in_run.phase(PhaseEvent(phase=phase, place=in_run.place()))

    assert outcome.next == "failed"
    failure = in_run.entry().failure
    assert failure is not None
    assert "kept for a week" in failure.message
    in_run.machine.end(resumed, ExecutionStatus.FAILED)
    in_run.answer_queue()
    assert in_run.drive() == "done"
    assert in_run.store.data(TARGET) == expected()


def test_an_older_executions_end_is_no_news_for_one_whose_objects_are_gone(in_run: RunWorld) -> None:
    name = stop(in_run)
    resume(in_run)
    for key in in_run.homes():
        in_run.store.delete(ObjectRef("acme-out", key))

    assert heal(in_run, name) == "done"
    assert in_run.entry().state is State.WAITING


@pytest.mark.slow
def test_who_comes_after_the_end_changes_nothing(in_run: RunWorld) -> None:
    assert in_run.drive() == "done"
    before = in_run.entry()

    assert in_run.phase(PhaseEvent(phase=Phase.PUBLISH, place=in_run.place())).next == "done"
    assert (in_run.entry(), in_run.queue.sent) == (before, [])


@pytest.mark.slow
def test_a_run_that_was_to_be_resumed_and_never_started_is_started(in_run: RunWorld) -> None:
    stop(in_run)
    resumed = resume(in_run)
    del in_run.machine.executions[resumed]

    assert resume(in_run) == resumed
    assert in_run.drive(resumed) == "done"

    with pytest.raises(UsageError, match="is converted; only a big run that failed or was stopped"):
        resume(in_run)


def test_a_run_that_is_at_work_is_not_resumed(in_run: RunWorld) -> None:
    with pytest.raises(UsageError, match="is waiting; only a big run that failed or was stopped"):
        resume(in_run)


def test_a_run_that_is_lost_is_asked_for_once_more_until_it_was_five_times(in_run: RunWorld) -> None:
    for _ in range(5):
        name = list(in_run.machine.executions)[-1]
        in_run.machine.end(name, ExecutionStatus.FAILED)
        in_run.phase(PhaseEvent(phase=Phase.HEAL, place=in_run.place(), status="LOST", execution=name))
        in_run.answer_queue()

    assert in_run.entry().state is State.FAILED
    assert in_run.entry().attempts == 5
    assert len(in_run.machine.executions) == 5


@pytest.mark.slow
def test_a_service_that_is_down_fails_the_run_and_the_next_one_does_it(in_run: RunWorld) -> None:
    def before(event: PhaseEvent) -> None:
        if event.phase is Phase.SURVEY:
            raise ServiceUnavailable("S3 is down")

    in_run.before = before
    assert in_run.drive() == "failed"
    in_run.before = lambda _event: None
    in_run.answer_queue()

    assert in_run.drive() == "done"
    assert in_run.store.data(TARGET) == expected()


MAP_FAILED = {
    "Error": "States.ExceedToleratedFailureThreshold",
    "Cause": "The specified tolerated failure threshold was exceeded",
}


def scan_without_grant(in_run: RunWorld) -> None:
    genuine = in_run.store.reopen

    def deny(*_arguments: Any, **_words: Any) -> Any:
        raise AccessDenied("s3:GetObject is not granted")

    in_run.store.reopen = deny  # type: ignore[method-assign] # a grant that is taken away
    with pytest.raises(AccessDenied):
        in_run.phase(PhaseEvent(phase=Phase.SCAN, place=in_run.place(), index=0))
    in_run.store.reopen = genuine  # type: ignore[method-assign] # and given again


def test_what_a_child_raised_is_said_though_the_machine_says_only_that_its_map_failed(in_run: RunWorld) -> None:
    for _ in range(2):
        scan_without_grant(in_run)
    in_run.phase(PhaseEvent(phase=Phase.FAIL, place=in_run.place(), error=MAP_FAILED))

    failure = in_run.entry().failure
    assert failure is not None
    assert (failure.branch, failure.error) == (Branch.CONFIGURATION, "AccessDenied")
    assert "s3:GetObject is not granted" in failure.message
    assert in_run.homes() != []


def test_what_a_child_raised_that_came_through_afterwards_is_not_why_a_run_failed(in_run: RunWorld) -> None:
    scan_without_grant(in_run)
    in_run.phase(PhaseEvent(phase=Phase.SCAN, place=in_run.place(), index=0))

    in_run.phase(PhaseEvent(phase=Phase.FAIL, place=in_run.place(), error=MAP_FAILED))

    failure = in_run.entry().failure
    assert failure is not None
    assert "left no word" in failure.message


def test_what_was_raised_before_a_run_was_resumed_is_not_why_it_fails_then(in_run: RunWorld) -> None:
    scan_without_grant(in_run)
    in_run.phase(PhaseEvent(phase=Phase.FAIL, place=in_run.place(), error=MAP_FAILED))
    resume(in_run)

    in_run.phase(PhaseEvent(phase=Phase.PLAN, place=in_run.place()))
    in_run.phase(PhaseEvent(phase=Phase.FAIL, place=in_run.place(), error=MAP_FAILED))

    failure = in_run.entry().failure
    assert failure is not None
    assert "left no word" in failure.message


def test_children_that_died_without_a_word_are_tried_again(in_run: RunWorld) -> None:
    in_run.phase(PhaseEvent(phase=Phase.FAIL, place=in_run.place(), error=MAP_FAILED))

    failure = in_run.entry().failure
    assert failure is not None
    assert failure.branch is Branch.TRANSIENT
    assert "left no word" in failure.message
    assert len(in_run.queue.sent) == 1


@pytest.mark.slow
def test_what_was_put_together_is_let_go_if_a_stranger_has_the_key(in_run: RunWorld) -> None:
    in_run.store.put(TARGET, b"a stranger's")

    assert in_run.drive() == "failed"
    failure = in_run.entry().failure
    assert failure is not None
    assert failure.error == "OutputCollision"
    assert in_run.store.data(TARGET) == b"a stranger's"
    assert in_run.store.sent == {}


@pytest.mark.slow
def test_another_configuration_in_mid_run_takes_the_object(in_run: RunWorld) -> None:
    def before(event: PhaseEvent) -> None:
        if event.phase is Phase.JOIN:
            in_run.syncs = (bulk_sync(to="json", bad_rows="quarantine"),)

    in_run.before = before
    assert in_run.drive() == "failed"
    in_run.before = lambda _event: None
    in_run.answer_queue()

    assert in_run.drive() == "done"
    assert in_run.entry().state is State.CONVERTED


@pytest.mark.slow
def test_an_invocation_that_ends_while_it_puts_together_goes_on_in_the_next(in_run: RunWorld) -> None:
    publishes = 0

    def before(event: PhaseEvent) -> None:
        nonlocal publishes
        if event.phase is Phase.PUBLISH:
            publishes += 1
            in_run.remaining = 900.0

    in_run.before = before
    copies = 0
    genuine = InMemoryObjectStore.assemble

    def assemble(*arguments: Any, **words: Any) -> Any:
        nonlocal copies
        copies += 1
        if copies == 1:
            in_run.remaining = 1.0
        return genuine(*arguments, **words)

    in_run.store.assemble = lambda *a, **w: assemble(in_run.store, *a, **w)  # type: ignore[method-assign] # a slow world

    assert in_run.drive() == "done"
    assert publishes == 2
    assert in_run.store.data(TARGET) == expected()


@pytest.mark.slow
def test_a_run_that_is_quicker_than_the_worker_that_started_it_waits_for_its_word(in_run: RunWorld) -> None:
    """Its parts are done, and the ledger does not name it yet: nobody else would publish them."""
    waiting = in_run.entry()
    starting = replace(waiting, state=State.IN_FLIGHT, big_run=None, lease_until=in_run.now + timedelta(hours=1))
    outcomes = list[PhaseOutcome]()

    def before(event: PhaseEvent) -> None:
        if event.phase is Phase.PUBLISH:
            in_run.ledger.entries[waiting.stored_sync, waiting.source] = starting
            in_run.before = lambda _event: None
            outcomes.append(in_run.phases.work(event, lambda: 900.0))
            in_run.ledger.entries[waiting.stored_sync, waiting.source] = waiting

    in_run.before = before

    assert in_run.drive() == "done"
    assert outcomes == [PhaseOutcome(Phase.PUBLISH, wait=60)]
    assert in_run.store.data(TARGET) == expected()


def test_a_sync_that_is_gone_is_settled_and_not_asked_for(in_run: RunWorld) -> None:
    def before(event: PhaseEvent) -> None:
        if event.phase is Phase.JOIN:
            in_run.syncs = (bulk_sync("another", to="json"),)

    in_run.before = before

    assert in_run.drive() == "failed"
    assert (in_run.entry().state, in_run.queue.sent) == (State.FAILED, [])


@pytest.mark.slow
def test_a_ledger_that_was_lost_starts_runs_of_other_names(in_run: RunWorld) -> None:
    in_run.machine.end(next(iter(in_run.machine.executions)), ExecutionStatus.FAILED)
    in_run.ledger.entries.clear()
    in_run.now += timedelta(hours=1)

    in_run.one(in_run.event(etag=in_run.store.buckets["acme-in"][SOURCE.key].etag), message="m9")

    assert len(in_run.machine.executions) == 2
    assert in_run.drive() == "done"
