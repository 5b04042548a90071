"""What a request asks for, done for every sync that wants the object: claim, work, settle, tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from millrace.delivery.builds import DELAY_SECONDS, MOST_BUILDS, Builds
from millrace.delivery.deployed_targets import DeployedTargets
from millrace.delivery.object_work import ObjectWork
from millrace.delivery.routing import NO_BIG_RUNS, Routing
from millrace.delivery.table_files import TableFiles
from millrace.deployment.settings import VISIBILITY_FACTOR
from millrace.errors import Crashed, MillraceError
from millrace.ledger.announcing import Teller
from millrace.ledger.claims import LEASE_MARGIN, Claims, Delivery
from millrace.ledger.entries import Branch, Entry, Failure, Finish, State
from millrace.ledger.rules import MOST_ATTEMPTS, MOST_DEATHS, ClaimSubject, Refusal, RefusalKind
from millrace.ledger.stores import LedgerStore
from millrace.objects.messages import Request
from millrace.objects.queue import RequestQueue
from millrace.objects.references import ChangeKind, ObjectRef
from millrace.objects.store import ObjectStore, Stores
from millrace.planning.planner import Planner
from millrace.planning.plans import AnyPlan, ArchiveTables, Build, Ignored, Plan, SnapshotTable, SourceFile

FIRST_BACKOFF_SECONDS = 30
"""Most work in flight is done by then."""
_LONGEST_BACKOFF_SECONDS = 900
"""What lacks a grant waits for a person, who should not wait much longer once it is there."""
_MOST_DOUBLINGS = 5
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)
"""For outputs whose keys hold no time."""
_SHORT_WAITS = 2
"""Receipts of a message that finds its object in flight, before it waits for the whole lease."""
TRIED_AGAIN = "tried again"
"""The result of work that only another worker, or the end of the invocation, was in the way of."""


def _without_big_runs(_claims: Claims) -> Routing:
    return NO_BIG_RUNS


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one object under one sync; ``result`` is a state or the kind of a refusal.

    ``retry_after`` (seconds) is set if the message must not be acknowledged but come back. ``is_given_up``: it was
    tried as often as it may be, so that somebody must decide what comes next.
    """

    result: str
    source: ObjectRef
    sync: str | None = None
    entry: Entry | None = None
    reason: str | None = None
    failure: Failure | None = None
    retry_after: int | None = None
    is_given_up: bool = False

    @property
    def is_suspect(self) -> bool:
        """Whether it is left for the end of the batch, because a worker died over it."""
        return self.result == RefusalKind.SUSPECT

    @property
    def acknowledge(self) -> bool:
        """Whether the message may be deleted as far as this object goes."""
        return self.retry_after is None

    @property
    def misconfigured(self) -> bool:
        """Whether only another configuration, or another grant, can help."""
        return self.failure is not None and self.failure.branch is Branch.CONFIGURATION


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Does what requests ask for."""

    planner: Planner
    claims: Claims
    objects: ObjectWork
    builds: Builds
    first_backoff: int = FIRST_BACKOFF_SECONDS

    @classmethod
    def build(
        cls,
        *,
        planner: Planner,
        ledger: LedgerStore,
        stores: Stores | Mapping[str, ObjectStore],
        queues: Mapping[str, RequestQueue],
        now: Callable[[], datetime],
        engine: str,
        timeout_seconds: float,
        obfuscation_key: Callable[[], bytes | None] = lambda: None,
        deployment: int = 0,
        lease_margin: timedelta = LEASE_MARGIN,
        first_backoff: int = FIRST_BACKOFF_SECONDS,
        routing: Callable[[Claims], Routing] = _without_big_runs,
        teller: Teller | None = None,
    ) -> Worker:
        """A worker on its ports; ``timeout_seconds`` is a whole invocation's time, ``first_backoff`` is in seconds.

        ``routing`` decides what becomes a big run, and starts it by the worker's own claims. ``teller`` tells others of
        what was settled.
        """
        # Less the margin of clocks that differ, whatever the lease's: the queue's visibility does not follow that one.
        hidden_for = timedelta(seconds=VISIBILITY_FACTOR * timeout_seconds) - LEASE_MARGIN
        claims = Claims(
            ledger=ledger,
            now=now,
            engine=engine,
            deployment=deployment,
            hidden_for=hidden_for,
            lease_margin=lease_margin,
            teller=teller,
            targets=DeployedTargets(planner, stores),
        )
        routes = routing(claims)
        objects = ObjectWork(
            claims=claims,
            stores=stores,
            files=TableFiles(planner=planner, stores=stores, queues=queues),
            timeout_seconds=timeout_seconds,
            obfuscation_key=obfuscation_key,
            routing=routes,
        )
        builds = Builds(claims=claims, stores=stores, queues=queues, timeout_seconds=timeout_seconds, routing=routes)
        return cls(planner=planner, claims=claims, objects=objects, builds=builds, first_backoff=first_backoff)

    @property
    def timeout_seconds(self) -> float:
        """A whole invocation's time."""
        return self.objects.timeout_seconds

    def work(self, request: Request, delivery: Delivery) -> Iterator[Outcome]:
        """Work on a request for every sync that wants its object; one sync's trouble never stops another's work."""
        if request.deployment > self.claims.deployment:
            yield self._leave_to_newer(request, delivery)
            return
        plans = self._plan(request)
        if not plans:
            yield Outcome(result=State.IGNORED, source=request.change.ref, reason="no active sync reads this object")
        for plan in plans:
            try:
                yield self._work(plan, request, delivery)
            except Exception as error:  # noqa: BLE001 - whatever it is, the message is kept and the reason is told
                yield self._unsettled(plan.sync, request, delivery, error)

    def is_begun(self, request: Request) -> bool:
        """Whether work on a request's object was begun and is tried again, so that the message must not go.

        For example: a worker dies over an object that a backfill asked for, and the backfill is stopped. If its message
        were passed over when it comes back, the object would stay in flight. What lacks a grant only waits.
        """
        entries = (self.claims.ledger.get(plan.sync, request.change.ref) for plan in self._plan(request))
        try:
            return any(entry is not None and _is_tried_again(entry) for entry in entries)
        except MillraceError:
            # The work meets the same trouble, and puts the message off.
            return True

    def _plan(self, request: Request) -> tuple[AnyPlan, ...]:
        return self.planner.plan(request.change.ref, only=request.sync)

    def _work(self, plan: AnyPlan, request: Request, delivery: Delivery) -> Outcome:
        if isinstance(plan, Plan | SourceFile):
            looked = self._look(plan, request)
            if looked is None:
                reason = "there is no such object, and the ledger knows of none"
                return Outcome(result=State.IGNORED, source=plan.source, sync=plan.sync, reason=reason)
            request = looked
        decision = self.claims.claim(_to_subject(plan, request), delivery)
        if isinstance(decision, Refusal):
            return self._refused(decision, delivery)
        outcome = self._outcome(self._settled(plan, request, decision, delivery), delivery)
        if isinstance(plan, Build) and _waits_for_files(outcome) and delivery.receives < MOST_BUILDS:
            # Its folder changed meanwhile. The same message, not a new one: Lambda ends a chain of a function's own
            # messages after about 16 (Lambda Developer Guide, "Recursive loop detection").
            return replace(outcome, retry_after=DELAY_SECONDS)
        return outcome

    def _look(self, plan: Plan | SourceFile, request: Request) -> Request | None:
        """The request with what the bucket has now, if the message does not say it; None: there is nothing to do."""
        if isinstance(plan, Plan) and self._never_was(plan, request):
            return None
        return self._look_at_listed(plan, self._look_again(plan, request))

    def _look_at_listed(self, plan: Plan | SourceFile, request: Request) -> Request | None:
        """The request with what the bucket has now: a listing may have been a page old when it was compared.

        So what was converted meanwhile is found done already, and what was deleted meanwhile is removed. Events of S3
        have a sequencer, and need no look. None if a backfill's listing (an inventory is days old) had an object that
        is gone, and nothing has to be removed.
        """
        if not _is_of_listing(request):
            return request
        change = request.change
        try:
            head = self.objects.head(plan)
        except MillraceError:
            # The work meets the same trouble under a claim, and its entry says so.
            return request
        if head is None:
            is_unknown = request.ticket is not None and self.claims.ledger.get(plan.sync, plan.source) is None
            return None if is_unknown else replace(request, change=replace(change, kind=ChangeKind.REMOVED))
        return replace(request, change=change.at_version(head.version))

    def _never_was(self, plan: Plan, request: Request) -> bool:
        """Whether somebody asked for an object that is not there and never was: then nothing is written down."""
        is_asked_for = request.run_id is not None and request.change.kind is ChangeKind.CREATED
        if not is_asked_for or self.claims.ledger.get(plan.sync, plan.source) is not None:
            return False
        try:
            return not self.objects.exists(plan)
        except MillraceError:
            # Nobody can say, for example because a role may not be assumed: the entry of the work says why.
            return False

    def _look_again(self, plan: Plan | SourceFile, request: Request) -> Request:
        """The request with what the bucket holds, if the event tells of a deletion and the object exists all the same.

        S3 sends ``ObjectRemoved:Delete`` also for the deletion of one version or of a delete marker (Amazon S3 User
        Guide, "Supported event types for SQS, SNS, and Lambda"). The claim then compares what is there with the entry::

            put v1, put v2           the entry has v2
            delete version v2        event: removed; the bucket holds v1 again, which is another: it is converted
            delete                   event: removed; there is nothing: the entry becomes removed
            delete the marker        event: removed; the bucket holds v1: it is converted, since the state is removed

        A late event of an object that was written again finds the entry's own bytes, and is done.
        """
        if request.change.kind is not ChangeKind.REMOVED:
            return request
        head = self.objects.head(plan)
        if head is None:
            return request
        change = replace(request.change, kind=ChangeKind.CREATED)
        return replace(request, change=change.at_version(head.version))

    def _settled(self, plan: AnyPlan, request: Request, claimed: Entry, delivery: Delivery) -> Entry:
        # So many workers died over it that the next one would, too.
        if claimed.deaths >= MOST_DEATHS:
            return self._crash(plan, request, claimed)
        match plan:
            case Ignored():
                return self.claims.settle(claimed, Finish(state=State.IGNORED, reason=plan.reason))
            case Plan():
                return self.objects.work(plan, request, claimed, delivery)
            case SourceFile():
                settled = self.claims.settle(claimed, self.builds.ask(plan, request, claimed))
                self.builds.ask_again(plan, request, settled)
                return settled
            case Build():
                return self.builds.work(plan, request, claimed, delivery)

    def _crash(self, plan: AnyPlan, request: Request, claimed: Entry) -> Entry:
        failure = Failure.of(_to_crash(claimed))
        match plan:
            case Plan():
                return self.objects.crash(plan, request, claimed, failure)
            case Build():
                return self.claims.settle(claimed, self.builds.crash(plan, failure))
            case _:
                return self.claims.settle(claimed, Finish(state=State.FAILED, failure=failure))

    def _refused(self, refusal: Refusal[Entry], delivery: Delivery) -> Outcome:
        entry = refusal.entry
        seconds = self._wait(refusal, delivery)
        return Outcome(result=refusal.kind, source=entry.source, sync=entry.sync, entry=entry, retry_after=seconds)

    def _wait(self, refusal: Refusal[Entry], delivery: Delivery) -> int | None:
        """Seconds until a refused message comes back; None: it is done.

        It looks again soon, since most work is short and a queue that is empty is easier to trust; then it hides until
        the lease ends. For example after 30 s, 60 s, then when the lease of 25 minutes has ended.
        """
        if refusal.retry_at is None:
            return None
        if refusal.kind is RefusalKind.OUTDATED:
            return self.backoff(delivery.receives)
        seconds = max(1, round((refusal.retry_at - self.claims.now()).total_seconds()))
        is_soon = delivery.receives <= _SHORT_WAITS
        return min(seconds, self.backoff(delivery.receives)) if is_soon else seconds

    def backoff(self, receives: int) -> int:
        """Seconds until a message that failed is seen again, by how often it was received."""
        return backoff(receives, first=self.first_backoff)

    def _leave_to_newer(self, request: Request, delivery: Delivery) -> Outcome:
        return Outcome(
            result=RefusalKind.OUTDATED,
            source=request.change.ref,
            sync=request.sync,
            reason="it was asked for under a newer deployment than this worker is of",
            retry_after=self.backoff(delivery.receives),
        )

    def _outcome(self, settled: Entry, delivery: Delivery) -> Outcome:
        """What came of it. If its event could not be sent, the message comes back, and who claims then sends it."""
        outcome = self._to_outcome(settled, delivery)
        if outcome.acknowledge and settled.is_untold:
            return replace(outcome, retry_after=self.backoff(delivery.receives))
        return outcome

    def _to_outcome(self, settled: Entry, delivery: Delivery) -> Outcome:
        failure = settled.failure
        # What the object holds was refused: the same bytes fail again, so that this is settled like any success.
        if failure is None or failure.branch is Branch.DATA:
            return Outcome(
                result=settled.state,
                source=settled.source,
                sync=settled.sync,
                entry=settled,
                reason=failure.message if failure else settled.reason,
                failure=failure,
            )
        is_given_up = settled.attempts >= MOST_ATTEMPTS and not failure.is_free
        return Outcome(
            result=TRIED_AGAIN if failure.is_lost_race and not is_given_up else settled.state,
            source=settled.source,
            sync=settled.sync,
            entry=settled,
            reason=failure.message,
            failure=failure,
            retry_after=self.backoff(delivery.receives),
            is_given_up=is_given_up,
        )

    def _unsettled(self, sync: str, request: Request, delivery: Delivery, error: Exception) -> Outcome:
        """Of what has no entry to count attempts in. A defect is given up by receipts, since it would never pass."""
        # Nothing could be claimed, or the claim was lost. An entry would count attempts; without one, receipts have to.
        failure = Failure.of(error)
        is_defect = failure.branch is Branch.DATA or not isinstance(error, MillraceError)
        return Outcome(
            result=TRIED_AGAIN if failure.is_lost_race else State.FAILED,
            source=request.change.ref,
            sync=sync,
            reason=f"{failure.error}: {failure.message}",
            failure=failure,
            retry_after=self.backoff(delivery.receives),
            is_given_up=is_defect and delivery.receives >= MOST_ATTEMPTS,
        )


def _is_of_listing(request: Request) -> bool:
    """Whether a listing, or an inventory, asked for the object; an inventory may not say which bytes it has seen."""
    change = request.change
    says_version = change.etag is not None or request.ticket is not None
    return change.sequencer is None and request.run_id is None and says_version


def _is_tried_again(entry: Entry) -> bool:
    lacks_grant = entry.failure is not None and entry.failure.branch is Branch.CONFIGURATION
    return not entry.settled and not lacks_grant


def _waits_for_files(outcome: Outcome) -> bool:
    """Whether a table is to be made once more by this very message; a big run needs no message to end."""
    is_in_big_run = outcome.entry is not None and outcome.entry.big_run is not None
    return outcome.result is State.WAITING and not is_in_big_run


def _to_crash(claimed: Entry) -> Crashed:
    return Crashed(
        f"{claimed.deaths} workers died over {claimed.source} and left nothing but their leases: it may need more "
        "memory or more time than the function has. Give the function more memory, or split the object, then "
        "reprocess it"
    )


def _to_subject(plan: AnyPlan, request: Request) -> ClaimSubject:
    return ClaimSubject(
        sync=plan.sync,
        change=request.change,
        fingerprint=plan.fingerprint,
        position=request.change.sequencer,
        run_id=request.run_id,
        outputs=intended(plan),
        shape=plan.shape,
        bytes_decide=not (isinstance(plan, Plan) and isinstance(plan.way, SnapshotTable)),
        has_follow_up=isinstance(plan, Build),
        has_several_outputs=isinstance(plan, Plan) and plan.has_several_outputs,
    )


def intended(plan: AnyPlan) -> tuple[ObjectRef, ...]:
    """The outputs that key and configuration alone tell: an object's own, where it is not divided."""
    # A snapshot table has its output announced under its own claim, and of an archive only its list says what becomes.
    if not isinstance(plan, Plan) or isinstance(plan.way, SnapshotTable | ArchiveTables):
        return ()
    # Such keys hold what is not known yet: a time, a value of the rows, or the fence.
    if plan.keep_earlier or plan.recipe.transform.partition_key or plan.place.version is not None:
        return ()
    return (plan.output(None, _ANY_TIME),)


def backoff(receives: int, *, first: int = FIRST_BACKOFF_SECONDS) -> int:
    """Seconds until a message that failed is seen again: 30, 60, 120, ... up to 15 minutes."""
    # Their number is bounded: after 1,025 receipts two to its power would be beyond any float.
    doublings: int = min(_MOST_DOUBLINGS, max(0, receives - 1))
    return min(_LONGEST_BACKOFF_SECONDS, first << doublings)
