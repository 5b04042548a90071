"""The convert function's world: the worker, its queues, and the breaker that pauses an event source."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Protocol

from millrace import __version__
from millrace.aws import secrets
from millrace.aws.circuits import DynamoDBCircuits, FunctionEventSources
from millrace.aws.sessions import Sessions
from millrace.aws.sqs_requests import ReceivedMessages
from millrace.composition.base import Foundation, utc_now
from millrace.composition.catalog import Cataloguing, cataloguing
from millrace.composition.letters import LetterTeller, letter_teller
from millrace.composition.seldom import LazyStarter, LazyTicketBook
from millrace.composition.telling import LazyBus, entry_teller
from millrace.config.connection import QueueArn
from millrace.delivery.breaker import Breaker, Circuit
from millrace.delivery.intake import Grounds, Intake
from millrace.delivery.routing import DEFAULT_PART_BYTES, NO_BIG_RUNS, Routing
from millrace.delivery.tickets import TicketCounter
from millrace.delivery.worker import FIRST_BACKOFF_SECONDS, Outcome, Worker
from millrace.deployment.settings import Settings
from millrace.engine.native.library import Missing, look_for_kernel, mark_version
from millrace.errors import MillraceError
from millrace.ledger.claims import LEASE_MARGIN, Claims
from millrace.ledger.entries import DONE
from millrace.mappings import leave_out_empty
from millrace.planning.planner import Planner


class Witness(Protocol):
    """Hears what the function's log and metrics should say beside the work itself."""

    def circuit_opened(self, circuit: Circuit) -> None:
        """Take note of an event source that was paused."""
        ...

    def trouble(self, reason: str) -> None:
        """Take note of what went wrong beside the work, such as an announcement that was not sent."""
        ...

    def buried(self, grounds: Grounds) -> None:
        """Take note of a message that is a dead letter now."""
        ...

    def not_catalogued(self, reason: str) -> None:
        """Take note of a table that could not be brought into the catalogue."""
        ...


@dataclass(frozen=True, slots=True)
class QueueReceipt:
    """Satisfies ``intake.Receipt`` for one message of one queue."""

    messages: ReceivedMessages
    queue_arn: str
    handle: str
    connection: str | None
    witness: Witness
    letters: LetterTeller

    def put_off(self, seconds: int, /) -> None:
        """Change the message's visibility."""
        self.messages.put_off(self.queue_arn, self.handle, seconds)

    def delete(self) -> None:
        """Delete it by its receipt handle."""
        self.messages.delete(self.queue_arn, self.handle)

    def bury(self, body: str, grounds: Grounds, /) -> None:
        """Send the body to the dead-letter queue; `millrace redrive` sends it back to what ``queue`` names.

        Others are told of it. If that fails, the alarm of the dead letters does it alone: the message would be a dead
        letter twice if it came back.
        """
        queue = self.queue_arn.rpartition(":")[2]
        named = {
            "reason": grounds.reason,
            "error": grounds.error,
            "queue": queue,
            "connection": self.connection,
            "sync": grounds.sync,
            "key": grounds.key,
        }
        self.messages.bury(body, leave_out_empty(named))
        self.witness.buried(grounds)
        try:
            self.letters.tell(grounds, body, queue=queue, connection=self.connection)
        except MillraceError as error:
            self.witness.trouble(str(error))


@dataclass(frozen=True, slots=True)
class ConvertWorld:
    """What the convert function works with; ``breaker`` None outside of Lambda, where there is nothing to pause.

    ``tickets`` counts what becomes of backfills' requests.
    """

    worker: Worker
    breaker: Breaker | None
    tickets: TicketCounter
    _messages: ReceivedMessages
    _connections: Mapping[str, str]
    _witness: Witness
    _letters: LetterTeller
    _catalog: Cataloguing | None

    def receipt(self, queue_arn: str, handle: str) -> QueueReceipt:
        """What can be done with a message that was received from a queue under a handle."""
        connection = self._connections.get(queue_arn.rpartition(":")[2])
        return QueueReceipt(self._messages, queue_arn, handle, connection, self._witness, self._letters)

    def intake(self, queue_arn: str, *, tell: Callable[[Outcome], None], note: Callable[[str], None]) -> Intake:
        """The intake of one queue."""
        breaker = self.breaker

        def hear(outcome: Outcome) -> None:
            tell(outcome)
            self._keep_catalog(outcome)
            if breaker is not None:
                breaker.hear(outcome, queue_arn)

        return Intake(worker=self.worker, tell=hear, note=note, tickets=self.tickets)

    def direct_intake(self, *, tell: Callable[[Outcome], None], note: Callable[[str], None]) -> Intake:
        """The intake of events that no queue brought: there is none to pause, and none to send to."""

        def hear(outcome: Outcome) -> None:
            tell(outcome)
            self._keep_catalog(outcome)

        return Intake(worker=self.worker, tell=hear, note=note)

    def _keep_catalog(self, outcome: Outcome) -> None:
        # Work that was done just now, and no refusal, whose entry is of earlier work.
        if self._catalog is not None and outcome.result in DONE:
            self._catalog.keep(outcome.entry)


def convert_world(
    witness: Witness,
    environment: Mapping[str, str] = os.environ,
    *,
    lease_margin: timedelta = LEASE_MARGIN,
    first_backoff: int = FIRST_BACKOFF_SECONDS,
) -> ConvertWorld:
    """Read settings and configuration, and make the clients; no request is sent yet."""
    base = Foundation.from_environment(environment)
    if isinstance(kernel := look_for_kernel(), Missing):
        witness.trouble(f"the native kernel is not used, so conversions take longer: {kernel.reason}")
    planner = Planner(base.document)
    worker = _make_worker(base, planner, lease_margin=lease_margin, first_backoff=first_backoff)
    messages = ReceivedMessages(base.sessions.client("sqs"), base.settings.dead_letters)
    tickets = TicketCounter(LazyTicketBook(base), utc_now)
    return ConvertWorld(
        worker,
        _breaker(base, witness),
        tickets,
        messages,
        _name_connections(base),
        witness,
        letter_teller(base),
        cataloguing(base, planner, witness.not_catalogued),
    )


def _make_worker(base: Foundation, planner: Planner, *, lease_margin: timedelta, first_backoff: int) -> Worker:
    return Worker.build(
        planner=planner,
        ledger=base.ledger,
        stores=base.sessions,
        queues=base.queues,
        now=utc_now,
        engine=mark_version(__version__),
        timeout_seconds=base.settings.timeout_seconds,
        obfuscation_key=obfuscation_key(base.settings, base.sessions),
        deployment=base.settings.deployment,
        lease_margin=lease_margin,
        first_backoff=first_backoff,
        routing=partial(_route, base, planner),
        teller=entry_teller(base, planner),
    )


def _route(base: Foundation, planner: Planner, claims: Claims) -> Routing:
    """What becomes a big run, where a machine of big runs is deployed."""
    settings = base.settings
    if settings.big_run_machine is None:
        return NO_BIG_RUNS
    part_bytes = settings.part_bytes or DEFAULT_PART_BYTES
    starter = LazyStarter(base, planner, claims, settings.big_run_machine, part_bytes)
    return Routing(starter=starter, big_run_bytes=settings.big_run_bytes)


def _name_connections(base: Foundation) -> dict[str, str]:
    """Each connection by the names of its queues: the managed one, and the user's own."""
    by_queue = {url.rpartition("/")[2]: name for name, url in base.settings.queues.items()}
    for connection in base.document.connections:
        if isinstance(connection.notifications, QueueArn):
            by_queue[connection.notifications.arn.rpartition(":")[2]] = connection.name
    return by_queue


def _breaker(base: Foundation, witness: Witness) -> Breaker | None:
    settings, sessions = base.settings, base.sessions
    if settings.function is None:
        return None

    bus = LazyBus(base)

    def announce(circuit: Circuit) -> None:
        from millrace.delivery.circuit_events import to_circuit_opened  # noqa: PLC0415 - circuits open seldom

        witness.circuit_opened(circuit)
        try:
            bus.send([to_circuit_opened(circuit, settings.name, utc_now())])
        except MillraceError as error:
            witness.trouble(str(error))

    return Breaker(
        circuits=DynamoDBCircuits(sessions.client("dynamodb"), settings.ledger_table),
        sources=FunctionEventSources(sessions.client_on_demand("lambda"), settings.function),
        now=utc_now,
        announce=announce,
        trouble=witness.trouble,
    )


def obfuscation_key(settings: Settings, sessions: Sessions) -> Callable[[], bytes | None]:
    """Gives the key of obfuscated fields when it is first asked for; None where no sync obfuscates any."""
    if settings.obfuscation_secret is None:
        return _no_key
    return secrets.key_of(sessions.client("secretsmanager"), settings.obfuscation_secret)


def _no_key() -> None:
    return None
