"""What the views ask: the deployment with its clients, kept between requests, and the configuration if there is one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from millrace.aws.dynamodb_pages import DynamoDBPages
from millrace.aws.s3_objects import S3ObjectStore
from millrace.ui.guard import PageSecret

if TYPE_CHECKING:
    from millrace.aws.deployed import Deployed
    from millrace.aws.dynamodb_ledger import DynamoDBLedger
    from millrace.ledger.stores import LedgerPages
    from millrace.objects.store import ObjectStore
    from millrace.planning.planner import Planner
    from millrace.remote.deployments import Deployments

_FOUND_FOR_SECONDS = 60.0
"""How long the outputs of the stacks are believed: a deployment in between shows after a minute."""


class KeptDeployments:
    """Deployments whose clients and resources are made once: a client takes 50 ms, and a page asks ten."""

    def __init__(self, deployments: Deployments, clock: Callable[[], float] = time.monotonic) -> None:
        self._deployments = deployments
        self._clock = clock
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        self._found: dict[str, tuple[float, tuple[Deployed, DynamoDBLedger]]] = {}

    def find(self, name: str) -> tuple[Deployed, DynamoDBLedger]:
        """As the port says; what was found is believed for a minute."""
        with self._lock:
            kept = self._found.get(name)
            if kept is None or kept[0] < self._clock():
                kept = (self._clock() + _FOUND_FOR_SECONDS, self._deployments.find(name))
                self._found[name] = kept
        return kept[1]

    def invoke(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        """As the port says."""
        return self._deployments.invoke(function, event)

    def client(self, service: str) -> Any:
        """As the port says; boto3's clients may be used by many threads, its sessions may not."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._deployments.client(service)
            return self._clients[service]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageWorld:
    """What every view is given.

    ``planner`` is of the configuration, None without one: then the page does not know which queue is which sync's.
    ``place`` says in a few words what is looked at: an account and region, or the demonstration. ``buckets`` are read
    with the user's own rights if no others are given.
    """

    deployments: Deployments
    name: str
    planner: Planner | None = None
    place: str = ""
    is_demo: bool = False
    allow_actions: bool = False
    secret: PageSecret = field(default_factory=PageSecret)
    now: Callable[[], datetime] = _now
    buckets: ObjectStore | None = None

    @property
    def deployed(self) -> Deployed:
        """The deployment's resources. Raises ConfigurationError if there is no such deployment."""
        return self.deployments.find(self.name)[0]

    @property
    def ledger(self) -> DynamoDBLedger:
        """Its entries."""
        return self.deployments.find(self.name)[1]

    @property
    def pages(self) -> LedgerPages:
        """Its indexes, a page at a time."""
        return DynamoDBPages(self.deployments.client("dynamodb"), self.deployed.ledger_table)

    @property
    def store(self) -> ObjectStore:
        """Buckets, with the user's own rights."""
        return self.buckets or S3ObjectStore(self.deployments.client("s3"))
