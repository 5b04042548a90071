"""The commit function's world: the committer of Iceberg tables, and what expires their snapshots."""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Self

from millrace.aws.commit_queue import SQSCommitQueue
from millrace.aws.sessions import Sessions
from millrace.aws.sqs_requests import ReceivedMessages
from millrace.catalog.iceberg.catalogs import IcebergCatalogs
from millrace.catalog.iceberg.committing import CommitReport, Committer
from millrace.catalog.iceberg.expiring import ExpiryReport, TableExpiry
from millrace.composition.base import Foundation, utc_now
from millrace.errors import MillraceError
from millrace.objects.store import ObjectStore
from millrace.planning.planner import Planner
from millrace.texts import shorten_text

if TYPE_CHECKING:
    from millrace.aws.iceberg_table_buckets import TableBucketCatalog

COMMIT_REFUSED = "CommitRefused"
"""The error of a dead letter that the committer made."""
_FIRST_WAIT, _LONGEST_WAIT = 0.2, 5.0


@dataclass(frozen=True, slots=True)
class CommitMessage:
    """A message that was received: its body, its id, and the group of its table."""

    body: str
    id: str
    group: str

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """As Lambda hands it over."""
        return cls(record["body"], record["messageId"], record["attributes"].get("MessageGroupId", ""))


@dataclass(frozen=True, slots=True)
class CommitWorld:
    """What the commit function works with; ``letters`` None: there is no dead-letter queue to send to."""

    committer: Committer
    expiry: TableExpiry
    letters: SQSCommitQueue | None
    _messages: ReceivedMessages

    def commit(self, messages: Sequence[CommitMessage], remaining: Callable[[], float]) -> CommitReport:
        """Commit what the messages ask for; what is refused is a dead letter by then, or comes back."""
        report = self.committer.commit([message.body for message in messages], remaining)
        for index, reason in list(report.refused.items()):
            try:
                self._bury(messages[index], reason)
            except MillraceError as error:
                report.failed[index] = f"{report.refused.pop(index)}; it is no dead letter yet: {error}"
        return report

    def expire(self, remaining: Callable[[], float]) -> ExpiryReport:
        """Expire the snapshots of all tables."""
        return self.expiry.expire(remaining)

    def put_off(self, queue_arn: str, handle: str, seconds: int) -> None:
        """Make a message visible again in that many seconds."""
        self._messages.put_off(queue_arn, handle, seconds)

    def _bury(self, message: CommitMessage, reason: str) -> None:
        """Make a dead letter, of a group of its own: of one group a reader sees the first few messages alone.

        The same request may be refused twice in five minutes, with a redrive in between. So a letter is known by its
        message: SQS would drop the second one.
        """
        if self.letters is None:
            return
        digest = hashlib.sha256(f"{message.id}\n{message.body}".encode()).hexdigest()
        attributes = {"reason": shorten_text(reason), "error": COMMIT_REFUSED, "group": message.group}
        self.letters.send(message.body, group=digest[:32], deduplication=digest, attributes=attributes)


def commit_world(environment: Mapping[str, str] = os.environ) -> CommitWorld:
    """Read settings and configuration, and make the clients; no request is sent yet."""
    base = Foundation.from_environment(environment)
    planner, catalog, database = Planner(base.document), _open_catalog(base), base.settings.database or ""
    committer = Committer(planner=planner, ledger=base.ledger, catalog=catalog, database=database, wait=wait_for_others)
    expiry = TableExpiry(
        planner=planner, ledger=base.ledger, catalog=catalog, stores=base.sessions, database=database, now=utc_now
    )
    dead_letters = base.settings.commit_dead_letters
    letters = SQSCommitQueue(partial(base.sessions.client, "sqs"), dead_letters) if dead_letters is not None else None
    return CommitWorld(committer, expiry, letters, ReceivedMessages(base.sessions.client("sqs"), None))


def _open_catalog(base: Foundation) -> IcebergCatalogs:
    from millrace.aws.iceberg_catalog import GlueIcebergCatalog  # noqa: PLC0415 - pyiceberg is in this function alone

    return IcebergCatalogs(
        GlueIcebergCatalog(base.sessions.client("glue"), base.sessions), open_table_buckets(base.sessions)
    )


def open_table_buckets(sessions: Sessions) -> TableBucketCatalog:
    """No client is made before there is a table of such."""
    from millrace.aws.iceberg_table_buckets import (  # noqa: PLC0415 - pyiceberg is in this function alone
        TableBucketCatalog,
        TableBucketStore,
    )

    @cache
    def client_of(region: str) -> Any:
        return sessions.client("s3tables", region=region)

    @cache
    def warehouse_of(region: str) -> ObjectStore:
        return TableBucketStore(sessions.client("s3", region=region))

    return TableBucketCatalog(sessions, client_of=client_of, warehouse_of=warehouse_of, now=utc_now)


def wait_for_others(conflicts: int) -> None:
    """Wait after a lost race: longer each time, and never as long as the other one."""
    time.sleep(random.uniform(0.5, 1) * min(_LONGEST_WAIT, _FIRST_WAIT * 2**conflicts))  # noqa: S311 - no secret
