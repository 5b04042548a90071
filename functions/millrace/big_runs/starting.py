"""Begin a big run, or go on with one that ended from outside: its order first, then the machine, then the ledger."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from millrace.big_runs.documents import ORDER, RunDocuments, RunOrder
from millrace.big_runs.events import RUN_STOPPED, RunPlace
from millrace.delivery.routing import DEFAULT_PART_BYTES, BigWork
from millrace.errors import UsageError
from millrace.ledger.claims import Claims
from millrace.ledger.entries import BigRunFacts, Branch, Entry, State
from millrace.ledger.rules import MOST_ATTEMPTS
from millrace.ledger.stores import LedgerStore
from millrace.objects.machine import Machine
from millrace.objects.references import ObjectRef
from millrace.objects.store import ObjectStore, Stores
from millrace.planning.planner import Planner
from millrace.planning.plans import Build, Plan
from millrace.planning.targets import runs_folder_of

_LONGEST_NAME = 40
"""Letters of a sync in a run's name, which has 80 at most (AWS Step Functions API Reference, "StartExecution")."""
_NOT_IN_NAMES = re.compile(r"[^0-9A-Za-z_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class BigRunStarter:
    """Satisfies ``delivery.routing.RunStarter``. ``part_bytes`` is about the size of a part."""

    machine: Machine
    planner: Planner
    claims: Claims
    stores: Stores | Mapping[str, ObjectStore]
    part_bytes: int = DEFAULT_PART_BYTES

    def start(self, big: BigWork) -> BigRunFacts:
        """Write a run's order and start the machine; whoever does it again under the same claim changes nothing.

        The entry is settled by the caller afterwards. If the worker is killed in between, its message comes back, and
        starts a run of another fence: this one then finds that it has lost its object.
        """
        order = self._to_order(big)
        plan = big.plan
        place = RunPlace(run=order.run, connection=plan.target_connection, home=self._find_home(plan, order.run))
        documents = RunDocuments(self.stores[plan.target_connection], place)
        documents.write(ORDER, order.to_document())
        self.machine.start(order.run, place.to_input() | about(order.sync, order.source, order.size))
        return BigRunFacts(name=order.run, execution=order.run, connection=place.connection, home=place.home)

    def _to_order(self, big: BigWork) -> RunOrder:
        plan, claimed, request = big.plan, big.claimed, big.request
        return RunOrder(
            run=name_run(plan, claimed, big.etag),
            sync=plan.sync,
            source=claimed.source,
            fence=claimed.fence,
            fingerprint=plan.fingerprint,
            shape=plan.shape,
            engine=self.claims.engine,
            deployment=self.claims.deployment,
            now=self.claims.now(),
            part_bytes=self.part_bytes,
            head=big.head,
            digest=big.digest,
            files=big.files,
            size=big.size,
            run_id=request.run_id,
            reset_schema=request.reset_schema,
            decides_format=request.decides_format,
        )

    def _find_home(self, plan: Plan | Build, run: str) -> ObjectRef:
        """Below the connection's own folder, which has one rule of its lifecycle for all syncs."""
        folder = runs_folder_of(self.planner.document.connection(plan.target_connection).root)
        return ObjectRef(folder.bucket, f"{folder.key}{run}/")


def name_run(plan: Plan | Build, claimed: Entry, etag: str) -> str:
    """The name of a run: of these bytes, this configuration and this claim, such as ``orders-2f1e…``.

    The claim is its fence and its time: a ledger that was lost counts its fences from 1 again, and the machine starts
    no execution of a name that it had before.
    """
    claim = (str(claimed.fence), claimed.started.isoformat() if claimed.started is not None else "")
    said = (claimed.sync, str(claimed.source), etag, plan.fingerprint, plan.shape, *claim)
    digest = hashlib.sha256("\n".join(said).encode()).hexdigest()[:32]
    readable = _NOT_IN_NAMES.sub("-", claimed.sync).strip("-")[:_LONGEST_NAME]
    return f"{readable}-{digest}".lstrip("-")


def resume_run(entry: Entry, *, ledger: LedgerStore, machine: Machine, now: datetime) -> BigRunFacts:
    """Have a run go on that was stopped, or ended from outside, with what it has done so far.

    Raises UsageError if it cannot: its object has had other work since, it is at work, or what it had is deleted.
    Raises LostRace if another is quicker.
    """
    facts = entry.big_run
    if facts is None or entry.state is not State.FAILED:
        raise UsageError(f"{entry.source} is {entry.state}; only a big run that failed or was stopped can be resumed")
    _demand_objects(entry, facts)
    resumed = replace(facts, execution=_next_execution(facts))
    place = RunPlace(run=facts.name, connection=facts.connection, home=facts.home)
    # The entry first: an execution that finds it failed would end at once. If nothing is started after it, the daily
    # comparison finds an entry that waits for an execution that is not there.
    ledger.put(
        replace(
            entry,
            state=State.WAITING,
            revision=entry.revision + 1,
            big_run=resumed,
            started=now,
            finished=None,
            failure=None,
        )
    )
    machine.start(resumed.execution, place.to_input() | about(entry.sync, entry.source, entry.version.size))
    return resumed


def _demand_objects(entry: Entry, facts: BigRunFacts) -> None:
    """Raise UsageError if the run's end deleted its objects: an execution without an order would end at once."""
    failure = entry.failure
    if failure is None:
        return
    if failure.branch is Branch.DATA and failure.error != RUN_STOPPED:
        raise UsageError(
            f"the big run {facts.name} failed for its data ({failure.error}) and would fail again, so that what it had"
            " is deleted; change the object or its sync and begin again: millrace reprocess"
        )
    if failure.branch is Branch.TRANSIENT and entry.attempts < MOST_ATTEMPTS:
        raise UsageError(
            f"{entry.source} is asked for again by itself, since {failure.error} may pass; if nothing happens in some"
            " minutes, begin again: millrace reprocess"
        )


def about(sync: str, source: ObjectRef, size: int | None) -> dict[str, Any]:
    """What people see of an execution; the machine passes it by."""
    return {"about": {"sync": sync, "source": str(source), "size": size}}


def _next_execution(facts: BigRunFacts) -> str:
    """``orders-2f1e…`` is followed by ``orders-2f1e…-2``, and that by ``-3``."""
    number = facts.execution.removeprefix(facts.name).removeprefix("-")
    return f"{facts.name}-{int(number or 1) + 1}"
