"""The environment of the deployed functions: one class writes it and reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Self

from millrace.errors import InvalidConfiguration
from millrace.mappings import leave_out_empty

FUNCTIONS_ROOT = Path(__file__).parents[2]
CONFIGURATION_FILE = "configuration.json"
"""The validated configuration's name at the root of the deployed code."""

DEFAULT_NAME = "millrace"
"""Of a deployment that was given no other name."""
EVENT_SOURCE = "millrace"
"""The source of the events that the functions put on the account's bus; they may put no others."""
SWITCH_MARK = "\x1fwebhook\x1f"
"""What the keys of webhooks' switches begin with in the ledger's table. No sync's name is empty, so that no entry's key
begins like this."""
ASKED_RUNS_KEY = "\x1freprocesses"
"""The key of the reprocesses whose ends are still to be told, in the same table."""
ICEBERG_FOLDER = ".millrace/iceberg"
"""Where the metadata of Iceberg tables is, below the folder of the connection that their files are written to. No sync
reads what lies below ``.millrace``."""
DEPLOYMENT_VARIABLE = "MILLRACE_DEPLOYMENT"
"""Set by the stack itself: the number is known only while it is deployed."""

MACHINE_VARIABLE = "MILLRACE_BIG_RUN_MACHINE"
"""The ARN of the machine of big runs, where one is deployed."""

VISIBILITY_FACTOR = 6
"""A queue's visibility in timeouts of its function (AWS Lambda Developer Guide, "Using Lambda with Amazon SQS")."""

_IDENTITY = ("sync", "bucket", "key", "state", "revision", "fence", "fingerprint", "engine", "lease_until")
_ROWS = ("rows_read", "rows_written", "rows_quarantined", "rows_filtered")
_STORY = (*_IDENTITY, *_ROWS, "attempts", "started", "finished", "failure", "reason", "run_id")

LEDGER_INDEXES = MappingProxyType({"attention": _STORY, "finished": _STORY, "sources": (*_IDENTITY, "etag")})
"""The ledger's indexes: what needs attention, what finished on a day, what each sync knows in the order of its keys;
with the attributes that each carries beside its keys ``<index>_pk`` and ``<index>_sk`` (DynamoDB allows 20)."""


def storage_stack(deployment: str) -> str:
    """The name of a deployment's stack of what must be kept: ``MillraceStorage`` for ``millrace``."""
    return f"{_pascal(deployment)}Storage"


def processing_stack(deployment: str) -> str:
    """The name of a deployment's stack of functions: ``MillraceProcessing`` for ``millrace``."""
    return f"{_pascal(deployment)}Processing"


def _pascal(deployment: str) -> str:
    return "".join(map(str.capitalize, deployment.split("-")))


_NEEDED = ("MILLRACE_LEDGER_TABLE", "MILLRACE_QUEUES", "MILLRACE_TIMEOUT_SECONDS")
"""Variables without which no function runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The environment of a deployed function.

    ``queues`` maps a source connection's name to the URL of its managed queue. ``timeout_seconds`` is the convert
    function's time limit. ``obfuscation_secret`` is the name or ARN of the secret with the key of obfuscated fields;
    None where no sync obfuscates any. ``dead_letters`` is the URL of the dead-letter queue. ``deployment`` is a number
    that grows with every change of code or configuration, 0 for one from before there was such a number. ``function``
    is the function's own name, which Lambda sets. ``big_run_machine`` is the ARN of the machine of big runs; None where
    none is deployed. ``big_run_bytes``: an object so large is a big run whatever was learned of speeds; ``part_bytes``
    is about the size of a part. ``backfill_queue`` is the URL of the backfills' queue and ``convert_function`` the name
    of the function that receives from it: the backfill function alone has both. ``history`` is the folder that days of
    finished work are exported to, ``s3://bucket/folder/``, ``history_days`` for how many days they are kept, and
    ``memory_mb`` the convert function's memory: the reconcile function alone has these. The configuration lies beside
    the code, where MILLRACE_CONFIGURATION names no other file. ``database`` is that of catalogued tables of syncs which
    name none; the functions that write outputs have it. ``name`` is the deployment's name, which its events
    bear. ``webhook_queues`` maps each webhook's name to the URL of its queue: the webhook function alone has them.
    ``commit_queue`` is the URL of the queue of the committer of Iceberg tables; None where no sync has such tables.
    ``commit_dead_letters`` is the URL of what that queue gives up: the committer alone has it.
    """

    ledger_table: str
    queues: Mapping[str, str]
    timeout_seconds: int
    obfuscation_secret: str | None = None
    dead_letters: str | None = None
    deployment: int = 0
    function: str | None = None
    big_run_machine: str | None = None
    big_run_bytes: int | None = None
    part_bytes: int | None = None
    backfill_queue: str | None = None
    convert_function: str | None = None
    webhook_queues: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    name: str = DEFAULT_NAME
    history: str | None = None
    history_days: int | None = None
    memory_mb: int | None = None
    database: str | None = None
    commit_queue: str | None = None
    commit_dead_letters: str | None = None
    configuration_path: Path = FUNCTIONS_ROOT / CONFIGURATION_FILE

    def to_environment(self) -> dict[str, str]:
        """The variables to set on a function."""
        always = {
            "MILLRACE_LEDGER_TABLE": self.ledger_table,
            "MILLRACE_QUEUES": json.dumps(dict(self.queues), sort_keys=True),
            "MILLRACE_TIMEOUT_SECONDS": str(self.timeout_seconds),
        }
        optional = {
            "MILLRACE_OBFUSCATION_SECRET": self.obfuscation_secret,
            "MILLRACE_DEAD_LETTERS": self.dead_letters,
            DEPLOYMENT_VARIABLE: str(self.deployment) if self.deployment else None,
            MACHINE_VARIABLE: self.big_run_machine,
            "MILLRACE_BIG_RUN_BYTES": _to_text(self.big_run_bytes),
            "MILLRACE_BIG_RUN_PART_BYTES": _to_text(self.part_bytes),
            "MILLRACE_BACKFILL_QUEUE": self.backfill_queue,
            "MILLRACE_CONVERT_FUNCTION": self.convert_function,
            "MILLRACE_NAME": self.name,
            "MILLRACE_HISTORY": self.history,
            "MILLRACE_HISTORY_DAYS": _to_text(self.history_days),
            "MILLRACE_MEMORY_MB": _to_text(self.memory_mb),
            "MILLRACE_DATABASE": self.database,
            "MILLRACE_COMMIT_QUEUE": self.commit_queue,
            "MILLRACE_COMMIT_DEAD_LETTERS": self.commit_dead_letters,
            "MILLRACE_WEBHOOK_QUEUES": _to_json(self.webhook_queues),
        }
        return always | leave_out_empty(optional)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the variables back; raise InvalidConfiguration naming every one that is missing."""
        given = leave_out_empty(environment)
        missing = [name for name in _NEEDED if name not in given]
        if missing:
            raise InvalidConfiguration([f"environment variable {name} is not set" for name in missing])
        return cls(
            ledger_table=given["MILLRACE_LEDGER_TABLE"],
            queues=json.loads(given["MILLRACE_QUEUES"]),
            timeout_seconds=int(given["MILLRACE_TIMEOUT_SECONDS"]),
            obfuscation_secret=given.get("MILLRACE_OBFUSCATION_SECRET"),
            dead_letters=given.get("MILLRACE_DEAD_LETTERS"),
            deployment=int(given.get(DEPLOYMENT_VARIABLE, "0")),
            function=given.get("AWS_LAMBDA_FUNCTION_NAME"),
            big_run_machine=given.get(MACHINE_VARIABLE),
            big_run_bytes=_to_number(given.get("MILLRACE_BIG_RUN_BYTES")),
            part_bytes=_to_number(given.get("MILLRACE_BIG_RUN_PART_BYTES")),
            backfill_queue=given.get("MILLRACE_BACKFILL_QUEUE"),
            convert_function=given.get("MILLRACE_CONVERT_FUNCTION"),
            name=given.get("MILLRACE_NAME", DEFAULT_NAME),
            history=given.get("MILLRACE_HISTORY"),
            history_days=_to_number(given.get("MILLRACE_HISTORY_DAYS")),
            memory_mb=_to_number(given.get("MILLRACE_MEMORY_MB")),
            database=given.get("MILLRACE_DATABASE"),
            commit_queue=given.get("MILLRACE_COMMIT_QUEUE"),
            commit_dead_letters=given.get("MILLRACE_COMMIT_DEAD_LETTERS"),
            webhook_queues=json.loads(given.get("MILLRACE_WEBHOOK_QUEUES", "{}")),
            configuration_path=Path(given.get("MILLRACE_CONFIGURATION", FUNCTIONS_ROOT / CONFIGURATION_FILE)),
        )


def _to_json(texts: Mapping[str, str]) -> str | None:
    return json.dumps(dict(texts), sort_keys=True) if texts else None


def _to_text(number: int | None) -> str | None:
    return None if number is None else str(number)


def _to_number(text: str | None) -> int | None:
    return None if text is None else int(text)
