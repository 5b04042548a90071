"""Physical names, all derived from the deployment's name.

The stacks know each other's resources by name and not by export: CloudFormation refuses to delete an exported queue
while the other stack imports it, so that a connection could never be taken out of the configuration.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

_LONGEST_QUEUE_NAME = 80
"""Amazon SQS Developer Guide, "Message queues quotas"."""
_LONGEST_RULE_NAME = 64
"""Amazon EventBridge API Reference, "PutRule"."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names within the deployment called ``deployment``."""

    deployment: str

    @property
    def ledger(self) -> str:
        """The ledger table. A fixed name cannot be replaced unnoticed by an empty one."""
        return f"{self.deployment}-ledger"

    @property
    def dead_letters(self) -> str:
        """The dead-letter queue."""
        return f"{self.deployment}-dead-letters"

    @property
    def obfuscation_key(self) -> str:
        """The secret that holds the key of obfuscated fields."""
        return f"{self.deployment}/obfuscation-key"

    def queue(self, connection: str) -> str:
        """The managed queue of a connection; the tail keeps names apart that differ in other characters only."""
        tail = hashlib.sha256(connection.encode()).hexdigest()[:6]
        room = _LONGEST_QUEUE_NAME - len(self.deployment) - len(tail) - 2
        return f"{self.deployment}-{slug(connection)[:room]}-{tail}"

    @property
    def rules(self) -> str:
        """What the names of all rules start with."""
        return f"{self.deployment}-list-"

    def rule(self, sync: str) -> str:
        """The rule that has a sync's source listed; the tail keeps names apart."""
        tail = hashlib.sha256(sync.encode()).hexdigest()[:6]
        room = _LONGEST_RULE_NAME - len(self.rules) - len(tail) - 1
        return f"{self.rules}{slug(sync)[:room]}-{tail}"

    @property
    def convert(self) -> str:
        """The function that may pause its own event sources: its role names it before it is made."""
        return f"{self.deployment}-convert"

    @property
    def number(self) -> str:
        """The function that numbers deployments."""
        return f"{self.deployment}-number"

    @property
    def reprocess(self) -> str:
        """The function that people invoke by hand: they type its name."""
        return f"{self.deployment}-reprocess"

    @property
    def reconcile(self) -> str:
        """The function that may call itself: its role names it before it is made."""
        return f"{self.deployment}-reconcile"

    @property
    def big_run(self) -> str:
        """The function and the state machine of big runs: the roles of both name them before they are made."""
        return f"{self.deployment}-big-run"

    @property
    def heal_rule(self) -> str:
        """The rule that tells of big runs that end badly."""
        return f"{self.deployment}-big-run-ended-badly"

    @property
    def backfill(self) -> str:
        """The function that lists and steers backfills; it may call itself."""
        return f"{self.deployment}-backfill"

    @property
    def backfill_queue(self) -> str:
        """The queue of all backfills. No connection's has this name: those end in a hash."""
        return f"{self.deployment}-backfill"

    @property
    def backfill_rule(self) -> str:
        """The rule that has backfills looked after."""
        return f"{self.deployment}-tend-backfills"

    @property
    def database(self) -> str:
        """The database of catalogued tables; Athena takes no hyphens."""
        return self.deployment.replace("-", "_")

    @property
    def history_table(self) -> str:
        """The table of finished work in the catalogue."""
        return f"{self.database}_history"

    @property
    def history_rule(self) -> str:
        """The rule that has finished work exported. No sync's rule has this name: those end in a hash."""
        return f"{self.deployment}-export-history"

    @property
    def dashboard(self) -> str:
        """The dashboard of CloudWatch."""
        return self.deployment

    @property
    def webhook(self) -> str:
        """The function that sends events to webhooks; people invoke it to try one."""
        return f"{self.deployment}-webhook"

    def webhook_queue(self, webhook: str) -> str:
        """The queue of a webhook, and the rule that sends to it. No connection's has its tail: names have no slash."""
        tail = hashlib.sha256(f"webhook/{webhook}".encode()).hexdigest()[:6]
        room = _LONGEST_RULE_NAME - len(self.webhook) - len(tail) - 2
        return f"{self.webhook}-{slug(webhook)[:room]}-{tail}"

    @property
    def commit(self) -> str:
        """The function that commits to Iceberg tables."""
        return f"{self.deployment}-commit"

    @property
    def commit_queue(self) -> str:
        """Its queue. No connection's has this name: those end in a hash."""
        return f"{self.deployment}-commits.fifo"

    @property
    def commit_dead_letters(self) -> str:
        """What that queue gives up; of a queue with an order, only another one takes it."""
        return f"{self.deployment}-commit-dead-letters.fifo"

    @property
    def expiry_rule(self) -> str:
        """The rule that has snapshots of Iceberg tables expire."""
        return f"{self.deployment}-expire-snapshots"

    @property
    def log_groups(self) -> str:
        """What the names of all log groups start with."""
        return f"/millrace/{self.deployment}/"

    def log_group(self, function: str) -> str:
        """The log group of a function."""
        return f"{self.log_groups}{function}"


def slug(text: str) -> str:
    """``text`` in lower-case letters, digits and hyphens; `x` where nothing is left of it."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"


def construct_id(text: str) -> str:
    """A construct's id for what the configuration calls ``text``: readable, and its own."""
    words = "".join(map(str.capitalize, slug(text).split("-")))
    return f"{words[:40]}{hashlib.sha256(text.encode()).hexdigest()[:6]}"
