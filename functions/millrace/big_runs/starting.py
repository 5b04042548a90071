"""Begin a big run: its order first, then the machine, then the ledger."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from millrace.big_runs.documents import ORDER, RunDocuments, RunOrder
from millrace.big_runs.events import RunPlace
from millrace.delivery.routing import DEFAULT_PART_BYTES, BigWork
from millrace.ledger.claims import Claims
from millrace.ledger.entries import BigRunFacts, Entry
from millrace.objects.machine import Machine
from millrace.objects.references import ObjectRef
from millrace.objects.store import ObjectStore, Stores
from millrace.planning.planner import Planner
from millrace.planning.plans import Build, Plan
from millrace.planning.targets import runs_folder_of

_LONGEST_NAME = 40
"""Letters of a sync in a run's name, which has 80 at most (AWS Step Functions API Reference, "StartExecution")."""
# Of a sync called "to lake (EU)" the run is called to-lake-EU-…: Step Functions refuses blanks and brackets in names.
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
        place = RunPlace(
            run=order.run,
            connection=plan.target_connection,
            home=self._find_home(plan, order.run),
            sync=order.sync,
            source=order.source,
        )
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


def about(sync: str, source: ObjectRef, size: int | None) -> dict[str, Any]:
    """What people see of an execution; the machine passes it by."""
    return {"about": {"sync": sync, "source": str(source), "size": size}}
