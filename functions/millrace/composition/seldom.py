"""What few messages need: tickets of backfills, and big runs. Each is loaded with the first message that does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from millrace.composition.base import Foundation
from millrace.ledger.claims import Claims
from millrace.ledger.entries import BigRunFacts
from millrace.objects.messages import Ticket, TicketResult
from millrace.planning.planner import Planner

if TYPE_CHECKING:
    from millrace.aws.dynamodb_backfills import DynamoDBBackfills
    from millrace.big_runs.starting import BigRunStarter
    from millrace.delivery.routing import BigWork


@dataclass
class LazyTicketBook:
    """Satisfies ``delivery.tickets.TicketBook``."""

    base: Foundation

    def count(self, tickets: Iterable[Ticket], result: TicketResult) -> None:
        """As ``DynamoDBBackfills.count``."""
        self._book.count(tickets, result)

    def stopped(self) -> frozenset[str]:
        """As ``DynamoDBBackfills.stopped``."""
        return self._book.stopped()

    @cached_property
    def _book(self) -> DynamoDBBackfills:
        from millrace.aws.dynamodb_backfills import DynamoDBBackfills  # noqa: PLC0415 - most messages have no ticket

        return DynamoDBBackfills(self.base.sessions.client("dynamodb"), self.base.settings.ledger_table)


@dataclass
class LazyStarter:
    """Satisfies ``delivery.routing.RunStarter`` for the state machine of an ARN."""

    base: Foundation
    planner: Planner
    claims: Claims
    machine: str
    part_bytes: int

    def start(self, big: BigWork) -> BigRunFacts:
        """As ``BigRunStarter.start``."""
        return self._starter.start(big)

    @cached_property
    def _starter(self) -> BigRunStarter:
        from millrace.aws.step_functions import StepFunctions  # noqa: PLC0415 - most objects are no big runs
        from millrace.big_runs.starting import BigRunStarter  # noqa: PLC0415 - most objects are no big runs

        return BigRunStarter(
            machine=StepFunctions(self.base.sessions.client("stepfunctions"), self.machine),
            planner=self.planner,
            claims=self.claims,
            stores=self.base.sessions,
            part_bytes=self.part_bytes,
        )
