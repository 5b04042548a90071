"""The phases of a big run. Each may be repeated at any time: the same keys get the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from millrace.big_runs.events import PhaseEvent, PhaseOutcome
from millrace.ledger.claims import Claims
from millrace.objects.queue import RequestQueue
from millrace.objects.store import ObjectStore, Stores
from millrace.planning.planner import Planner


@dataclass(frozen=True, slots=True, kw_only=True)
class BigRunPhases:
    """Does what the machine asks for. ``timeout_seconds`` is a whole invocation's time.

    ``queues`` holds each source connection's queue: what a run cannot end is asked for once more.
    """

    planner: Planner
    claims: Claims
    stores: Stores | Mapping[str, ObjectStore]
    queues: Mapping[str, RequestQueue]
    timeout_seconds: float
    obfuscation_key: Callable[[], bytes | None] = lambda: None

    def work(self, event: PhaseEvent, remaining: Callable[[], float]) -> PhaseOutcome:
        """Do one phase; ``remaining`` gives the seconds left. What is refused is settled and no exception.

        Raises what may succeed when it is tried again: the machine does, and then asks for ``fail``.
        """
        raise NotImplementedError(event.phase)
