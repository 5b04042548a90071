"""How a run ends: published, refused for what its source holds, given up, or superseded.

A run that came to no end by its own fault asks for its object once more, by a message like any other: what the bucket
holds then, and the configuration of then, decide. Attempts are counted in the entry, as for any work.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Self

from millrace.big_runs.documents import ORDER, RunDocuments, RunOrder, map_ordered
from millrace.big_runs.events import DONE, FAILED, RUN_STOPPED, Phase, PhaseEvent, PhaseOutcome
from millrace.big_runs.failures import find_failure
from millrace.big_runs.publication import ConvertedParts, Publication
from millrace.big_runs.resuming import is_of_run, may_go_on
from millrace.big_runs.run_work import RunPorts, RunWork, find_made_entry, find_plan, request_of
from millrace.delivery.deadline import stop_seconds
from millrace.delivery.table_format import is_admitted
from millrace.errors import LostRace, OutOfTime, UsageError, WorkInFlight
from millrace.ledger.announcing import demand_told
from millrace.ledger.entries import DONE as DONE_STATES
from millrace.ledger.entries import BigRunFacts, Branch, Entry, Failure, Finish, State
from millrace.ledger.rules import MOST_ATTEMPTS
from millrace.objects.machine import RUN_LOST
from millrace.objects.messages import Request
from millrace.objects.references import UNKNOWN_VERSION, ChangeKind, ObjectChange
from millrace.planning.plans import Build, Plan

_WAIT_SECONDS = 60
"""Until a phase looks again whether its table is free: the machine waits, and nothing is paid for meanwhile."""
_STOPPED = {"ABORTED": "was stopped", "TIMED_OUT": "took longer than a run may"}


def publish_parts(work: RunWork, parts: ConvertedParts) -> PhaseOutcome:
    """Publish and settle; a table of many files has the entries of its files written next."""
    try:
        return _publish_claimed(work, parts)
    except OutOfTime:
        return PhaseOutcome(Phase.PUBLISH)
    except WorkInFlight:
        # Others write the table, or the worker that started the run is so slow that it has not settled yet.
        return PhaseOutcome(Phase.PUBLISH, wait=_WAIT_SECONDS)


def _publish_claimed(work: RunWork, parts: ConvertedParts) -> PhaseOutcome:
    run = RunEnd.of(work)
    claimed = run.claim()
    if claimed is None:
        return _go_on_or_end(work)
    claimed, finish = Publication(work=work, parts=parts).publish(claimed)
    if finish.failure is not None:
        run.ask_if_transient(claimed, finish.failure)
    settled = work.ports.claims.settle(claimed, finish, work.target_store)
    if settled.state in DONE_STATES and isinstance(work.plan, Build):
        return _settle_files_next(work)
    return run.leave()


def _settle_files_next(work: RunWork) -> PhaseOutcome:
    return PhaseOutcome(Phase.SETTLE, tuple(range(work.parts)))


def _go_on_or_end(work: RunWork) -> PhaseOutcome:
    """A run that has lost its object ends; or its own child published it, and was killed before it could say so."""
    if isinstance(work.plan, Build) and find_made_entry(work.order, work.ports) is not None:
        return _settle_files_next(work)
    return RunEnd.of(work).leave()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """What is done at the end of a run, whatever came of it."""

    ports: RunPorts
    order: RunOrder
    documents: RunDocuments
    remaining: Callable[[], float]

    @classmethod
    def of(cls, work: RunWork) -> Self:
        """The run of a phase."""
        return cls(ports=work.ports, order=work.order, documents=work.documents, remaining=work.remaining)

    def claim(self) -> Entry | None:
        """The entry, claimed to publish or to settle it; None if the run has lost its object. Raises as ``settle``."""
        order = self.order
        return self.ports.claims.claim_for_big_run(
            order.sync, order.source, name=order.run, fence=order.fence, remaining=self.remaining
        )

    def settle(self, failure: Failure) -> PhaseOutcome:
        """Settle the entry as failed, if it is the run's still; what may pass is asked for once more.

        Raises WorkInFlight if the worker that started the run has not settled yet, LostRace if others are quicker.
        """
        claimed = self.claim()
        if claimed is None:
            self._ask_for_files()
            return self.leave()
        self.ask_if_transient(claimed, failure)
        demand_told(self.ports.claims.settle(claimed, self._finish(failure), self.documents.store))
        return self.leave()

    def ask_if_transient(self, claimed: Entry, failure: Failure) -> None:
        """Have the object looked at once more if the failure may pass; called before it is settled.

        A child that is killed in between is repeated, and asks twice. The other way round nobody would ask.
        """
        if failure.branch is Branch.TRANSIENT and claimed.attempts < MOST_ATTEMPTS:
            self._ask(claimed)

    def leave(self) -> PhaseOutcome:
        """The run's end as the ledger has it; what nobody goes on with is deleted.

        The entry decides, and not what this child did: it may repeat one that settled the entry and was killed. For
        example: a run is stopped, the child that heals it puts that, with the words how to resume it, and dies. Its
        repetition finds no claim, and must leave what the resumed run goes on with.
        """
        entry = self.ports.claims.ledger.get(self.order.sync, self.order.source)
        if entry is None or not is_of_run(entry, self.order.run):
            self._delete_objects()
            return PhaseOutcome(DONE)
        if not may_go_on(entry):
            self._delete_objects()
        return PhaseOutcome(FAILED if entry.state is State.FAILED else DONE)

    def _delete_objects(self) -> None:
        """Delete what the run kept, as far as there is time; the bucket's lifecycle deletes the rest.

        The order goes first: without it, who comes late finds that the run is over.
        """
        home, store = self.documents.place.home, self.documents.store
        least = stop_seconds(self.ports.timeout_seconds)
        store.delete(self.documents.place.at(ORDER))
        keys = [item.ref for item in store.list(home.bucket, home.key)]
        for _ in map_ordered(store.delete, keys, workers=self.documents.workers):
            if self.remaining() <= least:
                return

    def _finish(self, failure: Failure) -> Finish:
        """What failed, and for which version; what was published in a table of no decided format goes again."""
        plan = self._find_plan()
        withdraws = isinstance(plan, Plan) and not is_admitted(plan, request_of(self.order), self.ports.claims)
        is_folder = self.order.head is None
        return Finish(
            state=State.FAILED,
            failure=failure,
            version=UNKNOWN_VERSION if is_folder else self.order.version,
            withdraws=withdraws,
            refused_etag=self.order.digest if is_folder and failure.branch is Branch.DATA else None,
        )

    def _find_plan(self) -> Plan | Build | None:
        try:
            return find_plan(self.order, self.ports)
        except LostRace:
            return None

    def _ask(self, entry: Entry) -> None:
        change = ObjectChange(kind=ChangeKind.CREATED, ref=entry.source)
        _ask(self.ports, replace(request_of(self.order), change=change, deployment=0))

    def _ask_for_files(self) -> None:
        """A folder's table that this run has made, and whose files are not written down: the next build does that."""
        entry = find_made_entry(self.order, self.ports)
        if entry is not None and self.order.head is None:
            self._ask(entry)


def _ask(ports: RunPorts, request: Request) -> None:
    """Have an object looked at once more, by a message like any other; nobody asks for a sync that is no more."""
    with suppress(UsageError):
        connection = ports.planner.active_sync(str(request.sync)).source_connection
        ports.queues[connection].send([request], delay_seconds=_WAIT_SECONDS)


def fail(run: RunEnd, event: PhaseEvent) -> PhaseOutcome:
    """What the machine asks for if a phase raised, again and again."""
    return run.settle(find_failure(run.documents, event.error))


def heal(run: RunEnd, event: PhaseEvent) -> PhaseOutcome:
    """Settle what an execution left that ended from outside: stopped, out of time, or nobody knows how.

    One that was stopped, or ran as long as it may, is not asked for once more: somebody decides what comes next.
    """
    entry = run.ports.claims.ledger.get(run.order.sync, run.order.source)
    facts = entry.big_run if entry is not None else None
    # Without facts the worker that started the run may not have written it down yet: ``settle`` says so by raising.
    if facts is not None and not _is_of_execution(facts, event):
        # The news of an execution that was resumed since under another name.
        return PhaseOutcome(DONE)
    return run.settle(_failure_of_end(run.order, event.status))


def _failure_of_end(order: RunOrder, status: str | None) -> Failure:
    how = _STOPPED.get(status or "")
    if how is None:
        return Failure(
            branch=Branch.TRANSIENT,
            error=RUN_LOST,
            message=f"the big run {order.run} ended without a word ({status or 'no execution is known'})",
        )
    return Failure(
        branch=Branch.DATA,
        error=RUN_STOPPED,
        message=(
            f"the big run {order.run} of {order.source} {how}. Go on with what it has: millrace runs resume"
            f" {order.run}; or begin again: reprocess the object"
        ),
    )


def end_without_order(ports: RunPorts, event: PhaseEvent, remaining: Callable[[], float]) -> PhaseOutcome:
    """The end of a run whose order is not there.

    As a rule it is over and its objects are deleted: this is a double, or a repetition that comes late. But if an entry
    waits for the run, its objects expired before it was resumed, or somebody deleted them. Nobody else would come then,
    so the entry is settled as failed here.
    """
    claimed = _claim_without_order(ports, event, remaining)
    if claimed is None:
        return PhaseOutcome(DONE)
    lost = f"what the big run {event.place.run} had done is deleted: it is kept for a week"
    if claimed.attempts < MOST_ATTEMPTS:
        change = ObjectChange(kind=ChangeKind.CREATED, ref=claimed.source)
        _ask(ports, Request(change=change, sync=claimed.sync, run_id=claimed.run_id))
        message = f"{lost}; the object is asked for again by itself"
    else:
        message = f"{lost}; begin again: reprocess the object"
    failure = Failure(branch=Branch.TRANSIENT, error=RUN_LOST, message=message)
    ports.claims.settle(claimed, Finish(state=State.FAILED, failure=failure))
    return PhaseOutcome(FAILED)


def _claim_without_order(ports: RunPorts, event: PhaseEvent, remaining: Callable[[], float]) -> Entry | None:
    """The entry that waits for the run of an event, claimed; None if none does. Raises LostRace."""
    place = event.place
    if place.sync is None or place.source is None:
        return None
    entry = ports.claims.ledger.get(place.sync, place.source)
    if entry is None or entry.big_run is None or not _is_of_execution(entry.big_run, event):
        return None
    return ports.claims.claim_for_big_run(
        place.sync, place.source, name=place.run, fence=entry.fence, remaining=remaining
    )


def _is_of_execution(facts: BigRunFacts, event: PhaseEvent) -> bool:
    """Whether an event is of the newest execution of a run, as far as it says; not if that was resumed since."""
    return event.execution is None or event.execution == facts.execution
